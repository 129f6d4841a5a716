package e2e

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// imageConfig is what a container runs with, in a docker-archive.
type imageConfig struct {
	Config struct {
		User       string
		Entrypoint []string
		Cmd        []string
		Labels     map[string]string
	} `json:"config"`
}

// isWhatTheDockerfileSays looks into the image that was built, with or without a builder.
func isWhatTheDockerfileSays(archive string) {
	GinkgoHelper()
	dockerfile, err := os.ReadFile(root + "/Dockerfile")
	Expect(err).NotTo(HaveOccurred())
	text, err := os.ReadFile(archive)
	Expect(err).NotTo(HaveOccurred())
	members := untar(text)
	var manifest []struct {
		Config string
		Layers []string
	}
	Expect(json.Unmarshal(members["manifest.json"].content, &manifest)).To(Succeed())
	Expect(manifest).To(HaveLen(1))
	var image imageConfig
	Expect(json.Unmarshal(members[manifest[0].Config].content, &image)).To(Succeed())

	Expect(string(dockerfile)).To(ContainSubstring("\nUSER " + image.Config.User + "\n"))
	Expect(image.Config.User).To(MatchRegexp(`^[1-9][0-9]+:[0-9]+$`), "a number, so that runAsNonRoot can be checked")
	Expect(image.Config.Entrypoint).To(Equal([]string{"/signalr-operator"}))
	Expect(image.Config.Cmd).To(BeEmpty())
	labels := regexp.MustCompile(`(org\.[a-z.]+)="([^"]*)"`).FindAllStringSubmatch(string(dockerfile), -1)
	Expect(labels).NotTo(BeEmpty())
	for _, label := range labels {
		if label[2] == "${VERSION}" {
			Expect(image.Config.Labels[label[1]]).NotTo(BeElementOf("", "dev", "${VERSION}"))
			continue
		}
		Expect(image.Config.Labels).To(HaveKeyWithValue(label[1], label[2]))
	}

	files := map[string]file{}
	for _, layer := range manifest[0].Layers {
		maps.Copy(files, untar(members[layer].content))
	}
	for _, name := range []string{"signalr-operator", "signalr-edge"} {
		Expect(files).To(HaveKey(name))
		Expect(files[name].mode&0o555).To(BeEquivalentTo(0o555), "%s is for everybody to run", name)
		program, err := elf.NewFile(bytes.NewReader(files[name].content))
		Expect(err).NotTo(HaveOccurred())
		for _, part := range program.Progs {
			Expect(part.Type).NotTo(Equal(elf.PT_INTERP), "%s needs a loader, and there is none", name)
		}
		delete(files, name)
	}
	for name := range files {
		Expect(name).To(Or(HaveSuffix("/"), Equal("etc/ssl/certs/ca-certificates.crt")), "what else is in the image")
	}
}

// file is a member of an archive.
type file struct {
	mode    int64
	content []byte
}

func untar(text []byte) map[string]file {
	GinkgoHelper()
	files := map[string]file{}
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		Expect(err).NotTo(HaveOccurred())
		content, err := io.ReadAll(r)
		Expect(err).NotTo(HaveOccurred())
		files[header.Name] = file{mode: header.Mode, content: content}
	}
}
