// Package pages reads the commands out of the documentation, and runs them: the suites take a page's commands from the
// page itself, in its order, so that a page whose commands do not work fails a test, and so does a command that nobody
// runs.
//
// What the reader sees stays what it is: commands stand in fences of the language sh, what they print in a fence of the
// language text behind them. Comments, which no reader sees, stand directly above a fence:
//
//	<!-- not run: why not -->          a test cannot: it takes Docker, or a cluster with OLM
//	<!-- as in docs/page.md -->        the same commands are in that page, and run from there
//	<!-- runs until interrupted -->    a command that does not end by itself
//
// It is no parser of Markdown: it knows fences, and comments on a line of their own. A Page and a Shell are for one
// goroutine each.
package pages

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Block is a fence with what belongs to it.
type Block struct {
	// At is the file and line where it begins.
	At string
	// Language is the word behind the fence's backticks; empty when there is none.
	Language string
	// Text is what stands in it, with its last newline.
	Text string
	// Prints is what the page shows as the output of commands; empty when it shows none.
	Prints string
	// NotRun is why the commands are not run; empty when they are.
	NotRun string
	// AsIn is the page, from the repository's root, with the same commands, which are run from there; empty when these
	// are.
	AsIn string
	// Endless tells that the commands run until they are interrupted.
	Endless bool
}

// Commands are the languages whose fences hold commands.
var Commands = []string{"sh", "bash", "shell", "console"}

// Page is a page of the documentation, whose commands are taken one fence after the other.
type Page struct {
	name   string
	blocks []Block
	next   int // index of the first fence that Next has not looked at
}

// Read reads a page. What must differ from what the page says, replace replaces in all of it; nil replaces nothing.
func Read(file string, replace *strings.Replacer) (*Page, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	if replace != nil {
		text = []byte(replace.Replace(string(text)))
	}
	blocks, err := parse(filepath.Base(file), text)
	if err != nil {
		return nil, err
	}
	return &Page{name: filepath.Base(file), blocks: blocks}, nil
}

// Blocks returns every fence of a language.
func (p *Page) Blocks(language string) []Block {
	return slices.DeleteFunc(slices.Clone(p.blocks), func(b Block) bool { return b.Language != language })
}

// Next returns the next fence of commands that are to be run, which must have a text in it: so a test says what it
// expects, and fails when somebody puts other commands before it.
func (p *Page) Next(with string) (Block, error) {
	b, ok := p.following()
	switch {
	case !ok:
		return Block{}, fmt.Errorf("%s: no commands are left, and %q is to come", p.name, with)
	case !strings.Contains(b.Text, with):
		return Block{}, fmt.Errorf("%s: want commands with %q next; who runs these?\n%s", b.At, with, b.Text)
	}
	p.next++
	return b, nil
}

// Finished returns an error when commands are left that nobody has run.
func (p *Page) Finished() error {
	if b, ok := p.following(); ok {
		return fmt.Errorf("%s: nobody runs these commands, and no comment says why not:\n%s", b.At, b.Text)
	}
	return nil
}

// following goes on to the next fence of commands that are to be run.
func (p *Page) following() (Block, bool) {
	for ; p.next < len(p.blocks); p.next++ {
		if b := p.blocks[p.next]; slices.Contains(Commands, b.Language) && b.NotRun == "" && b.AsIn == "" {
			return b, true
		}
	}
	return Block{}, false
}

var (
	fence   = regexp.MustCompile("^( *)(```+)([a-z]*) *$")
	comment = regexp.MustCompile(`^<!-- (?:(not run):? ?(.*)|as in (.+)|(runs until interrupted)) -->$`)
)

// parse returns the fences of a page.
func parse(name string, text []byte) ([]Block, error) {
	var blocks []Block
	var above Block // what a comment says of the fence below it
	var body *bytes.Buffer
	indent, end := "", ""
	behind := false // nothing but empty lines since the last fence
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		at := fmt.Sprintf("%s:%d", name, number)
		trimmed := strings.TrimSpace(line)
		switch m := fence.FindStringSubmatch(strings.TrimRight(line, "\n")); {
		case body != nil && trimmed == end:
			last := &blocks[len(blocks)-1]
			last.Text, body, behind = body.String(), nil, true
			blocks = joined(blocks)
		case body != nil:
			body.WriteString(strings.TrimPrefix(line, indent))
		case m != nil:
			above.At, above.Language = at, m[3]
			if !behind && above.Language == "text" {
				above.Language = "prose" // not what the commands of a fence above it print
			}
			blocks = append(blocks, above)
			indent, end, body, above = m[1], m[2], &bytes.Buffer{}, Block{}
		case above != (Block{}):
			return nil, fmt.Errorf("%s: a comment about commands stands directly above their fence", above.At)
		case strings.HasPrefix(trimmed, "<!--") && comment.MatchString(trimmed):
			said := comment.FindStringSubmatch(trimmed)
			above = Block{At: at, NotRun: said[2], AsIn: said[3], Endless: said[4] != ""}
			if said[1] != "" && above.NotRun == "" {
				return nil, fmt.Errorf("%s: say why it is not run", at)
			}
			behind = false
		case trimmed != "":
			behind = false
		}
	}
	if body != nil {
		return nil, errors.New(cmp.Or(blocks[len(blocks)-1].At, name) + ": the fence is not closed")
	}
	return blocks, nil
}

// joined makes the last fence what the one before it prints, when it is that.
func joined(blocks []Block) []Block {
	n := len(blocks)
	if n < 2 || blocks[n-1].Language != "text" || !slices.Contains(Commands, blocks[n-2].Language) {
		return blocks
	}
	blocks[n-2].Prints = blocks[n-1].Text
	return blocks[:n-1]
}
