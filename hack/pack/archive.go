package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// image is the image's configuration, as the OCI image specification has it.
type image struct {
	Architecture string      `json:"architecture"`
	OS           string      `json:"os"`
	Created      time.Time   `json:"created"`
	Config       imageConfig `json:"config"`
	RootFS       rootFS      `json:"rootfs"`
}

// imageConfig is what a container made from the image runs with.
type imageConfig struct {
	User       string            `json:"User,omitempty"`
	Env        []string          `json:"Env,omitempty"`
	Entrypoint []string          `json:"Entrypoint,omitempty"`
	Cmd        []string          `json:"Cmd,omitempty"`
	WorkingDir string            `json:"WorkingDir,omitempty"`
	Labels     map[string]string `json:"Labels,omitempty"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

// manifest is the one entry of a docker-archive's manifest.json.
type manifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// epoch dates everything in the image, so that the same content has the same digest.
var epoch = time.Unix(0, 0).UTC()

// layerOf returns the folder as the layer's tar. It holds an image in memory: ours is some tens of megabytes.
func layerOf(root string) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return addFile(w, filepath.ToSlash(name), path, entry)
	})
	if err != nil {
		return nil, err
	}
	return buf.Bytes(), w.Close()
}

func addFile(w *tar.Writer, name, path string, entry fs.DirEntry) error {
	info, err := entry.Info()
	switch {
	case err != nil:
		return err
	case entry.IsDir():
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: epoch})
	case !entry.Type().IsRegular():
		return fmt.Errorf("%s is no file and no folder", name)
	}
	// Permissions without the umask of whoever built: what is executable is so for all.
	mode := int64(0o644)
	if info.Mode().Perm()&0o111 != 0 {
		mode = 0o755
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return member(w, name, mode, content)
}

func member(w *tar.Writer, name string, mode int64, content []byte) error {
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), ModTime: epoch,
	}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

// write writes the docker-archive: the configuration and the layer under their digests, and the manifest.
func (i image) write(out io.Writer, name string, layer []byte) error {
	i.Created, i.RootFS = epoch, rootFS{Type: "layers", DiffIDs: []string{"sha256:" + digest(layer)}}
	config, err := json.Marshal(i)
	if err != nil {
		return err
	}
	entry := manifest{
		Config: digest(config) + ".json", RepoTags: []string{name}, Layers: []string{digest(layer) + "/layer.tar"},
	}
	list, err := json.Marshal([]manifest{entry})
	if err != nil {
		return err
	}
	w := tar.NewWriter(out)
	for _, m := range []struct {
		name    string
		content []byte
	}{{entry.Config, config}, {entry.Layers[0], layer}, {"manifest.json", list}} {
		if err := member(w, m.name, 0o644, m.content); err != nil {
			return err
		}
	}
	return w.Close()
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
