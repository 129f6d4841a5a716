package main

import (
	"bytes"
	"strings"
)

// table writes a Markdown table: the head, then rows of as many cells.
func table(w *bytes.Buffer, head []string, rows [][]string) {
	row := func(cells []string) {
		w.WriteString("|")
		for _, cell := range cells {
			w.WriteString(" ")
			w.WriteString(inCell(cell))
			w.WriteString(" |")
		}
		w.WriteString("\n")
	}
	row(head)
	w.WriteString(strings.Repeat("| --- ", len(head)) + "|\n")
	for _, cells := range rows {
		row(cells)
	}
	w.WriteString("\n")
}

// inCell makes text fit into one cell of a table.
func inCell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// code returns text as code, or nothing for nothing. Text that has back quotes of its own gets longer fences.
func code(text string) string {
	switch {
	case text == "":
		return ""
	case strings.Contains(text, "`"):
		return "`` " + text + " ``"
	default:
		return "`" + text + "`"
	}
}
