package transport

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// The error codes of a challenge that another token of the same grant does not
// change.
const (
	insufficientScope = "insufficient_scope"               // RFC 6750 section 3.1
	insufficientAuth  = "insufficient_user_authentication" // RFC 9470 section 3
)

// InsufficientError says what the grant of a user lacks for a request: scopes
// ([RFC 6750] section 3.1), or a stronger or a more recent login ([RFC 9470]).
// No new token of the same grant helps. The user must log in again, with what
// is named here. So it matches tokensource.ErrReauthorize.
//
// Ask for the union of the scopes that the grant has and of Scopes. Otherwise
// the new login may lose what the old one had.
//
// [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750
// [RFC 9470]: https://www.rfc-editor.org/rfc/rfc9470
type InsufficientError struct {
	// Code is "insufficient_scope" or "insufficient_user_authentication".
	Code string

	// Scopes are what the request needs. Nil means that the server named none.
	Scopes []string

	// ACRValues are the authentication context class references to ask for, as
	// acr_values, the preferred one first.
	ACRValues []string

	// MaxAge is how long ago the user may have authenticated at most. Nil means
	// that the server set no limit. Zero means that the user must do so now.
	MaxAge *time.Duration
}

// Error returns the code and what is needed.
func (e *InsufficientError) Error() string {
	text := "transport: the token is good, but the grant does not suffice: " + e.Code
	if len(e.Scopes) > 0 {
		text += ": scope " + strings.Join(e.Scopes, " ")
	}
	if len(e.ACRValues) > 0 {
		text += ": acr_values " + strings.Join(e.ACRValues, " ")
	}
	if e.MaxAge != nil {
		text += ": max_age " + e.MaxAge.String()
	}
	return text
}

// Unwrap returns tokensource.ErrReauthorize.
func (e *InsufficientError) Unwrap() error { return tokensource.ErrReauthorize }

// InsufficientFrom returns what the grant lacks, according to the Bearer and
// DPoP challenges of resp (T11). It returns false if they do not say that.
func InsufficientFrom(resp *http.Response) (*InsufficientError, bool) {
	if resp == nil || resp.Header["Www-Authenticate"] == nil {
		return nil, false
	}
	var e *InsufficientError
	for _, c := range Challenges(resp.Header) {
		if !strings.EqualFold(c.Scheme, "Bearer") && !strings.EqualFold(c.Scheme, "DPoP") {
			continue
		}
		code := c.Params["error"]
		if code != insufficientScope && code != insufficientAuth {
			continue
		}
		if e == nil {
			e = &InsufficientError{Code: code}
		}
		e.add(c.Params)
	}
	return e, e != nil
}

// add takes over what one challenge names.
func (e *InsufficientError) add(params map[string]string) {
	e.Scopes = union(e.Scopes, params["scope"])
	e.ACRValues = union(e.ACRValues, params["acr_values"])
	if seconds, err := strconv.ParseUint(params["max_age"], 10, 31); err == nil {
		if age := time.Duration(seconds) * time.Second; e.MaxAge == nil || age < *e.MaxAge {
			e.MaxAge = &age
		}
	}
}

// maxNeeds bounds a list that a server names.
const maxNeeds = 100

// union adds the words of list to known. It leaves out what no scope may be
// (RFC 6749 section 3.3): a program may show these words, or send them on.
func union(known []string, list string) []string {
	for word := range strings.FieldsSeq(list) {
		if len(known) < maxNeeds && scopeToken(word) && !slices.Contains(known, word) {
			known = append(known, word)
		}
	}
	return known
}

// scopeToken reports whether s is a scope-token.
func scopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < '!' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}
