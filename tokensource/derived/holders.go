package derived

import (
	"container/list"
	"sync"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// mostHeld is how many tokens a Source keeps: those of the users that were seen
// last (G10).
const mostHeld = 10_000

// holders keeps answers, and refusals, by the token that they are derived from.
// The zero value is ready. It is safe for concurrent use.
type holders struct {
	mu      sync.Mutex // guards the rest; never held across I/O
	byKey   map[string]*list.Element
	byToken map[string]*held
	recent  list.List // of *holder; the latest use is in front
}

// holder is what is known of one key.
type holder struct {
	key      string
	held     *held // nil before the first answer
	first    *held // whose token was rejected before there was an answer here, or nil
	failures uint64
	until    time.Time // no attempt before, after a refusal
	refusal  *tokensource.Error
}

// get returns the answer that is kept under key, or nil.
func (l *holders) get(key string) *held {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.byKey[key]
	if e == nil {
		return nil
	}
	l.recent.MoveToFront(e)
	return e.Value.(*holder).held
}

// last returns the answer that is kept under key, and the one before it that
// was kept under another key. Both may be nil.
func (l *holders) last(key string) (h, first *held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.byKey[key]
	if e == nil {
		return nil, nil
	}
	at := e.Value.(*holder)
	return at.held, at.first
}

// inherit notes that what will be kept under key follows an answer that was
// kept under another one.
func (l *holders) inherit(key string, h *held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := l.holder(key); at.held == nil {
		at.first = h
	}
}

// of returns the answer with an access token, or nil.
func (l *holders) of(accessToken string) *held {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byToken[accessToken]
}

// put keeps an answer.
func (l *holders) put(key string, h *held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.holder(key)
	if at.held != nil {
		delete(l.byToken, at.held.token.AccessToken)
	}
	at.held, at.first, at.failures, at.refusal = h, nil, 0, nil
	l.byToken[h.token.AccessToken] = h
}

// holder returns what is kept under key, and drops what was not used for the
// longest time if there is too much. The lock must be held.
func (l *holders) holder(key string) *holder {
	if l.byKey == nil {
		l.byKey, l.byToken = map[string]*list.Element{}, map[string]*held{}
	}
	if e := l.byKey[key]; e != nil {
		return e.Value.(*holder)
	}
	at := &holder{key: key}
	l.byKey[key] = l.recent.PushFront(at)
	if l.recent.Len() > mostHeld {
		old := l.recent.Remove(l.recent.Back()).(*holder)
		delete(l.byKey, old.key)
		if old.held != nil {
			delete(l.byToken, old.held.token.AccessToken)
		}
	}
	return at
}

// refused returns the last refusal under key, with the time that is left, or
// nil if another attempt may be made.
func (l *holders) refused(key string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.byKey[key]
	if e == nil {
		return nil
	}
	at := e.Value.(*holder)
	left := at.until.Sub(now)
	if at.refusal == nil || left <= 0 || left > longestRefusal {
		return nil
	}
	again := *at.refusal
	again.RetryAfter = left
	return &again
}

// longestRefusal is the longest pause after a refusal (G9).
const longestRefusal = 10 * time.Minute

// refuse notes a refusal under key. The pause doubles with each of them.
func (l *holders) refuse(key string, e *tokensource.Error, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.holder(key)
	at.refusal = e
	at.until = now.Add(min(renewSpacing<<min(at.failures, 10), longestRefusal))
	at.failures++
}
