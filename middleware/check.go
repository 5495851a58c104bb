package middleware

import (
	"context"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// maxSeenInterval is how often at most it is written that a session was used.
const maxSeenInterval = 5 * time.Minute

// seenTime bounds one such write.
const seenTime = 10 * time.Second

// visit is a request whose user is logged in.
type visit struct {
	ticket  ticket
	session storedSession
	user    provider.Identity
}

// current returns the session of r if it exists, and its grant is alive and
// still the one that it began with. It returns errNoSession, or another error
// if that cannot be told now.
func (l *login) current(r *http.Request) (visit, error) {
	c, err := l.claimed(r)
	if err != nil {
		return visit{}, err
	}
	v, err := l.visit(r.Context(), c)
	if err == nil {
		l.touch(c.Subject, v.session)
	}
	return v, err
}

// visit looks for the session of a ticket. A session that this process does not
// know may have begun elsewhere a moment ago: the store is asked before the
// answer is no.
func (l *login) visit(ctx context.Context, c ticket) (visit, error) {
	name, start := c.name(), time.Now()
	for _, again := range []bool{false, true} {
		f, err := l.factsOf(ctx, c.Subject, again)
		if err != nil {
			return visit{}, err
		}
		s := f.record.find(name)
		switch {
		case l.known.usedAt(c.Subject, name) == ended:
			return visit{}, errNoSession
		case s != nil && l.lives(c.Subject, *s, f.epoch):
			return visit{c, *s, f.record.User}, nil
		case f.checked.After(start): // the store was asked
			return visit{}, errNoSession
		}
	}
	return visit{}, errNoSession
}

// lives reports whether a stored session has not ended by itself: with the
// epoch of its grant (M9), by its time, or because nobody used it.
func (l *login) lives(subject string, s storedSession, epoch string) bool {
	return epoch != "" && s.Epoch == epoch && time.Now().Unix() < s.Expires && !l.idle(subject, s)
}

// idle reports whether a session was not used for too long.
func (l *login) idle(subject string, s storedSession) bool {
	limit := l.options.IdleTimeout
	if limit == 0 {
		return false
	}
	seen := max(s.Seen, l.known.usedAt(subject, s.Name))
	return time.Since(time.Unix(seen, 0)) >= limit
}

// seenInterval is how old the stored time of the last use may be.
func (l *login) seenInterval() time.Duration {
	if limit := l.options.IdleTimeout; limit != 0 {
		return min(maxSeenInterval, limit/10)
	}
	return maxSeenInterval
}

// touch notes that a session was used. From time to time that is written, in
// the background.
func (l *login) touch(subject string, s storedSession) {
	now := time.Now().Unix()
	if !l.known.use(subject, s.Name, now, now-s.Seen >= int64(l.seenInterval()/time.Second)) {
		return
	}
	l.keeping.Go(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), seenTime)
		defer cancel()
		_ = l.changeSessions(ctx, subject, func(r *sessionRecord) error { // the next use tries again
			stored := r.find(s.Name)
			if stored == nil || stored.Seen >= now {
				return errUnchanged
			}
			stored.Seen = now
			return nil
		})
		l.known.wrote(subject)
	})
}

// ended stands for the time of the last use of a session that this process has
// ended. It takes effect at once, also while the store fails.
const ended = -1

// usedAt returns when a session was last used in this process, in seconds since
// 1970. It returns 0 if that is not known, or ended.
func (k *knowledge) usedAt(subject, name string) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.subjects[subject]; s != nil {
		return s.used[name]
	}
	return 0
}

// use notes that a session was used. It reports whether the caller must write
// that, which is so if it is due and nobody else writes.
func (k *knowledge) use(subject, name string, now int64, due bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.subjects[subject]
	if s == nil {
		return false
	}
	if s.used[name] == ended {
		return false
	}
	s.note(name, now)
	if !due || s.writing || time.Now().Before(s.retry) {
		return false
	}
	s.writing = true
	return true
}

// wrote ends a write that use has asked for. After a failure the next one must
// wait.
func (k *knowledge) wrote(subject string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.subjects[subject]; s != nil {
		s.writing = false
		if s.stale {
			s.retry = time.Now().Add(knownRetry)
		}
	}
}

// end notes that this process has ended a session.
func (k *knowledge) end(subject, name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.subjects[subject]; s != nil {
		s.note(name, ended)
	}
}

func (s *known) note(name string, at int64) {
	if s.used == nil {
		s.used = map[string]int64{}
	}
	s.used[name] = at
}
