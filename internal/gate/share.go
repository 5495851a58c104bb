package gate

import (
	"context"
	"sync"
)

// Shares are the places of a Gate for several parties, such as the clients of
// an app (G10). The server of a party has an endpoint at a host. A party, an
// endpoint or a host that hangs does not take all places from the others, and
// however many hang, each of the other endpoints has its Reserved places (G17).
// Make them with NewShares. They are safe for concurrent use.
type Shares struct {
	// Always says that one party alone may not take more than its share either. It
	// is set before the first Join.
	Always bool

	// Reserved is how many places each of two or more endpoints has beside those
	// for all. It is set before the first Join.
	Reserved int

	all                Gate
	ofHost, ofOneParty int // places

	mu        sync.Mutex // guards the rest; never held while somebody waits
	parties   int
	hosts     map[string]*pool
	endpoints map[string]*pool
}

// NewShares returns Shares with a number of places for all, for the parties of
// each of two or more hosts together, and for each of two or more parties. One
// host alone may take all, and so may one party alone, see Shares.Always.
func NewShares(all, ofHost, ofOneParty int) *Shares {
	return &Shares{
		all: make(Gate, all), ofHost: ofHost, ofOneParty: ofOneParty,
		hosts: map[string]*pool{}, endpoints: map[string]*pool{},
	}
}

// pool is what the parties of one host, or of one endpoint, have together.
type pool struct {
	name    string
	places  Gate
	parties int
}

// join adds a party to the pool of a name.
func join(pools map[string]*pool, name string, places int) *pool {
	p := pools[name]
	if p == nil {
		p = &pool{name: name, places: make(Gate, places)}
		pools[name] = p
	}
	p.parties++
	return p
}

// leave takes a party from a pool.
func (p *pool) leave(pools map[string]*pool) {
	if p.parties--; p.parties == 0 {
		delete(pools, p.name)
	}
}

// Share is what one party may take.
type Share struct {
	of             *Shares
	host, endpoint *pool
	own            Gate
}

// Join returns the Share of one more party, which ends with Leave.
func (s *Shares) Join(host, endpoint string) *Share {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parties++
	return &Share{s, join(s.hosts, host, s.ofHost), join(s.endpoints, endpoint, s.Reserved), make(Gate, s.ofOneParty)}
}

// Leave ends the Share. Pieces of work that are under way end as usual.
func (s *Share) Leave() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.parties--
	s.host.leave(s.of.hosts)
	s.endpoint.leave(s.of.endpoints)
}

// Enter waits until one more piece of work may begin, and counts it. The caller
// must call leave at its end. It is nil if ctx ends first.
func (s *Share) Enter(ctx context.Context) (leave func()) {
	return s.enter(func(a, b Gate) Gate {
		if got := either(a, b); got != nil {
			return got
		}
		select {
		case a <- struct{}{}:
			return a
		case b <- struct{}{}:
			return b
		case <-ctx.Done():
			return nil
		}
	})
}

// TryEnter is Enter that does not wait: it returns nil if there is no free
// place.
func (s *Share) TryEnter() (leave func()) { return s.enter(either) }

// either enters a or, if there is no free place, b. It returns which, or nil.
func either(a, b Gate) Gate {
	switch {
	case a.TryEnter():
		return a
	case b.TryEnter():
		return b
	}
	return nil
}

// enter enters each bound that holds. The function into enters one of two
// gates, of which the first may be nil. A reserved place is entered in place of
// those of the host and of all.
func (s *Share) enter(into func(a, b Gate) Gate) (leave func()) {
	own, reserved, places := s.gates()
	var held [3]Gate
	for i, want := range [...][2]Gate{{nil, own}, {reserved, places}, {reserved, s.of.all}} {
		if want[1] == nil {
			continue
		}
		held[i] = into(want[0], want[1])
		if held[i] == nil {
			leaveAll(held)
			return nil
		}
		if held[i] == reserved {
			break
		}
	}
	return func() { leaveAll(held) }
}

// gates returns the bounds that hold now beside that for all, or nil for those
// that do not. All parties enter them in the same order.
func (s *Share) gates() (own, reserved, places Gate) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.of.Always || s.of.parties > 1 {
		own = s.own
	}
	if len(s.of.endpoints) > 1 {
		reserved = s.endpoint.places
	}
	if len(s.of.hosts) > 1 {
		places = s.host.places
	}
	return own, reserved, places
}

func leaveAll(gates [3]Gate) {
	for _, g := range gates {
		if g != nil {
			g.Leave()
		}
	}
}
