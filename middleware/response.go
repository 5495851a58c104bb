package middleware

import (
	"net/http"
	"slices"

	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/tokensource"
)

// Bounds of an authorization response. Codes and states of 4 KiB exist, and RFC
// 6749 sets no limit.
const (
	maxParam       = 16 << 10
	maxQuery       = 64 << 10
	maxErrorCode   = 64
	maxDescription = 200
)

// callbackParams are the parameters of a response that must be well formed.
var callbackParams = []string{"state", "code", "iss", "error", "denied"}

// response is an authorization response (RFC 6749 section 4.1.2, RFC 9207
// section 2) whose form has been checked and nothing else.
type response struct {
	state, code redact.Hidden
	issuer      string
	names       bool              // there is an issuer, which may be empty
	errorCode   string            // raw; safe to compare, not to show
	description string            // raw
	denied      bool              // OAuth 1.0a's way to say so, which X has been seen to use
	kept        map[string]string // parameters that are stored with the grant
}

// parseResponse reads the parameters that are known. Others belong to the
// server or to somebody else, and are ignored whatever their form is.
// Parameters without a value count as omitted (RFC 6749 section 3.1). The error
// is an *Error of kind ErrBadCallback.
func parseResponse(r *http.Request) (response, error) {
	bad := func(cause string) (response, error) {
		return response{}, &Error{Op: opCallback, Kind: ErrBadCallback, Cause: cause}
	}
	if len(r.URL.RawQuery) > maxQuery {
		return bad("the response is too long")
	}
	query, ok := readQuery(r.URL.RawQuery, callbackParams...)
	if !ok {
		return bad("the query is not well formed")
	}
	// Servers write what they like into the description. A bad one is left out.
	texts, _ := readQuery(r.URL.RawQuery, "error_description")
	for _, name := range slices.Concat(callbackParams, []string{"error_description"}) {
		switch values := append(query[name], texts[name]...); {
		case len(values) > 1:
			return bad("parameter " + name + " came twice")
		case len(values) == 1 && len(values[0]) > maxParam:
			return bad("parameter " + name + " is too long")
		case !visible(query.Get(name)):
			return bad("parameter " + name + " has characters that it cannot have")
		}
	}
	p := response{
		state: redact.Hide(query.Get("state")), code: redact.Hide(query.Get("code")), issuer: query.Get("iss"), names: query.Has("iss"),
		errorCode: query.Get("error"), description: texts.Get("error_description"), denied: query.Get("denied") != "",
	}
	failed := p.errorCode != "" || p.denied
	switch {
	case p.code.Reveal() != "" && failed:
		return bad("it has both a code and an error")
	case p.code.Reveal() == "" && !failed:
		return bad("it has neither a code nor an error")
	}
	return p, nil
}

// visible reports whether s has printable ASCII only (VSCHAR and space, RFC
// 6749 appendix A).
func visible(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// failure turns an error response into an *Error. Its texts are from outside:
// an error code of unusual characters is left out, the description is cut and
// cleaned. The two codes that stand for the statuses 500 and 503, which a
// redirect cannot have, are temporary (RFC 6749 section 4.1.2.1).
func (p response) failure() *Error {
	e := &Error{Op: opCallback, Kind: ErrProvider, Code: errorCode(p.errorCode)}
	e.Description = redact.Text(p.description, maxDescription, p.state.Reveal())
	switch {
	case p.denied || p.errorCode == "access_denied":
		e.Kind, e.Code = ErrAccessDenied, "access_denied"
	case p.errorCode == "server_error" || p.errorCode == "temporarily_unavailable":
		e.Err = tokensource.ErrTemporary
	}
	return e
}

// errorCode returns code if it looks like one of the codes in use, which all
// are words of letters with underscores.
func errorCode(code string) string {
	if len(code) > maxErrorCode {
		return "unknown"
	}
	for i := range len(code) {
		c := code[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return "unknown"
		}
	}
	return code
}

// standardCodes are the error codes of RFC 6749 section 4.1.2.1, OpenID Connect
// Core section 3.1.2.6, RFC 8707 and RFC 9449.
var standardCodes = []string{
	"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope", "server_error",
	"temporarily_unavailable", "interaction_required", "login_required", "account_selection_required", "consent_required",
	"invalid_request_uri", "invalid_request_object", "request_not_supported", "request_uri_not_supported",
	"registration_not_supported", "invalid_target", "invalid_dpop_proof",
}

// forged is the error for an error response without a state. Anybody can make
// it, so it has no text of the response, except a code that is a known word.
func (p response) forged() *Error {
	e := &Error{
		Op: opCallback, Kind: ErrForged,
		Cause: "it has no state: either somebody else made the link, or the authorization server could not read the request of this app",
	}
	if slices.Contains(standardCodes, p.errorCode) {
		e.Code = p.errorCode
	}
	return e
}
