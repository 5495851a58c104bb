package grant

import (
	"bytes"
	"context"
	"errors"

	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// Logout ends a subject's grant, for every process at once: no token of it is handed out from here on, the refresh token
// and then the access token are revoked at the server (RFC 7009), and the record is deleted. It wins over a refresh under
// way: tokens that arrive late are revoked. Without a grant it is nil; where the provider has no revocation endpoint the
// record is deleted, which is all that can be done.
//
// An error means that the server has not confirmed the revocation. The tokens are kept for another try, and for nothing
// else: call Logout again. When ctx ends, Logout returns its cause and goes on by itself; EventLoggedOut tells how it ended.
func (k *Keeper) Logout(ctx context.Context, subject string) error {
	if err := checkSubject(subject); err != nil {
		return err
	}
	if !k.begin() {
		return tokensource.ErrClosed
	}
	done := make(chan error, 1)
	go func() {
		defer k.work.Done()
		done <- k.logout(context.WithoutCancel(ctx), subject)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return flight.GaveUp(ctx)
	}
}

func (k *Keeper) logout(ctx context.Context, subject string) error {
	key := k.key(subject)
	r, version, err := k.condemn(ctx, key)
	if errors.Is(err, tokensource.ErrNoGrant) {
		k.cache.forget(subject)
		return nil
	}
	if err == nil {
		k.cache.forget(subject)
		if err = k.revokeBoth(ctx, r); err == nil {
			err = k.remove(ctx, key, r, version)
		}
	}
	k.tell(EventLoggedOut, subject, err)
	return err
}

// condemn marks the grant as logged out in the store. From then on only Logout and a new authorization touch it.
func (k *Keeper) condemn(ctx context.Context, key string) (*record, storage.Version, error) {
	for {
		r, version, err := k.read(ctx, key)
		if err != nil || r.state == stateRevoking {
			return r, version, err
		}
		next := *r
		next.state, next.intent = stateRevoking, intent{}
		version, err = k.write(ctx, key, &next, version)
		if !errors.Is(err, storage.ErrConflict) {
			return &next, version, err
		}
		if u := k.unsavedAt(key); u != nil && !k.settleUnsaved(ctx, key, u) {
			k.forgetUnsaved(key, u) // the stored record is what counts from here on
		}
	}
}

// revokeBoth revokes the refresh token and then the access token: a server need not end one with the other.
func (k *Keeper) revokeBoth(ctx context.Context, r *record) error {
	var failed []error
	if r.refresh != "" {
		failed = append(failed, k.client.Revoke(ctx, r.refresh, oauth.HintRefreshToken))
	}
	failed = append(failed, k.client.Revoke(ctx, r.access, oauth.HintAccessToken))
	if err := errors.Join(failed...); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// remove deletes the condemned record r, also if it was rewritten meanwhile, as re-encryption does; unless a new login has
// taken its place.
func (k *Keeper) remove(ctx context.Context, key string, r *record, version storage.Version) error {
	for {
		err := k.deleteStored(ctx, key, version)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
		current, at, err := k.readStored(ctx, key)
		if errors.Is(err, tokensource.ErrNoGrant) {
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

func (k *Keeper) deleteStored(ctx context.Context, key string, version storage.Version) error {
	ctx, cancel := context.WithTimeout(ctx, k.o.StoreTimeout)
	defer cancel()
	err := k.store.Delete(ctx, key, version)
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		return &tokensource.Error{Op: "store", Kind: tokensource.ErrTemporary, Err: err}
	}
	return err
}
