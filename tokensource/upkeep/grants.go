package upkeep

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// Entry is one grant of a list.
type Entry struct {
	Key   string // the storage key; it shows no name
	State State

	// Ends is when the user must authorize again unless something happens before.
	// Zero means that no end is known.
	Ends time.Time

	grant.Grant // the facts; no token
}

// Query says which grants a list has.
type Query struct {
	// States are those that are wanted. Nil means all.
	States []State

	// After is Key of the last Entry of the page before. Empty means from the
	// beginning.
	After string

	// Limit is the length of a page. Zero means all that there are.
	Limit int
}

// reads is how many grants are read from the store at the same time.
const reads = 16

// Grants lists the grants of Keepers that share one store, in the order of
// their storage keys. A nil query lists all of them. It reads the names of all
// grants first, and then grants as the caller asks for them, sixteen at a time:
// memory holds the names and no more. Nothing is refreshed.
//
// An error ends the list. The store must be a [storage.Lister]. A grant that
// cannot be read is left out. A grant of another client is left out too.
func Grants(ctx context.Context, q *Query, keepers ...*grant.Keeper) iter.Seq2[Entry, error] {
	if q == nil {
		q = new(Query)
	}
	return func(yield func(Entry, error) bool) {
		c, err := newCrew(nil, keepers)
		if err == nil {
			err = q.list(ctx, c, func(e Entry) bool { return yield(e, nil) })
		}
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

func (q *Query) list(ctx context.Context, c *crew, yield func(Entry) bool) error {
	keys, err := grantKeys(ctx, c.store.Store, q.After)
	if err != nil {
		return err
	}
	slices.Sort(keys)
	unsaved := c.unsaved()
	now := c.clock.Wall()
	left := q.Limit
	for batch := range slices.Chunk(keys, reads) {
		found, err := c.read(ctx, batch)
		if err != nil {
			return err
		}
		for _, f := range found {
			state := stateOf(f.grant, f.facts, now)
			if unsaved[f.key] {
				state = Unsaved
			}
			if q.States != nil && !slices.Contains(q.States, state) {
				continue
			}
			if !yield(Entry{Key: f.key, State: state, Ends: endOf(f.grant, f.facts).at, Grant: f.grant}) {
				return nil
			}
			if left--; left == 0 {
				return nil
			}
		}
	}
	return nil
}

// grantKeys returns the storage keys of grants that are greater than after, in
// no order.
func grantKeys(ctx context.Context, store storage.Store, after string) ([]string, error) {
	lister, ok := store.(storage.Lister)
	if !ok {
		return nil, errNoLister
	}
	var keys []string
	for key, err := range lister.Keys(ctx) {
		if err != nil {
			return nil, fmt.Errorf("upkeep: %w", err)
		}
		if strings.HasPrefix(key, grantPrefix) && key > after {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

const grantPrefix = "grant." // of storage keys, see grant.Key

var errNoLister = errors.New("upkeep: the store cannot list its keys: it is no storage.Lister")

// read reads the grants under keys that belong to a Keeper of the crew. Grants
// that nobody here can read are left out.
func (c *crew) read(ctx context.Context, keys []string) ([]found, error) {
	records, failures := make([]storage.Record, len(keys)), make([]error, len(keys))
	var wg sync.WaitGroup
	for i, key := range keys {
		wg.Go(func() { records[i], failures[i] = c.store.Get(ctx, key) })
	}
	wg.Wait()
	var list []found
	for i, err := range failures {
		switch {
		case errors.Is(err, storage.ErrNotFound), errors.Is(err, seal.ErrUnsealed), errors.Is(err, storage.ErrCorrupt):
			continue
		case err != nil:
			return nil, fmt.Errorf("upkeep: %w", err)
		}
		g, err := grant.Inspect(records[i].Value())
		if err != nil {
			continue
		}
		if k := c.of(g); k != nil {
			list = append(list, found{keys[i], g, k, k.Client().Provider()})
		}
	}
	return list, nil
}
