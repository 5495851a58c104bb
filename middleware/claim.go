package middleware

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"

	"github.com/authtrip/authtrip/storage"
)

// claims are what the Logins of this process have for themselves, for each
// store that they share. It is no setting: Logins on different stores do not
// meet. An entry goes with the last Login that has it.
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
		if c := claims.entries[claimKey{store, thing}]; c != nil && c.holder != mine.holder && !(c.shared && mine.shared) {
			return fmt.Errorf("middleware: two authorization servers share the %s: it is of %s, and now of %s: give each its own", thing, c.holder, mine.holder)
		}
	}
	for thing, mine := range wanted {
		key := claimKey{store, thing}
		if claims.entries[key] == nil {
			claims.entries[key] = &mine
		}
		claims.entries[key].logins++
		runtime.AddCleanup(l, release, key)
	}
	return nil
}

// release gives up one claim of a Login that is gone.
func release(key claimKey) {
	claims.Lock()
	defer claims.Unlock()
	c := claims.entries[key]
	if c.logins--; c.logins == 0 {
		delete(claims.entries, key)
	}
}
