package gate

import (
	"context"
	"sync"
)

// Shares are the places of a Gate for several parties, such as the clients of
// an app (G10). Each party belongs to a group, such as the host of its server.
// A party, or a group, whose server hangs does not take all places from the
// others (G17). Make them with NewShares. They are safe for concurrent use.
type Shares struct {
	// Always says that one party alone may not take more than its share either. It
	// is set before the first Join.
	Always bool

	all                 Gate
	ofGroup, ofOneParty int // places

	mu      sync.Mutex // guards the rest; never held while somebody waits
	parties int
	groups  map[string]*group
}

// group is what the parties of one group share.
type group struct {
	name    string
	places  Gate
	parties int
}

// NewShares returns Shares with a number of places for all, for the parties of
// each of two or more groups together, and for each of two or more parties. One
// group alone may take all, and so may one party alone, see Shares.Always.
func NewShares(all, ofGroup, ofOneParty int) *Shares {
	return &Shares{all: make(Gate, all), ofGroup: ofGroup, ofOneParty: ofOneParty, groups: map[string]*group{}}
}

// Share is what one party may take.
type Share struct {
	of    *Shares
	group *group
	own   Gate
}

// Join returns the Share of one more party of a group, which ends with Leave.
func (s *Shares) Join(name string) *Share {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[name]
	if g == nil {
		g = &group{name: name, places: make(Gate, s.ofGroup)}
		s.groups[name] = g
	}
	g.parties++
	s.parties++
	return &Share{s, g, make(Gate, s.ofOneParty)}
}

// Leave ends the Share. Pieces of work that are under way end as usual.
func (s *Share) Leave() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.parties--
	if s.group.parties--; s.group.parties == 0 {
		delete(s.of.groups, s.group.name)
	}
}

// Enter waits until one more piece of work may begin, and counts it. The caller
// must call leave at its end. It is nil if ctx ends first.
func (s *Share) Enter(ctx context.Context) (leave func()) {
	gates := s.gates()
	for i, g := range gates {
		if g != nil && !g.Enter(ctx) {
			leaveAll(gates[:i])
			return nil
		}
	}
	return func() { leaveAll(gates[:]) }
}

// gates returns the bounds that hold now, or nil for those that do not. All
// parties enter them in the same order.
func (s *Share) gates() (gates [3]Gate) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.of.Always || s.of.parties > 1 {
		gates[0] = s.own
	}
	if len(s.of.groups) > 1 {
		gates[1] = s.group.places
	}
	gates[2] = s.of.all
	return gates
}

func leaveAll(gates []Gate) {
	for _, g := range gates {
		if g != nil {
			g.Leave()
		}
	}
}
