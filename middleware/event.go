package middleware

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/internal/connecting"
	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/tokensource"
)

// The kinds of events that [Options.OnEvent] is called with. Err of an event
// is the *Error of the request, if the request failed.
const (
	EventLoginStarted  tokensource.EventKind = "login started"
	EventLoginFinished tokensource.EventKind = "login finished" // a session began
	EventLoginFailed   tokensource.EventKind = "login failed"   // of a login that this browser had started

	// EventRefused means that a request was refused before it could change
	// anything. It is of another site, it is no opened page, or it is no answer to
	// a login of this browser. It also means that a logout token of the
	// authorization server was refused, or could not be carried out.
	EventRefused tokensource.EventKind = "request refused"

	// EventSessionEnded means that a session was ended. Reason says why: the user
	// logged out ("logout"), logged in again in this browser ("replaced") or
	// disconnected ("disconnected"), the app ended it ("ended", "forgotten"), or a
	// later login found that its grant had ended ("grant ended") or that the user
	// had 32 sessions ("too many"), or the authorization server reported a logout
	// ("logged out at the server"). Sessions that end by their time are not
	// reported. With Err the session may have ended, or not.
	EventSessionEnded tokensource.EventKind = "session ended"

	// EventDisconnected means that the grant of a user was ended. With Err the
	// authorization server has not confirmed it.
	EventDisconnected tokensource.EventKind = "disconnected"
)

// The reasons of EventSessionEnded.
const (
	reasonLogout       = "logout"
	reasonReplaced     = "replaced"
	reasonDisconnected = "disconnected"
	reasonEnded        = "ended"
	reasonForgotten    = "forgotten"
	reasonGrantEnded   = "grant ended"
	reasonTooMany      = "too many"
	reasonAtServer     = "logged out at the server"
)

// maxUserAgent is the length of a User-Agent header in an event.
const maxUserAgent = 200

// report completes e with what the request says, and calls Options.OnEvent.
func (l *login) report(r *http.Request, e tokensource.Event) {
	l.tell(withVisitor(r.Context(), r), e)
}

type visitorKey struct{}

// visitor is what an event says of the browser.
type visitor struct{ addr, agent string }

// withVisitor returns a context whose events name the browser of r.
func withVisitor(ctx context.Context, r *http.Request) context.Context {
	return context.WithValue(ctx, visitorKey{}, visitor{r.RemoteAddr, redact.Text(r.UserAgent(), maxUserAgent)})
}

// tell calls Options.OnEvent with an event that may belong to no request.
func (l *login) tell(ctx context.Context, e tokensource.Event) {
	if l.options.OnEvent == nil {
		return
	}
	v, _ := ctx.Value(visitorKey{}).(visitor)
	e.RemoteAddr, e.UserAgent = v.addr, v.agent
	e.Time = time.Now()
	e.Provider, e.ClientID = l.client.Provider().Name, l.client.ClientID()
	e.CorrelationID = tokensource.CorrelationID(ctx)
	l.options.OnEvent(ctx, e)
}

// reportFailure reports a request that failed. A failure of Require or of a
// logout is reported where it happens.
func (l *login) reportFailure(r *http.Request, err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return
	}
	switch {
	case e.refusal():
		l.report(r, tokensource.Event{Kind: EventRefused, Err: err})
	case e.Op == opAuthorize || e.Op == opCallback:
		l.report(r, tokensource.Event{Kind: EventLoginFailed, Err: err})
	}
}

// refusal reports whether the request was refused for what it is.
func (e *Error) refusal() bool {
	for _, kind := range []error{
		ErrFlowNotFound, ErrFlowUsed, ErrIssuerMismatch, ErrBadCallback, ErrForged, ErrReturnPath, ErrNotNavigation, ErrCrossOrigin, ErrMethod,
		connecting.ErrNoAccount, connecting.ErrChanged, connecting.ErrNotListed,
	} {
		if errors.Is(e.Kind, kind) {
			return true
		}
	}
	return false
}

// correlate returns r with a correlation ID for its events. The events of one
// login have one ID, which is made of the state and tells nothing about it. A
// program that has set an ID keeps it.
func correlate(r *http.Request, state string) *http.Request {
	id := ""
	if state != "" {
		id = fingerprint("correlation", state)[:16]
	}
	if tokensource.CorrelationID(r.Context()) != "" {
		return r
	}
	return r.WithContext(tokensource.WithCorrelationID(r.Context(), id))
}
