package format_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the schema")

// schemaFile is beside the data.
const schemaFile = "../../catalogue.schema.json"

// The schema is made from the types and their comments, so that an editor says
// what this package says.
func TestSchema(t *testing.T) {
	s := schemas{structs: map[string]*ast.StructType{}}
	for _, file := range []string{"entry.go", "answers.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if st, ok := spec.Type.(*ast.StructType); ok {
					s.structs[spec.Name.Name] = st
				}
			}
			return true
		})
	}
	root := s.object("file")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Facts about OAuth 2.0 servers, for authtrip"
	properties, ok := root["properties"].(map[string]any)
	if !ok {
		t.Fatal("the schema has no properties")
	}
	properties["providers"] = map[string]any{"type": "array", "minItems": 1, "items": s.object("Entry")}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "\t")
	if err := enc.Encode(root); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if is, err := os.ReadFile(schemaFile); err != nil || !bytes.Equal(is, b.Bytes()) {
		t.Errorf("%s is not what the types say, %v: go test ./tokensource/provider/internal/format -update", schemaFile, err)
	}
}

type schemas struct{ structs map[string]*ast.StructType }

// object returns the schema of a struct.
func (s schemas) object(name string) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, field := range s.structs[name].Fields.List {
		if field.Tag == nil {
			continue
		}
		tag := reflect.StructTag(strings.Trim(field.Tag.Value, "`"))
		member, options, _ := strings.Cut(tag.Get("json"), ",")
		p := s.value(field.Type, tag)
		if about := strings.Join(strings.Fields(field.Doc.Text()), " "); about != "" {
			p["description"] = about
		}
		properties[member] = p
		if options == "" {
			required = append(required, member)
		}
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties, "required": required}
}

// value returns the schema of a value.
func (s schemas) value(t ast.Expr, tag reflect.StructTag) map[string]any {
	switch t := t.(type) {
	case *ast.ArrayType:
		return map[string]any{"type": "array", "items": s.value(t.Elt, tag)}
	case *ast.MapType:
		return map[string]any{"type": "object", "additionalProperties": s.value(t.Value, "")}
	case *ast.SelectorExpr: // json.RawMessage
		return map[string]any{}
	case *ast.Ident:
		switch t.Name {
		case "bool":
			return map[string]any{"type": "boolean"}
		case "int":
			return map[string]any{"type": "integer"}
		case "string":
			p := map[string]any{"type": "string"}
			if enum := tag.Get("enum"); enum != "" {
				p["enum"] = strings.Fields(enum)
			}
			if tag.Get("form") == "duration" {
				p["pattern"] = "^([0-9]+d|([0-9]+(h|m|s))+)$"
			}
			return p
		}
		return s.object(t.Name)
	}
	return map[string]any{}
}
