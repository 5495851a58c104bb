package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/authtrip/authtrip/bench/internal/paired"
	"github.com/authtrip/authtrip/bench/internal/peers"
	"github.com/authtrip/authtrip/bench/internal/plot"
)

const (
	tokenLength = 43

	floorToken   = "atomic pointer, both clocks"
	reuseToken   = "x/oauth2 ReuseTokenSource"
	clientToken  = "client-go"
	gcloudToken  = "cloud.google.com/go/auth"
	subjectToken = "authtrip, one subject"
	keeperToken  = "authtrip, subject in the context"
)

var errToken = errors.New("a source returned another token than the cached one")

// reader is a cached token and a way to read it n times.
type reader struct {
	name string
	read func(n int) error
}

// readers returns the caches, all of which hold a token already.
func readers(c *crowd) []reader {
	tok := peers.Token(tokenLength)
	ctx := c.contexts[0] // of subject 0: the first in any order
	gcloud := peers.NewGCloudSource(tok)
	return []reader{
		{floorToken, reads(ctx, peers.NewFloorSource(tok))},
		{reuseToken, reads(ctx, peers.NewReuseSource(tok))},
		{clientToken, reads(ctx, peers.NewClientGoSource(tok))},
		{gcloudToken, func(n int) error {
			for range n {
				if text, err := gcloud.Value(ctx); err != nil || len(text) != tokenLength {
					return firstOf(err, errToken)
				}
			}
			return nil
		}},
		{subjectToken, reads(ctx, c.Keeper.Source(peers.Subject(0)))},
		{keeperToken, reads(ctx, c.Keeper)},
	}
}

func reads(ctx context.Context, src peers.Source) func(n int) error {
	return func(n int) error {
		for range n {
			if tok, err := src.Token(ctx); err != nil || len(tok.AccessToken) != tokenLength {
				return firstOf(err, errToken)
			}
		}
		return nil
	}
}

func (rd reader) contender(goroutines int) paired.Contender {
	return paired.Contender{
		Name: fmt.Sprintf("%s/%d", rd.name, goroutines), Goroutines: goroutines,
		Worker: func() (func(int) error, error) { return rd.read, nil },
	}
}

var tokenGoroutines = []int{1, 100, 10_000}

// tokens is the section on reading a cached token.
func (r *report) tokens() error {
	c, err := r.newCrowd(tokenLength)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // its store is memory
	var tables []fmt.Stringer
	for _, procs := range []int{1, 2} {
		t, err := r.tokenTable(c, procs)
		if err != nil {
			return err
		}
		tables = append(tables, t)
	}
	if err := r.show("tokens", tables...); err != nil {
		return err
	}
	return r.goroutinePlot(c)
}

func (r *report) tokenTable(c *crowd, procs int) (*table, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
	var list []paired.Contender
	for _, rd := range readers(c) {
		for _, g := range tokenGoroutines {
			list = append(list, rd.contender(g))
		}
	}
	o := r.scale.paired
	o.Rounds = max(2, o.Rounds/4) // a batch of 10,000 goroutines is long
	results, err := paired.Measure(o, list...)
	if err != nil {
		return nil, err
	}
	t := &table{title: fmt.Sprintf("**GOMAXPROCS=%d**", procs), head: []string{
		"", "1 goroutine", "÷ floor", "÷ ReuseTokenSource", "100", "÷ ReuseTokenSource", "10,000", "÷ 100 goroutines", "allocations",
	}}
	for _, rd := range readers(c) {
		name := func(g int) string { return rd.contender(g).Name }
		of := func(g int, other string) float64 { return results.Ratio(name(g), fmt.Sprintf("%s/%d", other, g)) }
		_, allocs, err := paired.Memory(rd.contender(1))
		if err != nil {
			return nil, err
		}
		g := tokenGoals(rd.name, procs)
		t.add(rd.name, nanos(results.Nanos(name(1))), ratio(of(1, floorToken), g.floor...), ratio(of(1, reuseToken), g.reuse1...),
			nanos(results.Nanos(name(100))), ratio(of(100, reuseToken), g.reuse100...),
			nanos(results.Nanos(name(10_000))), ratio(results.Ratio(name(10_000), name(100)), g.flat...), whole(allocs))
	}
	return t, nil
}

type tokenGoal struct{ floor, reuse1, reuse100, flat []float64 }

// tokenGoals: ReuseTokenSource gets slower with processors, so that the goal on
// two of them is for many goroutines.
func tokenGoals(name string, procs int) tokenGoal {
	if name != subjectToken {
		return tokenGoal{}
	}
	g := tokenGoal{floor: []float64{1.20}, flat: []float64{1.10}}
	if procs == 1 {
		g.reuse1 = []float64{0.55}
	} else {
		g.reuse100 = []float64{0.16}
	}
	return g
}

// goroutinePlot draws the time of a read against the number of goroutines.
func (r *report) goroutinePlot(c *crowd) error {
	counts := []int{1, 10, 100, 1000, 10_000}
	chart := plot.Chart{
		Title: "Reading a cached token, two processors", X: "goroutines", Y: "ns per read, all goroutines together", LogX: true, LogY: true,
	}
	var list []paired.Contender
	for _, rd := range readers(c) {
		for _, g := range counts {
			list = append(list, rd.contender(g))
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	o := r.scale.paired
	o.Rounds = max(2, o.Rounds/8)
	results, err := paired.Measure(o, list...)
	if err != nil {
		return err
	}
	for _, rd := range readers(c) {
		line := plot.Line{Name: rd.name, Strong: rd.name == subjectToken || rd.name == keeperToken}
		for _, g := range counts {
			line.Points = append(line.Points, plot.Point{X: float64(g), Y: results.Nanos(rd.contender(g).Name)})
		}
		chart.Lines = append(chart.Lines, line)
	}
	return r.draw("goroutines.svg", chart.SVG())
}
