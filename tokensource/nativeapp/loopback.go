package nativeapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/home"
	"github.com/authtrip/authtrip/internal/opened"
	"github.com/authtrip/authtrip/internal/responseparams"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const (
	headerTime  = 10 * time.Second // for the headers of one request
	maxHeader   = 128 << 10
	closingTime = 500 * time.Millisecond // for the last page to reach the browser on this machine
)

// Loopback logs a user in by the browser on this machine ([RFC 8252] section
// 7.3). It listens at the redirect URL of the client, opens the browser, and
// waits for the answer. Nil options ask for what the client says.
//
// The login ends with the first answer that has its state, when Options.Timeout
// is over, or when ctx ends. Then nobody listens any more. Requests with
// another method, host, path or state do not end it, and neither does what a
// browser loads by itself.
//
// It returns the user, whose grant is stored under the Subject. The error is
// ErrDenied if the user refused, ErrResponse for another answer without a code
// or of another issuer, ErrExpired after the timeout, ErrNoBrowser if no
// browser could be opened, and errors of package oauth otherwise.
//
// [RFC 8252]: https://www.rfc-editor.org/rfc/rfc8252
func (a *App) Loopback(ctx context.Context, o *LoginOptions) (provider.Identity, error) {
	open := a.options.Open
	if open == nil {
		open = a.openBrowser
	}
	return a.loopback(ctx, o, open)
}

// anyPort reports whether the port of the redirect URL may be another one.
func (a *App) anyPort() bool { return a.options.AnyPort || a.client.Provider().AnyLoopbackPort }

// loopback is Loopback with a function that opens the URL.
func (a *App) loopback(ctx context.Context, o *LoginOptions, open opener) (provider.Identity, error) {
	at, err := listen(ctx, a.client.RedirectURL(), a.anyPort())
	if err != nil {
		return provider.Identity{}, err
	}
	defer at.close()
	l, err := a.begin(ctx, at.url, o)
	if err != nil {
		return provider.Identity{}, err
	}
	f := newFlow(l, at)
	target, err := f.target(ctx)
	if err != nil {
		return provider.Identity{}, err
	}
	return f.run(ctx, target, open)
}

// opener opens the URL of a login for the user.
type opener func(ctx context.Context, target string) error

// flow is one login by the browser.
type flow struct {
	*login
	at       *place
	state    string
	verifier string
	answers  chan *answer  // the first one with the state
	ended    chan error    // why nobody can answer any more
	outcome  chan struct{} // closed when err is set
	err      error         // why the login has failed, or nil
}

// target returns the URL for the browser. The answer must come in a query,
// because nothing else reaches this machine without a script.
func (f *flow) target(ctx context.Context) (string, error) {
	if f.client.IDTokens() != nil && !f.params.Has("nonce") {
		f.nonce = random()
		f.params.Set("nonce", f.nonce)
	} else {
		f.nonce = f.params.Get("nonce")
	}
	p := f.client.Provider()
	for _, from := range []url.Values{f.params, p.AuthorizationParams} {
		modes, ok := from["response_mode"]
		if ok && !slices.Equal(modes, []string{"query"}) {
			return "", errors.New("nativeapp: response_mode: a program on this machine reads a query only, so leave the parameter out")
		}
		if ok {
			break
		}
	}
	return f.client.Authorize(ctx, f.state, f.verifier, f.params)
}

// run serves the answer, opens the browser, and waits.
func (f *flow) run(ctx context.Context, target string, open opener) (provider.Identity, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.options.Timeout, ErrExpired)
	defer cancel()
	server := f.serve()
	defer func() {
		closing, done := context.WithTimeout(context.WithoutCancel(ctx), closingTime)
		defer done()
		if server.Shutdown(closing) != nil {
			_ = server.Close() // connections that send nothing
		}
	}()
	user, err := f.wait(ctx, target, open)
	f.err = err
	close(f.outcome)
	return user, err
}

// serve starts to answer requests.
func (f *flow) serve() *http.Server {
	server := &http.Server{
		Handler: f, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, MaxHeaderBytes: maxHeader,
		ErrorLog: log.New(io.Discard, "", 0), // strangers could write into the log
	}
	server.SetKeepAlivesEnabled(false)
	for _, l := range f.at.listeners {
		go func() { _ = server.Serve(l) }() // ends with the server
	}
	return server
}

// wait opens the browser, waits for the answer, and finishes the login.
func (f *flow) wait(ctx context.Context, target string, open opener) (provider.Identity, error) {
	go func() {
		if err := open(ctx, target); err != nil {
			f.ended <- err
		}
	}()
	a, err := f.await(ctx)
	if err != nil {
		return provider.Identity{}, err
	}
	asked := time.Now()
	// The request uses the code up, also if nobody waits for its outcome.
	detached := home.With(context.WithoutCancel(ctx), a.kept[f.client.Provider().TokenHostParam])
	tok, err := f.client.Exchange(detached, a.code(), f.verifier)
	if err != nil {
		return provider.Identity{}, f.failed(detached, err)
	}
	return f.finish(detached, responseparams.Add(tok, a.kept), asked)
}

// await returns the answer, which has a code.
func (f *flow) await(ctx context.Context) (*answer, error) {
	var a *answer
	select {
	case a = <-f.answers:
	case err := <-f.ended:
		return nil, err
	case <-ctx.Done():
		return nil, fmt.Errorf("nativeapp: gave up waiting for the user: %w", context.Cause(ctx))
	}
	return a, a.err
}

// openBrowser opens what the Provider allows: also http in a private network,
// if it has InsecureHTTP.
func (a *App) openBrowser(ctx context.Context, target string) error {
	if !a.client.Provider().InsecureHTTP {
		return OpenBrowser(ctx, target)
	}
	return openChecked(ctx, target)
}

// ServeHTTP answers a request to the listener. Only the answer to the login
// counts. Anybody on this machine can send others, and every page in the
// browser can do so too, also under a name of its own for this address (DNS
// rebinding).
func (f *flow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.ToLower(strings.TrimSuffix(r.Host, ":80")) != f.at.host:
		f.show(w, http.StatusMisdirectedRequest, pageNothing)
		return
	case r.URL.Path != f.at.path:
		f.show(w, http.StatusNotFound, pageNothing)
		return
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		f.show(w, http.StatusMethodNotAllowed, pageNothing)
		return
	case !opened.Page(r):
		f.show(w, http.StatusForbidden, pageForeign)
		return
	}
	a := f.receive(r.Context(), r.URL.RawQuery)
	if a == nil {
		f.show(w, http.StatusBadRequest, pageForeign)
		return
	}
	select {
	case f.answers <- a:
	default:
		f.show(w, http.StatusConflict, pageUsed)
		return
	}
	<-f.outcome
	switch {
	case f.err == nil:
		f.show(w, http.StatusOK, pageDone)
	case errors.Is(f.err, ErrDenied):
		f.show(w, http.StatusBadRequest, pageDenied)
	default:
		f.show(w, http.StatusBadRequest, pageFailed)
	}
}

// receive reads the query of an answer, wherever it came from. It returns nil
// for one that does not belong to this login. Where the server signs its
// answers, the signature is checked.
func (f *flow) receive(ctx context.Context, rawQuery string) *answer {
	a := read(f.client.Provider(), rawQuery, f.state)
	if a == nil || a.err != nil {
		return a
	}
	if err := f.client.CheckResponse(ctx, rawQuery); err != nil {
		return failedWith(fmt.Errorf("%w: %w", ErrResponse, err))
	}
	return a
}
