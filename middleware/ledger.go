package middleware

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// ledger remembers which states were used, for all replicas together, in the
// store of the grants. It is a fixed number of small lists, and every write
// drops the entries that have expired: it needs no cleaning and cannot outgrow
// the rate of logins. Compare-and-swap makes each state's first use the only
// one.
type ledger struct {
	store storage.Store
}

// An entry is 16 bytes of the state's hash and the second until which it is
// kept.
const (
	ledgerShards  = 64
	entryHash     = 16
	entrySize     = entryHash + 8
	maxEntries    = 40_000          // a value of the store holds 1 MiB; no entry is ever dropped before its time
	clockSkew     = 5 * time.Minute // another replica may still accept a flow that is expired here
	ledgerVersion = 1
)

var (
	errLedgerFull    = errors.New("middleware: too many logins in a short time")
	errLedgerDamaged = fmt.Errorf("%w: it is no list of used logins, or one of a newer version", storage.ErrCorrupt)
)

// consume marks state as used. It returns ErrFlowUsed if state was used before.
// After any other error state may be marked or not, so the caller must not
// continue. If a list cannot be read (ErrUnreadable), consume does not replace
// it with a new one. While keys are being replaced, other processes may be able
// to read it, and their marks would be lost.
func (l ledger) consume(ctx context.Context, state string, expires time.Time) error {
	key, hash := place(state)
	for attempt := 1; ; attempt++ {
		list, version, err := l.read(ctx, key)
		if err != nil {
			return err
		}
		if list.has(hash) {
			return ErrFlowUsed
		}
		list = list.prune(time.Now())
		if len(list) >= maxEntries*entrySize {
			return errLedgerFull
		}
		_, err = l.store.Put(ctx, key, list.add(hash, expires.Add(clockSkew)).encode(), version)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// isUsed reports whether state was used, for as long as that is remembered.
func (l ledger) isUsed(ctx context.Context, state string) (bool, error) {
	key, hash := place(state)
	list, _, err := l.read(ctx, key)
	return err == nil && list.has(hash), err
}

func (l ledger) read(ctx context.Context, key string) (entries, storage.Version, error) {
	record, err := l.store.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, unreadable(key, err)
	}
	list, err := decodeEntries(record.Value())
	return list, record.Version, unreadable(key, err)
}

// place says under which key a state is remembered, and as what.
func place(state string) (key string, hash [entryHash]byte) {
	sum := sha256.Sum256([]byte("authtrip/used\x00" + state))
	copy(hash[:], sum[1:])
	return fmt.Sprintf("middleware.used.%02x", sum[0]%ledgerShards), hash
}

// pause waits a moment that grows with the attempts and differs between
// replicas.
func pause(ctx context.Context, attempt int) error {
	var jitter [1]byte
	rand.Read(jitter[:])
	t := time.NewTimer(time.Duration(jitter[0]) * time.Duration(min(attempt, 20)) * 20 * time.Microsecond) // up to 100 ms
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// entries is the list of one shard: entries one after the other.
type entries []byte

func decodeEntries(value []byte) (entries, error) {
	if len(value) == 0 || value[0] != ledgerVersion || (len(value)-1)%entrySize != 0 {
		return nil, errLedgerDamaged
	}
	return entries(value[1:]), nil
}

func (e entries) encode() []byte { return append([]byte{ledgerVersion}, e...) }

func (e entries) has(hash [entryHash]byte) bool {
	for at := 0; at < len(e); at += entrySize {
		if [entryHash]byte(e[at:at+entryHash]) == hash {
			return true
		}
	}
	return false
}

// prune returns the entries that have not expired.
func (e entries) prune(now time.Time) entries {
	kept := make(entries, 0, len(e)+entrySize)
	for at := 0; at < len(e); at += entrySize {
		if int64(binary.BigEndian.Uint64(e[at+entryHash:])) > now.Unix() {
			kept = append(kept, e[at:at+entrySize]...)
		}
	}
	return kept
}

func (e entries) add(hash [entryHash]byte, until time.Time) entries {
	e = append(e, hash[:]...)
	return binary.BigEndian.AppendUint64(e, uint64(until.Unix()))
}
