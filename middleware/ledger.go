package middleware

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// ledger remembers which states were used, for all replicas together, in the
// store of the grants. It is a fixed number of small lists, and every write
// drops the entries that have expired. So it needs no cleaning and cannot
// outgrow the rate of logins. Compare-and-swap makes each state's first use the
// only one. Another Login has other lists, because it may have other keys.
type ledger struct {
	store storage.Store

	// owner names the Login, in digits. Some file systems do not tell upper case
	// from lower case.
	owner string
}

// ledgerOf returns the ledger of a client with one redirect URL.
func ledgerOf(store storage.Store, authority, clientID, path string) ledger {
	sum := sha256.Sum256([]byte(strings.Join([]string{authority, clientID, path}, "\x00")))
	return ledger{store, hex.EncodeToString(sum[:6])}
}

// An entry is 16 bytes of the state's hash, 4 bytes of the code's, and the
// second until which it is kept. A list has at most 96 KiB: a login writes no
// more than that, however many others there are. No entry is dropped before its
// time.
const (
	ledgerShards  = 256
	entryHash     = 16
	codeHash      = 4
	entrySize     = entryHash + codeHash + 4
	maxEntries    = 4096
	clockSkew     = 5 * time.Minute // another replica may still accept a flow that is expired here
	ledgerVersion = 2
)

var (
	errLedgerFull    = errors.New("middleware: too many logins in a short time")
	errLedgerDamaged = fmt.Errorf("%w: it is no list of used logins, or one of a newer version", storage.ErrCorrupt)
)

// use is a state with the code that came first.
type use struct {
	state [entryHash]byte
	code  [codeHash]byte
}

// consume marks state as used. It returns ErrFlowUsed if state was used before.
// After any other error state may be marked or not, so the caller must not
// continue. If a list cannot be read (ErrUnreadable), consume does not replace
// it with a new one. While keys are being replaced, other processes may be able
// to read it, and their marks would be lost.
func (l ledger) consume(ctx context.Context, state, code string, expires time.Time) error {
	key, u := l.place(state, code)
	for attempt := 1; ; attempt++ {
		list, version, err := l.read(ctx, key)
		if err != nil {
			return err
		}
		if used, _ := list.has(u); used {
			return ErrFlowUsed
		}
		list = list.prune(time.Now())
		if len(list) >= maxEntries*entrySize {
			return errLedgerFull
		}
		_, err = l.store.Put(ctx, key, list.add(u, expires.Add(clockSkew)).encode(), version)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// isUsed reports whether state was used, and whether with this code, for as
// long as that is remembered.
func (l ledger) isUsed(ctx context.Context, state, code string) (used, same bool, err error) {
	key, u := l.place(state, code)
	list, _, err := l.read(ctx, key)
	if err != nil {
		return false, false, err
	}
	used, same = list.has(u)
	return used, same, nil
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
func (l ledger) place(state, code string) (key string, u use) {
	sum := sha256.Sum256([]byte("authtrip/used\x00" + state))
	copy(u.state[:], sum[1:])
	both := sha256.Sum256([]byte("authtrip/code\x00" + state + "\x00" + code))
	copy(u.code[:], both[:])
	return fmt.Sprintf("middleware.used.%s.%02x", l.owner, int(sum[0])%ledgerShards), u
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

// has reports whether the state of u is in the list, and whether with its code.
func (e entries) has(u use) (used, same bool) {
	for at := 0; at < len(e); at += entrySize {
		state, code := e[at:at+entryHash], e[at+entryHash:at+entryHash+codeHash]
		if subtle.ConstantTimeCompare(state, u.state[:]) == 1 {
			return true, subtle.ConstantTimeCompare(code, u.code[:]) == 1
		}
	}
	return false, false
}

// prune returns the entries that have not expired.
func (e entries) prune(now time.Time) entries {
	kept := make(entries, 0, len(e)+entrySize)
	for at := 0; at < len(e); at += entrySize {
		if int64(binary.BigEndian.Uint32(e[at+entryHash+codeHash:])) > now.Unix() {
			kept = append(kept, e[at:at+entrySize]...)
		}
	}
	return kept
}

func (e entries) add(u use, until time.Time) entries {
	e = append(append(e, u.state[:]...), u.code[:]...)
	return binary.BigEndian.AppendUint32(e, uint32(until.Unix()))
}
