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

// many is how many users authtrip serves where one of them sends all requests.
const many = 100_000

// place is where requests go.
type place struct {
	base, bare         http.RoundTripper
	url                string // of what the tokens are for
	barePath, manyPath string // what is added to the path without a token, and with the token of any subject
}

func inMemory(s target.Shape) place {
	return place{target.Memory{Shape: s}, target.Memory{Shape: s, Bare: true}, peers.Origin, "", ""}
}

// crowd is an engine, its users and their contexts.
type crowd struct {
	*peers.Engine
	users    peers.Users
	contexts []context.Context
}

func newCrowd(u peers.Users) (*crowd, error) {
	e, err := peers.NewEngine(u)
	if err != nil {
		return nil, err
	}
	return &crowd{e, u, u.Contexts()}, nil
}

// newCrowd returns the users of the tables in which one user sends all
// requests.
func (r *report) newCrowd(tokenLength int) (*crowd, error) {
	return newCrowd(peers.Users{Count: r.atMost(many), TokenLength: tokenLength})
}

// atMost returns n, or less at a scale that is for tests.
func (r *report) atMost(n int) int { return min(n, 10*r.largest()) }

// stop closes the engine, if there is one.
func (c *crowd) stop() {
	if c != nil {
		_ = c.Close() // its store is memory
	}
}

// contenders returns the transports of all peers and of authtrip, ready to be
// measured with requests of the shape.
func contenders(s target.Shape, p place, c *crowd, goroutines int) []paired.Contender {
	var list []paired.Contender
	for _, peer := range peers.Transports() {
		base, url := p.base, p.url
		if peer.Name == peers.Base {
			base, url = p.bare, p.url+p.barePath
		}
		rt, err := peer.New(base, peers.Token(s.Token), p.url)
		list = append(list, paired.Contender{Name: peer.Name, Goroutines: goroutines, Worker: func() (func(int) error, error) {
			if err != nil {
				return nil, err
			}
			req, err := s.Request(context.Background(), url)
			return target.Worker(rt, req), err
		}})
	}
	return append(list, authtripContenders(s, p, c, goroutines)...)
}

func authtripContenders(s target.Shape, p place, c *crowd, goroutines int) []paired.Contender {
	one, err1 := c.Transport(p.base, p.url, 0)
	all, err2 := c.Transport(p.base, p.url, -1)
	return []paired.Contender{
		{Name: peers.Authtrip, Goroutines: goroutines, Worker: func() (func(int) error, error) {
			req, err := s.Request(context.Background(), p.url)
			return target.Worker(one, req), firstOf(err1, err)
		}},
		{Name: peers.AuthtripCtx, Goroutines: goroutines, Worker: func() (func(int) error, error) {
			req, err := s.Request(c.contexts[0], p.url+p.manyPath)
			return target.Worker(all, req), firstOf(err2, err)
		}},
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// transports is the section on the transport over a base that costs next to
// nothing.
func (r *report) transports() error {
	var tables []fmt.Stringer
	var c *crowd
	defer func() { c.stop() }()
	for i, s := range target.Shapes {
		if i == 0 || s.Token != target.Shapes[i-1].Token {
			c.stop()
			var err error
			if c, err = r.newCrowd(s.Token); err != nil {
				return err
			}
		}
		t, err := r.transportTable(s, c)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		tables = append(tables, t)
	}
	return r.show("transport", tables...)
}

func (r *report) transportTable(s target.Shape, c *crowd) (*table, error) {
	serial := contenders(s, inMemory(s), c, 1)
	one, err := paired.Measure(r.scale.paired, serial...)
	if err != nil {
		return nil, err
	}
	two, err := paired.Measure(r.scale.paired, contenders(s, inMemory(s), c, runtime.GOMAXPROCS(0))...)
	if err != nil {
		return nil, err
	}
	t := &table{title: "**" + s.Name + "**", head: []string{
		"", "time", "÷ x/oauth2", "÷ floor", "above the base: ÷ x/oauth2", "bytes", "allocations", "parallel", "÷ x/oauth2",
	}}
	var baseBytes, baseAllocs float64
	for _, contender := range serial {
		bytes, allocs, err := paired.Memory(contender)
		if err != nil {
			return nil, err
		}
		name := contender.Name
		if name == peers.Base {
			baseBytes, baseAllocs = bytes, allocs
		}
		toOAuth2, toFloor := transportGoals(s, name)
		t.add(name, nanos(one.Nanos(name)), ratio(one.Ratio(name, peers.XOAuth2), toOAuth2...), ratio(one.Ratio(name, peers.Floor), toFloor...),
			ratio(one.RatioAbove(peers.Base, name, peers.XOAuth2)), over(bytes, baseBytes, name), over(allocs, baseAllocs, name),
			nanos(two.Nanos(name)), ratio(two.Ratio(name, peers.XOAuth2)))
	}
	return t, nil
}

// over prints what a contender costs above the base, or what the base costs.
func over(got, base float64, name string) string {
	if name == peers.Base {
		return whole(got)
	}
	return "+" + whole(got-base)
}

// transportGoals returns the goals of a contender, over x/oauth2 and over the
// floor. Empty means that it has none.
func transportGoals(s target.Shape, name string) (toOAuth2, toFloor []float64) {
	plain := s.Headers == 6
	switch {
	case name == peers.Authtrip && plain && s.Body == 0:
		return []float64{0.50}, []float64{1.10}
	case name == peers.Authtrip && plain:
		return []float64{0.50}, nil
	case name == peers.AuthtripCtx && plain && s.Body == 0:
		return []float64{0.70}, nil
	}
	return nil, nil
}

func (r *report) largest() int { return r.scale.subjects[len(r.scale.subjects)-1] }

// loopback is the section on the transport over a real server.
func (r *report) loopback() error {
	s := target.Shapes[0]
	c, err := r.newCrowd(s.Token)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // its store is memory
	server := target.NewServer(s)
	defer server.Close()
	p := place{server.Transport, server.Transport, server.URL, target.BarePath, target.ManyPath}
	t := &table{title: "**" + s.Name + "**", head: []string{"", "time", "÷ no wrapper", "parallel", "÷ no wrapper"}}
	list := contenders(s, p, c, 1)
	one, err := paired.Measure(r.scale.network, list...)
	if err != nil {
		return err
	}
	two, err := paired.Measure(r.scale.network, contenders(s, p, c, 2*runtime.GOMAXPROCS(0))...)
	if err != nil {
		return err
	}
	for _, contender := range list {
		name := contender.Name
		t.add(name, nanos(one.Nanos(name)), ratio(one.Ratio(name, peers.Base)), nanos(two.Nanos(name)), ratio(two.Ratio(name, peers.Base)))
	}
	return r.show("loopback", t)
}
