package middleware

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/authtrip/authtrip/internal/connecting"
	"github.com/authtrip/authtrip/tokensource"
)

// The kinds of failure that Options.OnError decides on. Match them with
// errors.Is. A failure after which a later attempt may succeed also matches
// tokensource.ErrTemporary. Some failures match only that.
var (
	// ErrAccessDenied means that the user refused to authorize the app.
	ErrAccessDenied = errors.New("middleware: the user denied access")

	// ErrProvider means that the authorization server answered with an error (RFC
	// 6749 section 4.1.2.1), which is in Error.Code. With server_error and
	// temporarily_unavailable it also matches tokensource.ErrTemporary.
	ErrProvider = errors.New("middleware: the authorization server reported an error")

	// ErrFlowNotFound means that no login with this state is under way in this
	// browser. The state is missing or expired, or it belongs to another browser.
	// Error.Cause says which is likely.
	ErrFlowNotFound = errors.New("middleware: no such login is under way in this browser")

	// ErrFlowUsed means that the answer to this login has arrived before. An answer
	// can be used once.
	ErrFlowUsed = errors.New("middleware: this login was used already")

	// ErrIssuerMismatch means that the answer names an issuer other than the one
	// that was asked, or no issuer where one is required (RFC 9207 section 2.4).
	ErrIssuerMismatch = errors.New("middleware: the answer is from another authorization server")

	// ErrBadCallback means that the answer is malformed: its parameters are
	// duplicate, too long or contradictory.
	ErrBadCallback = errors.New("middleware: malformed authorization response")

	// ErrForged means that an error response came without the state of a login.
	// Anybody can make the link to such a response, so nothing of its text is
	// passed on (RFC 9207 section 2.4). A server also answers so if it could not
	// read the authorization request. Error.Code is set if the code is one of a
	// standard.
	ErrForged = errors.New("middleware: an error response that belongs to no login")

	// ErrReturnPath means that return_to is not a local path.
	ErrReturnPath = errors.New("middleware: return_to is not a path of this site")

	// ErrNotNavigation means that the request does not open a page: it is a
	// prefetch, or another site made it without the user.
	ErrNotNavigation = errors.New("middleware: a login has to be opened as a page")

	// ErrRefused means that Options.OnLogin or Options.Identify refused the user,
	// and returned it for that purpose, or that another user than
	// BeginOptions.Subject logged in.
	ErrRefused = errors.New("middleware: this user may not log in")

	// ErrLoginFailed means that the code could not be exchanged, that the user
	// could not be identified, or that the grant or the session could not be
	// stored. Error.Cause says which of them, and Unwrap returns the reason. If the
	// login can still be finished, it is kept for an hour, and Error.Retry is where
	// the browser finishes it.
	ErrLoginFailed = errors.New("middleware: the login could not be completed")

	// ErrLogoutFailed means that a logout or a disconnect was not completed: the
	// store did not answer, or the authorization server has not confirmed the
	// revocation. This browser has no session any more. The request can be made
	// again.
	ErrLogoutFailed = errors.New("middleware: the logout was not completed")

	// ErrUnreadable means that a record in the store cannot be opened or is
	// damaged. The key that sealed it may be lost, or was removed too early.
	// Another attempt does not help: the operator must correct the deployment. The
	// text of the error names the record and says what to do. It also matches
	// tokensource.ErrClient.
	ErrUnreadable error = operatorError("middleware: a record in the store cannot be read")

	// ErrCrossOrigin means that another site made the request. It tried to log the
	// user out, or it led a user who is logged in to a new login. Error.Retry is
	// where the user does so by choice.
	ErrCrossOrigin = errors.New("middleware: the request came from another site")

	// ErrMethod means that the route does not answer this HTTP method.
	ErrMethod = errors.New("middleware: method not allowed")
)

// Error is the error that Options.OnError receives. It contains no token, code,
// secret, verifier, state or cookie. Text from outside is printable ASCII of
// limited length. It must still be escaped in HTML.
type Error struct {
	Op          string // "authorize", "callback", "require", "logout" or "disconnect"
	Kind        error  // an error of this package, or tokensource.ErrTemporary or ErrClient
	Cause       string // the likely cause, as half a sentence, or empty
	Code        string // the authorization server's error code, or empty
	Description string // its error_description, or empty
	Retry       string // local URL to start again at (after a logout: to POST to), or empty
	App         string // Options.AppName
	Home        string // Options.Home: a local path
	Err         error  // the reason, or nil

	connects bool   // of package connect
	returnTo string // where the flow was to end
	kept     bool   // ErrLoginFailed: the login waits, and Retry finishes it
	other    bool   // ErrFlowUsed: this answer has another code than the first one
}

const (
	opAuthorize = "authorize"
	opCallback  = "callback"
	opRequire   = "require"
	opLogout    = "logout"

	opDisconnect = "disconnect"
)

// Error returns one line of text.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("middleware: " + e.Op)
	if e.Kind != nil {
		text := e.Kind.Error()
		for _, name := range []string{"middleware: ", "tokensource: ", "connect: "} {
			text = strings.TrimPrefix(text, name)
		}
		b.WriteString(": " + text)
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
	case errors.Is(e.Kind, connecting.ErrNoAccount):
		return http.StatusUnauthorized
	case errors.Is(e.Kind, connecting.ErrNotListed):
		return http.StatusNotFound
	case errors.Is(e.Kind, ErrAccessDenied), errors.Is(e.Kind, ErrCrossOrigin), errors.Is(e.Kind, ErrNotNavigation),
		errors.Is(e.Kind, ErrRefused), errors.Is(e.Kind, connecting.ErrChanged):
		return http.StatusForbidden
	case errors.Is(e.Kind, ErrFlowNotFound), errors.Is(e.Kind, ErrFlowUsed), errors.Is(e.Kind, ErrIssuerMismatch),
		errors.Is(e.Kind, ErrBadCallback), errors.Is(e.Kind, ErrForged), errors.Is(e.Kind, ErrReturnPath):
		return http.StatusBadRequest
	case errors.Is(e.Kind, connecting.ErrElsewhere), errors.Is(e.Kind, connecting.ErrTooMany):
		return http.StatusConflict
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
