package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/authtrip/authtrip/storage/seal"
)

// Resealed is the result of [Reseal].
type Resealed struct {
	// Seen is the number of records that Reseal read.
	Seen int

	// Rewritten is the number of records that it sealed again.
	Rewritten int

	// Unopened are the keys of the records that cannot be opened, or are
	// damaged. Reseal did not change them.
	Unopened []string
}

// Reseal seals every record of a store made by [Sealed] again, unless the
// first key sealed it. Afterwards the older keys can be removed. The store
// below must be a [Lister].
//
// The program may go on meanwhile. Reseal rewrites a record by
// compare-and-swap, and reads it again after a conflict. Every process must
// already seal with the new key. Otherwise it writes records with the old key
// after Reseal has passed them.
//
// Reseal passes over a record that cannot be opened, or for which the store
// returns [ErrCorrupt]. Its error then wraps seal.ErrUnsealed. Any other error
// ends the walk. In both cases the result says what was done, and the next
// call of Reseal does the rest. If the AEAD is not a seal.Rotator, each call
// rewrites every record.
func Reseal(ctx context.Context, store Store) (Resealed, error) {
	var done Resealed
	top, ok := store.(sealer)
	if !ok {
		return done, errors.New("storage: Reseal of a store that is not sealed: pass the one that Sealed returned")
	}
	s := top.parts()
	lister, ok := s.store.(Lister)
	if !ok {
		return done, fmt.Errorf("storage: Reseal needs a store that lists its keys, and %T does not: %w", s.store, errors.ErrUnsupported)
	}
	for key, err := range lister.Keys(ctx) {
		if err != nil {
			return done, fmt.Errorf("storage: resealing: %w", err)
		}
		if err := s.resealKey(ctx, key, &done); err != nil {
			return done, err
		}
	}
	if n := len(done.Unopened); n > 0 {
		return done, fmt.Errorf("storage: %d of %d records were not resealed, %q first: %w", n, done.Seen, done.Unopened[0], seal.ErrUnsealed)
	}
	return done, nil
}

// resealKey seals the record under key again if an older key sealed it, and
// counts it in done.
func (s *sealed) resealKey(ctx context.Context, key string, done *Resealed) error {
	for {
		rewritten, err := s.resealOnce(ctx, key)
		switch {
		case errors.Is(err, ErrConflict): // another writer may have used the first key
			continue
		case errors.Is(err, ErrNotFound): // deleted meanwhile
			return nil
		case errors.Is(err, seal.ErrUnsealed), errors.Is(err, ErrCorrupt): // the next walk would find it again
			done.Seen++
			done.Unopened = append(done.Unopened, key)
			return nil
		case err != nil:
			return err
		}
		done.Seen++
		if rewritten {
			done.Rewritten++
		}
		return nil
	}
}

func (s *sealed) resealOnce(ctx context.Context, key string) (rewritten bool, err error) {
	r, err := s.store.Get(ctx, key)
	if err != nil {
		return false, err
	}
	if s.isCurrent(r.Value()) {
		return false, nil
	}
	value, err := s.open(ctx, key, r.Value())
	if err != nil {
		return false, err
	}
	box, err := s.seal(ctx, key, value)
	if err != nil {
		return false, err
	}
	_, err = s.store.Put(ctx, key, box, r.Version)
	return err == nil, err
}
