package tokensource

import (
	"bytes"
	"context"
	"errors"

	"github.com/authtrip/authtrip/storage"
)

// Logout ends a subject's grant, for every process at once: no token of it is handed out from here on, the refresh token
// and then the access token are revoked at the server (RFC 7009), and the record is deleted. It wins over a refresh under
// way: tokens that arrive late are revoked. Without a grant it is nil; where the provider has no revocation endpoint the
// record is deleted, which is all that can be done.
//
// An error means that the server has not confirmed the revocation. The tokens are kept for another try, and for nothing
// else: call Logout again. When ctx ends, Logout returns its cause and goes on by itself; EventLoggedOut tells how it ended.
func (g *Grants) Logout(ctx context.Context, subject string) error {
	if err := checkSubject(subject); err != nil {
		return err
	}
	if !g.begin() {
		return ErrClosed
	}
	done := make(chan error, 1)
	go func() {
		defer g.work.Done()
		done <- g.logout(context.WithoutCancel(ctx), subject)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return gaveUpWaiting(ctx)
	}
}

func (g *Grants) logout(ctx context.Context, subject string) error {
	key := g.key(subject)
	r, version, err := g.condemn(ctx, key)
	if errors.Is(err, ErrNoGrant) {
		g.cache.forget(subject)
		return nil
	}
	if err == nil {
		g.cache.forget(subject)
		if err = g.revokeBoth(ctx, r); err == nil {
			err = g.remove(ctx, key, r, version)
		}
	}
	g.tell(EventLoggedOut, subject, err)
	return err
}

// condemn marks the grant as logged out in the store. From then on only Logout and a new authorization touch it.
func (g *Grants) condemn(ctx context.Context, key string) (*record, storage.Version, error) {
	for {
		r, version, err := g.read(ctx, key)
		if err != nil || r.state == stateRevoking {
			return r, version, err
		}
		next := *r
		next.state, next.intent = stateRevoking, intent{}
		version, err = g.write(ctx, key, &next, version)
		if !errors.Is(err, storage.ErrConflict) {
			return &next, version, err
		}
		if u := g.unsavedAt(key); u != nil && !g.settleUnsaved(ctx, key, u) {
			g.forgetUnsaved(key, u) // the stored record is what counts from here on
		}
	}
}

// revokeBoth revokes the refresh token and then the access token: a server need not end one with the other.
func (g *Grants) revokeBoth(ctx context.Context, r *record) error {
	var failed []error
	if r.refresh != "" {
		failed = append(failed, g.client.Revoke(ctx, r.refresh, HintRefreshToken))
	}
	failed = append(failed, g.client.Revoke(ctx, r.access, HintAccessToken))
	if err := errors.Join(failed...); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// remove deletes the condemned record r, also if it was rewritten meanwhile, as re-encryption does; unless a new login has
// taken its place.
func (g *Grants) remove(ctx context.Context, key string, r *record, version storage.Version) error {
	for {
		err := g.deleteStored(ctx, key, version)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
		current, at, err := g.readStored(ctx, key)
		if errors.Is(err, ErrNoGrant) {
			return nil
		}
		if err != nil {
			return err
		}
		if !bytes.Equal(current.encode(), r.encode()) {
			return nil
		}
		version = at
	}
}

func (g *Grants) deleteStored(ctx context.Context, key string, version storage.Version) error {
	ctx, cancel := context.WithTimeout(ctx, g.o.StoreTimeout)
	defer cancel()
	err := g.store.Delete(ctx, key, version)
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		return &Error{Op: "store", Kind: ErrTemporary, Err: err}
	}
	return err
}
