package middleware

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
)

// resumption is what the browser keeps of a login that could not finish. It is
// sealed. Where the login ends is in the link of "try again": each tab has its
// own.
type resumption struct {
	State   string    `json:"s"`
	Bound   string    `json:"b,omitempty"` // see flow.bound
	Expires time.Time `json:"e"`
}

// resumePath is the local URL of "try again" after a login that could not
// finish.
func (l *login) resumePath(returnTo string) string {
	if path := l.authorizePath(returnTo); path != l.site.authorize {
		return path + "&resume=1"
	}
	return l.site.authorize + "?resume=1"
}

// offerResume gives the browser a cookie with which it can finish a login.
func (l *login) offerResume(ctx context.Context, w http.ResponseWriter, state string, k *kept) bool {
	name := l.cookies.kept()
	value, err := l.seal(ctx, forKept, name, resumption{state, l.boundTo(k), k.until()})
	if err != nil || len(name)+len(value) > maxAnswer {
		return false
	}
	l.cookies.set(w, name, value, time.Until(k.until()))
	return true
}

// resume finishes a login that could not finish before, without asking the user
// again (G21), and ends at returnTo. It returns false if this browser has no
// such login, or if the login is over: then a new one may begin.
func (l *login) resume(w http.ResponseWriter, r *http.Request, returnTo string) (bool, error) {
	name := l.cookies.kept()
	value := l.cookies.get(r, name)
	if value == "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), workTime)
	defer cancel()
	var p resumption
	if err := l.open(ctx, forKept, name, value, &p); err != nil && !notOurs(err) {
		return false, l.unsealed(opAuthorize, err)
	}
	if returnTo == "" {
		returnTo = l.options.AfterLogin
	}
	if p.State == "" || !time.Now().Before(p.Expires) {
		l.cookies.clear(w, name)
		return false, nil
	}
	if _, err := l.sameAccount(r, p.Bound); err != nil {
		return false, l.retry(err, returnTo)
	}
	k, err := l.reopen(ctx, keptKey(p.State))
	if err != nil {
		e := stopped(opCallback, "the login cannot be read now", err)
		e.Retry, e.kept = l.resumePath(returnTo), true
		return false, e
	}
	if k == nil {
		l.cookies.clear(w, name)
		return false, nil
	}
	if err := l.finish(ctx, w, r, k, returnTo); err != nil {
		return false, err
	}
	l.cookies.clear(w, name)
	seeOther(w, returnTo)
	return true, nil
}

const (
	ownTries = 20 // of a browser, while something else works on the login
	ownPause = 250 * time.Millisecond
)

var errAtWork = &tokensource.Error{Op: "login", Kind: tokensource.ErrTemporary, Err: errors.New("another process works on the login")}

// reopen claims a login that waits. It returns nil if the login is over.
func (l *login) reopen(ctx context.Context, key string) (*kept, error) {
	if !l.flushForBrowser(ctx, key) {
		return nil, errStoreAway
	}
	for range ownTries {
		k, err := l.readKept(ctx, key)
		switch {
		case errors.Is(err, storage.ErrNotFound), err != nil && notOurs(err):
			return nil, nil //nolint:nilnil // as the comment says
		case err != nil:
			return nil, err
		case k.ending || k.epoch != "" && !l.stands(ctx, k):
			return nil, nil //nolint:nilnil // the same
		case k.owner == "" || !time.Now().Before(k.owned):
			err = l.own(ctx, k)
			if err == nil {
				return k, nil
			}
			if !errors.Is(err, storage.ErrConflict) {
				return nil, err
			}
		}
		if err := sleep(ctx, ownPause); err != nil {
			return nil, err
		}
	}
	return nil, errAtWork
}

// stands reports whether the grant that a login was saved as still exists.
func (l *login) stands(ctx context.Context, k *kept) bool {
	g, err := l.grants.Grant(ctx, k.user.Subject)
	return err != nil && !errors.Is(err, tokensource.ErrReauthorize) || g.Dead == "" && g.Epoch == k.epoch
}

// finish settles a login that was kept, and begins a session. The record goes,
// or waits for another try.
func (l *login) finish(ctx context.Context, w http.ResponseWriter, r *http.Request, k *kept, returnTo string) error {
	err := l.persist(ctx, k)
	if err == nil {
		err = l.beginSession(ctx, w, r, k)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	if err == nil {
		_ = l.store.Delete(last, k.key, k.version) // otherwise it goes at its end
		return nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = failed("", err)
	}
	if isFinal(err) {
		l.cookies.clear(w, l.cookies.kept())
		if l.advanceEnd(last, k) {
			_ = l.store.Delete(last, k.key, k.version)
		} else {
			_ = l.writeKept(last, k)
		}
		e.Retry = l.authorizePath(returnTo)
		return e
	}
	if l.settled(k) {
		k.saved()
	}
	k.owner = ""
	_ = l.writeKept(last, k) // otherwise the claim ends by itself
	e.Retry, e.kept = l.resumePath(returnTo), true
	return e
}
