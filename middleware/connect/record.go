package connect

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
)

// recordVersion is the form of both kinds of records.
const recordVersion = 1

// errUnchanged is what a change returns if there is nothing to write.
var errUnchanged = errors.New("connect: unchanged")

// changeTries is how often a change is tried while the store fails. Conflicts
// do not count.
const changeTries = 3

// A record is a kind of records in the store.
type record interface {
	valid() bool // reports whether it is what its key says
	empty() bool // reports whether it can be deleted
}

// read reads the record under key into r. It returns version 0, and leaves r as
// it is, if there is none.
func (a *Accounts) read(ctx context.Context, key string, r record) (storage.Version, error) {
	stored, err := a.records().Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, unreadable(key, err)
	}
	if json.Unmarshal(stored.Value(), r) != nil || !r.valid() {
		return 0, unreadable(key, storage.ErrCorrupt)
	}
	return stored.Version, nil
}

// change changes a record by compare-and-swap. The function fresh returns an
// empty one. A change must be such that it can be made twice: if the answer of
// the store was lost, it is made again.
func change[R record](ctx context.Context, a *Accounts, key string, fresh func() R, alter func(R) error) error {
	for attempt, failures := 1, 0; ; attempt++ {
		r := fresh()
		version, err := a.read(ctx, key, r)
		if err == nil {
			if err = alter(r); errors.Is(err, errUnchanged) {
				return nil
			} else if err != nil {
				return err
			}
			err = a.write(ctx, key, r, version)
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, middleware.ErrUnreadable), ctx.Err() != nil:
			return away(err)
		case !errors.Is(err, storage.ErrConflict):
			if failures++; failures == changeTries {
				return away(err)
			}
		}
		if err := pause(ctx, attempt); err != nil {
			return away(err)
		}
	}
}

// write stores a record over a version, or deletes it if it is empty.
func (a *Accounts) write(ctx context.Context, key string, r record, version storage.Version) error {
	if r.empty() {
		if version == 0 {
			return nil
		}
		return a.records().Delete(ctx, key, version)
	}
	text, err := json.Marshal(r)
	if err == nil {
		_, err = a.records().Put(ctx, key, text, version)
	}
	return err
}

// pause waits a moment that grows with the attempts and differs between
// replicas.
func pause(ctx context.Context, attempt int) error {
	var jitter [1]byte
	_, _ = rand.Read(jitter[:])                                                                            // never fails
	t := time.NewTimer(time.Duration(jitter[0]) * time.Duration(min(attempt, 20)) * 20 * time.Microsecond) // up to 100 ms
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// unreadable says which record the operator has to look at.
func unreadable(key string, err error) error {
	if errors.Is(err, seal.ErrUnsealed) || errors.Is(err, storage.ErrCorrupt) {
		return fmt.Errorf("%w: %s: restore it, or give the key that sealed it: %w", middleware.ErrUnreadable, key, err)
	}
	return err
}

// away says that a failure of the store is temporary, unless the record cannot
// be read.
func away(err error) error {
	if err == nil || errors.Is(err, middleware.ErrUnreadable) || errors.Is(err, tokensource.ErrTemporary) {
		return err
	}
	return &tokensource.Error{Op: "store", Kind: tokensource.ErrTemporary, Err: err}
}
