package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"
)

// lastStage reads the last stage of a Dockerfile. It must be FROM scratch with one COPY --from of everything the other
// stages made; every other instruction is configuration. What it does not know it refuses: an image that a builder
// makes and one from here must not differ.
func lastStage(text string, arguments map[string]string) (imageConfig, error) {
	stage, err := instructions(text)
	if err != nil {
		return imageConfig{}, err
	}
	r := stageReader{values: map[string]string{}, arguments: arguments, config: imageConfig{WorkingDir: "/"}}
	for _, in := range stage {
		if err := r.read(in); err != nil {
			return imageConfig{}, fmt.Errorf("%s %s: %w", in.verb, in.rest, err)
		}
	}
	if r.copies != 1 {
		return imageConfig{}, fmt.Errorf("the last stage has %d COPY instructions, want 1", r.copies)
	}
	return r.config, nil
}

// instruction is one line of a Dockerfile, continuations joined.
type instruction struct {
	verb, rest string
}

// instructions returns those of the last stage, behind its FROM.
func instructions(text string) ([]instruction, error) {
	var stage []instruction
	var line strings.Builder
	found := false
	for part := range strings.Lines(text) {
		part = strings.TrimSpace(part)
		if part == "" || strings.HasPrefix(part, "#") {
			continue
		}
		if rest, more := strings.CutSuffix(part, `\`); more {
			line.WriteString(rest)
			continue
		}
		line.WriteString(part)
		verb, rest, _ := strings.Cut(line.String(), " ")
		line.Reset()
		in := instruction{verb: strings.ToUpper(verb), rest: strings.TrimSpace(rest)}
		if in.verb != "FROM" {
			stage = append(stage, in)
			continue
		}
		stage, found = nil, in.rest == "scratch"
	}
	if !found {
		return nil, errors.New("the last stage is not FROM scratch")
	}
	return stage, nil
}

// stageReader gathers the configuration.
type stageReader struct {
	values    map[string]string // of ARG and ENV so far
	arguments map[string]string // given for ARG
	config    imageConfig
	copies    int
}

func (r *stageReader) read(in instruction) error {
	switch in.verb {
	case "ENTRYPOINT":
		return json.Unmarshal([]byte(in.rest), &r.config.Entrypoint)
	case "CMD":
		return json.Unmarshal([]byte(in.rest), &r.config.Cmd)
	case "COPY":
		r.copies++
		if f := strings.Fields(in.rest); len(f) != 3 || !strings.HasPrefix(f[0], "--from=") || f[2] != "/" {
			return errors.New("want COPY --from=STAGE FOLDER /")
		}
		return nil
	case "USER":
		r.config.User = r.expand(in.rest)
		return nil
	case "WORKDIR":
		r.config.WorkingDir = r.expand(in.rest)
		return nil
	case "ARG", "ENV", "LABEL":
		words, err := r.words(in.rest)
		if err != nil {
			return err
		}
		for _, w := range words {
			r.set(in.verb, w)
		}
		return nil
	default:
		return errors.New("this needs a real builder, and the last stage must not")
	}
}

func (r *stageReader) set(verb, word string) {
	name, value, _ := strings.Cut(word, "=")
	switch verb {
	case "ARG":
		if given, ok := r.arguments[name]; ok {
			value = given
		}
		r.values[name] = value
	case "ENV":
		r.values[name] = value
		r.config.Env = append(r.config.Env, word)
	case "LABEL":
		if r.config.Labels == nil {
			r.config.Labels = map[string]string{}
		}
		r.config.Labels[name] = value
	}
}

// words splits NAME=VALUE pairs, whose values may be in double quotes, and expands them.
func (r *stageReader) words(s string) ([]string, error) {
	quoted := false
	words := strings.FieldsFunc(s, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return !quoted && unicode.IsSpace(c)
	})
	if quoted {
		return nil, errors.New("a quote is not closed")
	}
	for i, w := range words {
		words[i] = r.expand(strings.ReplaceAll(w, `"`, ""))
	}
	return words, nil
}

// expand replaces ${NAME} and $NAME by the values so far.
func (r *stageReader) expand(s string) string {
	return os.Expand(s, func(name string) string { return r.values[name] })
}
