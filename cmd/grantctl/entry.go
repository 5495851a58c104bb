package main

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// entry is one record of a store, and what can be known of it.
type entry struct {
	key    string
	record storage.Record
	seal   sealing
	grant  *grant.Grant // nil if it is no grant, or cannot be read
	err    error        // why it cannot be read
}

// sealing says how a value is sealed.
type sealing string

const (
	sealNone    sealing = "none"      // it can be read as it is
	sealFirst   sealing = "first key" // the key that seals now
	sealOlder   sealing = "older key" // reseal has something to do
	sealUnknown sealing = "unknown"   // there are no keys to tell, or it does not open with them
)

var errNoKeys = errors.New("it is sealed, and " + keysVariable + " is not set")

func (e entry) isGrant() bool { return kindOf(e.key) == grantKind }

// entries reads every record of the store, in no order. It leaves out records
// that are deleted meanwhile. A damaged record has an err. An error beside an
// entry ends the iteration.
func (v *vault) entries(ctx context.Context) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for key, err := range v.Keys(ctx) {
			if err != nil {
				yield(entry{}, err)
				return
			}
			e, err := v.entry(ctx, key)
			if errors.Is(err, storage.ErrNotFound) {
				continue
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// entry reads what is stored under key. It returns storage.ErrNotFound if there
// is nothing.
func (v *vault) entry(ctx context.Context, key string) (entry, error) {
	r, err := v.Get(ctx, key)
	if errors.Is(err, storage.ErrCorrupt) {
		return entry{key: key, seal: sealUnknown, err: err}, nil
	}
	if err != nil {
		return entry{}, err
	}
	return v.examine(ctx, key, r)
}

// examine finds out what r is. Its error means that the keys cannot be used.
// The entry says what is wrong with r.
func (v *vault) examine(ctx context.Context, key string, r storage.Record) (entry, error) {
	e := entry{key: key, record: r, seal: sealUnknown}
	plain := r.Value()
	switch {
	case isPlain(key, r.Value()):
		e.seal = sealNone
	case v.keys == nil:
		e.err = errNoKeys
		return e, nil
	default:
		var err error
		if plain, err = v.unseal(ctx, key, r); errors.Is(err, seal.ErrUnsealed) {
			e.err = err
			return e, nil
		} else if err != nil {
			return e, err
		}
		e.seal = sealOlder
		if v.keys.Current(r.Value()) {
			e.seal = sealFirst
		}
	}
	if e.isGrant() {
		e.grant, e.err = grantIn(plain)
	}
	return e, nil
}

func grantIn(plain []byte) (*grant.Grant, error) {
	g, err := grant.Inspect(plain)
	if err != nil {
		return nil, err
	}
	return &g, nil
}

// plainRun is how many readable characters in a row no sealed value has. By
// chance that happens once in 10^13 bytes.
const plainRun = 32

// isPlain reports whether value is visibly not sealed: it is a grant, or it has
// readable text in it, such as a token.
func isPlain(key string, value []byte) bool {
	if _, err := grant.Inspect(value); err == nil {
		return true
	}
	run := 0
	for _, c := range value {
		run++
		if c < ' ' || c > '~' {
			run = 0
		}
		if run == plainRun {
			return true
		}
	}
	return false
}

// unseal opens r, which was read under key, with the keys.
func (v *vault) unseal(ctx context.Context, key string, r storage.Record) ([]byte, error) {
	s, err := storage.Sealed(held{v.backend, r}, v.keys)
	if err != nil {
		return nil, err
	}
	opened, err := s.Get(ctx, key)
	return opened.Value(), err
}

// held is a store whose record was read already, so that it is not read twice.
type held struct {
	storage.Store
	record storage.Record
}

// Get implements storage.Store.
func (h held) Get(context.Context, string) (storage.Record, error) { return h.record, nil }

// state says in one or two words how a grant is.
func (e entry) state(now time.Time) string {
	g := e.grant
	switch {
	case errors.Is(e.err, errNoKeys):
		return "sealed"
	case errors.Is(e.err, seal.ErrUnsealed):
		return "cannot be opened"
	case errors.Is(e.err, storage.ErrCorrupt):
		return "damaged"
	case e.err != nil:
		return "cannot be read"
	case g == nil:
		return kindOf(e.key).name
	case !g.LoggedOut.IsZero():
		return "logged out"
	case g.Dead != "":
		return "dead"
	case now.Before(g.RedeemingUntil):
		return "redeeming"
	case !g.RedeemingUntil.IsZero():
		return "in doubt"
	case !g.Refreshable && !g.Expiry.IsZero() && !now.Before(g.Expiry):
		return "expired"
	}
	return "alive"
}
