package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
)

const (
	revokeTime   = 5 * time.Second  // is left for a revocation even if what came before used up the time
	keepTime     = 3 * time.Second  // the same for keeping a login
	workOnTime   = 20 * time.Second // bounds one try in the background
	ownTime      = time.Minute      // for which a process claims a login; longer than any of the times above
	keptRetry    = 10 * time.Second // after a failure of the store
	maxUnwritten = 1000             // logins that are in the memory of this process only (G10)
	maxTended    = 1000             // other logins that this process works on by itself
)

// unwritten are the logins that the store has not taken yet, and the number of
// logins that this process works on. Its zero value is ready.
type unwritten struct {
	mu      sync.Mutex // guards the rest; never held across I/O
	list    map[string]*kept
	storing map[string]bool // those that an attempt to store is under way for
	tended  int             // logins that this process works on
}

// unfinished ends the request of a login that failed after its exchange. If
// the login has ended for good, its tokens are revoked: a live token that
// nobody holds is a risk. Otherwise the login is kept, and err leads to another
// try (G21).
func (l *login) unfinished(ctx context.Context, w http.ResponseWriter, state, returnTo string, k *kept, err error) error {
	ctx = context.WithoutCancel(ctx)
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = failed("", err)
	}
	if isFinal(err) {
		e.add(l.drop(ctx, k))
		return e
	}
	if !l.offerResume(ctx, w, state, k) {
		e.add("this browser cannot try again, because its cookie could not be sealed")
	}
	if l.settled(k) {
		k.saved()
	} else {
		k.failed()
	}
	e.add(l.keep(ctx, k))
	e.Retry, e.kept = l.resumePath(returnTo), true
	return e
}

// add adds half a sentence to the cause.
func (e *Error) add(text string) {
	if e.Cause != "" {
		e.Cause += "; "
	}
	e.Cause += text
}

// keep stores a login and works on it in the background. If the store does not
// take it, this process keeps it in memory, and tries again. It says what it
// did.
func (l *login) keep(ctx context.Context, k *kept) string {
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	if err := l.enlistKept(ctx, k); err != nil && !l.unwritten.add(k) {
		return "it could not be kept"
	}
	if key, next := k.key, k.next; l.unwritten.begin(key) && !l.keeping.Go(func(ctx context.Context) { l.tend(ctx, key, next) }) {
		l.unwritten.end()
	}
	return fmt.Sprintf("it is kept for %v", keptLife)
}

// enlistKept stores a login for the first time. The index of due work comes
// first, so that a crash loses nothing that is stored.
func (l *login) enlistKept(ctx context.Context, k *kept) error {
	if err := l.keeping.Enlist(ctx, k.key, k.next); err != nil {
		return err
	}
	k.version = 0
	switch before, err := l.readKept(ctx, k.key); {
	case err == nil:
		k.version = before.version
	case !errors.Is(err, storage.ErrNotFound):
		return err
	}
	return l.writeKept(ctx, k)
}

func (u *unwritten) add(k *kept) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.list) >= maxUnwritten {
		return false
	}
	if u.list == nil {
		u.list = map[string]*kept{}
	}
	u.list[k.key] = k
	return true
}

// begin counts a login that this process works on. It returns false, and counts
// nothing, if there are too many. The index of due work has the others.
func (u *unwritten) begin(key string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.tended >= maxTended && u.list[key] == nil {
		return false
	}
	u.tended++
	return true
}

// end is the end of what begin has counted.
func (u *unwritten) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tended--
}

// take returns a login for one attempt to store it, which must end with
// release. It returns false if the login is not there, or if another attempt is
// under way, and then busy is true.
func (u *unwritten) take(key string) (k *kept, ok, busy bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if k = u.list[key]; k == nil || u.storing[key] {
		return nil, false, k != nil
	}
	if u.storing == nil {
		u.storing = map[string]bool{}
	}
	u.storing[key] = true
	return k, true, false
}

// release ends an attempt. The login goes if nothing is left to do.
func (u *unwritten) release(key string, gone bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.storing, key)
	if gone {
		delete(u.list, key)
	}
}

// which returns the keys of the logins for which match returns true.
func (u *unwritten) which(match func(*kept) bool) (keys []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, k := range u.list {
		if match(k) {
			keys = append(keys, key)
		}
	}
	return keys
}

