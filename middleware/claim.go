package middleware

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/authtrip/authtrip/storage"
)

// claims are what the Logins of this process have for themselves, for each
// store that they share. It is no setting: Logins on different stores do not
// meet. An entry goes when the Keepers of all Logins that have it are closed.
var claims = struct {
	sync.Mutex // guards entries; never held across I/O
	entries    map[claimKey]*claimed
}{entries: map[claimKey]*claimed{}}

type claimKey struct {
	store storage.Store
	thing string // a redirect URL or an issuer
}

type claimed struct {
	holder string
	shared bool // with others that allow it too
	logins int  // that have it
}

// claim refuses a Login that shares a store with another one and could be
// confused with it. Two authorization servers need two redirect URLs, unless
// both name themselves in each answer (RFC 9700 section 4.4.2). Otherwise a
// server that is hostile can pass the code of another one to itself. Two
// servers also need two issuers (RFC 9207 section 4).
func claim(l *login) error {
	store := l.grants.Store()
	if !reflect.ValueOf(store).Comparable() {
		return nil
	}
	p := l.client.Provider()
	wanted := map[string]claimed{
		"issuer " + p.Authority(): {holder: strings.Join([]string{p.AuthorizationURL, p.TokenURL}, " and ")},
	}
	for _, c := range l.site.callbacks {
		wanted["redirect URL "+c.url] = claimed{holder: p.Authority(), shared: p.IssuerRequired}
	}
	claims.Lock()
	defer claims.Unlock()
	for thing, mine := range wanted {
		if c := claims.entries[claimKey{store, thing}]; c != nil && c.holder != mine.holder && (!c.shared || !mine.shared) {
			return fmt.Errorf("middleware: two authorization servers share the %s: it is of %s, and now of %s: give each its own", thing, c.holder, mine.holder)
		}
	}
	for thing, mine := range wanted {
		key := claimKey{store, thing}
		if claims.entries[key] == nil {
			claims.entries[key] = &mine
		}
		claims.entries[key].logins++
	}
	if !l.keeping.Go(func(ctx context.Context) { <-ctx.Done(); release(store, wanted) }) {
		go release(store, wanted) // the Keeper is closed
	}
	return nil
}

// release gives up the claims of a Login.
func release(store storage.Store, wanted map[string]claimed) {
	claims.Lock()
	defer claims.Unlock()
	for thing := range wanted {
		key := claimKey{store, thing}
		c := claims.entries[key]
		if c.logins--; c.logins == 0 {
			delete(claims.entries, key)
		}
	}
}
