package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// files is the page. The client library is copied into static/vendor by make before the program is built; it is not
// part of the repository.
//
//go:embed static
var files embed.FS

// clientFile is the stock SignalR client for browsers, in static/vendor and in its npm package.
const clientFile = "signalr.min.js"

// errNoClient says how to get the client library.
var errNoClient = errors.New("the SignalR client for browsers is missing: run \"make run\", or \"npm ci\" in hack/demo")

// clientLibrary returns the client's file: the embedded one, else that of the npm package in one of the folders.
func clientLibrary(embedded fs.FS, folders ...string) ([]byte, error) {
	b, err := fs.ReadFile(embedded, "vendor/"+clientFile)
	if err == nil {
		return b, nil
	}
	for _, folder := range folders {
		b, err := os.ReadFile(filepath.Join(folder, "node_modules", "@microsoft", "signalr", "dist", "browser", clientFile))
		if err == nil {
			return b, nil
		}
	}
	return nil, errNoClient
}

// page serves the static files and the client library. edge is the endpoint that the page's scripts may connect to
// besides the page's own address.
func page(static fs.FS, client []byte, edge string) http.Handler {
	policy := strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'",
		fmt.Sprintf("connect-src 'self' %s ws%s", edge, strings.TrimPrefix(edge, "http")),
		"base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
	}, "; ")
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(static))
	mux.HandleFunc("GET /vendor/"+clientFile, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write(client) // the browser is gone, nobody to tell
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		mux.ServeHTTP(w, r)
	})
}
