package grant

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authtrip/authtrip/internal/clock"
	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// How often a process reads a grant while it waits for another process: after
// each further tenth of the time that it has waited. So it waits at most a
// tenth longer than the other process works. Where the store notifies of
// changes, reading is only for notifications that got lost.
const (
	firstPoll        = time.Millisecond
	firstPollWatched = 25 * time.Millisecond
	lastPoll         = 250 * time.Millisecond
)

// changes passes the store's notifications on to the operations under way. Its
// zero value is ready.
type changes struct {
	watched atomic.Bool // the store notifies at present

	mu        sync.Mutex // guards listening; never held across I/O
	listening map[string][]*subscription
}

// subscription collects the notifications of one grant for one operation.
type subscription struct {
	changed chan struct{} // holds an element after a notification; capacity 1

	mu      sync.Mutex // guards the rest; never held across I/O
	told    bool
	version storage.Version // the version that was told; 0 if it may be any
}

// listen begins to collect the notifications of a grant. Call it before the
// grant is read, so that no change is missed in between. Every listen needs a
// leave.
func (c *changes) listen(key string) *subscription {
	s := &subscription{changed: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listening == nil {
		c.listening = map[string][]*subscription{}
	}
	c.listening[key] = append(c.listening[key], s)
	return s
}

// leave ends a subscription.
func (c *changes) leave(key string, s *subscription) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.listening[key]
	for i, other := range list {
		if other == s {
			list = append(list[:i:i], list[i+1:]...)
		}
	}
	if c.listening[key] = list; len(list) == 0 {
		delete(c.listening, key)
	}
}

// notify passes a notification on. A notification without a key is for every
// grant. It never blocks.
func (c *changes) notify(change storage.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if change.Key != "" {
		for _, s := range c.listening[change.Key] {
			s.notify(change.Version)
		}
		return
	}
	for _, key := range slices.Sorted(maps.Keys(c.listening)) { // a simulation repeats the order
		for _, s := range c.listening[key] {
			s.notify(0)
		}
	}
}

// notify adds a version to the notifications. Two versions together become 0,
// because nobody knows which came first.
func (s *subscription) notify(version storage.Version) {
	s.mu.Lock()
	if s.told && s.version != version {
		version = 0
	}
	s.told, s.version = true, version
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default: // an element is waiting already
	}
}

// clear drops the notifications so far. Call it right before the grant is read
// or written: the result shows every change that was told before.
func (s *subscription) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = false
}

// other reports whether a version other than known was told since clear. A
// process is notified of its own writes too.
func (s *subscription) other(known storage.Version) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told && (s.version == 0 || s.version != known)
}

// poll returns when to read again, after a process has waited for a time.
func (c *changes) poll(waited time.Duration) time.Duration {
	first := firstPoll
	if c.watched.Load() {
		first = firstPollWatched
	}
	return min(max(waited/10, first), lastPoll)
}

// beginRevoking waits until one more revocation may be in flight, and counts
// it until leave is called. After Close it returns nil for a background run,
// and counts nothing.
//
// Close may come while the run waits. It must not wait for the whole queue.
func (r *run) beginRevoking() (leave func()) {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if r.background {
		ctx, cancel = r.untilClose()
	}
	defer cancel()
	if !r.revoking.Enter(ctx) {
		return nil
	}
	if !r.revocations.Enter(ctx) {
		r.revoking.Leave()
		return nil
	}
	leave = func() { r.revocations.Leave(); r.revoking.Leave() }
	if r.background && r.isClosed() { // a free place came first
		leave()
		return nil
	}
	return leave
}

// wait lets time pass.
func (r *run) wait(ctx context.Context, e lease.Effect) lease.Event {
	pause, heard := e.For, (*subscription)(nil)
	if e.Poll {
		pause, heard = min(pause, r.changes.poll(r.clock.Mono()-r.begun)), r.heard
	}
	if !r.sleepUntil(ctx, pause, heard, r.version) {
		r.interrupted = true
		return lease.Event{}
	}
	return lease.Event{OK: true}
}

// admission is how long a refresh waits at most until it may be sent, because
// many others are in flight. It waits for a quarter of the time of a request at
// most: that time has begun.
const admission = 5 * time.Second

