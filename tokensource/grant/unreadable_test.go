package grant_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/storage/storagetest"
)

// A part that no attempt can read stops no logout. A store that fails for now
// does: the next attempt enters the grant.
func TestAnUnreadableIndexStopsNoLogout(t *testing.T) {
	for name, tt := range map[string]struct {
		read   error
		stored bool
	}{
		"unsealed":  {seal.ErrUnsealed, true},
		"corrupt":   {storage.ErrCorrupt, true},
		"temporary": {testworld.ErrStore, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				store := storagetest.NewFaulty(w.Store, func(op, key string, _ int) storagetest.Fault {
					if op == "Get" && strings.HasPrefix(key, "due.") {
						return storagetest.Fault{Err: fmt.Errorf("reading: %w", tt.read)}
					}
					return storagetest.Fault{}
				})
				g := w.ProcessOn(store, nil)
				w.Login(g)
				if err := g.Logout(t.Context(), w.User); (err == nil) != tt.stored {
					t.Errorf("Logout() = %v, want success: %t", err, tt.stored)
				}
				if seen := w.inspect(); seen.LoggedOut.IsZero() == tt.stored {
					t.Errorf("stored is %+v, want a tombstone: %t", seen, tt.stored)
				}
			})
		})
	}
}
