// Package exposure finds the ways in which a value shows a secret. It is for
// the tests of types that hold secrets.
//
// [Of] and [Check] print a value with every verb of fmt and with every encoder
// of the standard library, alone and inside other values, and search the texts
// for a secret in every encoding that these produce. They have no state, and
// are safe for concurrent use if the value can be printed concurrently.
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
	"strings"
	"testing"
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
	parts := needles(secret, 1)
	for shape, value := range shapes(v) {
		for form, text := range texts(value) {
			if shows(text, parts) {
				ways = append(ways, fmt.Sprintf("%s, %s: %.200q", shape, form, text))
			}
		}
	}
	return ways
}

// Check fails the test if v shows one of secrets. It is for many values and
// many secrets: it prints v once for all of them, and finds a part of a secret
// if the part has at least 15 bytes. A secret has at least 8 bytes.
func Check(t testing.TB, what string, v any, secrets ...string) {
	t.Helper()
	parts := make([][]string, len(secrets))
	for i, secret := range secrets {
		if len(secret) < shown {
			t.Fatalf("%s: the secret %q is too short to be searched for", what, secret)
		}
		parts[i] = needles(secret, shown)
	}
	for shape, value := range shapes(v) {
		for form, text := range texts(value) {
			for i, secret := range secrets {
				if shows(text, parts[i]) {
					t.Errorf("%s, %s, %s shows the secret %s: %.300q", what, shape, form, secret, text)
				}
			}
		}
	}
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

// needles returns parts of secret, in every encoding. A part begins at every
// multiple of step, and one is at the end.
func needles(secret string, step int) []string {
	var list []string
	last := len(secret) - shown
	for i := 0; i < last; i += step {
		list = append(list, encodings(secret[i:i+shown])...)
	}
	if last >= 0 {
		list = append(list, encodings(secret[last:])...)
	}
	return list
}

// shows reports whether text contains one of parts.
func shows(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
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
