package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// selector narrows a subject down to one authorization server or client.
type selector struct {
	issuer, client string
}

func (s *selector) flags(f *flag.FlagSet) {
	f.StringVar(&s.issuer, "issuer", "", "the `URL` of the subject's server: its issuer, or its token endpoint if it has no issuer")
	f.StringVar(&s.client, "client", "", "the `client ID` of the subject's app; with -issuer too, the grant is found at once")
}

func (s *selector) matches(g *grant.Grant) bool {
	return (s.issuer == "" || s.issuer == g.Issuer) && (s.client == "" || s.client == g.ClientID)
}

// found is what find has found: at least one record.
type found struct {
	entries []entry
	unread  int // how many grants could not be read, which may be the subject's as well
}

// find returns the record that is stored under name. If there is none, it
// returns the grants of the subject of that name. Unless the selector is
// complete, it reads every grant for that.
func (v *vault) find(ctx context.Context, name string, s selector) (found, error) {
	key, complete := name, s.complete()
	if complete {
		var err error
		key, err = v.grantKey(ctx, s, name)
		if errors.Is(err, errNoKeys) || errors.Is(err, seal.ErrUnsealed) {
			return v.search(ctx, name, s) // only a look at every grant can tell
		}
		if err != nil {
			return found{}, err
		}
	}
	if storage.CheckKey(key) == nil {
		e, err := v.entry(ctx, key)
		if err == nil {
			return found{entries: []entry{e}}, s.check(e)
		}
		if complete || !errors.Is(err, storage.ErrNotFound) {
			return found{}, err
		}
	}
	return v.search(ctx, name, s)
}

func (s *selector) complete() bool { return s.issuer != "" && s.client != "" }

// grantKey returns the storage key of a subject's grant. In a sealed store,
// that key is made with a key which stands in the store, and is sealed itself.
func (v *vault) grantKey(ctx context.Context, s selector, subject string) (string, error) {
	_, err := v.Get(ctx, storage.NameKey(s.issuer+" "+s.client))
	if errors.Is(err, storage.ErrNotFound) {
		return grant.Key(ctx, v.backend, s.issuer, s.client, subject)
	}
	if err != nil {
		return "", err
	}
	if v.keys == nil {
		return "", errNoKeys
	}
	sealed, err := storage.Sealed(v.backend, v.keys)
	if err != nil {
		return "", err
	}
	return grant.Key(ctx, sealed, s.issuer, s.client, subject)
}

// check returns why e, which was found by its storage key, is not what the
// selector says. If that is complete the key came from it.
func (s *selector) check(e entry) error {
	switch {
	case s.issuer == "" && s.client == "", s.complete():
		return nil
	case e.grant == nil:
		return errors.New("whose grant is under that storage key cannot be read: leave out -issuer and -client")
	case !s.matches(e.grant):
		return errors.New("the grant under that storage key is of another issuer or client")
	}
	return nil
}

func (v *vault) search(ctx context.Context, subject string, s selector) (found, error) {
	var f found
	for e, err := range v.entries(ctx) {
		switch {
		case err != nil:
			return found{}, err
		case e.isGrant() && e.grant == nil:
			f.unread++
		case e.grant != nil && e.grant.Subject == subject && s.matches(e.grant):
			f.entries = append(f.entries, e)
		}
	}
	switch {
	case len(f.entries) > 0:
		return f, nil
	case f.unread > 0 && v.keys == nil:
		return found{}, fmt.Errorf("not found, but %d grants are sealed: set %s, or name the storage key, or -issuer and -client", f.unread, keysVariable)
	case f.unread > 0:
		return found{}, fmt.Errorf("not found, but %d grants cannot be read: list says why", f.unread)
	}
	return found{}, errors.New("not found: it is neither a storage key nor the subject of a grant")
}
