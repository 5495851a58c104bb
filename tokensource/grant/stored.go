package grant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/internal/kept"
	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

const grantPrefix = "grant." // of storage keys

// checkStore demands an explicit choice before tokens are stored as they are.
// Private keys are never stored so: a thief who reads one can use every stolen
// token of its grant.
func (o *Options) checkStore(client *oauth.Client, store storage.Store) error {
	err := storage.CheckSealed(store)
	switch {
	case err == nil:
		return nil
	case o.InsecurePlainStore && proving.Private(client.Proofs()):
		return fmt.Errorf("grant: %w: the client's Proofs put private keys into the grants, for which Options.InsecurePlainStore is not enough", err)
	case o.InsecurePlainStore:
		return nil
	}
	return fmt.Errorf("grant: %w, or set Options.InsecurePlainStore", err)
}

// checkBound refuses tokens that could not be used, or would be used in a
// weaker way than the client wants (T12).
func (k *Keeper) checkBound(tok *oauth2.Token) error {
	key := proving.KeyOf(tok) != nil
	switch proofs := k.client.Proofs() != nil; {
	case key && !proofs:
		return errors.New("grant: the token is bound to a key, and the Keeper's client has no oauth.Options.Proofs")
	case !key && strings.EqualFold(tok.TokenType, proving.Type):
		return errors.New("grant: the token is bound to a key that it does not carry: pass it on as Exchange returned it")
	case !key && proofs:
		return errors.New("grant: the token is bound to no key, and the Keeper's client has oauth.Options.Proofs")
	}
	return nil
}

// keyOf returns the key that stands in a record, or nil if there is none.
func (k *Keeper) keyOf(stored string) *proving.Key {
	return proving.Named(k.client.Proofs(), stored)
}

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

// checkSubject refuses what no provider uses as the identifier of a user.
func checkSubject(subject string) error {
	breaks := func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
	if subject == "" {
		return errors.New("grant: the subject is empty: it says which user is meant, by the ID of the account at the provider")
	}
	if len(subject) > 512 || !utf8.ValidString(subject) || strings.ContainsFunc(subject, breaks) {
		return errors.New("grant: a subject is 1 to 512 bytes of UTF-8 without control characters and line breaks")
	}
	return nil
}

// key returns the storage key of a subject's grant.
func (k *Keeper) key(ctx context.Context, subject string) (string, error) {
	key, err := k.store.Name(ctx, grantPrefix, ownerOf(k.client.Provider().Authority(), k.client.ClientID()), subject)
	if err != nil {
		return "", unread(err)
	}
	return key, nil
}

// load reads a grant. It refuses a record that belongs to another subject or
// client. An empty subject stands for the subject of the record.
func (k *Keeper) load(ctx context.Context, key, subject string) (*lease.Record, storage.Version, error) {
	stored, err := k.store.Get(ctx, key)
	if err != nil {
		return nil, 0, unread(err)
	}
	r, err := lease.Decode(stored.Value())
	if err == nil {
		err = k.checkOwner(ctx, key, r, subject)
	}
	if err != nil {
		return nil, 0, misread(err)
	}
	return r, stored.Version, nil
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

// justRead returns what the store held of a grant a moment ago, or nil if that
// is not known. A change since then makes the first write a conflict, and then
// the grant is read again (G2). A record with an intent is not returned: who
// waits for another process must not miss its notification.
func (k *Keeper) justRead(key, subject string) *entry {
	const moment = time.Second
	s := k.cache.Load(subject)
	if s == nil || k.grants.unsaved(key) != nil {
		return nil
	}
	e := s.Entry()
	if e.Version == 0 || e.Record.Over != "" || e.Record.Intent.ID != "" || e.Recheck.Add(moment-k.o.Recheck).Passed(k.cache.Now()) {
		return nil
	}
	return &e
}

// shown returns the access token of a record as callers see it, and the header
// that carries it. An intent leaves the token as it was.
func (k *Keeper) shown(r *lease.Record) (*oauth2.Token, string) {
	if s := k.cache.Load(r.Subject); s != nil && s.Token != nil && s.Entry().Record.Token == r.Token {
		return s.Token, s.Header
	}
	tok := k.callers(r)
	header, _ := bearer.Value(tok) // the transport says why a token cannot be sent
	return tok, header
}

// callers returns the access token as callers see it, with the members of the
// answers that are kept, and with the key to which it is bound.
func (k *Keeper) callers(r *lease.Record) *oauth2.Token {
	t := &oauth2.Token{AccessToken: r.Token.Access, TokenType: r.Token.Type, Expiry: r.Token.Expiry}
	extra := kept.Members(r.Token.Members)
	extra["scope"] = r.Token.Scope
	return proving.Bind(t, extra, k.keyOf(r.Token.Key))
}

// checkOwner refuses a record that was not written under its key, or by another
// configuration.
func (k *Keeper) checkOwner(ctx context.Context, key string, r *lease.Record, subject string) error {
	p := k.client.Provider()
	if subject == "" {
		if own, err := k.key(ctx, r.Subject); err == nil && own == key {
			subject = r.Subject
		}
	}
	switch {
	case r.Issuer != p.Authority() || r.ClientID != k.client.ClientID() || r.Subject != subject:
		return errors.New("grant: the stored record belongs to another subject")
	case r.Endpoint != p.TokenURL:
		return fmt.Errorf("grant: the stored grant is of the token endpoint %s, and this client's is %s: "+
			"two configurations with one issuer and one client ID cannot share a store", r.Endpoint, p.TokenURL)
	}
	return nil
}

// write stores a grant in place of the version old. A nil record deletes it.
func (k *Keeper) write(ctx context.Context, key string, r *lease.Record, old storage.Version) (storage.Version, error) {
	if r == nil {
		return 0, k.store.Delete(ctx, key, old)
	}
	return k.store.Put(ctx, key, r.Encode(), old)
}

// sameSet reports that two records hold one token set.
func sameSet(a, b *lease.Record) bool { return a.Token.ID == b.Token.ID }

// newer reports that the store held a later than b: both hold token sets of one
// login, which are numbered. A grant ends after its last set was stored.
func newer(a, b *lease.Record) bool {
	return a.Login == b.Login && (a.Serial > b.Serial || a.Serial == b.Serial && a.Over != "" && b.Over == "")
}
