// Package kept holds what is stored of an authorization server's answers beside
// the tokens: members that the facts of a provider name.
//
// Everything is safe for concurrent use, and nothing fails: a member that
// cannot be kept is left out.
package kept

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/members"
)

// most bounds what is kept of the answers for one grant, in bytes (G10).
const most = 32 << 10

// The names of members that package oauth adds to an answer: when the refresh
// token ends, and when the authorization of the user does. RefreshBegin is
// added here: since when that end is known. Saved is added by [Late]. They are
// seconds since 1970.
const (
	RefreshEnd       = "refresh_token_expires_at"
	RefreshBegin     = "refresh_token_known_since"
	AuthorizationEnd = "authorization_expires_at"
	Saved            = "grant_saved_at"
)

// always are members that are kept for every provider.
var always = []string{RefreshEnd, AuthorizationEnd, "authorization_details"}

// Merge returns the members of an answer that the provider names, and those
// that are always kept, as a JSON object. A name may be a path, such as
// "team.id": extra knows what stands there. Members that the answer lacks are
// taken from before, which is such an object or empty. A member for which there
// is no room is left out: it must not cost the grant (G14).
func Merge(names []string, extra func(string) any, before string) string {
	kept, old := map[string]any{}, Members(before)
	size := 0
	for _, name := range slices.Concat(always, names) {
		if _, twice := kept[name]; twice {
			continue
		}
		value := extra(name)
		if value == nil {
			value = old[name]
		}
		if value == nil {
			continue
		}
		text, err := json.Marshal(value)
		if err != nil || size+len(name)+len(text) > most {
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

// WithNewRefreshToken returns what Merge has kept, without what was known of
// the refresh token before.
func WithNewRefreshToken(before string) string {
	old := Members(before)
	if old[RefreshEnd] == nil {
		return before
	}
	delete(old, RefreshEnd)
	delete(old, RefreshBegin)
	return Merge(slices.Collect(maps.Keys(old)), func(name string) any { return old[name] }, "")
}

// Next is [Merge] for an answer to a request that was sent at the given time.
// Rotated says that the answer has a refresh token. The result has RefreshBegin
// if it has RefreshEnd. A server may say at each refresh how long the refresh
// token still lives. An end that stays is known since it was said first.
func Next(names []string, extra func(string) any, before string, rotated bool, sent time.Time) string {
	old := Members(before)
	if rotated {
		before = WithNewRefreshToken(before)
	}
	kept := Merge(names, extra, before)
	if at, ok := Seconds(old[Saved]); ok {
		kept = with(kept, Saved, at)
	}
	if !strings.Contains(kept, RefreshEnd) {
		return kept
	}
	m := Members(kept)
	end, ok := Seconds(m[RefreshEnd])
	if !ok {
		return kept
	}
	m[RefreshBegin] = float64(sent.Unix())
	was, known := Seconds(old[RefreshEnd])
	if known && end.Sub(was).Abs() < time.Minute && old[RefreshBegin] != nil {
		m[RefreshBegin] = old[RefreshBegin]
	}
	text, err := json.Marshal(m)
	if err != nil {
		return kept
	}
	return string(text)
}

// Late returns what is kept, with Saved, if a login was saved a minute or more
// after its tokens were issued. That is an adoption, or a login that waited.
func Late(kept string, issued, now time.Time) string {
	if now.Sub(issued) < time.Minute {
		return kept
	}
	return with(kept, Saved, now)
}

// with returns what is kept with one more time.
func with(kept, name string, at time.Time) string {
	m := Members(kept)
	m[name] = float64(at.Unix())
	text, err := json.Marshal(m)
	if err != nil {
		return kept
	}
	return string(text)
}

// Seconds returns a member that is a number of seconds since 1970 as a time. It
// returns false if it is none.
func Seconds(member any) (time.Time, bool) {
	f, ok := member.(float64)
	if !ok || f <= 0 || f >= 1<<35 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}

// Members is the inverse of Merge. It returns a new map. Numbers are as package
// oauth has them, with all their digits.
func Members(kept string) map[string]any {
	if kept == "" {
		return map[string]any{}
	}
	v, _ := members.Value(json.RawMessage(kept))
	if m, ok := v.(map[string]any); ok {
		return m
	}
	return map[string]any{}
}
