package xapi

import (
	"encoding/json"
	"slices"
	"strings"
)

// object is a JSON object whose members keep their order, as X's do.
type object []member

type member struct {
	name  string
	value any
}

// with returns the object with one more member, or as it is if it has one of
// this name.
func (o object) with(name string, value any) object {
	if slices.ContainsFunc(o, func(m member) bool { return m.name == name }) {
		return o
	}
	return append(o, member{name, value})
}

// MarshalJSON returns the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	parts := make([]string, len(o))
	for i, m := range o {
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		parts[i] = quote(m.name) + ":" + string(value)
	}
	return []byte("{" + strings.Join(parts, ",") + "}"), nil
}

// String returns the object as JSON. A value that JSON cannot express makes it
// empty.
func (o object) String() string {
	text, err := o.MarshalJSON()
	if err != nil {
		return "{}"
	}
	return string(text)
}
