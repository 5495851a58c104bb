package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
)

// selector narrows a subject down to one provider or client.
type selector struct {
	provider, client string
}

func (s *selector) flags(f *flag.FlagSet) {
	f.StringVar(&s.provider, "provider", "", "the `name` of the subject's provider, such as x")
	f.StringVar(&s.client, "client", "", "the `client ID` of the subject's app; with -provider too, the grant is found at once")
}

func (s *selector) takes(g *tokensource.StoredGrant) bool {
	return (s.provider == "" || s.provider == g.Provider) && (s.client == "" || s.client == g.ClientID)
}

// find returns the record that is stored under name, or else the grants of the subject of that name: at least one. Unless
// the selector is complete it looks at every grant for that.
func (v *vault) find(ctx context.Context, name string, s selector) ([]entry, error) {
	key, complete := name, s.provider != "" && s.client != ""
	if complete {
		key = tokensource.GrantKey(s.provider, s.client, name)
	}
	if storage.CheckKey(key) == nil {
		e, err := v.entry(ctx, key)
		if err == nil {
			return []entry{e}, nil
		}
		if complete || !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
	}
	return v.search(ctx, name, s)
}

func (v *vault) search(ctx context.Context, subject string, s selector) ([]entry, error) {
	var found []entry
	closed := 0
	for e, err := range v.entries(ctx) {
		switch {
		case err != nil:
			return nil, err
		case e.isGrant() && e.grant == nil:
			closed++
		case e.grant != nil && e.grant.Subject == subject && s.takes(e.grant):
			found = append(found, e)
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case closed > 0 && v.keys == nil:
		return nil, fmt.Errorf("not found, but %d grants are sealed: set %s, or name the storage key, or -provider and -client", closed, keysVariable)
	case closed > 0:
		return nil, fmt.Errorf("not found, but %d grants cannot be read: list says why", closed)
	}
	return nil, errors.New("not found: it is neither a storage key nor the subject of a grant")
}
