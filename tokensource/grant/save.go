package tokensource

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
)

// Grant is what may be known of a grant: facts without tokens.
type Grant struct {
	Subject     string
	Scopes      []string  // granted; empty if the server never said
	Authorized  time.Time // when the user last authorized
	Obtained    time.Time // when the access token was issued
	Expiry      time.Time // when the access token expires; zero if unknown
	Refreshable bool      // there is a refresh token
	Dead        Reason    // why the user must authorize again; empty while the grant lives

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
func (g *Grants) Grant(ctx context.Context, subject string) (Grant, error) {
	if err := checkSubject(subject); err != nil {
		return Grant{}, err
	}
	old := g.cache.load(subject)
	c, err := wait(ctx, g.reload(ctx, subject, old), (*cached)(nil))
	if errors.Is(err, ErrTemporary) && old != nil {
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
func (g *Grants) Save(ctx context.Context, subject string, tok *oauth2.Token) (Grant, error) {
	if err := checkSubject(subject); err != nil {
		return Grant{}, err
	}
	if tok == nil || tok.AccessToken == "" {
		return Grant{}, errors.New("tokensource: Save needs the token that Exchange returned")
	}
	if !g.begin() {
		return Grant{}, ErrClosed
	}
	defer g.work.Done()
	ctx = context.WithoutCancel(ctx)
	key, now := g.key(subject), time.Now()
	for try := 1; ; try++ {
		next, old, err := g.successor(ctx, key, subject)
		if err == nil {
			next.authorized, next.refreshed, next.refresh = now, false, ""
			next.scope = strings.Join(g.client.registration.Scopes, " ")
			next.take(tok, now)
			var version storage.Version
			if version, err = g.write(ctx, key, next, old); err == nil {
				g.show(key, next, version)
				g.tell(EventAuthorized, subject, nil)
				return next.facts(), nil
			}
		}
		if errors.Is(err, storage.ErrConflict) {
			continue
		}
		if try >= saveTries || !g.sleep(ctx, firstSavePause*time.Duration(try)) {
			return Grant{}, err
		}
	}
}

// successor returns a record to fill for a new authorization, and the version that it replaces. The epoch of a grant that
// nobody has logged out of goes on.
func (g *Grants) successor(ctx context.Context, key, subject string) (*record, storage.Version, error) {
	next := &record{provider: g.client.provider.Name, clientID: g.client.registration.ClientID, subject: subject, epoch: randomID()}
	old, version, err := g.readStored(ctx, key)
	switch {
	case errors.Is(err, ErrNoGrant):
		return next, 0, nil
	case err != nil:
		return nil, 0, err
	case old.state != stateRevoking:
		next.epoch = old.epoch
	}
	return next, version, nil
}
