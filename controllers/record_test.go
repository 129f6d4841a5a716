package controllers

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// grantKey is what a rule of RBAC grants: one verb on one resource, with its group.
type grantKey struct {
	group, resource, verb string
}

// record notes what the operator asks the API server for.
type record struct {
	mu sync.Mutex
	// used is guarded by mu.
	used map[grantKey]int
	// mutating counts writes that were let in.
	mutating atomic.Int64
	// all counts all requests.
	all atomic.Int64
}

func newRecord() *record { return &record{used: map[grantKey]int{}} }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (r *record) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		// Who may not ask gets 401 or 403 whatever is there; any other answer needed the right to ask.
		if err == nil && resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
			r.note(req, resp.StatusCode)
		}
		return resp, err
	})
}

func (r *record) note(req *http.Request, status int) {
	r.all.Add(1)
	group, resource, named, ok := target(req.URL.Path)
	if !ok {
		return // discovery
	}
	var verbs []string
	switch req.Method {
	case http.MethodGet:
		switch {
		case req.URL.Query().Get("watch") != "":
			verbs = []string{"watch"}
		case named:
			verbs = []string{"get"}
		default:
			verbs = []string{"list"}
		}
	case http.MethodPost:
		verbs = []string{"create"}
	case http.MethodPut:
		verbs = []string{"update"}
	case http.MethodPatch:
		verbs = []string{"patch"}
		if status == http.StatusCreated { // server-side apply of what was not there asks for both
			verbs = append(verbs, "create")
		}
	case http.MethodDelete:
		verbs = []string{"delete"}
	}
	if req.Method != http.MethodGet {
		r.mutating.Add(1)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, verb := range verbs {
		r.used[grantKey{group, resource, verb}]++
	}
}

func (r *record) seen() map[grantKey]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.used)
}

// target reads a URL of the API: /api/v1/namespaces/NS/RESOURCE/NAME/SUBRESOURCE, or /apis/GROUP/VERSION/….
func target(path string) (group, resource string, named, ok bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		group, parts = parts[1], parts[3:]
	default:
		return "", "", false, false
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	resource = parts[0]
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	return group, resource, len(parts) > 1, true
}
