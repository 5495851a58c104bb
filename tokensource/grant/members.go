package grant

import (
	"encoding/json"
	"maps"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// maxMembers bounds what is kept of the answers for one grant, in bytes (G10).
const maxMembers = 32 << 10

// keep returns the members of an answer that the provider names, as a JSON
// object. Members that the answer lacks are taken from before, which is such an
// object or empty. A member for which there is no room is left out: it must not
// cost the grant (G14).
func keep(names []string, extra func(string) any, before string) string {
	kept, old := map[string]any{}, members(before)
	size := 0
	for _, name := range names {
		value := extra(name)
		if value == nil {
			value = old[name]
		}
		text, err := json.Marshal(value)
		if value == nil || err != nil || size+len(name)+len(text) > maxMembers {
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

// members is the inverse of keep. It returns a new map.
func members(kept string) map[string]any {
	m := map[string]any{}
	if kept == "" || json.Unmarshal([]byte(kept), &m) != nil {
		return map[string]any{}
	}
	return m
}

// withMembers returns the kept members, with more of them.
func withMembers(kept string, more map[string]any) map[string]any {
	m := members(kept)
	maps.Copy(m, more)
	return m
}

func keptMembers(*provider.Provider) []string { return nil }