// flush stores a login that is in memory only. It returns false if that fails.
// Then busy says that another attempt to store it is under way.
func (l *login) flush(ctx context.Context, key string) (stored, busy bool) {
	k, ok, busy := l.unwritten.take(key)
	if !ok {
		return !busy, busy
	}
	stored = l.enlistKept(ctx, k) == nil
	l.unwritten.release(key, stored)
	return stored, false
}

// flushForBrowser is flush for a browser, which waits while another attempt is
// under way.
func (l *login) flushForBrowser(ctx context.Context, key string) bool {
	for range ownTries {
		stored, busy := l.flush(ctx, key)
		if !busy || sleep(ctx, ownPause) != nil {
			return stored
		}
	}
	return false
}

// abandon ends a login that is in memory only: this process ends, or the store
// has failed for too long. Nobody else knows its tokens. If the store does not
// say either whether it has the grant, they are revoked: a live token that
// nobody holds is a greater risk than another login.
func (l *login) abandon(ctx context.Context, key string) {
	if k, ok, _ := l.unwritten.take(key); ok {
		if _, err := l.isStored(ctx, k); err != nil {
			k.tried = false
		}
		l.giveUp(ctx, k, errStoreAway)
		l.unwritten.release(key, true)
	}
}

// tend works on a login from time to time until it is finished, or until the
// Keeper is closed. Other processes find the login in the index of due work.
func (l *login) tend(ctx context.Context, key string, next time.Time) {
	defer l.unwritten.end()
	last := time.Now().Add(keptLife + saveLimit)
	for !next.IsZero() && sleep(ctx, time.Until(next)) == nil {
		if stored, _ := l.flush(ctx, key); stored {
			next, _ = l.workKept(ctx, key)
			continue
		}
		if next = time.Now().Add(keptRetry); next.After(last) {
			l.abandon(ctx, key)
			return
		}
	}
	if ctx.Err() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	if stored, _ := l.flush(ctx, key); !stored {
		l.abandon(ctx, key)
	}
}

// drop revokes the tokens of a login that has ended. If the server does not
// confirm that, it is repeated in the background. Drop says what it did.
func (l *login) drop(ctx context.Context, k *kept) string {
	switch err := l.endLogin(ctx, k); {
	case err == nil && k.token == nil:
		return "the grant of the user goes on"
	case err == nil:
		return "the new token was revoked"
	case errors.Is(err, errEndsAll):
		return "the new token was not revoked, because that would end all grants of the user"
	case errors.Is(err, errors.ErrUnsupported):
		return "the server cannot revoke the new token"
	}
	k.ending, k.failures = true, 0
	k.failed()
	l.keep(ctx, k)
	return "the new token could not be revoked yet"
}

// workKept works on a stored login that is due. It returns when it is due
// again, or zero if nothing is left to do. It returns false if the login is not
// of this Login.
func (l *login) workKept(ctx context.Context, key string) (again time.Time, mine bool) {
	ctx, cancel := context.WithTimeout(ctx, workOnTime)
	defer cancel()
	k, err := l.readKept(ctx, key)
	now := time.Now()
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return time.Time{}, true
	case err != nil && notOurs(err):
		return time.Time{}, false
	case err != nil:
		return now.Add(keptRetry), true
	case k.owner != "" && now.Before(k.owned):
		return k.owned, true
	case now.Before(k.next):
		return k.next, true
	case l.settled(k), k.epoch != "" && !now.Before(k.until()):
		if l.store.Delete(ctx, key, k.version) != nil {
			return now.Add(keptRetry), true
		}
		return time.Time{}, true
	}
	if err := l.own(ctx, k); err != nil {
		return now.Add(keptRetry), true
	}
	done := l.advance(ctx, k)
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	if done {
		_ = l.store.Delete(ctx, key, k.version) // otherwise the next try of another process ends it
		return time.Time{}, true
	}
	if err := l.writeKept(ctx, k); err != nil {
		return now.Add(ownTime), true
	}
	return k.next, true
}

// settled reports whether only the session is missing, which needs the browser.
func (l *login) settled(k *kept) bool { return k.epoch != "" && (!l.connects() || k.confirmed) }

// own claims a login for this process, by compare-and-swap.
func (l *login) own(ctx context.Context, k *kept) error {
	k.owner, k.owned = l.self, time.Now().Add(ownTime).Round(0).UTC()
	return l.writeKept(ctx, k)
}

