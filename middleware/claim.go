package middleware

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// claims are what the Logins of this process have for themselves, for each
// store and each AEAD that they share. It is no setting: Logins with their own
// store and their own keys do not meet. An entry goes when the Keepers of all
// Logins that have it are closed.
var claims = struct {
	sync.Mutex // guards entries; never held across I/O
	entries    map[claimKey]*claimed
}{entries: map[claimKey]*claimed{}}

type claimKey struct {
	shared any    // the store, or what seals the cookies
	thing  string // a redirect URL or an issuer
}

type claimed struct {
	holder string
	shared bool // with others that allow it too
	logins int  // that have it
}

// claim refuses a Login that shares a store or keys with another one and could
// be confused with it. Two authorization servers need two redirect URLs, unless
// both name themselves in each answer (RFC 9700 section 4.4.2). Otherwise a
// server that is hostile can pass the code of another one to itself. Two
// servers also need two issuers (RFC 9207 section 4).
func claim(l *login) error {
	p := l.client.Provider()
	things := map[string]claimed{
		"issuer " + p.Authority(): {holder: strings.Join([]string{p.AuthorizationURL, p.TokenURL}, " and ")},
	}
	for _, c := range l.site.callbacks { // the query of a redirect URL makes no difference
		things["redirect URL "+c.origin+c.path] = claimed{holder: p.Authority(), shared: p.IssuerRequired}
	}
	wanted := map[claimKey]claimed{}
	for _, shared := range []any{l.store, l.keys} {
		if !reflect.ValueOf(shared).Comparable() {
			continue
		}
		for thing, mine := range things {
			wanted[claimKey{shared, thing}] = mine
		}
	}
	claims.Lock()
	defer claims.Unlock()
	for key, mine := range wanted {
		if c := claims.entries[key]; c != nil && c.holder != mine.holder && (!c.shared || !mine.shared) {
			return fmt.Errorf("middleware: two authorization servers share the %s: it is of %s, and now of %s: give each its own", key.thing, c.holder, mine.holder)
		}
	}
	for key, mine := range wanted {
		if claims.entries[key] == nil {
			claims.entries[key] = &mine
		}
		claims.entries[key].logins++
	}
	if !l.keeping.OnClose(func() { release(wanted) }) {
		go release(wanted) // the Keeper is closed
	}
	return nil
}

// release gives up the claims of a Login.
func release(wanted map[claimKey]claimed) {
	claims.Lock()
	defer claims.Unlock()
	for key := range wanted {
		c := claims.entries[key]
		if c.logins--; c.logins == 0 {
			delete(claims.entries, key)
		}
	}
}
