// Package kept holds what is stored of an authorization server's answers beside
// the tokens: members that the facts of a provider name.
//
// Everything is safe for concurrent use, and nothing fails: a member that
// cannot be kept is left out.
package kept

import "encoding/json"

// most bounds what is kept of the answers for one grant, in bytes (G10).
const most = 32 << 10

// Merge returns the members of an answer that the provider names, as a JSON
// object. Members that the answer lacks are taken from before, which is such an
// object or empty. A member for which there is no room is left out: it must not
// cost the grant (G14).
func Merge(names []string, extra func(string) any, before string) string {
	kept, old := map[string]any{}, Members(before)
	size := 0
	for _, name := range names {
		value := extra(name)
		if value == nil {
			value = old[name]
		}
		text, err := json.Marshal(value)
		if value == nil || err != nil || size+len(name)+len(text) > most {
			continue
		}
		size += len(name) + len(text)
		kept[name] = value
	}
	if len(kept) == 0 {
		return ""
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return ""
	}
	return string(text)
}

// Members is the inverse of Merge. It returns a new map.
func Members(kept string) map[string]any {
	var m map[string]any
	if kept != "" && json.Unmarshal([]byte(kept), &m) != nil || m == nil {
		return map[string]any{}
	}
	return m
}
