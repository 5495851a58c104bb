package members

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// List returns a list in JSON as an object whose members have the positions as
// their names. It has no members if body is no list.
func List(body []byte) (o Object) {
	var list []json.RawMessage
	if json.Unmarshal(mended(text(body)), &list) != nil {
		return o
	}
	for i, value := range list {
		o.list = append(o.list, member{strconv.Itoa(i), value})
	}
	o.Whole = true
	return o
}

// Raw returns the value of a member, and how often the object has that member.
// The name is compared exactly: encoding/json would accept another case.
func (o Object) Raw(name string) (value json.RawMessage, times int) {
	for _, m := range o.list {
		if m.name == name {
			value = m.value
			times++
		}
	}
	return value, times
}

// At returns the value at a path such as "a.b.0.c", or nil. An element of the
// path is the name of a member or, in a list, the position of an element. A
// member that is there twice has no value.
func (o Object) At(path string) json.RawMessage {
	name, rest, more := strings.Cut(path, ".")
	value, times := o.Raw(name)
	if times > 1 {
		return nil
	}
	for more && value != nil {
		name, rest, more = strings.Cut(rest, ".")
		value = inside(value, name)
	}
	return value
}

// inside returns a member of an object or an element of a list.
func inside(value json.RawMessage, name string) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(value, &list) == nil {
		i, err := strconv.Atoi(name)
		if err != nil || i < 0 || i >= len(list) {
			return nil
		}
		return list[i]
	}
	if !IsObject(value) {
		return nil
	}
	member, times := readJSON(value).Raw(name)
	if times > 1 {
		return nil
	}
	return member
}

// IsObject reports whether a value is an object.
func IsObject(value json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimSpace(value), []byte("{"))
}

// Text returns a string as it is, and a number or a Boolean as it is written. A
// null, a list, an object and no value at all give an empty text.
func Text(value json.RawMessage) string {
	if len(value) == 0 {
		return ""
	}
	if number := value[0] == '-' || '0' <= value[0] && value[0] <= '9'; !number {
		if s, ok := String(value); ok {
			return s
		}
	}
	raw := strings.TrimSpace(string(value))
	if raw == "" || strings.ContainsAny(raw[:1], "[{n") {
		return ""
	}
	return raw
}

// Names is a name that no answer has. Extra of a token that package oauth made
// returns the names of all members for it, as a []string: package oauth2 has no
// method that lists them.
const Names = "authtrip: names of the members"

// Values returns all members as Go values. Of a member that is there twice, the
// last one counts.
func (o Object) Values() map[string]any {
	values := make(map[string]any, len(o.list))
	for _, m := range o.list {
		if v, ok := Value(m.value); ok {
			values[m.name] = v
		}
	}
	return values
}

// Value returns a value as encoding/json does. So a number is a float64, unless
// it is an integer that a float64 cannot hold exactly. Then it is a
// json.Number: a changed digit would name another user.
func Value(raw json.RawMessage) (any, bool) {
	if s, ok := plain(raw); ok {
		return s, true
	}
	if f, ok := small(raw); ok {
		return f, true
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil, false
	}
	return numbers(v), true
}

func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = numbers(member)
		}
	case []any:
		for i, element := range v {
			v[i] = numbers(element)
		}
	case json.Number:
		return number(v)
	}
	return v
}

func number(n json.Number) any {
	const exact = 1 << 53
	f, err := n.Float64()
	whole := !strings.ContainsAny(n.String(), ".eE")
	if err != nil || whole && math.Abs(f) >= exact {
		return n
	}
	return f
}

// Walk returns the Go value at a path such as "a.b.0.c", or nil. The first
// element of the path is looked up with get.
func Walk(get func(name string) any, path string) any {
	name, rest, more := strings.Cut(path, ".")
	v := get(name)
	for more {
		name, rest, more = strings.Cut(rest, ".")
		switch inside := v.(type) {
		case map[string]any:
			v = inside[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(inside) {
				return nil
			}
			v = inside[i]
		default:
			return nil
		}
	}
	return v
}
