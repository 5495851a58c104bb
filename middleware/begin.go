package middleware

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/opened"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// BeginOptions says what one login asks for. The zero value asks for what the
// client and [Options] say.
type BeginOptions struct {
	// ReturnTo is the local path where the login ends. Empty means the page that
	// [Login.Begin] was called for, or what the request to Authorize says.
	ReturnTo string

	// Scopes replace the scopes of the client. They are a complete list, not an
	// addition. Nil means those of the client.
	Scopes []string

	// Subject is the user who must log in, as the authorization server names
	// users. A login that ends with another user is refused (ErrRefused), and its
	// tokens are revoked, unless they have ended those of an older login of that
	// other user at the server. It is no parameter of the request: name the user
	// in Params as well, where the server reads login_hint. Empty means that any
	// user may log in.
	Subject string

	// Params are further parameters of the authorization request, such as
	// "login_hint" or "prompt". They replace parameters of the same name in
	// Options.Params. Nil means those alone.
	Params url.Values

	// RedirectURL is the redirect URL of the client, or one of
	// Options.RedirectURLs. The browser must have come by its host, because the
	// cookie of the login is for one host. Empty means that of the client.
	RedirectURL string

	// MoreScopes, ACRValues and MaxAge are what an API has found missing, as in
	// a transport.InsufficientError ([RFC 6750] section 3.1, [RFC 9470]). The
	// login asks for MoreScopes beside the scopes above and those that the user
	// has granted before, so that nothing is lost. It sends the others as
	// acr_values and max_age. Nil means that nothing is missing.
	//
	// If three such logins of a user within ten minutes did not help, the error
	// is ErrAccessDenied: the server does not give what the API wants, or the
	// user does not.
	//
	// [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750
	// [RFC 9470]: https://www.rfc-editor.org/rfc/rfc9470
	MoreScopes []string
	ACRValues  []string
	MaxAge     *time.Duration
}

// Begin answers r with the beginning of a login, as Authorize does, and with
// what o asks for. It is for handlers of the app, which decide that on their
// own: to ask for one more scope, or to let the user choose another account.
// Nil options ask for what the client and [Options] say. Call it before
// anything was written to w.
//
// A request that does not open a page is refused (ErrNotNavigation), so that a
// prefetch begins no login. Begin does not look at which site led to r: a
// handler that must not be started by another site has to check that. What
// fails is answered by Options.OnError: with ErrReturnPath if o.ReturnTo is not
// a local path, and with tokensource.ErrClient if the request cannot be made.
func (l *Login) Begin(w http.ResponseWriter, r *http.Request, o *BeginOptions) {
	in := l.inner()
	private(w)
	var options BeginOptions
	if o != nil {
		options = *o
	}
	if options.ReturnTo == "" {
		options.ReturnTo = in.pageOf(r)
	}
	if err := in.begin(w, r, options); err != nil {
		in.fail(w, r, err)
	}
}

// begin sets the cookie of a new flow and redirects to the authorization
// server.
func (l *login) begin(w http.ResponseWriter, r *http.Request, o BeginOptions) error {
	if !opened.Page(r) {
		return &Error{Op: opAuthorize, Kind: ErrNotNavigation, Retry: l.site.authorize}
	}
	if o.ReturnTo == "" {
		o.ReturnTo = l.options.AfterLogin
	}
	if !localPath(o.ReturnTo) {
		return &Error{Op: opAuthorize, Kind: ErrReturnPath, Retry: l.site.authorize}
	}
	o, subject, err := l.stepUp(r, o)
	if err != nil {
		return err
	}
	f, err := l.prepare(o)
	if err != nil {
		return &Error{Op: opAuthorize, Kind: tokensource.ErrClient, Err: err}
	}
	if err := l.bindAccount(r, &f); err != nil {
		return err
	}
	if home := f.callback.move(r); home != "" {
		seeOther(w, home+l.again(r, f))
		return nil
	}
	if err := l.countStepUp(subject, o); err != nil {
		return err
	}
	r = correlate(r, f.state.Reveal())
	if err := l.bind(r.Context(), &f); err != nil {
		return err
	}
	if f.target, err = l.request(r.Context(), f, o.Params); err != nil {
		return err
	}
	if err := l.setFlow(w, r, f); err != nil {
		return &Error{Op: opAuthorize, Kind: tokensource.ErrTemporary, Cause: "the login could not be sealed", Retry: l.site.authorize, Err: err}
	}
	l.report(r, tokensource.Event{Kind: EventLoginStarted, Account: f.account, Scopes: f.client.Scopes()})
	seeOther(w, f.target)
	return nil
}

