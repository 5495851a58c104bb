package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// Fill returns the entry with values in the places of its variables. The result
// must not be changed. A variable
// without a value gets its default. It refuses a value that does not match the
// pattern of its variable. So no value can name another host than meant, or
// another path.
func (e *Entry) Fill(values map[string]string) (*Entry, error) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, ok := e.Vars[name]; !ok {
			return nil, fmt.Errorf("there is no variable %q", name)
		}
	}
	if len(e.Vars) == 0 {
		return e, nil
	}
	raw := []byte(e.raw)
	for _, name := range slices.Sorted(maps.Keys(e.Vars)) {
		v := e.Vars[name]
		value, given := values[name]
		if !given {
			value = v.Default
		}
		if value == "" {
			return nil, fmt.Errorf("%w: %s, %s, such as %q", ErrMissing, name, v.About, v.Example)
		}
		if !v.matches(value) {
			return nil, fmt.Errorf("%s %q is not %s, such as %q", name, value, v.About, v.Example)
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		raw = bytes.ReplaceAll(raw, []byte("{"+name+"}"), text[1:len(text)-1])
	}
	return decode(raw)
}

// Examples returns the example of each variable.
func (e *Entry) Examples() map[string]string {
	values := map[string]string{}
	for name, v := range e.Vars {
		values[name] = v.Example
	}
	return values
}

// ErrMissing means that a variable has no value.
var ErrMissing = errors.New("a value is missing")

// matches reports whether the pattern matches the whole value.
func (v Var) matches(value string) bool {
	re, err := regexp.Compile(`\A(?:` + v.Pattern + `)\z`)
	return err == nil && re.MatchString(value)
}
