package middleware

import (
	"context"
	"errors"
	"net/http"
)

// Callback receives the authorization response. It answers GET only. A HEAD or
// a prefetch does not use the response up.
//
// It checks the response before it makes any request: the state must be of a
// login that is under way in this browser (ErrFlowNotFound), the issuer must be
// right (ErrIssuerMismatch), and the parameters must be well-formed
// (ErrBadCallback). Then the state is used up, once for all replicas
// (ErrFlowUsed), and the code is sent once. The browser returns to the page
// from which the login started, with a new session.
func (l *Login) Callback() http.Handler {
	in := l.inner()
	return in.route(opCallback, in.callback, http.MethodGet)
}

func (l *login) callback(w http.ResponseWriter, r *http.Request) error {
	if !isOpened(r) {
		return &Error{Op: opCallback, Kind: ErrNotNavigation}
	}
	p, err := parseResponse(r)
	if err != nil {
		return l.retry(err, "")
	}
	if err := l.checkIssuer(p); err != nil {
		return l.retry(err, "")
	}
	state, code := p.state.Reveal(), p.code.Reveal()
	if state == "" {
		return l.retry(stateless(p), "")
	}
	// From here on the work goes on when the browser leaves: a code that was sent
	// must not be lost.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), workTime)
	defer cancel()
	f, err := l.find(ctx, r, state)
	if err != nil {
		if l.finishedBefore(ctx, r, state) {
			seeOther(w, l.options.AfterLogin)
			return nil
		}
		return l.retry(err, "")
	}
	if err := l.used.consume(ctx, state, f.expires); err != nil {
		if errors.Is(err, ErrFlowUsed) && l.finishedBefore(ctx, r, state) {
			seeOther(w, f.returnTo)
			return nil
		}
		return l.retry(notConsumed(err, f), f.returnTo)
	}
	l.cookies.clear(w, l.cookies.flow(state))
	if code == "" {
		return l.retry(p.failure(), f.returnTo)
	}
	if err := l.complete(ctx, w, r, f, code); err != nil {
		return l.retry(err, f.returnTo)
	}
	seeOther(w, f.returnTo)
	return nil
}

// checkIssuer compares iss as a string (RFC 9207 section 2.4). Where no issuer
// is known, iss says nothing.
func (l *login) checkIssuer(p response) error {
	want := l.client.Provider()
	switch {
	case p.issuer == "" && want.IssuerRequired:
		return &Error{Op: opCallback, Kind: ErrIssuerMismatch, Cause: "the response names no issuer"}
	case p.issuer != "" && want.Issuer != "" && p.issuer != want.Issuer:
		return &Error{Op: opCallback, Kind: ErrIssuerMismatch, Cause: "the response names another issuer"}
	}
	return nil
}

// stateless says what is wrong with a response without a state. X answers so,
// with an error, when it did not read the request. The error is passed on for
// the logs, but it may be anybody's, and it ends no flow (RFC 9207 section
// 2.4).
func stateless(p response) error {
	if p.code.Reveal() != "" {
		return &Error{Op: opCallback, Kind: ErrFlowNotFound, Cause: "the response has no state"}
	}
	e := p.failure()
	e.Unverified = true
	return e
}

// finishedBefore reports whether this browser is logged in and state was used:
// the same answer has arrived twice, by a reload or a link scanner, and there
// is nothing to complain about.
func (l *login) finishedBefore(ctx context.Context, r *http.Request, state string) bool {
	if _, err := l.current(r.WithContext(ctx)); err != nil {
		return false
	}
	used, err := l.used.isUsed(ctx, state)
	return err == nil && used
}

// notConsumed wraps the reason why a state could not be used up. No code has
// been sent.
func notConsumed(err error, f flow) error {
	if errors.Is(err, ErrFlowUsed) {
		return &Error{Op: opCallback, Kind: ErrFlowUsed, Cause: "the page was loaded twice", Retry: f.returnTo}
	}
	return stopped(opCallback, "the store did not take note of the login", err)
}

// retry adds where to start the login again.
func (l *login) retry(err error, returnTo string) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Retry == "" {
		if returnTo == "" {
			returnTo = e.returnTo
		}
		e.Retry = l.authorizePath(returnTo)
	}
	return err
}
