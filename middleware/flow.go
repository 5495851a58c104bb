package middleware

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/redact"
)

// flow is one login on its way. It lives in a cookie of its own, sealed, so
// that tabs do not disturb each other and the server keeps nothing. Provider
// and client are bound to it by the seal.
type flow struct {
	state       redact.Hidden // 32 random bytes; holds no data
	verifier    redact.Hidden // RFC 7636 section 4.1
	redirectURL string        // as it was sent
	returnTo    string        // local path, checked before it got here
	expires     time.Time
}

// flowText is a flow as it is sealed. It lives in sealFlow and openFlow only.
type flowText struct {
	State       string    `json:"s"`
	Verifier    string    `json:"v"`
	RedirectURL string    `json:"u"`
	ReturnTo    string    `json:"r"`
	Expires     time.Time `json:"e"`
}

func (l *login) sealFlow(ctx context.Context, name string, f flow) (string, error) {
	return l.seal(ctx, forFlow, name, flowText{
		State: f.state.Reveal(), Verifier: f.verifier.Reveal(),
		RedirectURL: f.redirectURL, ReturnTo: f.returnTo, Expires: f.expires,
	})
}

func (l *login) openFlow(ctx context.Context, name, value string) (flow, error) {
	var t flowText
	if err := l.open(ctx, forFlow, name, value, &t); err != nil {
		return flow{}, err
	}
	return flow{
		state: redact.Hide(t.State), verifier: redact.Hide(t.Verifier),
		redirectURL: t.RedirectURL, returnTo: t.ReturnTo, expires: t.Expires,
	}, nil
}

func newFlow(redirectURL, returnTo string, life time.Duration) flow {
	var state [32]byte
	rand.Read(state[:])
	return flow{
		state:       redact.Hide(base64.RawURLEncoding.EncodeToString(state[:])),
		verifier:    redact.Hide(oauth2.GenerateVerifier()),
		redirectURL: redirectURL,
		returnTo:    returnTo,
		expires:     time.Now().Add(life).Round(0).UTC(),
	}
}

// Bounds of the flows that one browser keeps open. Together they stay under the
// 8 KiB of header that servers and proxies take: nobody can lock a user out by
// starting logins in that user's browser.
const (
	maxFlows     = 10
	maxFlowBytes = 6 << 10
)

// begin sets the cookie of f and drops the oldest flows that are too many with
// it.
func (l *login) begin(w http.ResponseWriter, r *http.Request, f flow) error {
	name := l.cookies.flow(f.state.Reveal())
	value, err := l.sealFlow(r.Context(), name, f)
	if err != nil {
		return err
	}
	size := len(name) + len(value)
	if size > maxCookie {
		return errors.New("middleware: the flow does not fit into a cookie: the return path is too long, or what the keys add")
	}
	for _, old := range l.surplus(r, size) {
		l.cookies.clear(w, old)
	}
	l.cookies.set(w, name, value, l.options.FlowLifetime)
	return nil
}

// surplus returns the names of the flow cookies that have to go before one of
// the given size is added. Those that cannot be opened go first, then the
// oldest.
func (l *login) surplus(r *http.Request, size int) []string {
	type entry struct {
		name    string
		size    int
		expires time.Time
	}
	open := make(map[string]entry) // a name that came twice is one cookie to us
	for _, c := range withPrefix(r, l.cookies.flows()) {
		f, _ := l.openFlow(r.Context(), c.Name, c.Value) // the zero flow expires before every other one
		open[c.Name] = entry{c.Name, open[c.Name].size + len(c.Name) + len(c.Value), f.expires}
		size += len(c.Name) + len(c.Value)
	}
	list := make([]entry, 0, len(open))
	for _, e := range open {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b entry) int {
		return cmp.Or(a.expires.Compare(b.expires), cmp.Compare(a.name, b.name))
	})
	var names []string
	for _, e := range list {
		if len(list)-len(names) < maxFlows && size <= maxFlowBytes {
			break
		}
		names = append(names, e.name)
		size -= e.size
	}
	return names
}

// find returns the flow of this browser that has the given state. An error is
// an *Error of kind ErrFlowNotFound, or tokensource.ErrTemporary if the keys
// could not be used.
func (l *login) find(ctx context.Context, r *http.Request, state string) (flow, error) {
	name := l.cookies.flow(state)
	value := l.cookies.get(r, name)
	if value == "" {
		return flow{}, &Error{Op: opCallback, Kind: ErrFlowNotFound, Cause: causeNoFlow}
	}
	f, err := l.openFlow(ctx, name, value)
	if err != nil {
		return flow{}, l.unsealed(opCallback, err)
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(f.state.Reveal()), []byte(state)) != 1 || f.redirectURL != l.client.RedirectURL():
		return flow{}, &Error{Op: opCallback, Kind: ErrFlowNotFound, Cause: causeNoFlow}
	case !time.Now().Before(f.expires):
		return flow{}, &Error{Op: opCallback, Kind: ErrFlowNotFound, Cause: causeExpired, returnTo: f.returnTo}
	}
	return f, nil
}

const (
	causeNoFlow = "the login took too long, was finished already, or was started in another browser or at another address of " +
		"this site (localhost and 127.0.0.1 are two addresses), or the browser keeps no cookies"
	causeExpired = "the login took too long"
)
