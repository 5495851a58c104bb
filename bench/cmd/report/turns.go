package main

import (
	"context"
	"fmt"
	"net/http"
	"runtime"

	"github.com/authtrip/authtrip/bench/internal/paired"
	"github.com/authtrip/authtrip/bench/internal/peers"
	"github.com/authtrip/authtrip/bench/internal/target"
)

// turn is a table of the section on many users.
type turn struct {
	title    string
	users    peers.Users
	zipf     bool      // the user of each request is drawn by Zipf's law; otherwise all take turns
	toOAuth2 []float64 // authtrip's goal
	toFloor  []float64 // authtrip's goal
}

var turns = []turn{
	{title: "100,000 users in turn", users: peers.Users{Count: 100_000}, toOAuth2: []float64{0.50}, toFloor: []float64{1.25}},
	{
		title: "100,000 users in turn, names of 36 bytes", users: peers.Users{Count: 100_000, NameLength: peers.UUIDName},
		toOAuth2: []float64{0.60}, toFloor: []float64{1.25},
	},
	{title: "10,000 users in turn", users: peers.Users{Count: 10_000}, toOAuth2: []float64{0.45}},
	{title: "100,000 users, drawn by Zipf's law", users: peers.Users{Count: 100_000}, zipf: true, toOAuth2: []float64{0.50}, toFloor: []float64{1.25}},
}

// turns is the section on programs whose requests are each another user's.
func (r *report) turns() error {
	var tables []fmt.Stringer
	for _, t := range turns {
		t.users.Count, t.users.TokenLength = r.atMost(t.users.Count), target.Shapes[0].Token
		table, err := r.turnTable(t)
		if err != nil {
			return fmt.Errorf("%s: %w", t.title, err)
		}
		tables = append(tables, table)
	}
	return r.show("turns", tables...)
}

func (r *report) turnTable(t turn) (*table, error) {
	e, err := peers.NewEngine(t.users)
	if err != nil {
		return nil, err
	}
	defer e.Close() //nolint:errcheck // its store is memory
	list, err := t.contenders(e)
	if err != nil {
		return nil, err
	}
	one, err := paired.Measure(r.scale.paired, withGoroutines(list, 1)...)
	if err != nil {
		return nil, err
	}
	two, err := paired.Measure(r.scale.paired, withGoroutines(list, runtime.GOMAXPROCS(0))...)
	if err != nil {
		return nil, err
	}
	out := &table{title: "**" + t.title + "**", head: []string{
		"", "time", "÷ x/oauth2", "÷ floor", "bytes", "allocations", "parallel", "÷ x/oauth2", "÷ floor",
	}}
	var baseBytes, baseAllocs float64
	for _, c := range list {
		bytes, allocs, err := paired.Memory(c)
		if err != nil {
			return nil, err
		}
		if c.Name == peers.Base {
			baseBytes, baseAllocs = bytes, allocs
		}
		var toOAuth2, toFloor []float64
		if c.Name == peers.AuthtripAll {
			toOAuth2, toFloor = t.toOAuth2, t.toFloor
		}
		out.add(c.Name, nanos(one.Nanos(c.Name)), ratio(one.Ratio(c.Name, peers.XOAuth2All), toOAuth2...), ratio(one.Ratio(c.Name, peers.FloorAll), toFloor...),
			over(bytes, baseBytes, c.Name), over(allocs, baseAllocs, c.Name),
			nanos(two.Nanos(c.Name)), ratio(two.Ratio(c.Name, peers.XOAuth2All)), ratio(two.Ratio(c.Name, peers.FloorAll)))
	}
	return out, nil
}

func withGoroutines(list []paired.Contender, n int) []paired.Contender {
	all := make([]paired.Contender, len(list))
	for i, c := range list {
		c.Goroutines = n
		all[i] = c
	}
	return all
}

// contenders returns those that serve all users of e, the bare base first.
func (t turn) contenders(e *peers.Engine) ([]paired.Contender, error) {
	s := target.Shapes[0]
	base := target.Memory{Shape: s}
	ours, err := e.Transport(base, peers.Origin, -1)
	if err != nil {
		return nil, err
	}
	contexts := t.contexts()
	return []paired.Contender{
		inTurn(peers.Base, target.Memory{Shape: s, Bare: true}, contexts),
		inTurn(peers.FloorAll, peers.NewFloorAll(base, t.users), contexts),
		inTurn(peers.XOAuth2All, peers.NewPerUser(base, t.users), contexts),
		inTurn(peers.AuthtripAll, ours, contexts),
	}, nil
}

func (t turn) contexts() []context.Context {
	if t.zipf {
		return t.users.Zipf(4 * t.users.Count)
	}
	return t.users.Contexts()
}

// inTurn is a contender each of whose requests has the next context of a list.
// Each of its goroutines begins elsewhere in the list.
func inTurn(name string, rt http.RoundTripper, contexts []context.Context) paired.Contender {
	started := 0
	return paired.Contender{Name: name, Worker: func() (func(int) error, error) {
		swap := &target.Swap{Context: context.Background()}
		req, err := target.Shapes[0].Request(swap, peers.Origin)
		started++
		return target.Subjects(rt, req, swap, contexts, started*len(contexts)/3), err
	}}
}
