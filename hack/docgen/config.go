package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/signalr-operator/signalr-operator/edge/config"
)

const configPackage = "edge/config"

// configPage describes the file: keys and structure from the struct's YAML tags, values from Default, words from the
// doc comments.
func configPage(_ context.Context, root string) ([]byte, error) {
	pkg, err := parsePackage(root, configPackage)
	if err != nil {
		return nil, err
	}
	c := configDoc{types: map[string]*doc.Type{}}
	for _, t := range pkg.Types {
		c.types[t.Name] = t
	}
	top, ok := c.types["Config"]
	if !ok {
		return nil, errors.New("edge/config has no type Config")
	}
	var w bytes.Buffer
	w.WriteString("# Configuration file\n\n`signalr-edge serve --config FILE` reads one YAML file. Unknown keys are " +
		"refused, and a value out of range is named with its key.\n\n" + paragraph(top.Doc) + "\n\n")
	if err := c.section(&w, "", top, reflect.ValueOf(config.Default()).Elem()); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

// configDoc holds the documented types of edge/config by name.
type configDoc struct{ types map[string]*doc.Type }

// section writes the keys of one struct, then a section for each struct among its fields.
func (c configDoc) section(w *bytes.Buffer, prefix string, t *doc.Type, defaults reflect.Value) error {
	structure, ok := t.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType)
	if !ok {
		return fmt.Errorf("%s is no struct", t.Name)
	}
	type inner struct {
		prefix   string
		of       *doc.Type
		defaults reflect.Value
	}
	var rows [][]string
	var inside []inner
	for _, field := range structure.Fields.List {
		key, ok := yamlKey(field)
		if !ok {
			continue
		}
		name := field.Names[0].Name
		typeName, list := typeOf(field.Type)
		value := reflect.Value{}
		if defaults.IsValid() {
			value = defaults.FieldByName(name)
		}
		key = prefix + key
		if of, ok := c.types[typeName]; ok && isStruct(of) {
			if list {
				key, value = key+"[]", reflect.Value{}
			} else if value.IsValid() && value.Kind() == reflect.Pointer {
				value = value.Elem()
			}
			inside = append(inside, inner{prefix: key + ".", of: of, defaults: value})
			continue
		}
		rows = append(rows, []string{
			code(key), c.describeType(typeName, list), code(show(value)), keyed(field.Doc.Text(), name),
		})
	}
	if prefix != "" {
		fmt.Fprintf(w, "## %s\n\n%s\n\n", strings.TrimSuffix(prefix, "."), paragraph(t.Doc))
	}
	table(w, []string{"key", "type", "default", "meaning"}, rows)
	for _, in := range inside {
		if err := c.section(w, in.prefix, in.of, in.defaults); err != nil {
			return err
		}
	}
	return nil
}

// describeType names a field's type: the constants of a string type are listed.
func (c configDoc) describeType(name string, list bool) string {
	said := name
	if t, ok := c.types[name]; ok {
		var values []string
		for _, group := range t.Consts {
			for _, spec := range group.Decl.Specs {
				for _, v := range spec.(*ast.ValueSpec).Values {
					if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING && lit.Value != `""` {
						values = append(values, strings.Trim(lit.Value, `"`))
					}
				}
			}
		}
		if said = strings.Join(values, ", "); said == "" {
			said = "string"
		}
	}
	if list {
		return "list of " + said
	}
	return said
}

// show returns a default as the file would have it: nothing for what has none.
func show(v reflect.Value) string {
	if !v.IsValid() {
		return ""
	}
	switch v := v.Interface().(type) {
	case bool:
		return strconv.FormatBool(v)
	case []string:
		if len(v) > 0 {
			return fmt.Sprintf("%q", v)
		}
		return ""
	}
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10)
	case v.Kind() == reflect.String:
		return v.String()
	default:
		return ""
	}
}

// typeOf returns the name of a field's type without pointer and list, and whether it is a list.
func typeOf(e ast.Expr) (name string, list bool) {
	switch e := e.(type) {
	case *ast.Ident:
		return strings.TrimSuffix(strings.TrimSuffix(e.Name, "32"), "64"), false
	case *ast.StarExpr:
		return typeOf(e.X)
	case *ast.ArrayType:
		name, _ = typeOf(e.Elt)
		return name, true
	case *ast.SelectorExpr:
		if e.Sel.Name == "Time" {
			return "time (RFC 3339)", false
		}
		return strings.ToLower(e.Sel.Name), false
	}
	return "value", false
}

func isStruct(t *doc.Type) bool {
	_, ok := t.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType)
	return ok
}

// yamlKey returns the key of a field in the file, false when the file does not have it.
func yamlKey(field *ast.Field) (string, bool) {
	if field.Tag == nil || len(field.Names) == 0 {
		return "", false
	}
	tag, err := strconv.Unquote(field.Tag.Value)
	if err != nil {
		return "", false
	}
	key, _, _ := strings.Cut(reflect.StructTag(tag).Get("yaml"), ",")
	return key, key != "" && key != "-"
}

// keyed turns a field's doc comment into the words of its row: the field's Go name is not the reader's.
func keyed(comment, name string) string {
	words := strings.TrimPrefix(paragraph(comment), name+" ")
	if rest, ok := strings.CutPrefix(words, "is "); ok {
		words = rest
	} else if rest, ok := strings.CutPrefix(words, "are "); ok {
		words = rest
	}
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// paragraph returns a doc comment on one line.
func paragraph(comment string) string {
	return strings.Join(strings.Fields(comment), " ")
}

// parsePackage reads the documentation of a package of this module, tests left out.
func parsePackage(root, dir string) (*doc.Package, error) {
	entries, err := os.ReadDir(filepath.Join(root, dir))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	files := token.NewFileSet()
	var trees []*ast.File
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(files, filepath.Join(root, dir, entry.Name()), nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", dir, err)
		}
		trees = append(trees, tree)
	}
	if !slices.ContainsFunc(trees, func(f *ast.File) bool { return f.Name.Name == filepath.Base(dir) }) {
		return nil, fmt.Errorf("no package in %s", dir)
	}
	pkg, err := doc.NewFromFiles(files, trees, dir, doc.PreserveAST)
	if err != nil {
		return nil, fmt.Errorf("read the comments of %s: %w", dir, err)
	}
	return pkg, nil
}
