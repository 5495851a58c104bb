package nativeapp

import (
	"crypto/subtle"
	"fmt"
	"net/url"
	"slices"

	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/internal/responseparams"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Bounds of an authorization response. Codes and states of 4 KiB exist, and RFC
// 6749 sets no limit.
const (
	maxQuery       = 64 << 10
	maxParam       = 16 << 10
	maxErrorCode   = 64
	maxDescription = 200
)

// answer is an authorization response with the state of the login.
type answer struct {
	code func() string     // in a closure, so that nothing prints it
	kept map[string]string // parameters that are stored with the grant
	err  error             // why there is none
}

// failedWith returns the answer that ends a login with err.
func failedWith(err error) *answer { return &answer{err: err} }

// read reads the query of a request (RFC 6749 section 4.1.2, RFC 9207 section
// 2). It returns nil for one that is not the answer to this login: it does not
// have its state. What has the state ends the login, also if the rest is wrong.
func read(p *provider.Provider, rawQuery, state string) *answer {
	if len(rawQuery) > maxQuery {
		return nil
	}
	query, bad := url.ParseQuery(rawQuery)
	states := query["state"]
	if len(states) != 1 || subtle.ConstantTimeCompare([]byte(states[0]), []byte(state)) != 1 {
		return nil
	}
	if bad != nil {
		return failedWith(fmt.Errorf("%w: its query is not well formed", ErrResponse))
	}
	for _, name := range []string{"code", "iss", "error"} {
		if values := query[name]; len(values) > 1 || len(values) == 1 && (len(values[0]) > maxParam || !printable(values[0])) {
			return failedWith(fmt.Errorf("%w: parameter %s came twice, is too long, or has characters that it cannot have", ErrResponse, name))
		}
	}
	if err := checkIssuer(p, query.Get("iss")); err != nil {
		return failedWith(err)
	}
	code, denied := query.Get("code"), query.Get("error")
	switch {
	case code != "" && denied != "":
		return failedWith(fmt.Errorf("%w: it has both a code and an error", ErrResponse))
	case code == "" && denied == "":
		return failedWith(fmt.Errorf("%w: it has neither a code nor an error", ErrResponse))
	case denied != "":
		return failedWith(refusal(denied, query, state))
	}
	kept, err := responseparams.Read(p, query)
	if err != nil {
		return failedWith(fmt.Errorf("%w: %w", ErrResponse, err))
	}
	return &answer{code: func() string { return code }, kept: kept}
}

// checkIssuer compares iss as a string (RFC 9207 section 2.4), also in an error
// response. Where no issuer is known, iss says nothing.
func checkIssuer(p *provider.Provider, iss string) error {
	switch {
	case iss == "" && p.IssuerRequired:
		return fmt.Errorf("%w: it names no issuer", ErrResponse)
	case iss != "" && p.Issuer != "" && iss != p.Issuer:
		return fmt.Errorf("%w: it names another issuer", ErrResponse)
	}
	return nil
}

// temporary are the codes that stand for the statuses 500 and 503, which a
// redirect cannot have (RFC 6749 section 4.1.2.1).
var temporary = []string{"server_error", "temporarily_unavailable"}

// aboutClient are the codes of a server that does not accept the client. The
// first one is not among those that a redirect can have, and comes all the
// same.
var aboutClient = []string{"invalid_client", "unauthorized_client"}

// refusal returns the error for an error response. Its texts are from outside.
func refusal(code string, query url.Values, state string) error {
	kind := ErrResponse
	if code == "access_denied" {
		kind = ErrDenied
	}
	text, d := redact.Text(code, maxErrorCode, state), redact.Text(query.Get("error_description"), maxDescription, state)
	if slices.Contains(aboutClient, code) {
		return fmt.Errorf("%w: %w", kind, &tokensource.Error{Op: "authorize", Kind: tokensource.ErrClient, Code: code, Description: d})
	}
	if d != "" {
		text += " (" + d + ")"
	}
	if slices.Contains(temporary, code) {
		return fmt.Errorf("%w: %s: %w", kind, text, tokensource.ErrTemporary)
	}
	return fmt.Errorf("%w: %s", kind, text)
}

// printable reports whether s has printable ASCII only (RFC 6749 appendix A).
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
