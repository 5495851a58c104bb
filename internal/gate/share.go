package gate

import (
	"context"
	"sync/atomic"
)

// Shares are the places of a Gate for several parties, such as the clients of
// several authorization servers (G10). A party whose server hangs does not take
// all places from the others (G17). Make them with NewShares. They are safe for
// concurrent use.
type Shares struct {
	all     Gate
	each    int
	parties atomic.Int64
}

// NewShares returns Shares with a number of places for all, and for each of two
// or more parties. One party alone may take all.
func NewShares(all, each int) *Shares { return &Shares{all: make(Gate, all), each: each} }

// Share is what one party may take.
type Share struct {
	of  *Shares
	own Gate
}

// Join returns the Share of one more party, which ends with Leave.
func (s *Shares) Join() *Share {
	s.parties.Add(1)
	return &Share{s, make(Gate, s.each)}
}

// Leave ends the Share. Pieces of work that are under way end as usual.
func (s *Share) Leave() { s.of.parties.Add(-1) }

// Enter waits until one more piece of work may begin, and counts it. The caller
// must call leave at its end. It is nil if ctx ends first.
func (s *Share) Enter(ctx context.Context) (leave func()) {
	return s.enter(func(g Gate) bool { return g.Enter(ctx) })
}

// TryEnter is Enter that does not wait: it returns nil if there is no free
// place.
func (s *Share) TryEnter() (leave func()) { return s.enter(Gate.TryEnter) }

func (s *Share) enter(into func(Gate) bool) (leave func()) {
	alone := s.of.parties.Load() <= 1
	if !alone && !into(s.own) {
		return nil
	}
	if into(s.of.all) {
		return func() { s.leave(alone) }
	}
	if !alone {
		s.own.Leave()
	}
	return nil
}

func (s *Share) leave(alone bool) {
	s.of.all.Leave()
	if !alone {
		s.own.Leave()
	}
}
