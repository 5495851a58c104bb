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
	a := shares.Join("server", "server")
	n, leave := entered(a)
	if n != 8 {
		t.Errorf("one party alone has %d places, want 8", n)
	}
	leave()
	b := shares.Join("server", "server")
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
	c, d := all.Join("server", "server"), all.Join("server", "server")
	_, leave = entered(c)
	if n, _ := entered(d); n != 1 {
		t.Errorf("of 3 places for all, 2 of which are taken, a party has %d, want 1", n)
	}
	leave()
}

func TestShares_Always(t *testing.T) {
	shares := gate.NewShares(8, 4, 2)
	shares.Always = true
	if n, leave := entered(shares.Join("server", "server")); n != 2 {
		t.Errorf("one party alone has %d places, want 2", n)
	} else {
		leave()
	}
}

// However many parties one host has, the others have half of the places.
func TestShares_OfManyPartiesOfOneHost(t *testing.T) {
	shares := gate.NewShares(8, 4, 2)
	var hang []*gate.Share
	for range 10 {
		hang = append(hang, shares.Join("hangs", "hangs"))
	}
	taken, ends := 0, []func(){}
	for _, s := range hang {
		n, leave := entered(s)
		taken, ends = taken+n, append(ends, leave)
	}
	if taken != 8 {
		t.Errorf("the parties of one host alone have %d places, want 8", taken)
	}
	for _, leave := range ends {
		leave()
	}
	one, two := shares.Join("works", "works"), shares.Join("works", "works")
	taken, ends = 0, nil
	for _, s := range hang {
		n, leave := entered(s)
		taken, ends = taken+n, append(ends, leave)
	}
	if taken != 4 {
		t.Errorf("ten parties of one of two hosts have %d places, want 4", taken)
	}
	for i, s := range []*gate.Share{one, two} {
		n, leave := entered(s)
		if n != 2 {
			t.Errorf("party %d of the other host has %d places, want 2", i, n)
		}
		ends = append(ends, leave)
	}
	for _, leave := range ends {
		leave()
	}
	one.Leave()
	two.Leave()
	if n, leave := entered(hang[0]); n != 2 {
		t.Errorf("a party has %d places after the other host has left, want 2", n)
	} else {
		leave()
	}
}

// However many hosts hang, each of the others has its reserved places.
func TestShares_OfManyHostsThatHang(t *testing.T) {
	shares := gate.NewShares(8, 4, 2)
	shares.Reserved = 3
	a := shares.Join("the first of all", "the first of all")
	if n, leave := entered(a); n != 8 {
		t.Errorf("one host alone has %d places, want 8", n)
	} else {
		leave()
	}
	taken := 0
	for _, name := range []string{"hangs", "hangs too", "hangs as well", "hangs like those"} {
		for range 4 {
			n, _ := entered(shares.Join(name, name))
			taken += n
		}
	}
	if taken != 8+4*3 {
		t.Errorf("four hosts that hang have %d places, want 8 and three for each", taken)
	}
	one, two := shares.Join("works", "works"), shares.Join("works", "works")
	n, leave := entered(one)
	if n != 2 {
		t.Errorf("a party of another host has %d places, want its two", n)
	}
	m, end := entered(two)
	if m != 1 {
		t.Errorf("the next party of that host has %d places, want the third of the endpoint", m)
	}
	leave()
	end()
	if m, end = entered(two); m != 2 {
		t.Errorf("a party of that host has %d places after they were left, want its two", m)
	}
	end()
}

// A host with an endpoint for each tenant that hangs takes half of the places,
// and what is reserved for its own endpoints. An endpoint there that works has
// its reserved places.
func TestShares_OfOneHostWithManyEndpoints(t *testing.T) {
	shares := gate.NewShares(8, 4, 2)
	shares.Reserved = 1
	other := shares.Join("works", "works")
	taken := 0
	for _, endpoint := range []string{"a", "b", "c", "d", "e", "f"} {
		n, _ := entered(shares.Join("hangs", endpoint))
		taken += n
	}
	if taken != 4+6 {
		t.Errorf("six endpoints of one of two hosts have %d places, want 4 and one for each", taken)
	}
	if n, _ := entered(shares.Join("hangs", "works")); n != 1 {
		t.Errorf("another endpoint of that host has %d places, want the one that is reserved", n)
	}
	if n, _ := entered(other); n != 2 {
		t.Errorf("a party of the other host has %d places, want its two", n)
	}
	if n, _ := entered(shares.Join("works", "works")); n != 2 {
		t.Errorf("the next party of the other host has %d places, want its two", n)
	}
}

// Two endpoints of the only host have reserved places.
func TestShares_OfTwoEndpointsOfOneHost(t *testing.T) {
	shares := gate.NewShares(2, 1, 2)
	shares.Reserved = 1
	for i, s := range []*gate.Share{shares.Join("host", "a"), shares.Join("host", "b")} {
		if n, _ := entered(s); n != 2 {
			t.Errorf("endpoint %d has %d places, want 2", i, n)
		}
	}
}

// Who waits gets a reserved place as soon as one is left.
func TestShares_AReservedPlaceThatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shares := gate.NewShares(2, 2, 2)
		shares.Reserved = 1
		hangs, works := shares.Join("hangs", "hangs"), shares.Join("works", "works")
		_, _ = entered(hangs)
		_, _ = entered(shares.Join("hangs too", "hangs too"))
		leave := works.TryEnter()
		if leave == nil || works.TryEnter() != nil {
			t.Fatal("TryEnter() beside hosts that hang: want the reserved place, and no other")
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
	a, b := shares.Join("server", "server"), shares.Join("server", "server")
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
