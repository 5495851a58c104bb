// Package printed searches for secrets in what programs print, for tests.
//
// A value that holds a secret must not show it in any output: under no verb of
// package fmt, in no encoding, and in no log. Package fmt calls no method of a
// value in an unexported field. So a Format method does not help there, and the
// tests look at values in such fields too.
package printed

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

// verbs are all verbs of package fmt, with flags and without, and one verb that
// does not exist.
var verbs = strings.Fields(
	"%v %+v %#v %s %+s %#s %q %+q %#q %x %X %#x %d %+d %t %T %b %o %O %U %#U " +
		"%e %g %G %c %p %#p %w %z %10.3v %-5s")

// Forms returns v as programs print it, log it and encode it. The keys say how.
func Forms(v any) map[string]string {
	out := map[string]string{"Sprint": fmt.Sprint(v), "Errorf": fmt.Errorf("x: %v", v).Error()}
	for _, verb := range verbs {
		out[verb] = fmt.Sprintf(verb, v)
	}
	out["JSON"] = encoded(json.Marshal(v))
	out["JSON in a map"] = encoded(json.Marshal(map[string]any{"k": v}))
	out["XML"] = encoded(xml.Marshal(v))
	var wire bytes.Buffer
	err := gob.NewEncoder(&wire).Encode(v)
	out["gob"] = encoded(wire.Bytes(), err)
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("m", "v", v, slog.Group("g", "v", v))
		slog.New(h).With("v", v).WithGroup("g").Info("m")
	}
	out["slog"] = log.String()
	return out
}

// encoded returns what an encoder wrote, and the text of its error: an error may
// show a secret too.
func encoded(data []byte, err error) string {
	return fmt.Sprintf("%s %v", data, err)
}

// Holders returns v, and v inside of the values in which programs keep it. The
// keys say how.
func Holders(v any) map[string]any {
	rv := reflect.ValueOf(v)
	pointer := reflect.New(rv.Type())
	pointer.Elem().Set(rv)
	slice := reflect.MakeSlice(reflect.SliceOf(rv.Type()), 1, 1)
	slice.Index(0).Set(rv)
	structure := reflect.New(reflect.StructOf([]reflect.StructField{
		{Name: "Field", Type: rv.Type()}, {Name: "Err", Type: reflect.TypeFor[error]()},
	}))
	structure.Elem().Field(0).Set(rv)
	return map[string]any{
		"itself": v, "pointer": pointer.Interface(), "slice": slice.Interface(),
		"struct": structure.Elem().Interface(), "pointer to struct": structure.Interface(),
		"interface": struct{ Any any }{v}, "slice of interfaces": []any{v}, "map": map[string]any{"k": v},
		"unexported field": struct{ v any }{v}, "pointer to unexported field": &struct{ v any }{v},
	}
}

// WantNoSecret fails if v, as it is or inside of one of [Holders], shows one of
// secrets in one of [Forms].
func WantNoSecret(t *testing.T, what string, v any, secrets ...string) {
	t.Helper()
	for holder, value := range Holders(v) {
		for form, text := range Forms(value) {
			WantNone(t, what+", "+holder+", "+form, text, secrets...)
		}
	}
}

// WantNone fails if text contains one of secrets, as it is, in hexadecimal or in
// base64.
func WantNone(t *testing.T, what, text string, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		h := hex.EncodeToString([]byte(s))
		for _, form := range []string{s, h, strings.ToUpper(h), base64.StdEncoding.EncodeToString([]byte(s))} {
			if strings.Contains(text, form) {
				t.Errorf("%s shows the secret %s: %.300s", what, s, text)
				return
			}
		}
	}
}
