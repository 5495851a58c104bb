package members_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/members"
)

func TestRead(t *testing.T) {
	tests := []struct {
		name, body string
		ok, whole  bool
		want       string // the text of the member a, and how often it is there
	}{
		{"an object", `{"a":"1"}`, true, true, "1 1"},
		{"spaces around", " \n{\"a\":\"1\"}\r\n ", true, true, "1 1"},
		{"a byte order mark", "\ufeff" + `{"a":"1"}`, true, true, "1 1"},
		{"UTF-16, little end first", "\xff\xfe{\x00\"\x00a\x00\"\x00:\x001\x00}\x00", true, true, "1 1"},
		{"UTF-16, big end first", "\xfe\xff\x00{\x00\"\x00a\x00\"\x00:\x001\x00}", true, true, "1 1"},
		{"UTF-16 without a mark, little end first", "{\x00\"\x00a\x00\"\x00:\x001\x00}\x00", true, true, "1 1"},
		{"UTF-16 without a mark, big end first", "\x00{\x00\"\x00a\x00\"\x00:\x001\x00}", true, true, "1 1"},
		{"UTF-16, half a unit at the end", "\xfe\xff\x00{\x00\"\x00a\x00\"\x00:\x001\x00}\x00", true, true, "1 1"},
		{"a member twice", `{"a":1,"a":2}`, true, true, "2 2"},
		{"two objects", `{"a":1} {"a":2}`, true, true, "2 2"},
		{"an object cut short behind another", `{"a":1} {"a":`, true, false, "1 1"},
		{"text behind", `{"a":1} done`, true, true, "1 1"},
		{"another case", `{"A":1}`, true, true, " 0"},
		{"cut short", `{"a":1`, true, false, "1 1"},
		{"cut short in a name", `{"a":1,"b`, true, false, "1 1"},
		{"cut short at once", `{`, true, false, " 0"},
		{"no name", `{"a":1,2}`, true, false, "1 1"},
		{"not valid at the end", `{"a":1,}`, true, false, "1 1"},
		{"a form", "a=1&b=2", true, true, "1 1"},
		{"a form, escaped", "%61=1+2%263", true, true, "1 2&3 1"},
		{"a form with a member twice", "a=1&a=2", true, true, "2 2"},
		{"a form with a bad escape", "a=1%zz&%zz=2", true, true, "1%zz 1"},
		{"a form with a member without value", "b=1&a", true, true, " 1"},
		{"a warning before it", "Warning: session_start() in {main}\n" + `{"a":1}`, true, true, "1 1"},
		{"a warning in HTML before it", "<br />\n<b>Notice</b>: {\"x\"} in a.php<br />\n" + `{"a":1}` + "\n", true, true, "1 1"},
		{"a prefix against inclusion", `)]}',` + "\n" + `{"a":1}`, true, true, "1 1"},
		{"a warning before an object on several lines", "Warning: x in {main}\n{\r\n\t\"a\": 1\n}\n", true, true, "1 1"},
		{"a line break in another text", "{\"b\":\"x\ny\",\"a\":\"1\"}", true, true, "1 1"},
		{"a tab in the text", "{\"a\":\"1\t2\"}", true, true, "1\t2 1"},
		{"backslashes that escape nothing", `{"b":"C:\dir\'s \x","a":"1\"\\"}`, true, true, `1"\ 1`},
		{"a backslash before a u that escapes nothing", `{"b":"C:\users","a":"\u0041"}`, true, true, "A 1"},
		{"numbers that are none", `{"b":NaN,"c":[-Infinity, Infinity],"a":1}`, true, true, "1 1"},
		{"NaN in a text", `{"a":"NaN"}`, true, true, "NaN 1"},
		{"a backslash at the end", `{"a":"1","b":"\`, true, false, "1 1"},
		{"a control character behind a warning", "Warning\n{\"b\":\"\x01\",\"a\":1}", true, true, "1 1"},
		{"a form with spaces, of a token endpoint", "access_token=x&a=1 2", true, true, "1 2 1"},
		{"a form on several lines", "error=x&\r\na=1&\r\nb=2", true, true, "1 1"},
		{"a form with a letter beyond ASCII", "b=\xfc&refresh_token=x&a=1", true, true, "1 1"},
		{"a page with a form inside", `<a href="?b=1&access_token=x&a=1">`, false, false, " 0"},
		{"text with a token inside", "the access_token=x is bad", false, false, " 0"},
		{"a page with an object inside", `<script>{"a":1}</script>`, false, false, " 0"},
		{"an object cut short behind a warning", `Warning {"a":1`, false, false, " 0"},
		{"an object in a text", `"{\"a\":1}"`, true, true, "1 1"},
		{"an object in a text, behind space", `"\n {\"a\":1}\r\n"`, true, true, "1 1"},
		{"a text in quotation marks", `"a=1"`, false, false, " 0"},
		{"a text that is cut short", `"{\"a\":1`, false, false, " 0"},
		{"nothing", "", false, false, " 0"},
		{"a list", `["a=1"]`, false, false, " 0"},
		{"text", "a = 1", false, false, " 0"},
		{"HTML", "<a=1>", false, false, " 0"},
		{"text without an equals sign", "a", false, false, " 0"},
	}
	for _, tt := range tests {
		o, ok := members.Read([]byte(tt.body))
		raw, times := o.Raw("a")
		if got := fmt.Sprint(members.Text(raw), " ", times); ok != tt.ok || o.Whole != tt.whole || got != tt.want {
			t.Errorf("%s: Read(%q) = %v, whole %v, a %q, want %v, %v, %q", tt.name, tt.body, ok, o.Whole, got, tt.ok, tt.whole, tt.want)
		}
	}
}

func TestValues(t *testing.T) {
	o, _ := members.Read([]byte(`{"text":"x","small":7,"fraction":0.5,"large":9007199254740993,"huge":1e400,"list":[1,9007199254740993],"object":{"id":9007199254740993},"null":null,"twice":1,"twice":2}`))
	values := o.Values()
	for name, want := range map[string]string{
		"text": "string x", "small": "float64 7", "fraction": "float64 0.5", "large": "json.Number 9007199254740993", "huge": "json.Number 1e400",
		"list": "[]interface {} [1 9007199254740993]", "object": "map[string]interface {} map[id:9007199254740993]", "null": "<nil> <nil>", "twice": "float64 2",
	} {
		if got := fmt.Sprintf("%T %v", values[name], values[name]); got != want {
			t.Errorf("Values()[%s] = %s, want %s", name, got, want)
		}
	}
}

// Two ways lead to a value: one through the text, one through Go values.
func TestPaths(t *testing.T) {
	const body = `{"a":{"b":[{"c":"1"},"2"],"d":null},"e":"5","f":[["6"]]}`
	o, _ := members.Read([]byte(body))
	values := o.Values()
	get := func(name string) any { return values[name] }
	for path, want := range map[string]string{
		"a.b.0.c": "1", "a.b.1": "2", "e": "5", "f.0.0": "6",
		"a.b.2": "", "a.b.-1": "", "a.b.x": "", "a.x": "", "a.d.x": "", "e.x": "", "x": "", "x.y": "", "": "", "a.": "", ".a": "",
	} {
		if got := members.Text(o.At(path)); got != want {
			t.Errorf("At(%q) = %q, want %q", path, got, want)
		}
		got, _ := members.Walk(get, path).(string)
		if got != want {
			t.Errorf("Walk(%q) = %q, want %q", path, got, want)
		}
	}
}

// FuzzRead compares with encoding/json what both can read.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		`{"access_token":"a","expires_in":3600,"scope":["a"]}`, `{"a":1,"a":2}`, `{"a":{"b":[1,{"c":null}]}}`, "a=1&b=%zz", "\ufeff{}", "\xff\xfe{\x00}\x00",
		`{"a":` + strings.Repeat("[", 99), `{"\ud800":"\xff"}`, `{`, ``, `{"a":1}{"b":2}`, "<html>",
		`"{\"a\":1}"`, `" {\"a\":1} "`, `"\n{"`,
	} {
		f.Add([]byte(body), "a.b.0")
	}
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		o, ok := members.Read(body)
		values := o.Values()
		_ = members.Text(o.At(path))
		_ = members.Walk(func(name string) any { return values[name] }, path)
		var want map[string]json.RawMessage
		if json.Unmarshal(body, &want) != nil || want == nil {
			return
		}
		if !ok || !o.Whole {
			t.Fatalf("Read(%q) = %v, whole %v, want an object", body, ok, o.Whole)
		}
		for name, value := range want {
			raw, times := o.Raw(name)
			if times == 1 && string(raw) != string(value) {
				t.Errorf("Read(%q): %q = %q, want %q", body, name, raw, value)
			}
			if times == 0 {
				t.Errorf("Read(%q): there is no %q", body, name)
			}
		}
	})
}