// advance makes one try in the background. It reports whether the record can be
// deleted.
func (l *login) advance(ctx context.Context, k *kept) (done bool) {
	late := !time.Now().Before(k.until())
	switch {
	case k.ending:
		return l.advanceEnd(ctx, k)
	case late && k.user.Subject != "" && l.client.Provider().SingleGrant:
		return l.saveLate(ctx, k)
	case late:
		return l.giveUp(ctx, k, errLate)
	}
	switch err := l.settleSafely(ctx, k); {
	case err == nil:
		k.saved()
	case isFinal(err):
		return l.giveUp(ctx, k, err)
	default:
		k.failed()
	}
	return false
}

var errLate = fmt.Errorf("middleware: it could not be finished within %v", keptLife)

// saveLate stores the grant of a known user at the end of the hour, where the
// exchange has ended the tokens of the user's other login.
//
// A connection that is not listed has no user who could end the grant.
func (l *login) saveLate(ctx context.Context, k *kept) (done bool) {
	if l.connects() && !k.claimed {
		return l.giveUp(ctx, k, errLate)
	}
	var err error
	if k.epoch == "" {
		err = l.save(ctx, k)
	}
	switch {
	case err == nil:
		if l.connects() {
			_ = l.confirmConnection(ctx, k) // otherwise it is listed as it is
		}
		return true
	case isFinal(err), time.Now().After(k.until().Add(saveLimit)):
		return l.giveUp(ctx, k, err)
	}
	k.failed()
	return false
}

// giveUp reports a login that has ended without a session, and revokes its
// tokens. If its grant is stored, the login has not ended: the answer of the
// store was lost. Only the session is missing.
func (l *login) giveUp(ctx context.Context, k *kept, reason error) (done bool) {
	if stored, err := l.isStored(ctx, k); err == nil && stored {
		if l.connects() {
			_ = l.confirmConnection(ctx, k) // otherwise it is listed as it is
		}
		return true
	}
	l.tell(ctx, tokensource.Event{
		Kind: EventLoginFailed, Subject: k.user.Subject, Account: k.account, Err: failed("the login was kept, and has ended", reason),
	})
	return l.advanceEnd(ctx, k)
}

// advanceEnd revokes the tokens of a login that has ended. After a week of
// failures it reports that, and stops.
func (l *login) advanceEnd(ctx context.Context, k *kept) (done bool) {
	err := l.endLogin(ctx, k)
	if err == nil || errors.Is(err, errors.ErrUnsupported) {
		return true
	}
	if !k.ending {
		k.ending, k.failures = true, 0
	}
	k.failed()
	if time.Now().Before(k.until().Add(revokeLimit)) {
		return false
	}
	l.tell(ctx, tokensource.Event{
		Kind: EventLoginFailed, Subject: k.user.Subject, Err: failed("the tokens of a login that ended could not be revoked for a week", err),
	})
	return true
}

// settleSafely is settle in the background, where a panic of the app must not
// end the process.
func (l *login) settleSafely(ctx context.Context, k *kept) (err error) {
	defer func() {
		if recover() != nil {
			err = failed("a function of the app panicked", errHopeless)
		}
	}()
	return l.settle(ctx, k)
}

// forgetKept ends the logins that could not finish yet and for which ends
// returns true.
func (l *login) forgetKept(ctx context.Context, ends func(*kept) bool) error {
	var errs []error
	for _, key := range l.unwritten.which(ends) {
		if stored, _ := l.flush(ctx, key); !stored {
			errs = append(errs, away(errStoreAway))
		}
	}
	keys, err := l.keeping.Enlisted(ctx, keptPrefix)
	if err != nil {
		return err
	}
	for _, key := range keys {
		k, err := l.readKept(ctx, key)
		switch {
		case err != nil && (notOurs(err) || errors.Is(err, storage.ErrNotFound)):
			continue
		case err != nil:
			errs = append(errs, err)
			continue
		case !ends(k):
			continue
		}
		if err = l.own(ctx, k); err == nil {
			err = l.endTokens(ctx, k, true)
		}
		if err == nil || errors.Is(err, errors.ErrUnsupported) {
			err = l.store.Delete(ctx, key, k.version)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
