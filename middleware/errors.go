package middleware

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/authtrip/authtrip/tokensource"
)

// The kinds of failure that Options.OnError decides on; match them with
// errors.Is. A failure that is worth trying again later matches
// tokensource.ErrTemporary too, or alone if nothing else is known of it.
var (
	// ErrAccessDenied means that the user refused to let the app in.
	ErrAccessDenied = errors.New("middleware: the user denied access")

	// ErrProvider means that the authorization server answered with an error (RFC
	// 6749 section 4.1.2.1); Error.Code has it. With server_error and
	// temporarily_unavailable it matches tokensource.ErrTemporary too.
	ErrProvider = errors.New("middleware: the authorization server reported an error")

	// ErrFlowNotFound means that this browser has no login under way with the state
	// that came back: it is missing, has expired, or belongs to another browser.
	// Error.Cause says which is likely.
	ErrFlowNotFound = errors.New("middleware: no such login is under way in this browser")

	// ErrFlowUsed means that the answer to this login arrived before: it can be
	// used once.
	ErrFlowUsed = errors.New("middleware: this login was used already")

	// ErrIssuerMismatch means that the answer names another issuer than the one
	// that was asked, or none where one is required (RFC 9207 section 2.4).
	ErrIssuerMismatch = errors.New("middleware: the answer is from another authorization server")

	// ErrBadCallback means that the answer is malformed: duplicate, oversized or
	// contradictory parameters.
	ErrBadCallback = errors.New("middleware: malformed authorization response")

	// ErrReturnPath means that return_to is not a local path.
	ErrReturnPath = errors.New("middleware: return_to is not a path of this site")

	// ErrNotNavigation means that the request was a prefetch, or made by another
	// site behind the user's back.
	ErrNotNavigation = errors.New("middleware: a login has to be opened as a page")

	// ErrRefused means that Options.OnLogin turned the user away; OnLogin returns
	// it to do so.
	ErrRefused = errors.New("middleware: this user may not log in")

	// ErrLoginFailed means that the code could not be exchanged, that the user
	// could not be identified, or that the grant or the session could not be
	// stored. Error.Cause says which; Unwrap leads to the reason.
	ErrLoginFailed = errors.New("middleware: the login could not be completed")

	// ErrLogoutFailed means that the authorization server could not be told, or
	// that the store did not answer. The session in this browser has ended; the
	// logout can be tried again.
	ErrLogoutFailed = errors.New("middleware: the logout was not completed")

	// ErrUnreadable means that a record in the store does not open, since the key
	// that sealed it was lost or left out too early, or that it is damaged. Trying
	// again does not help: the deployment must be fixed, and the error's text says
	// which record it is and what to do. It matches tokensource.ErrClient too.
	ErrUnreadable error = operatorError("middleware: a record in the store cannot be read")

	// ErrCrossOrigin means that another site tried to log the user out.
	ErrCrossOrigin = errors.New("middleware: the request came from another site")

	// ErrMethod means that the route does not answer this HTTP method.
	ErrMethod = errors.New("middleware: method not allowed")
)

// Error is what Options.OnError gets. It holds no token, code, secret,
// verifier, state or cookie, and everything in it that came from outside is
// printable ASCII of bounded length. It must still be escaped in HTML.
type Error struct {
	Op          string // "authorize", "callback", "require" or "logout"
	Kind        error  // one of this package's errors, tokensource.ErrTemporary or tokensource.ErrClient
	Cause       string // what is likely behind it, as half a sentence, or empty
	Code        string // the authorization server's error code, or empty
	Description string // its error_description, or empty
	Unverified  bool   // Code and Description came without a valid state: anybody may have written them
	Retry       string // local URL where to start again (with logout: where to POST again), or empty
	Err         error  // the reason, or nil

	returnTo string // where the flow was to end
}

const (
	opAuthorize = "authorize"
	opCallback  = "callback"
	opRequire   = "require"
	opLogout    = "logout"
)

// Error returns one line of text.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("middleware: " + e.Op)
	if e.Kind != nil {
		text := strings.TrimPrefix(e.Kind.Error(), "middleware: ")
		b.WriteString(": " + strings.TrimPrefix(text, "tokensource: "))
	}
	if e.Code != "" {
		b.WriteString(": " + e.Code)
	}
	if e.Description != "" {
		b.WriteString(" (" + e.Description + ")")
	}
	if e.Cause != "" {
		b.WriteString(": " + e.Cause)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the kind and the reason, for errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	var list []error
	if e.Kind != nil {
		list = append(list, e.Kind)
	}
	if e.Err != nil {
		list = append(list, e.Err)
	}
	return list
}

// Status is the HTTP status that fits: 400 for what the browser sent, 403 for a
// refusal, by the user or by us, 502 and 503 for the authorization server and
// the store, 500 for an app or a deployment that must be fixed.
func (e *Error) Status() int {
	switch {
	case errors.Is(e.Kind, ErrMethod):
		return http.StatusMethodNotAllowed
	case errors.Is(e.Kind, ErrAccessDenied), errors.Is(e.Kind, ErrCrossOrigin), errors.Is(e.Kind, ErrNotNavigation),
		errors.Is(e.Kind, ErrRefused):
		return http.StatusForbidden
	case e.Unverified, errors.Is(e.Kind, ErrFlowNotFound), errors.Is(e.Kind, ErrFlowUsed), errors.Is(e.Kind, ErrIssuerMismatch),
		errors.Is(e.Kind, ErrBadCallback), errors.Is(e.Kind, ErrReturnPath):
		return http.StatusBadRequest
	case errors.Is(e, tokensource.ErrTemporary), errors.Is(e, context.DeadlineExceeded): // the time was up
		return http.StatusServiceUnavailable
	case errors.Is(e, tokensource.ErrClient):
		return http.StatusInternalServerError
	case errors.Is(e.Kind, ErrProvider), isServerError(e.Err):
		return http.StatusBadGateway
	}
	return http.StatusInternalServerError
}

// isServerError reports whether err is what the authorization server answered.
func isServerError(err error) bool {
	_, ok := errors.AsType[*tokensource.Error](err)
	return ok
}
