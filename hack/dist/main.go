// Command dist writes what a release is installed from, into dist/: install.yaml, which is config/default in one file,
// and bundle/, the same for the Operator Lifecycle Manager (manifests, metadata, Dockerfile).
//
// It is no release: it pushes, signs and tags nothing. What is in the files is decided in config/; it sets version and
// image. It runs in one goroutine and writes the same bytes for the same tree and flags.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// options are the flags.
type options struct {
	root, out, version, image string
}

func main() {
	var o options
	flag.StringVar(&o.root, "root", ".", "the repository's root")
	flag.StringVar(&o.out, "out", "dist", "the folder to write to")
	flag.StringVar(&o.version, "version", "0.1.0", "the version, with or without v")
	flag.StringVar(&o.image, "image", "", "the image (default: the one in config/default, with the version as tag)")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: dist [flags] install|bundle")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(o, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func run(o options, what []string) error {
	o.version = strings.TrimPrefix(o.version, "v")
	var files map[string][]byte
	var err error
	switch strings.Join(what, " ") {
	case "install":
		files, err = installFile(o)
	case "bundle":
		files, err = bundle(o)
	default:
		return errors.New("say what to write: install or bundle")
	}
	if err != nil {
		return err
	}
	for name, text := range files {
		file := filepath.Join(o.out, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("make the folder: %w", err)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}
