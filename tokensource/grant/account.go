package grant

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// Grant is what may be known of a grant: facts without tokens.
type Grant struct {
	Subject  string
	Issuer   string // of the authorization server; its token endpoint if it has no issuer
	ClientID string // the app's

	Scopes      []string  // granted; empty if the server never said
	Asked       []string  // the scopes that the login asked for
	Authorized  time.Time // when the user last authorized
	Obtained    time.Time // when the access token was issued
	Expiry      time.Time // when the access token expires; zero if that is not known
	Refreshable bool      // there is a refresh token

	// Epoch names the time from a login to the end of the grant. New
	// authorizations in between keep it. A login after a logout has another. A
	// session that remembers the epoch ends with the logout, wherever that happens.
	Epoch string

	// Dead says why the user must authorize again. It is empty while the grant
	// lives. Code is the error code that the server sent with it, if any.
	Dead tokensource.Reason
	Code string

	// LoggedOut is when the user logged out. Such a record holds no tokens that
	// are in use, and is deleted after a day. Zero means that nobody logged out.
	LoggedOut time.Time

	// Unrevoked counts the tokens that the server has yet to confirm as revoked.
	// Any process that shares the store revokes them.
	Unrevoked int

	// RedeemingSince and RedeemingUntil are the times of a redemption of the
	// refresh token that has begun and has no stored outcome. They are zero if
	// there is none. After RedeemingUntil the refresh token is in doubt.
	RedeemingSince, RedeemingUntil time.Time

	// Doubts counts how often a redemption was announced while an earlier one
	// had no known outcome.
	Doubts uint64

	// Failures counts the latest attempts in a row that failed and redeemed
	// nothing. No attempt is made before RetryAt. Zero means now.
	Failures uint64
	RetryAt  time.Time
}

// facts returns what may be known of r.
func facts(r *lease.Record) Grant {
	g := Grant{
		Subject: r.Subject, Issuer: r.Issuer, ClientID: r.ClientID,
		Scopes: strings.Fields(r.Token.Scope), Asked: strings.Fields(r.Asked), Authorized: r.Exchanged, Obtained: r.Token.Obtained, Expiry: r.Token.Expiry,
		Refreshable: r.Token.Refresh != "", Epoch: r.Epoch, Code: r.Code, LoggedOut: r.Ended, Unrevoked: len(r.Queue),
		RedeemingSince: r.Intent.Since, RedeemingUntil: r.Intent.Until,
		Doubts: r.Doubts, Failures: r.Failures, RetryAt: r.RetryAt,
	}
	if r.Over != lease.NoGrant {
		g.Dead = tokensource.Reason(r.Over)
	}
	return g
}

// Missing returns those of the given scopes that were not granted. If the
// server never said what it granted, none is missing ([RFC 6749] section 5.1).
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
func (g Grant) Missing(scopes ...string) []string {
	var missing []string
	for _, s := range scopes {
		if len(g.Scopes) > 0 && !slices.Contains(g.Scopes, s) {
			missing = append(missing, s)
		}
	}
	return missing
}

// Inspect returns the facts of a stored grant, for tools that look at a store
// from outside. The value is as a Keeper wrote it: what [storage.Sealed] has
// sealed must be opened first. Nothing is refreshed.
//
// It returns a [*tokensource.Error] with Op "load" if value is damaged or a
// later version wrote it.
func Inspect(value []byte) (Grant, error) {
	r, err := lease.Decode(value)
	if err != nil {
		return Grant{}, misread(err)
	}
	return facts(r), nil
}

const grantPrefix = "grant." // of storage keys

// Key returns the storage key of the grant that a subject has given to a client
// of an authorization server. The issuer is Issuer of its provider, or TokenURL
// where there is no issuer. The key shows no name: it is "grant." and a keyed
// hash where the store has keys, as [storage.Sealed] does. Otherwise it is a
// plain hash.
func Key(ctx context.Context, store storage.Store, issuer, clientID, subject string) (string, error) {
	return storage.Name(ctx, store, grantPrefix, ownerOf(issuer, clientID), subject)
}

// ownerOf returns whom the records of a client belong to, for [storage.Name].
// Two clients that share a store have name keys of their own, so that their
// stores may be sealed with different keys.
func ownerOf(issuer, clientID string) string { return issuer + " " + clientID } // no URL contains a space

// key returns the storage key of a subject's grant.
func (k *Keeper) key(ctx context.Context, subject string) (string, error) {
	key, err := k.store.name(ctx, grantPrefix, ownerOf(k.client.Provider().Authority(), k.client.ClientID()), subject)
	if err != nil {
		return "", unread(err)
	}
	return key, nil
}

// Grant returns the facts of a subject's grant as the store has them now, or as
// this process last knew them if the store fails. It returns
// [tokensource.ErrNoGrant] if there is none. A dead grant comes with Dead set,
// and without an error.
func (k *Keeper) Grant(ctx context.Context, subject string) (Grant, error) {
	if err := checkSubject(subject); err != nil {
		return Grant{}, err
	}
	old := k.cache.Load(subject)
	s, err := flight.Wait[*snapshot](ctx, k.reload(ctx, subject))
	if errors.Is(err, tokensource.ErrTemporary) && old != nil {
		s, err = old, nil
	}
	if err != nil {
		return Grant{}, err
	}
	return facts(s.Entry().Record), nil
}
