package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// selector narrows a subject down to one provider or client.
type selector struct {
	provider, client string
}

func (s *selector) flags(f *flag.FlagSet) {
	f.StringVar(&s.provider, "provider", "", "the `name` of the subject's provider, such as x")
	f.StringVar(&s.client, "client", "", "the `client ID` of the subject's app; with -provider too, the grant is found at once")
}

func (s *selector) takes(g *grant.StoredGrant) bool {
	return (s.provider == "" || s.provider == g.Provider) && (s.client == "" || s.client == g.ClientID)
}

// found is what find has found: at least one record.
type found struct {
	entries []entry
	unread  int // how many grants could not be read, which may be the subject's as well
}

// find returns the record that is stored under name, or else the grants of the subject of that name. Unless the selector is
// complete it looks at every grant for that.
func (v *vault) find(ctx context.Context, name string, s selector) (found, error) {
	key, complete := name, s.provider != "" && s.client != ""
	if complete {
		key = grant.Key(s.provider, s.client, name)
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

// check returns why e, which was found by its storage key, is not what the selector says. If that is complete the key came
// from it.
func (s *selector) check(e entry) error {
	switch {
	case s.provider == "" && s.client == "", s.provider != "" && s.client != "":
		return nil
	case e.grant == nil:
		return errors.New("whose grant is under that storage key cannot be read: leave out -provider and -client")
	case !s.takes(e.grant):
		return errors.New("the grant under that storage key is of another provider or client")
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
		case e.grant != nil && e.grant.Subject == subject && s.takes(e.grant):
			f.entries = append(f.entries, e)
		}
	}
	switch {
	case len(f.entries) > 0:
		return f, nil
	case f.unread > 0 && v.keys == nil:
		return found{}, fmt.Errorf("not found, but %d grants are sealed: set %s, or name the storage key, or -provider and -client", f.unread, keysVariable)
	case f.unread > 0:
		return found{}, fmt.Errorf("not found, but %d grants cannot be read: list says why", f.unread)
	}
	return found{}, errors.New("not found: it is neither a storage key nor the subject of a grant")
}
