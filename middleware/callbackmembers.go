package middleware

import (
	"net/http"

	"github.com/authtrip/authtrip/internal/responseparams"
)

// keptParams returns the parameters of an authorization response that the
// provider names in KeepCallback, such as realmId. They are stored with the
// grant. The error is an *Error of kind ErrBadCallback, before any request.
func (l *login) keptParams(r *http.Request) (map[string]string, error) {
	p := l.client.Provider()
	names := responseparams.Names(p)
	if len(names) == 0 {
		return nil, nil //nolint:nilnil // there is nothing to keep
	}
	query, ok := readQuery(r.URL.RawQuery, names...)
	if !ok {
		return nil, &Error{Op: opCallback, Kind: ErrBadCallback, Cause: "the query is not well formed"}
	}
	kept, err := responseparams.Read(p, query)
	if err != nil {
		return nil, &Error{Op: opCallback, Kind: ErrBadCallback, Cause: err.Error()}
	}
	return kept, nil
}
