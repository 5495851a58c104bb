package kept_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/kept"
)

func TestMerge(t *testing.T) {
	names := []string{"a", "b"}
	for name, tt := range map[string]struct {
		before string
		answer map[string]any
		want   map[string]any
	}{
		"nothing":                      {"", nil, map[string]any{}},
		"all":                          {"", map[string]any{"a": "1", "b": 2.0, "c": "3"}, map[string]any{"a": "1", "b": 2.0}},
		"what the answer lacks stays":  {`{"a":"1","b":"2"}`, map[string]any{"b": "3"}, map[string]any{"a": "1", "b": "3"}},
		"what is not named any more":   {`{"old":"1"}`, map[string]any{"a": "2"}, map[string]any{"a": "2"}},
		"a value that is an object":    {"", map[string]any{"a": map[string]any{"x": true}}, map[string]any{"a": map[string]any{"x": true}}},
		"a value that cannot be kept":  {`{"a":"1"}`, map[string]any{"a": func() {}, "b": "2"}, map[string]any{"b": "2"}},
		"a value that is too long":     {"", map[string]any{"a": strings.Repeat("x", 40<<10), "b": "2"}, map[string]any{"b": "2"}},
		"two values that are too long": {"", map[string]any{"a": strings.Repeat("x", 20<<10), "b": strings.Repeat("y", 20<<10)}, map[string]any{"a": strings.Repeat("x", 20<<10)}},
		"damaged before":               {`{"a":`, map[string]any{"b": "2"}, map[string]any{"b": "2"}},
		"no object before":             {`null`, map[string]any{"b": "2"}, map[string]any{"b": "2"}},
	} {
		text := kept.Merge(names, func(name string) any { return tt.answer[name] }, tt.before)
		if got := kept.Members(text); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: Members(Merge()) = %v, want %v", name, got, tt.want)
		}
		if (text == "") != (len(tt.want) == 0) {
			t.Errorf("%s: Merge() = %q, want a text only if there are members", name, text)
		}
	}
}

// Whatever is stored, the caller gets a map that it may change.
func TestMembersOfWhatIsNoObject(t *testing.T) {
	for _, text := range []string{"", "null", "1", `{"a":`} {
		if got := kept.Members(text); got == nil || len(got) != 0 {
			t.Errorf("Members(%q) = %v, want an empty map", text, got)
		}
	}
}

// Each caller may change its own map.
func TestMembersAreACopy(t *testing.T) {
	const text = `{"a":"1"}`
	kept.Members(text)["a"] = "changed"
	if got := kept.Members(text)["a"]; got != "1" {
		t.Errorf("Members() = %v after another caller has changed its map, want 1", got)
	}
}
