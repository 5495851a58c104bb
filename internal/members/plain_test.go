package members_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/authtrip/authtrip/internal/members"
)

// An object that is valid JSON has the members that encoding/json finds in it,
// with the same bytes.
func TestReadAnObjectOfEveryShape(t *testing.T) {
	for _, body := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":"x","b":2,"c":true,"d":null,"e":-1.5e3}`,
		"{\n\t\"a\" : \"x\" ,\r\n \"b\" : [ 1 , { \"c\" : \"]}\" } ] , \"d\":{}\n}",
		`{"":"","a":"","b":[],"c":{},"d":[[]],"e":[{}],"f":{"a":{"a":[1,2,{"a":"}"}]}}}`,
		`{"a":"\"","b":"\\","c":"\\\"","d":"{","e":"[","f":",","g":":"}`,
		`{"a\u0062":"\u0041","\"":"\\\"\n","é":"é😀"}`,
		`{"a":0,"b":10,"c":123456789012345,"d":1234567890123456,"e":9007199254740993,"f":1E2,"g":-0}`,
		"{\"a\":\"\x7f\",\"b\":\"\xff\",\"\xff\":1}",
	} {
		var want map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &want); err != nil {
			t.Fatal(err)
		}
		o, ok := members.Read([]byte(body))
		values := o.Values()
		if !ok || !o.Whole || !slices.Equal(slices.Sorted(maps.Keys(values)), slices.Sorted(maps.Keys(want))) {
			t.Errorf("Read(%q) = members %q, whole %t, want %q", body, slices.Sorted(maps.Keys(values)), o.Whole, slices.Sorted(maps.Keys(want)))
		}
		for name, raw := range want {
			got, times := o.Raw(name)
			if string(got) != string(raw) || times != 1 {
				t.Errorf("Read(%q): the member %q = %q, %d times, want %q once", body, name, got, times, raw)
			}
			wantValue(t, raw)
		}
	}
}

// wantValue compares Value, Text and String with what encoding/json reads.
func wantValue(t *testing.T, raw json.RawMessage) {
	t.Helper()
	var want any
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	got, ok := members.Value(raw)
	if n, isNumber := got.(json.Number); isNumber {
		got, _ = n.Float64()
	}
	if !ok || fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", want, want) {
		t.Errorf("Value(%s) = %T %v, %t, want %T %v", raw, got, got, ok, want, want)
	}
	text, isText := want.(string)
	if s, ok := members.String(raw); s != text || ok != (isText || want == nil) {
		t.Errorf("String(%s) = %q, %t, want %q", raw, s, ok, text)
	}
	if s := members.Text(raw); isText && s != text {
		t.Errorf("Text(%s) = %q, want %q", raw, s, text)
	}
}
