package mcp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// maxOperations is how many operations the stored count knows.
const maxOperations = 64

// stepLog holds when logins for more scopes began, in milliseconds since 1970,
// by a hash of the operation. All processes share it: otherwise each run of a
// program would try again.
type stepLog map[string][]int64

// mayStep counts a login for more scopes, and reports whether it is allowed
// (T11). If the store fails, the count of this process decides.
func (h *Handler) mayStep(ctx context.Context, operation string) bool {
	now := time.Now()
	if !h.bounds.steps.Allow(operation, now) {
		return false
	}
	key, err := h.key(ctx, "mcp.steps.")
	if err != nil {
		return true
	}
	sum := sha256.Sum256([]byte(operation))
	name := hex.EncodeToString(sum[:8])
	for {
		rec, err := h.store.Get(ctx, key)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return true
		}
		log := stepLog{}
		if err == nil && json.Unmarshal(rec.Value(), &log) != nil {
			log = stepLog{}
		}
		log.forget(now)
		if len(log[name]) >= maxSteps {
			return false
		}
		log[name] = append(log[name], now.UnixMilli())
		value, err := json.Marshal(log)
		if err != nil {
			return true
		}
		if _, err = h.store.Put(ctx, key, value, rec.Version); !errors.Is(err, storage.ErrConflict) {
			return true
		}
	}
}

// forget drops what does not count any more, and everything if there is too
// much. A time of the future is of a process whose clock was wrong.
func (l stepLog) forget(now time.Time) {
	maps.DeleteFunc(l, func(name string, times []int64) bool {
		l[name] = slices.DeleteFunc(times, func(at int64) bool {
			age := now.Sub(time.UnixMilli(at))
			return age < 0 || age >= loginWindow
		})
		return len(l[name]) == 0
	})
	if len(l) >= maxOperations {
		clear(l)
	}
}
