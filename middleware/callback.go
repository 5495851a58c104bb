package middleware

import (
	"context"
	"errors"
	"net/http"

	"github.com/authtrip/authtrip/internal/opened"
	"github.com/authtrip/authtrip/tokensource"
)

// Callback receives the authorization response. It answers GET only, and POST
// where the response_mode is form_post. A HEAD or a prefetch does not use the
// response up.
//
// It checks the response before it makes any request. The state must be of a
// login that is under way in this browser (ErrFlowNotFound). The issuer must be
// right (ErrIssuerMismatch). The parameters that it reads must be well-formed
// (ErrBadCallback). An error must have a state (ErrForged). Then the state is
// used up, once for all replicas (ErrFlowUsed), and the code is sent once. The
// browser returns to the page from which the login started, with a new session.
func (l *Login) Callback() http.Handler {
	in := l.inner()
	if in.posts() {
		return in.route(opCallback, in.callback, http.MethodGet, http.MethodPost)
	}
	return in.route(opCallback, in.callback, http.MethodGet)
}

func (l *login) callback(w http.ResponseWriter, r *http.Request) error {
	if !opened.Page(r) {
		return &Error{Op: opCallback, Kind: ErrNotNavigation}
	}
	if r.Method == http.MethodPost {
		return l.posted(w, r)
	}
	p, err := parseResponse(r)
	if err != nil {
		return l.retry(err, "")
	}
	if err := l.checkIssuer(p); err != nil {
		return l.retry(err, "")
	}
	if p.kept, err = l.keptParams(r); err != nil {
		return l.retry(err, "")
	}
	if err := l.checkSigned(r, p); err != nil {
		return l.retry(err, "")
	}
	if p.state.Reveal() == "" {
		return l.retry(p.stateless(), "")
	}
	r = correlate(r, p.state.Reveal())
	// From here on the work goes on when the browser leaves: a code that was sent
	// must not be lost.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), workTime)
	defer cancel()
	if err := l.answered(w, r.WithContext(ctx), p); err != nil {
		l.fail(w, r, err) // with the ID of the login
	}
	return nil
}

// answered finishes the login that p is the answer to. An error needs no note
// in the ledger: there is nothing to send, and the flow ends with its cookie.
// So a visitor without a code causes no write to the store.
func (l *login) answered(w http.ResponseWriter, r *http.Request, p response) error {
	ctx, state, code := r.Context(), p.state.Reveal(), p.code.Reveal()
	name, f, err := l.find(r, state)
	if err != nil {
		return l.repeated(w, r, p, err, l.options.AfterLogin)
	}
	if code == "" {
		l.cookies.clear(w, name)
		return l.retry(p.failure(), f.returnTo)
	}
	if f.account, err = l.sameAccount(r, f.bound); err != nil {
		if !errors.Is(err, tokensource.ErrTemporary) {
			l.cookies.clear(w, name)
		}
		return l.retry(err, f.returnTo)
	}
	if err := l.used.consume(ctx, state, code, f.expires); err != nil {
		if errors.Is(err, ErrFlowUsed) {
			return l.repeated(w, r, p, &Error{Op: opCallback, Kind: ErrFlowUsed, Retry: f.returnTo}, f.returnTo)
		}
		return l.retry(stopped(opCallback, "the store did not take note of the login", err), f.returnTo)
	}
	l.cookies.clear(w, name)
	if err := l.complete(ctx, w, r, f, p); err != nil {
		return l.retry(err, f.returnTo)
	}
	seeOther(w, f.returnTo)
	return nil
}

// repeated answers a response whose flow is not under way, for the reason err.
// It may be the second one to a login that has finished. If it has the same
// code, the page was loaded twice, by a reload or a link scanner: a user who is
// logged in goes on. If it has another code, the user went back to the
// authorization server and chose again, perhaps as somebody else. Then the user
// is told, because the session is still that of the first choice.
func (l *login) repeated(w http.ResponseWriter, r *http.Request, p response, err error, returnTo string) error {
	if l.signedIn(r) != nil {
		return l.retry(err, "")
	}
	switch used, same, unknown := l.used.isUsed(r.Context(), p.state.Reveal(), p.code.Reveal()); {
	case unknown != nil || !used:
		return l.retry(err, "")
	case !same:
		return l.retry(&Error{Op: opCallback, Kind: ErrFlowUsed, Cause: "the user came back with another code", other: true}, returnTo)
	}
	seeOther(w, returnTo)
	return nil
}

// checkIssuer compares iss as a string, also if the server has not announced it
// (RFC 9207 section 2.4). Where no issuer is known, iss says nothing.
func (l *login) checkIssuer(p response) error {
	want := l.client.Provider()
	switch {
	case want.Issuer == "":
	case !p.names && want.IssuerRequired:
		return &Error{Op: opCallback, Kind: ErrIssuerMismatch, Cause: "the response names no issuer"}
	case p.names && p.issuer != want.Issuer:
		return &Error{Op: opCallback, Kind: ErrIssuerMismatch, Cause: "the response names another issuer"}
	}
	return nil
}

// checkSigned refuses a response with a code that the server must have signed
// and has not, or that is of another login (Provider.CallbackSignature). An
// error response leads to no request.
func (l *login) checkSigned(r *http.Request, p response) error {
	if p.code.Reveal() == "" {
		return nil
	}
	err := l.client.CheckResponse(r.Context(), r.URL.RawQuery)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tokensource.ErrTemporary):
		return stopped(opCallback, "the client secret cannot be read now", err)
	}
	return &Error{Op: opCallback, Kind: ErrBadCallback, Cause: err.Error()}
}

// stateless says what is wrong with a response without a state. X answers with
// an error and no state if it did not read the request. But anybody can send
// such an answer, and it ends no flow (RFC 9207 section 2.4).
func (p response) stateless() error {
	if p.code.Reveal() != "" {
		return &Error{Op: opCallback, Kind: ErrFlowNotFound, Cause: "the response has no state"}
	}
	return p.forged()
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
