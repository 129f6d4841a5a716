package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLastStage(t *testing.T) {
	tests := map[string]struct {
		text      string
		arguments map[string]string
		want      imageConfig
		wantErr   string
	}{
		"takes configuration from the last stage only": {
			text: "ARG A=1\nFROM golang AS build\nUSER nobody\nRUN make \\\n  all\n\n# the image\nFROM scratch\n" +
				"COPY --from=build /out/ /\nUSER 65532:65532\nENTRYPOINT [\"/edge\", \"serve\"]\nCMD [\"--help\"]\n",
			want: imageConfig{
				User: "65532:65532", WorkingDir: "/", Entrypoint: []string{"/edge", "serve"}, Cmd: []string{"--help"},
			},
		},
		"puts arguments into labels and variables": {
			text: "FROM scratch\nARG VERSION=dev\nARG OTHER=kept\nCOPY --from=b /out/ /\n" +
				"LABEL title=\"two words\" \\\n  version=\"${VERSION}\"\nENV MODE=$OTHER\nWORKDIR /data\n",
			arguments: map[string]string{"VERSION": "v1.2.3"},
			want: imageConfig{
				WorkingDir: "/data", Env: []string{"MODE=kept"},
				Labels: map[string]string{"title": "two words", "version": "v1.2.3"},
			},
		},
		"refuses a last stage with a base": {
			text:    "FROM scratch AS x\nFROM debian\nCOPY --from=x / /\n",
			wantErr: "not FROM scratch",
		},
		"refuses what it would have to carry out": {
			text:    "FROM scratch\nCOPY --from=b /out/ /\nRUN true\n",
			wantErr: "RUN true: this needs a real builder",
		},
		"refuses files from elsewhere than a stage": {
			text:    "FROM scratch\nCOPY ./bin /\n",
			wantErr: "want COPY --from=STAGE FOLDER /",
		},
		"refuses two layers": {
			text:    "FROM scratch\nCOPY --from=b /a/ /\nCOPY --from=b /b/ /\n",
			wantErr: "has 2 COPY instructions",
		},
		"refuses a quote without its end": {
			text:    "FROM scratch\nCOPY --from=b /out/ /\nLABEL a=\"b\n",
			wantErr: "a quote is not closed",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := lastStage(tc.text, tc.arguments)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("got error %v, want one with %q", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOurDockerfile: whoever changes the Dockerfile learns here that the image without a builder would not follow. Only
// what the last stage says is in the configuration: no variable, no command, no base.
func TestOurDockerfile(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	out, root := filepath.Join(t.TempDir(), "image.tar"), t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "signalr-operator"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"--dockerfile", "../../Dockerfile", "--root", root, "--platform", "linux/arm64", "--build-arg", "VERSION=v9",
		"--tag", "example.com/a:b", "--output", out,
	}
	if err := run(args); err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	members := untar(t, archive)
	var list []manifest
	decode(t, members["manifest.json"], &list)
	var got image
	decode(t, members[list[0].Config], &got)

	labels, label := map[string]string{}, regexp.MustCompile(`(org\.opencontainers\.[a-z.]+)="([^"]*)"`)
	for _, m := range label.FindAllStringSubmatch(string(text), -1) {
		labels[m[1]] = strings.ReplaceAll(m[2], "${VERSION}", "v9")
	}
	for _, want := range []string{"title", "description", "source", "licenses", "version"} {
		if labels["org.opencontainers.image."+want] == "" {
			t.Errorf("the image has no label %s", want)
		}
	}
	want := imageConfig{
		User: "65532:65532", Entrypoint: []string{"/signalr-operator"}, WorkingDir: "/", Labels: labels,
	}
	if diff := cmp.Diff(want, got.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if got.OS+"/"+got.Architecture != "linux/arm64" {
		t.Errorf("the image is for %s/%s", got.OS, got.Architecture)
	}
	for _, instruction := range []string{
		"FROM --platform=$BUILDPLATFORM ", // compiled across, not emulated
		"GOOS=${TARGETOS} GOARCH=${TARGETARCH}", "\nFROM scratch\n", "\nUSER 65532:65532\n",
	} {
		if !strings.Contains(string(text), instruction) {
			t.Errorf("the Dockerfile has no %q", instruction)
		}
	}
}

// TestTheContextIsWhole: a builder sees only what .dockerignore lets through, a build without one sees everything.
func TestTheContextIsWhole(t *testing.T) {
	text, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/signalr-operator/signalr-operator/"
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./controllers/cmd/manager", "./edge/cmd/edge")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	needed := map[string]bool{"hack/rootfs": true, "go.mod": true, "go.sum": true}
	for line := range strings.Lines(string(out)) {
		if name, ours := strings.CutPrefix(strings.TrimSpace(line), module); ours {
			folder, _, _ := strings.Cut(name, "/")
			needed[folder] = true
		}
	}
	for name := range needed {
		if !strings.Contains(string(text), "\n!"+name+"\n") {
			t.Errorf("the image needs %s, which .dockerignore keeps from the builder", name)
		}
	}
}

func TestArchive(t *testing.T) {
	pack := func() []byte {
		root, out := t.TempDir(), filepath.Join(t.TempDir(), "image.tar")
		for name, mode := range map[string]os.FileMode{"edge": 0o700, "etc/roots": 0o600} {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(name), mode); err != nil {
				t.Fatal(err)
			}
		}
		args := []string{
			"--root", root, "--entrypoint", "/edge", "--tag", "example.com/a:b", "--platform", "linux/arm64", "--output", out,
		}
		if err := run(args); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	archive := pack()
	if !bytes.Equal(archive, pack()) {
		t.Error("the same files made another archive")
	}

	members := untar(t, archive)
	var list []manifest
	decode(t, members["manifest.json"], &list)
	if len(list) != 1 || !cmp.Equal(list[0].RepoTags, []string{"example.com/a:b"}) {
		t.Fatalf("got manifest %+v, want one image named example.com/a:b", list)
	}
	var got image
	decode(t, members[list[0].Config], &got)
	layer := members[list[0].Layers[0]]
	want := image{
		Architecture: "arm64", OS: "linux", Created: epoch,
		Config: imageConfig{User: "65532:65532", Entrypoint: []string{"/edge"}, WorkingDir: "/"},
		RootFS: rootFS{Type: "layers", DiffIDs: []string{"sha256:" + digest(layer)}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	files := map[string]string{}
	for name, content := range untar(t, layer) {
		files[name] = string(content)
	}
	if diff := cmp.Diff(map[string]string{"edge": "edge", "etc/": "", "etc/roots": "etc/roots"}, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// untar returns the members' contents, and checks that whoever runs as another user can read them.
func untar(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	members := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return members
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Mode&0o444 != 0o444 || header.Uid != 0 {
			t.Errorf("%s has mode %o and owner %d, want it readable by all and root's", header.Name, header.Mode, header.Uid)
		}
		if members[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func decode(t *testing.T, b []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%v in %q", err, b)
	}
}
