package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// These errors say why a call is refused. Match them with errors.Is.
var (
	errUnknown = errors.New("this capability is unknown, revoked or expired")
	errSpent   = errors.New("the budget of this capability is spent")
	errMethod  = errors.New("this capability does not allow the method")
)

// maxCapabilities is how many capabilities are good at once.
const maxCapabilities = 10_000

// maxLifetime is the longest life of a capability.
const maxLifetime = 24 * time.Hour

// terms say what the holder of a capability may do.
type terms struct {
	Subject string    `json:"subject"` // whose token is sent
	Origin  string    `json:"origin"`  // the only place where calls go
	Methods []string  `json:"methods"`
	Calls   int       `json:"calls"` // that are left
	Expires time.Time `json:"expires"`
}

// capability is what a caller holds instead of a token. The ID stands in the
// audit and names the capability for its revocation. It gives no right.
type capability struct {
	ID string `json:"id"`
	terms

	end   func()                              // it is revoked or forgotten
	onEnd func(f func()) (forget func() bool) // calls f then, unless forget was called before
}

// capabilities are all that are good. They are kept in memory: a restart of the
// gateway revokes them all. It is safe for concurrent use.
type capabilities struct {
	now func() time.Time

	mu   sync.Mutex // guards good; never held across I/O
	good map[[sha256.Size]byte]*capability
}

func newCapabilities(now func() time.Time) *capabilities {
	return &capabilities{now: now, good: map[[sha256.Size]byte]*capability{}}
}

// issue makes a capability. The secret goes to its holder, and only a hash of
// it stays here.
func (c *capabilities) issue(t terms) (id, secret string, err error) {
	if err := t.check(c.now()); err != nil {
		return "", "", err
	}
	id, secret = random(9), random(32)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.good) >= maxCapabilities {
		c.sweep()
	}
	if len(c.good) >= maxCapabilities {
		return "", "", fmt.Errorf("there are %d capabilities: revoke some", maxCapabilities)
	}
	lives, end := context.WithCancel(context.Background())
	c.good[sha256.Sum256([]byte(secret))] = &capability{ID: id, terms: t, end: end, onEnd: func(f func()) func() bool {
		return context.AfterFunc(lives, f)
	}}
	return id, secret, nil
}

// check refuses terms that allow nothing, or too much.
func (t *terms) check(now time.Time) error {
	switch {
	case t.Subject == "":
		return errors.New("subject is missing")
	case len(t.Methods) == 0:
		return errors.New("methods are missing, such as [\"GET\"]")
	case slices.ContainsFunc(t.Methods, func(m string) bool { return m == "" || m != strings.ToUpper(m) }):
		return errors.New("methods are written in capital letters")
	case slices.Contains(t.Methods, http.MethodTrace), slices.Contains(t.Methods, http.MethodConnect):
		return errors.New("the answer to TRACE can contain the token, and CONNECT is for proxies")
	case t.Calls < 1:
		return errors.New("calls must be 1 or more")
	case !t.Expires.After(now) || t.Expires.Sub(now) > maxLifetime:
		return fmt.Errorf("the lifetime must be positive, and at most %v", maxLifetime)
	}
	return nil
}

// spend takes one call from the budget of a capability and returns its terms.
// Even if the call is refused, the capability is returned for the audit, unless
// it is unknown.
func (c *capabilities) spend(secret, method string) (capability, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.good[sha256.Sum256([]byte(secret))]
	switch {
	case held == nil || !held.Expires.After(c.now()):
		return capability{}, errUnknown
	case !slices.Contains(held.Methods, method):
		return *held, errMethod
	case held.Calls == 0:
		return *held, errSpent
	}
	held.Calls--
	return *held, nil
}

// while returns a context for one call. It ends with the capability, so that no
// stream goes on for longer. Its cause is then errUnknown. The caller must call
// done at the end of the call.
func (c *capabilities) while(ctx context.Context, held *capability) (_ context.Context, done func()) {
	ctx, end := context.WithCancelCause(ctx)
	ctx, stop := context.WithTimeoutCause(ctx, held.Expires.Sub(c.now()), errUnknown)
	forget := held.onEnd(func() { end(errUnknown) })
	return ctx, func() {
		forget()
		stop()
		end(nil)
	}
}

// revoke ends the capability with this ID, and the calls that are under way
// with it. It reports whether the capability was good.
func (c *capabilities) revoke(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for hash, held := range c.good {
		if held.ID == id {
			held.end()
			delete(c.good, hash)
			return true
		}
	}
	return false
}

// list returns all that are good, the first to expire first.
func (c *capabilities) list() []capability {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep()
	all := make([]capability, 0, len(c.good))
	for _, held := range c.good {
		all = append(all, *held)
	}
	slices.SortFunc(all, func(a, b capability) int { return a.Expires.Compare(b.Expires) })
	return all
}

// sweep forgets those that have expired. The caller holds mu.
func (c *capabilities) sweep() {
	now := c.now()
	for hash, held := range c.good {
		if !held.Expires.After(now) {
			held.end()
			delete(c.good, hash)
		}
	}
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
