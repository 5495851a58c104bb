package transport

import (
	"hash/maphash"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// The pause before a renewal for a resource that rejected a new token. It
// doubles each time.
const (
	firstFutile = 10 * time.Second
	lastFutile  = 10 * time.Minute
	maxFutile   = 1024 // resources and tokens that are remembered
)

// futile remembers the resources that rejected a token directly after its
// renewal. Some servers answer 403 to an expired token, and also to a user who
// may not do something. No renewal helps that user. So a further rejection of
// the same token by the same resource causes no renewal for a while (G9). The
// same token may be good elsewhere.
//
// It is safe for concurrent use.
type futile struct {
	seed maphash.Seed
	n    atomic.Int64 // of pauses

	mu     sync.Mutex // guards pauses
	pauses map[uint64]futilePause
}

type futilePause struct {
	length time.Duration
	end    time.Time
}

func newFutile() *futile {
	return &futile{seed: maphash.MakeSeed(), pauses: map[uint64]futilePause{}}
}

// none reports that no resource is remembered. It costs one atomic load.
func (f *futile) none() bool { return f.n.Load() == 0 }

// key names a resource and a token.
func (f *futile) key(req *http.Request, tok *oauth2.Token) uint64 {
	return maphash.Comparable(f.seed, [...]string{req.Method, req.URL.Host, req.URL.Path, tok.AccessToken})
}

// paused reports whether no renewal should follow the rejection of tok.
func (f *futile) paused(req *http.Request, tok *oauth2.Token) bool {
	if f.none() || tok == nil {
		return false
	}
	key := f.key(req, tok)
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.pauses[key]
	return ok && time.Now().Before(p.end)
}

// renewed notes what came of a replay: whether the resource accepted fresh,
// which replaced sent.
func (f *futile) renewed(req *http.Request, sent, fresh *oauth2.Token, accepted bool) {
	if accepted && f.none() {
		return
	}
	old, key := f.key(req, sent), f.key(req, fresh)
	f.mu.Lock()
	defer f.mu.Unlock()
	length := firstFutile
	if p, ok := f.pauses[old]; ok {
		length = min(2*p.length, lastFutile)
	}
	delete(f.pauses, old)
	if !accepted {
		f.makeRoom()
		f.pauses[key] = futilePause{length, time.Now().Add(length)}
	}
	f.n.Store(int64(len(f.pauses)))
}

// accepted notes that the resource accepted tok.
func (f *futile) accepted(req *http.Request, tok *oauth2.Token) {
	key := f.key(req, tok)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.pauses, key)
	f.n.Store(int64(len(f.pauses)))
}

// makeRoom removes the pauses that ended long ago. If too many remain, it
// removes any one of them: a renewal too many does little harm.
func (f *futile) makeRoom() {
	if len(f.pauses) < maxFutile {
		return
	}
	for key, p := range f.pauses {
		if time.Since(p.end) > lastFutile {
			delete(f.pauses, key)
		}
	}
	for key := range f.pauses {
		if len(f.pauses) < maxFutile {
			return
		}
		delete(f.pauses, key)
	}
}
