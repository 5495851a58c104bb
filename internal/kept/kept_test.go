package kept_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/kept"
)

func TestMerge(t *testing.T) {
	names := []string{"a", "b", "c.d.0"}
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
		"a name with dots":             {"", map[string]any{"c.d.0": "1"}, map[string]any{"c.d.0": "1"}},
		"a path that stays":            {`{"c.d.0":"1"}`, map[string]any{"c": "2"}, map[string]any{"c.d.0": "1"}},
		"a large number":               {"", map[string]any{"a": json.Number("9007199254740993")}, map[string]any{"a": json.Number("9007199254740993")}},
		"a large number that stays":    {`{"a":9007199254740993}`, nil, map[string]any{"a": json.Number("9007199254740993")}},
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

// The end of a refresh token is known since the answer that said it first.
func TestNextKnowsSinceWhenARefreshTokenEnds(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	for name, tt := range map[string]struct {
		before  string
		rotated bool
		end     any // in the answer
		sent    time.Time
		want    map[string]any
	}{
		"no end":                        {"", true, nil, at(1), map[string]any{}},
		"the first end":                 {"", true, 1000.0, at(1), map[string]any{kept.RefreshEnd: 1000.0, kept.RefreshBegin: 1.0}},
		"a new token with another end":  {`{"refresh_token_expires_at":1000,"refresh_token_known_since":1}`, true, 2000.0, at(500), map[string]any{kept.RefreshEnd: 2000.0, kept.RefreshBegin: 500.0}},
		"a new token with the same end": {`{"refresh_token_expires_at":1000,"refresh_token_known_since":1}`, true, 1001.0, at(500), map[string]any{kept.RefreshEnd: 1001.0, kept.RefreshBegin: 1.0}},
		"a new token without an end":    {`{"refresh_token_expires_at":1000,"refresh_token_known_since":1}`, true, nil, at(500), map[string]any{}},
		"no new token and no end":       {`{"refresh_token_expires_at":1000,"refresh_token_known_since":1}`, false, nil, at(500), map[string]any{kept.RefreshEnd: 1000.0, kept.RefreshBegin: 1.0}},
		"a login that was saved late":   {`{"grant_saved_at":7}`, true, nil, at(500), map[string]any{kept.Saved: 7.0}},
		"an end without a known begin":  {`{"refresh_token_expires_at":1000}`, false, nil, at(500), map[string]any{kept.RefreshEnd: 1000.0, kept.RefreshBegin: 500.0}},
	} {
		answer := func(name string) any {
			if name == kept.RefreshEnd {
				return tt.end
			}
			return nil
		}
		if got := kept.Members(kept.Next(nil, answer, tt.before, tt.rotated, tt.sent)); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: Members(Next()) = %v, want %v", name, got, tt.want)
		}
	}
}

// Only a login that was saved late says when that was.
func TestLate(t *testing.T) {
	issued := time.Unix(1000, 0)
	for after, want := range map[time.Duration]string{
		0:                `{"a":1}`,
		59 * time.Second: `{"a":1}`,
		time.Minute:      `{"a":1,"grant_saved_at":1060}`,
		-time.Hour:       `{"a":1}`,
	} {
		if got := kept.Late(`{"a":1}`, issued, issued.Add(after)); got != want {
			t.Errorf("Late() after %v = %s, want %s", after, got, want)
		}
	}
	if got := kept.Late("", issued, issued.Add(time.Hour)); got != `{"grant_saved_at":4600}` {
		t.Errorf("Late() without members = %s", got)
	}
}
