package grant

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
)

// Grant is what may be known of a grant: facts without tokens.
type Grant struct {
	Subject     string
	Scopes      []string           // granted; empty if the server never said
	Authorized  time.Time          // when the user last authorized
	Obtained    time.Time          // when the access token was issued
	Expiry      time.Time          // when the access token expires; zero if unknown
	Refreshable bool               // there is a refresh token
	Dead        tokensource.Reason // why the user must authorize again; empty while the grant lives

	// Epoch names the time from a login to the logout that ends it: new authorizations in between keep it, a login
	// after a logout has another. A session that remembers it ends with the logout, wherever that happens.
	Epoch string
}

func (r *record) facts() Grant {
	f := Grant{
		Subject: r.subject, Scopes: strings.Fields(r.scope), Authorized: r.authorized, Obtained: r.obtained,
		Expiry: r.expiry, Refreshable: r.refresh != "", Epoch: r.epoch,
	}
	if r.state == stateDead {
		f.Dead = r.reason
	}
	return f
}

// Missing returns those of the given scopes that were not granted. If the server never said what it granted, none is
// missing (RFC 6749 section 5.1).
func (f Grant) Missing(scopes ...string) []string {
	var missing []string
	for _, s := range scopes {
		if len(f.Scopes) > 0 && !slices.Contains(f.Scopes, s) {
			missing = append(missing, s)
		}
	}
	return missing
}

// Grant returns the facts of a subject's grant as the store has them now, or as this process last knew them if the store
// fails. It returns ErrNoGrant if there is none; a dead grant is returned with Dead set, and without an error.
func (k *Keeper) Grant(ctx context.Context, subject string) (Grant, error) {
	if err := checkSubject(subject); err != nil {
		return Grant{}, err
	}
	old := k.cache.load(subject)
	c, err := flight.Wait[*cached](ctx, k.reload(ctx, subject, old))
	if errors.Is(err, tokensource.ErrTemporary) && old != nil {
		c, err = old, nil
	}
	if err != nil {
		return Grant{}, err
	}
	if c.record.state == stateRevoking {
		return Grant{}, noGrant()
	}
	return c.record.facts(), nil
}

// Save stores what a new authorization of subject has brought, in place of whatever was there, and revives a dead grant.
// It goes on when ctx ends, since the code that tok was traded for cannot be used again. ErrTemporary means that the
// store has not taken it: the user must log in again.
func (k *Keeper) Save(ctx context.Context, subject string, tok *oauth2.Token) (Grant, error) {
	if err := checkSubject(subject); err != nil {
		return Grant{}, err
	}
	if tok == nil || tok.AccessToken == "" {
		return Grant{}, errors.New("grant: Save needs the token that Exchange returned")
	}
	if !k.begin() {
		return Grant{}, tokensource.ErrClosed
	}
	defer k.work.Done()
	ctx = context.WithoutCancel(ctx)
	key, now := k.key(subject), time.Now()
	for try := 1; ; try++ {
		next, old, err := k.successor(ctx, key, subject)
		if err == nil {
			next.authorized, next.refreshed, next.refresh = now, false, ""
			next.scope = strings.Join(k.client.Scopes(), " ")
			next.take(tok, now)
			var version storage.Version
			if version, err = k.write(ctx, key, next, old); err == nil {
				k.show(key, next, version)
				k.tell(EventAuthorized, subject, nil)
				return next.facts(), nil
			}
		}
		if errors.Is(err, storage.ErrConflict) {
			continue
		}
		if try >= saveTries || !k.sleep(ctx, firstSavePause*time.Duration(try)) {
			return Grant{}, err
		}
	}
}

// successor returns a record to fill for a new authorization, and the version that it replaces. The epoch of a grant that
// nobody has logged out of goes on.
func (k *Keeper) successor(ctx context.Context, key, subject string) (*record, storage.Version, error) {
	next := &record{provider: k.client.Provider().Name, clientID: k.client.ClientID(), subject: subject, epoch: randomID()}
	old, version, err := k.readStored(ctx, key)
	switch {
	case errors.Is(err, tokensource.ErrNoGrant):
		return next, 0, nil
	case err != nil:
		return nil, 0, err
	case old.state != stateRevoking:
		next.epoch = old.epoch
	}
	return next, version, nil
}
