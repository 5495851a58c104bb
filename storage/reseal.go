package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/authtrip/authtrip/storage/seal"
)

// Resealed says what Reseal did.
type Resealed struct {
	// Seen is how many records were looked at.
	Seen int

	// Rewritten is how many of them were sealed anew.
	Rewritten int

	// Unopened are the keys of those that cannot be opened, or are damaged. They were left as they are.
	Unopened []string
}

// Reseal seals anew every record of a store made by Sealed which is not sealed with the first key, so that older keys can
// be retired. The store below must be a Lister. Live traffic goes on meanwhile: a record is rewritten by compare-and-swap,
// and read again if somebody else was faster. Every process must seal with the new key by then, else it brings the old one
// back.
//
// Records that cannot be opened, or of which the store says ErrCorrupt, are passed over, and the error at the end wraps
// seal.ErrUnsealed. Any other error ends the walk. In both cases the result tells what was done, and calling Reseal again does the
// rest. With an AEAD that is no seal.Rotator every record is rewritten each time.
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

// resealKey seals the record under key anew if need be, and counts it in done.
func (s *sealed) resealKey(ctx context.Context, key string, done *Resealed) error {
	for {
		rewritten, err := s.resealOnce(ctx, key)
		switch {
		case errors.Is(err, ErrConflict): // a live write, which has perhaps sealed it with the first key
			continue
		case errors.Is(err, ErrNotFound): // deleted meanwhile
			return nil
		case errors.Is(err, seal.ErrUnsealed), errors.Is(err, ErrCorrupt): // the next walk would meet it again
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
	if rotator, ok := s.aead.(seal.Rotator); ok && rotator.Current(r.Value) {
		return false, nil
	}
	value, err := s.open(ctx, key, r.Value)
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
