package upkeep

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/authtrip/authtrip/internal/clock"
	"github.com/authtrip/authtrip/internal/timed"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// keeping is what this package needs of a Keeper besides its public methods. It
// comes with [grant.Keeper.ReadyFor].
type keeping interface {
	Refresh(ctx context.Context, subject string, obtained time.Time) error
	Unsaved() []string
	Blocked() bool
	Pauses() bool
	Condition(counted map[any]bool) (known, failing, unsaved int)
	Clock() *clock.Clock
}

func inner(k *grant.Keeper) keeping { return k.ReadyFor(k).(keeping) }

// owner is whom a grant belongs to.
type owner struct{ issuer, clientID string }

func ownerOf(k *grant.Keeper) owner {
	return owner{k.Client().Provider().Authority(), k.Client().ClientID()}
}

// crew is the Keepers that share a store.
type crew struct {
	store   *timed.Store
	clock   *clock.Clock
	keepers map[owner]*grant.Keeper
	first   owner // the least of them, which is the same in all processes
	find    func(issuer, clientID string) *grant.Keeper
}

const storeTimeout = 3 * time.Second // of one operation

func newCrew(find func(issuer, clientID string) *grant.Keeper, keepers []*grant.Keeper) (*crew, error) {
	c := &crew{keepers: map[owner]*grant.Keeper{}, find: find}
	for _, k := range keepers {
		if k == nil {
			return nil, errors.New("upkeep: nil Keeper: make one with grant.New")
		}
		o := ownerOf(k)
		switch {
		case c.store == nil:
			c.store = &timed.Store{Store: k.Store(), Timeout: storeTimeout}
			c.clock = inner(k).Clock()
		case !same(c.store.Store, k.Store()):
			return nil, errors.New("upkeep: the Keepers have several stores: call this once for each store")
		}
		if len(c.keepers) == 0 || o.issuer+" "+o.clientID < c.first.issuer+" "+c.first.clientID {
			c.first = o
		}
		c.keepers[o] = k
	}
	if len(c.keepers) == 0 {
		return nil, errors.New("upkeep: no Keeper: pass at least one")
	}
	return c, nil
}

// same reports whether two stores are one, as far as that can be told.
func same(a, b storage.Store) bool {
	return !reflect.ValueOf(a).Comparable() || !reflect.ValueOf(b).Comparable() || a == b
}

// of returns the Keeper of a grant, or nil.
func (c *crew) of(g grant.Grant) *grant.Keeper {
	if k := c.keepers[owner{g.Issuer, g.ClientID}]; k != nil || c.find == nil {
		return k
	}
	return c.find(g.Issuer, g.ClientID)
}

// unsaved returns the storage keys of grants with tokens that the store has not
// taken.
func (c *crew) unsaved() map[string]bool {
	keys := map[string]bool{}
	for _, k := range c.keepers {
		for _, key := range inner(k).Unsaved() {
			keys[key] = true
		}
	}
	return keys
}

// found is a grant that was read.
type found struct {
	key    string
	grant  grant.Grant
	keeper *grant.Keeper
	facts  *provider.Provider // of its server
}
