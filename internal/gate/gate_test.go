package gate_test

import (
	"context"
	"testing"

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