// admit decides whether a refresh that is to be announced in record may be sent
// now. After nil the run counts as a refresh in flight until sent is called.
func (r *run) admit(ctx context.Context, record *lease.Record) error {
	if err := r.spaced(record); err != nil {
		r.justRenewed = true
		return err
	}
	if err := r.refused.Check(r.key, record.Token.ID, pacing.Moment(r.now())); err != nil { // G17
		return err
	}
	if err := r.openKey(ctx, record.Token.Key); err != nil {
		return err
	}
	if err := r.await(ctx); err != nil {
		return err
	}
	if err := r.breaker.Allow(r.clock.Wall()); err != nil {
		r.sent()
		return err
	}
	if !r.ahead {
		r.trials.Renewing(r.subject)
	}
	return nil
}

// spaced returns an error if the renewals of this grant do not help, and the
// next one must wait (G9). A token that has expired is renewed in any case.
func (r *run) spaced(record *lease.Record) error {
	t, now := record.Token, r.clock.Wall()
	expired := !t.Expiry.IsZero() && !now.Before(t.Expiry)
	if r.ahead || expired || !t.Refreshed || t.Access == "" || t.Access != r.rejected {
		return nil
	}
	age := now.Sub(t.Obtained)
	if left := r.trials.Spacing(r.subject, t.Access) - age; age >= 0 && left > 0 {
		return &tokensource.Error{Op: "refresh", Kind: tokensource.ErrJustRenewed, RetryAfter: left}
	}
	return nil
}

var errBusy = errors.New("grant: too many refreshes are in flight")

// await counts a refresh in flight (G10). If there are too many, it waits.
func (r *run) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, min(admission, r.client.Timeout()/4))
	defer cancel()
	if r.admitted = r.sending.Enter(ctx); r.admitted != nil {
		return nil
	}
	return &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, RetryAfter: time.Second, Err: errBusy}
}

// sent ends the time for which the run counts as a refresh in flight.
func (r *run) sent() {
	if r.admitted != nil {
		r.admitted()
		r.admitted = nil
	}
}

// Epoch returns the epoch of a subject's grant if this process knows that the
// grant is alive and has no reason to ask the store. It makes no call.
func (u upkeep) Epoch(subject string) (string, bool) {
	s := u.k.cache.Load(subject)
	if s == nil {
		return "", false
	}
	e := s.Entry()
	if e.Record == nil || e.Record.Over != "" || e.Recheck.Passed(u.k.cache.Now()) {
		return "", false
	}
	return e.Record.Epoch, true
}

// Read returns the facts of a subject's grant as the store has them now. Unlike
// [Keeper.Grant], it fails if the store fails.
func (u upkeep) Read(ctx context.Context, subject string) (Grant, error) {
	if err := checkSubject(subject); err != nil {
		return Grant{}, err
	}
	s, err := flight.Wait[*snapshot](ctx, u.k.reload(ctx, subject))
	if err != nil {
		return Grant{}, err
	}
	return facts(s.Entry().Record), nil
}

// Recheck returns how old the knowledge of a grant may be.
func (u upkeep) Recheck() time.Duration { return u.k.o.Recheck }

// Unsaved returns the storage keys of the grants whose tokens are in the memory
// of this process only.
func (u upkeep) Unsaved() []string { return u.k.grants.pending() }

// Condition counts the grants in memory, those of them whose last attempt to
// refresh failed, and those whose tokens the store has not taken. A memory that
// several Keepers share is counted once, and is in counted afterwards. It makes
// no call.
func (u upkeep) Condition(counted map[any]bool) (known, failing, unsaved int) {
	u.k.cache.Each(counted, func(r *lease.Record) {
		known++
		if r.Over == "" && r.Failures+r.Doubts > 0 {
			failing++
		}
	})
	failing += u.k.refused.Waiting(pacing.Moment(u.k.now()))
	return known, failing, len(u.k.grants.pending())
}

// Blocked reports whether most attempts are not made, because the server has
// failed several times in a row.
func (u upkeep) Blocked() bool { return u.k.breaker.Limits() }

// Refresh renews a grant that nobody uses, unless its tokens are no longer
// those that were obtained at the given time. All rules of a renewal hold.
func (u upkeep) Refresh(ctx context.Context, subject string, obtained time.Time) error {
	s, err := flight.Wait[*snapshot](ctx, u.k.reload(ctx, subject))
	if err != nil {
		return err
	}
	r := s.Entry().Record
	if r.Over != "" || !r.Token.Obtained.Equal(obtained) {
		return nil
	}
	out, err := flight.Wait[renewed](ctx, u.k.renewal(ctx, subject, lease.Renewal{Rejected: r.Token.Access, Ahead: true}))
	if err == nil && !errors.Is(out.err, tokensource.ErrJustRenewed) {
		err = out.err
	}
	return err
}

// Clock returns the clocks of the Keeper.
func (u upkeep) Clock() *clock.Clock { return u.k.clock }