// maxSubject is the longest name of a user that a flow holds, in bytes.
const maxSubject = 512

// prepare returns a new flow.
func (l *login) prepare(o BeginOptions) (flow, error) {
	f := newFlow(o.ReturnTo, l.options.FlowLifetime)
	if o.RedirectURL == "" {
		o.RedirectURL = l.site.url
	}
	i := slices.IndexFunc(l.site.callbacks, func(c callback) bool { return c.url == o.RedirectURL })
	if i < 0 {
		return flow{}, errors.New("middleware: the redirect URL is neither the client's nor one of Options.RedirectURLs")
	}
	f.callback, f.scopes, f.subject = l.site.callbacks[i], o.Scopes, o.Subject
	if len(o.Subject) > maxSubject || strings.Contains(o.Subject, "\n") {
		return flow{}, errors.New("middleware: BeginOptions.Subject is longer than 512 bytes, or has a line break")
	}
	var err error
	if f.client, err = l.clientOf(f); err != nil {
		return flow{}, err
	}
	if err := l.checkScopes(f.client.Scopes()); err != nil {
		return flow{}, err
	}
	f.openID, err = l.askOpenID(l.params(o.Params))
	return f, err
}

// params returns the further parameters of an authorization request.
func (l *login) params(more url.Values) url.Values {
	params := cloneParams(l.options.Params)
	if params == nil {
		params = url.Values{}
	}
	maps.Copy(params, more)
	return params
}

// request returns the URL of the flow's authorization request. Where the server
// takes pushed requests, this is one request to it. If that fails, there is no
// other way, and the user may try again with a new flow.
func (l *login) request(ctx context.Context, f flow, more url.Values) (string, error) {
	params := l.params(more)
	if nonce := f.openID.nonce.Reveal(); nonce != "" {
		params.Set("nonce", nonce)
	}
	if err := l.checkMode(params); err != nil {
		return "", &Error{Op: opAuthorize, Kind: tokensource.ErrClient, Err: err}
	}
	target, err := f.client.Authorize(ctx, f.state.Reveal(), f.verifier.Reveal(), params)
	switch {
	case errors.Is(err, tokensource.ErrTemporary):
		return "", &Error{Op: opAuthorize, Kind: tokensource.ErrTemporary, Retry: l.authorizePath(f.returnTo), Err: err}
	case err != nil:
		return "", &Error{Op: opAuthorize, Kind: tokensource.ErrClient, Err: err}
	}
	return target, nil
}

// try reports why no login to a redirect URL can be begun with the options of
// l. It sends nothing.
func (l *login) try(redirectURL string) error {
	f, err := l.prepare(BeginOptions{ReturnTo: "/", RedirectURL: redirectURL})
	if err != nil {
		return err
	}
	if l.client.Proofs() != nil {
		f.client = f.client.WithProver(noKey{})
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if _, err = l.request(ended, f, nil); errors.Is(err, context.Canceled) {
		return nil // all but the sending
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Err
	}
	return err
}

// clientOf returns the client as the flow uses it.
func (l *login) clientOf(f flow) (*oauth.Client, error) {
	if f.callback.url == l.client.RedirectURL() && f.scopes == nil {
		return l.client, nil
	}
	return l.client.With(f.callback.url, f.scopes)
}

// checkMode refuses an authorization request whose answer would not come where
// Callback reads it.
func (l *login) checkMode(params url.Values) error {
	mode, err := responseMode(l.client.Provider(), params)
	if err == nil && mode == modeFormPost && !l.posts() {
		err = errors.New("middleware: response_mode form_post: set it in Options.Params, because it concerns the route of the callback")
	}
	return err
}

// again returns where to begin the login of r at another origin: at the same
// page, or at Authorize if r posted a form.
func (l *login) again(r *http.Request, f flow) string {
	if page := l.pageOf(r); page != "" && !l.site.own(r) {
		return page
	}
	return l.authorizePath(f.returnTo)
}
