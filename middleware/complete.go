package middleware

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/internal/connecting"
	"github.com/authtrip/authtrip/internal/home"
	"github.com/authtrip/authtrip/internal/responseparams"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const (
	// settleTime bounds what follows the exchange in one request. It leaves time
	// to keep the login, or to revoke its tokens.
	settleTime = 17 * time.Second

	settleTries  = 3                      // in one request
	settlePause  = 300 * time.Millisecond // before the second try; longer before the next one
	longestPause = 2 * time.Second        // that a browser waits for the server

	proveTime = 5 * time.Second // bounds the question whether the older grant lives
)

// complete turns the code of p into a stored grant and a session. The state has
// been used up, so that nothing of this happens twice. What comes after the
// exchange is repeated if it fails, because the code cannot be used again
// (G21).
func (l *login) complete(ctx context.Context, w http.ResponseWriter, r *http.Request, f flow, p response) error {
	state, asked := f.state.Reveal(), time.Now()
	ctx = withVisitor(ctx, r)
	ctx = home.With(ctx, p.kept[l.client.Provider().TokenHostParam])
	client, err := l.prover(ctx, f)
	if err != nil {
		return failed("the code could not be exchanged", err)
	}
	tok, err := client.Exchange(ctx, p.code.Reveal(), f.verifier.Reveal())
	if err != nil {
		e := failed("the code could not be exchanged", err)
		if tok, ok := oauth.Unusable(err); ok { // the server granted, and the answer is of no use
			e.add(l.drop(ctx, newKept(keptKey(state), tok, f, asked)))
		}
		return e
	}
	k := newKept(keptKey(state), responseparams.Add(tok, p.kept), f, asked)
	err = l.persist(ctx, k)
	if err == nil {
		err = l.beginSession(ctx, w, r, k)
	}
	if err != nil {
		return l.unfinished(ctx, w, state, f.returnTo, k, err)
	}
	l.cookies.drop(w, r, l.cookies.kept()) // a login that waited is obsolete
	return nil
}

func (l *login) beginSession(ctx context.Context, w http.ResponseWriter, r *http.Request, k *kept) error {
	if l.connects() {
		return nil
	}
	if err := l.startSession(ctx, w, r, k); err != nil {
		return failed("the session could not be stored", err)
	}
	return nil
}

// persist is settle, repeated a few times if it fails.
func (l *login) persist(ctx context.Context, k *kept) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for try := 1; ; try++ {
		err := l.settle(ctx, k)
		if err == nil || isRefusal(err) || try == settleTries {
			return err
		}
		wait := time.Duration(try*try) * settlePause
		if e, ok := errors.AsType[*tokensource.Error](err); ok {
			wait = max(wait, e.RetryAfter)
		}
		if wait > longestPause || sleep(ctx, wait) != nil {
			return err
		}
	}
}

// settle does what is left to do of a login after its exchange: to ask who the
// user is, and whether the user is welcome, and to store the grant. It notes in
// k what it has done, so that it can be called again.
//
// If a function of the app panics, the tokens are revoked, and the panic goes
// on.
func (l *login) settle(ctx context.Context, k *kept) error {
	returned := false
	defer func() {
		if !returned {
			l.drop(context.WithoutCancel(ctx), k)
		}
	}()
	err := l.steps(ctx, k)
	returned = true
	return err
}

func (l *login) steps(ctx context.Context, k *kept) error {
	if k.user.Subject == "" {
		if err := l.identify(ctx, k); err != nil {
			return err
		}
	}
	if !k.accepted {
		if err := l.accept(ctx, k); err != nil {
			return err
		}
		k.accepted = true
	}
	if !l.connects() {
		return l.establish(ctx, k)
	}
	if k.confirmed {
		return nil
	}
	if err := l.claimConnection(ctx, k); err != nil {
		return err
	}
	if err := l.establish(ctx, k); err != nil {
		return err
	}
	return l.confirmConnection(ctx, k)
}

