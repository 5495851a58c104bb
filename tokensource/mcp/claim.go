package mcp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/authtrip/authtrip/internal/stored"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
)

// The times of a claim. Processes whose clocks differ by more than the lease
// may each open a browser.
const (
	claimLease   = 30 * time.Second
	claimRenewal = 10 * time.Second
	claimPoll    = 250 * time.Millisecond
	loginTime    = 10 * time.Minute // of nativeapp
)

// A claim announces in the store that a process logs the user in. Other
// processes wait for the outcome. It ends by itself if the process dies.
type claim struct {
	By  string `json:"by"`
	End int64  `json:"end"` // milliseconds since 1970
}

// live reports whether a process logs the user in now. A claim that ends much
// later than a lease from now is of a process whose clock was wrong.
func (c claim) live(now time.Time) bool {
	left := time.UnixMilli(c.End).Sub(now)
	return left > 0 && left <= 2*claimLease
}

// held is a claim of this process.
type held struct {
	h       *Handler
	key     string
	by      string
	version storage.Version
	stop    context.CancelFunc
	running sync.WaitGroup
}

var errElsewhere = &tokensource.Error{Op: "login", Kind: tokensource.ErrTemporary, Err: errors.New("another process logs the user in")}

// turn waits until no other process logs the user in, and claims the login. If
// another process has logged in meanwhile, its login is used, and there is
// nothing left to do: the claim is nil. The name seen is that of the login that
// this process knows and that does not help.
func (h *Handler) turn(ctx context.Context, f *Found, seen string, step bool) (*held, error) {
	limit := loginTime
	if h.options.Timeout > 0 {
		limit = h.options.Timeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit+claimLease, errElsewhere)
	defer cancel()
	for {
		c, err := h.take(ctx)
		if err != nil {
			return nil, err
		}
		// The look comes after the claim. A login that ended before is seen.
		used := h.adopt(ctx, f, &seen, step)
		switch {
		case used && c != nil:
			c.release(ctx)
			return nil, nil //nolint:nilnil // the login of another process is used
		case used:
			return nil, nil //nolint:nilnil // as above
		case c != nil:
			return c, nil
		}
		if err := sleep(ctx, claimPoll); err != nil {
			return nil, err
		}
	}
}

// take claims the login, or returns nil if another process has claimed it.
func (h *Handler) take(ctx context.Context) (*held, error) {
	key, err := h.key(ctx, "mcp.login.")
	if err != nil {
		return nil, err
	}
	rec, err := h.store.Get(ctx, key)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, stored.Failed("store", err)
	}
	var other claim
	if err == nil && json.Unmarshal(rec.Value(), &other) == nil && other.live(time.Now()) {
		return nil, nil //nolint:nilnil // the caller waits
	}
	c := &held{h: h, key: key, by: rand.Text(), version: rec.Version}
	switch err := c.write(ctx); {
	case errors.Is(err, storage.ErrConflict):
		return nil, nil //nolint:nilnil // the caller looks again
	case err != nil:
		return nil, stored.Failed("store", err)
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	c.running.Go(func() { c.renew(renewing) })
	return c, nil
}

// write stores the claim for another lease.
func (c *held) write(ctx context.Context) error {
	value, err := json.Marshal(claim{By: c.by, End: time.Now().Add(claimLease).UnixMilli()})
	if err != nil {
		return err
	}
	version, err := c.h.store.Put(ctx, c.key, value, c.version)
	if err == nil {
		c.version = version
	}
	return err
}

// renew keeps the claim alive. If another process has taken it over, nothing is
// written any more.
func (c *held) renew(ctx context.Context) {
	for sleep(ctx, claimRenewal) == nil {
		if errors.Is(c.write(ctx), storage.ErrConflict) {
			return
		}
	}
}

// release ends the claim.
func (c *held) release(ctx context.Context) {
	c.stop()
	c.running.Wait()
	_ = c.h.store.Delete(context.WithoutCancel(ctx), c.key, c.version) // otherwise it ends by itself
}

// sleep waits for d, or returns the cause of the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
