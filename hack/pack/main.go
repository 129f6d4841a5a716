// Command pack writes a container image as a docker-archive, without a builder: hack/image uses it where no container
// engine answers, hack/cluster for the images of its tests. It is no builder: it reads one stage FROM scratch, whose
// files lie ready in a folder, and refuses an instruction that it would have to carry out.
//
// The same files make the same bytes: members are sorted, owned by root and dated to the epoch.
//
// It has no concurrency.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	set := flag.NewFlagSet("pack", flag.ContinueOnError)
	root := set.String("root", "", "folder with the files of the image")
	dockerfile := set.String("dockerfile", "", "take the configuration from the last stage of this file")
	entrypoint := set.String("entrypoint", "", "without a Dockerfile: the program, run as user 65532")
	platform := set.String("platform", "linux/amd64", "operating system and architecture")
	name := set.String("tag", "", "name of the image, with its registry and tag")
	output := set.String("output", "", "docker-archive to write")
	arguments := map[string]string{}
	set.Func("build-arg", "NAME=VALUE for an ARG of the Dockerfile", func(s string) error {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want NAME=VALUE")
		}
		arguments[k] = v
		return nil
	})
	if err := set.Parse(args); err != nil {
		return err
	}
	if *root == "" || *name == "" || *output == "" || (*dockerfile == "") == (*entrypoint == "") {
		return errors.New("want --root, --tag, --output, and one of --dockerfile and --entrypoint")
	}
	system, architecture, ok := strings.Cut(*platform, "/")
	if !ok {
		return fmt.Errorf("platform %q: want os/architecture", *platform)
	}
	config := imageConfig{User: "65532:65532", Entrypoint: []string{*entrypoint}, WorkingDir: "/"}
	if *dockerfile != "" {
		text, err := os.ReadFile(*dockerfile)
		if err != nil {
			return err
		}
		if config, err = lastStage(string(text), arguments); err != nil {
			return fmt.Errorf("%s: %w", *dockerfile, err)
		}
	}
	layer, err := layerOf(*root)
	if err != nil {
		return fmt.Errorf("files of the image: %w", err)
	}
	img := image{Architecture: architecture, OS: system, Config: config}
	return writeFile(*output, func(f *os.File) error { return img.write(f, *name, layer) })
}

// writeFile writes a file under its final name only when it is whole.
func writeFile(path string, write func(*os.File) error) (err error) {
	f, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