// establish stores the grant, unless an earlier call has stored it.
func (l *login) establish(ctx context.Context, k *kept) error {
	if k.epoch != "" {
		return nil
	}
	if !l.connects() {
		l.prove(ctx, k.user.Subject)
	}
	return l.save(ctx, k)
}

// prove finds out whether the user has withdrawn access since the last login,
// so that no session from before lives on with the new login (M9). It asks only
// if there are such sessions. Where the server keeps one grant of a user, the
// exchange has ended the older tokens in any case, and nothing can be found
// out.
func (l *login) prove(ctx context.Context, subject string) {
	p := l.client.Provider()
	if p.SingleGrant || p.IdentityURL == "" {
		return
	}
	ctx, cancel := context.WithTimeout(l.grants.WithSubject(ctx, subject), proveTime)
	defer cancel()
	f, err := l.factsOf(ctx, subject, true)
	if err != nil || f.epoch == "" || f.record == nil {
		return
	}
	tok, err := l.grants.Token(ctx)
	if err != nil {
		return // if the user has withdrawn access, the grant is dead now
	}
	if _, err = l.client.Identity(ctx, tok); errors.Is(err, tokensource.ErrReauthorize) {
		_, _ = l.grants.Renew(ctx, tok) // the same
	}
}

// accept refuses another user than the one who must log in, and asks the app
// whether the user may.
func (l *login) accept(ctx context.Context, k *kept) error {
	if k.subject != "" && k.user.Subject != k.subject {
		return &Error{Op: opCallback, Kind: ErrRefused, Cause: "the authorization server named another user than the one who was asked for"}
	}
	ask, name := l.options.OnLogin, "OnLogin"
	if l.connects() {
		ask, name = func(ctx context.Context, _ provider.Identity) error { return l.hooks.Accept(ctx, k.claim()) }, "OnConnect"
	}
	if ask == nil {
		return nil
	}
	switch err := ask(ctx, k.user); {
	case errors.Is(err, ErrRefused):
		return &Error{Op: opCallback, Kind: ErrRefused, Err: err}
	case err != nil:
		return failed(name+" failed", err)
	}
	return nil
}

// save stores the grant. If an earlier call failed, the grant may be stored all
// the same. Once it is stored, the tokens are those of the grant, and k has
// none.
//
// The record of a login that waits says so before. Otherwise a process that
// works on the record later would not ask the store, and would revoke the
// tokens of a grant.
func (l *login) save(ctx context.Context, k *kept) error {
	repeated := k.tried
	k.tried = true
	if !repeated && k.owner != "" {
		if err := l.writeKept(ctx, k); err != nil {
			k.tried = false
			return failed("the login could not be noted", away(err))
		}
	}
	g, err := l.grants.SaveLogin(ctx, k.user.Subject, k.token(), &grant.LoginOptions{
		ID: k.id, Exchanged: k.exchanged, Repeated: repeated, Scopes: k.scopes, User: k.named,
	})
	if err == nil {
		k.epoch, k.token = g.Epoch, nil
		return nil
	}
	err = unreadable(l.grantKey(ctx, k.user.Subject), err)
	for _, kind := range []error{ErrUnreadable, tokensource.ErrTemporary, tokensource.ErrClosed, seal.ErrUnsealed} {
		if errors.Is(err, kind) {
			return failed("the grant could not be stored", err)
		}
	}
	return failed("the grant could not be stored", errors.Join(err, errHopeless))
}

// errHopeless means that another try of the same login cannot succeed.
var errHopeless = errors.New("middleware: this login cannot be finished")

// isRefusal reports whether the app has refused the user, or whether the login
// cannot be stored whatever happens.
func isRefusal(err error) bool {
	for _, kind := range []error{ErrRefused, errHopeless, connecting.ErrElsewhere, connecting.ErrTooMany} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// isFinal reports whether a login has ended: it was refused, or its token is
// not valid.
func isFinal(err error) bool { return isRefusal(err) || errors.Is(err, tokensource.ErrReauthorize) }

func failed(cause string, err error) *Error {
	return &Error{Op: opCallback, Kind: ErrLoginFailed, Cause: cause, Err: err}
}

// sleep waits for d. If ctx ends first, it returns the cause.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
