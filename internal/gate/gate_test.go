package gate_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/internal/gate"
)

// entered counts how many pieces of work may begin at once.
func entered(s *gate.Share) (n int, leave func()) {
	full, stop := context.WithCancel(context.Background())
	stop()
	var ends []func()
	for range 100 {
		if end := s.Enter(full); end != nil { // a free place wins over an end of the context, some times
			ends = append(ends, end)
		}
	}
	return len(ends), func() {
		for _, end := range ends {
			end()
		}
	}
}

func TestShares(t *testing.T) {
	shares := gate.NewShares(8, 4, 2)
	a := shares.Join("server")
	n, leave := entered(a)
	if n != 8 {
		t.Errorf("one party alone has %d places, want 8", n)
	}
	leave()
	b := shares.Join("server")
	n, leave = entered(a)
	if n != 2 {
		t.Errorf("one of two parties has %d places, want 2", n)
	}
	if m, end := entered(b); m != 2 {
		t.Errorf("the other party has %d places, want 2", m)
	} else {
		end()
	}
	leave()
	if n, leave = entered(a); n != 2 {
		t.Errorf("a party that left its places has %d, want 2", n)
	}
	leave()
	b.Leave()
	if n, leave = entered(a); n != 8 {
		t.Errorf("the party that remains has %d places, want 8", n)
	}
	leave()

	all := gate.NewShares(3, 3, 2)
	c, d := all.Join("server"), all.Join("server")
	_, leave = entered(c)
	if n, _ := entered(d); n != 1 {
		t.Errorf("of 3 places for all, 2 of which are taken, a party has %d, want 1", n)
	}
	leave()
}

func TestShares_Always(t *testing.T) {
	shares := gate.NewShares(8, 4, 2)
	shares.Always = true
	if n, leave := entered(shares.Join("server")); n != 2 {
		t.Errorf("one party alone has %d places, want 2", n)
	} else {
		leave()
	}
}

// However many parties one group has, the others have half of the places.
func TestShares_OfManyPartiesOfOneGroup(t *testing.T) {
	shares := gate.NewShares(8, 4, 2)
	var hang []*gate.Share
	for range 10 {
		hang = append(hang, shares.Join("hangs"))
	}
	taken, ends := 0, []func(){}
	for _, s := range hang {
		n, leave := entered(s)
		taken, ends = taken+n, append(ends, leave)
	}
	if taken != 8 {
		t.Errorf("the parties of one group alone have %d places, want 8", taken)
	}
	for _, leave := range ends {
		leave()
	}
	one, two := shares.Join("works"), shares.Join("works")
	taken, ends = 0, nil
	for _, s := range hang {
		n, leave := entered(s)
		taken, ends = taken+n, append(ends, leave)
	}
	if taken != 4 {
		t.Errorf("ten parties of one of two groups have %d places, want 4", taken)
	}
	for i, s := range []*gate.Share{one, two} {
		n, leave := entered(s)
		if n != 2 {
			t.Errorf("party %d of the other group has %d places, want 2", i, n)
		}
		ends = append(ends, leave)
	}
	for _, leave := range ends {
		leave()
	}
	one.Leave()
	two.Leave()
	if n, leave := entered(hang[0]); n != 2 {
		t.Errorf("a party has %d places after the other group has left, want 2", n)
	} else {
		leave()
	}
}

// However many groups hang, each of the others has its reserved places.
func TestShares_OfManyGroupsThatHang(t *testing.T) {
	shares := gate.NewShares(8, 4, 2)
	shares.Reserved = 3
	a := shares.Join("the first of all")
	if n, leave := entered(a); n != 8 {
		t.Errorf("one group alone has %d places, want 8", n)
	} else {
		leave()
	}
	taken := 0
	for _, name := range []string{"hangs", "hangs too", "hangs as well", "hangs like those"} {
		for range 4 {
			n, _ := entered(shares.Join(name))
			taken += n
		}
	}
	if taken != 8+4*3 {
		t.Errorf("four groups that hang have %d places, want 8 and three for each", taken)
	}
	one, two := shares.Join("works"), shares.Join("works")
	n, leave := entered(one)
	if n != 2 {
		t.Errorf("a party of another group has %d places, want its two", n)
	}
	m, end := entered(two)
	if m != 1 {
		t.Errorf("the next party of that group has %d places, want the third of the group", m)
	}
	leave()
	end()
	if m, end = entered(two); m != 2 {
		t.Errorf("a party of that group has %d places after they were left, want its two", m)
	}
	end()
}

// Who waits gets a reserved place as soon as one is left.
func TestShares_AReservedPlaceThatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shares := gate.NewShares(2, 2, 2)
		shares.Reserved = 1
		hangs, works := shares.Join("hangs"), shares.Join("works")
		_, _ = entered(hangs)
		_, _ = entered(shares.Join("hangs too"))
		leave := works.TryEnter()
		if leave == nil || works.TryEnter() != nil {
			t.Fatal("TryEnter() beside groups that hang: want the reserved place, and no other")
		}
		got := make(chan func(), 1)
		go func() { got <- works.Enter(t.Context()) }()
		synctest.Wait()
		leave()
		if end := <-got; end == nil {
			t.Error("Enter() = nil, want the place that was left")
		}
	})
}

// A TryEnter counts as an Enter does, and never waits.
func TestTryEnter(t *testing.T) {
	shares := gate.NewShares(3, 3, 2)
	a, b := shares.Join("server"), shares.Join("server")
	first := a.TryEnter()
	if first == nil || a.TryEnter() == nil {
		t.Fatal("TryEnter() = nil for the first and the second of two places, want both")
	}
	if a.TryEnter() != nil {
		t.Error("TryEnter() = a third place of one party, want nil")
	}
	if b.TryEnter() == nil || b.TryEnter() != nil {
		t.Error("TryEnter() of the other party: want the third place of all, and no fourth")
	}
	first()
	if n, leave := entered(b); n != 1 {
		t.Errorf("after a place became free, the other party has %d, want 1", n)
	} else {
		leave()
	}
}
