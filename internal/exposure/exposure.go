// Package exposure finds the ways in which a value shows a secret. It is for
// the tests of types that hold secrets.
//
// [Of] prints a value with every verb of fmt and with every encoder of the
// standard library, alone and inside other values, and searches the texts for
// the secret in every encoding that these produce. It has no state, and is
// safe for concurrent use if the value can be printed concurrently.
package exposure

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// verbs are those of package fmt, with and without flags.
var verbs = []string{
	"%v", "%+v", "%#v", "%s", "%+s", "%#s", "%q", "%+q", "%#q", "%x", "%X", "% x", "% X", "%#x", "%# x",
	"%d", "%b", "%o", "%O", "%c", "%U", "%#U", "%e", "%g", "%t", "%p", "%T", "%w", "%20v", "%-20s",
}

// shown is how many bytes of a secret must appear before it counts as shown.
const shown = 8

// Of returns one line for each way in which v shows secret, which has at least
// 8 bytes. It returns nothing if v keeps the secret.
func Of[T any](v T, secret string) []string {
	var ways []string
	forms := formsOf(secret)
	for shape, value := range shapes(v) {
		for form, text := range texts(value) {
			if shows(text, forms) {
				ways = append(ways, fmt.Sprintf("%s, %s: %.200q", shape, form, text))
			}
		}
	}
	return ways
}

// shapes returns v alone and inside other values.
func shapes[T any](v T) map[string]any {
	return map[string]any{
		"alone":               v,
		"pointer":             &v,
		"unexported field":    struct{ v T }{v},
		"exported field":      struct{ V T }{v},
		"field of a pointer":  &struct{ v T }{v},
		"pointer in a field":  struct{ v *T }{&v},
		"interface":           struct{ v any }{v},
		"embedded struct":     struct{ inner struct{ v T } }{struct{ v T }{v}},
		"slice":               []T{v},
		"array":               [1]T{v},
		"map":                 map[string]T{"v": v},
		"slice in a field":    struct{ v []T }{[]T{v}},
		"argument of Errorf":  fmt.Errorf("error: %v", v),
		"arguments of Errorf": fmt.Errorf("error: %+v %#v", v, &v),
	}
}

// texts returns what the standard library prints for v.
func texts(v any) map[string]string {
	all := map[string]string{"Sprint": fmt.Sprint(v), "Sprintln": fmt.Sprintln(v)}
	for _, verb := range verbs {
		all[verb] = fmt.Sprintf(verb, v)
	}
	var log, text, binary bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("message", "v", v)
	slog.New(slog.NewTextHandler(&text, nil)).Info("message", "v", v)
	all["slog JSON"], all["slog text"] = log.String(), text.String()
	data, err := json.Marshal(v)
	all["json"] = string(data) + errorText(err)
	data, err = xml.Marshal(v)
	all["xml"] = string(data) + errorText(err)
	err = gob.NewEncoder(&binary).Encode(v)
	all["gob"] = binary.String() + errorText(err)
	return all
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// formsOf returns every part of secret in every encoding.
func formsOf(secret string) (forms []string) {
	for i := 0; i+shown <= len(secret); i++ {
		forms = append(forms, encodings(secret[i:i+shown])...)
	}
	return forms
}

// shows reports whether text contains one of forms.
func shows(text string, forms []string) bool {
	return slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(text, form) })
}

// encodings returns part in the forms that package fmt and the encoders give
// to strings and to slices of bytes.
func encodings(part string) []string {
	b := []byte(part)
	forms := []string{part, hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b))}
	for _, verb := range []string{"% x", "% X", "%# x"} {
		forms = append(forms, fmt.Sprintf(verb, b))
	}
	for _, verb := range []string{"%d", "%b", "%o", "%O", "%c", "%U", "%#U", "%q"} {
		forms = append(forms, strings.Trim(fmt.Sprintf(verb, b), "[]"))
	}
	list := fmt.Sprintf("%#v", b) // []byte{0x30, 0x31}
	forms = append(forms, strings.TrimSuffix(strings.TrimPrefix(list, "[]byte{"), "}"))
	for skip := range 3 { // base64 of a longer secret depends on the position
		code := base64.RawStdEncoding.EncodeToString(b[skip : skip+(shown-skip)/3*3])
		forms = append(forms, code, strings.NewReplacer("+", "-", "/", "_").Replace(code))
	}
	return forms
}
