package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/authtrip/authtrip/bench/internal/paired"
	"github.com/authtrip/authtrip/bench/internal/peers"
	"github.com/authtrip/authtrip/bench/internal/plot"
	"github.com/authtrip/authtrip/bench/internal/target"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// grown is what was measured at one number of subjects.
type grown struct {
	subjects, active int
	heap             int64 // of the engine with the active subjects, in bytes
	perUser          int64 // of x/oauth2 with all of them
	goroutines       int
	first            time.Duration // the first call after a cold start
	ours, theirs     float64       // ns per request, all active subjects in turn
}

// growth is the section on cost as the number of subjects grows.
func (r *report) growth() error {
	t := &table{title: "**Subjects known to the store, of whom some are active**", head: []string{
		"known", "active", "engine's memory", "per active subject", "x/oauth2, a Transport each", "goroutines", "first call after a cold start",
	}}
	store := storage.NewMemory()
	var all []grown
	known := 0
	for _, n := range r.scale.subjects {
		if err := logIn(store, known, n); err != nil {
			return err
		}
		known = n
		g, err := r.grow(store, n)
		if err != nil {
			return fmt.Errorf("%d subjects: %w", n, err)
		}
		all = append(all, g)
		t.add(thousands(int64(n)), thousands(int64(g.active)), mebibytes(g.heap, goalOf(n == 1_000_000, 64)...),
			whole(float64(g.heap)/float64(g.active))+" B", mebibytes(g.perUser), fmt.Sprint(g.goroutines), nanos(float64(g.first)))
	}
	if err := r.show("growth", t); err != nil {
		return err
	}
	if err := r.draw("memory.svg", memoryPlot(all).SVG()); err != nil {
		return err
	}
	return r.draw("subjects.svg", subjectPlot(all).SVG())
}

// logIn adds subjects to the store, by an engine that is then gone.
func logIn(store storage.Store, from, to int) error {
	e, err := peers.OpenEngine(store, nil)
	if err != nil {
		return err
	}
	defer e.Close() //nolint:errcheck // its store is memory
	return e.LogIn(growing(to), from, to)
}

// growing are the users of this section.
func growing(n int) peers.Users { return peers.Users{Count: n, TokenLength: tokenLength} }

// grow measures a new engine on the store, whose n subjects are all known.
func (r *report) grow(store storage.Store, n int) (grown, error) {
	g := grown{subjects: n, active: min(n, r.scale.active)}
	contexts := make([]context.Context, g.active)
	for i := range contexts {
		contexts[i] = peers.Context(i * (n / g.active)) //nolint:fatcontext // one each, none inside another
	}
	goroutines, before := runtime.NumGoroutine(), heap()
	e, err := peers.OpenEngine(store, &grant.Options{Recheck: time.Hour})
	if err != nil {
		return g, err
	}
	defer e.Close() //nolint:errcheck // its store is memory
	start := time.Now()
	for i, ctx := range contexts {
		if _, err := e.Keeper.Token(ctx); err != nil {
			return g, err
		}
		if i == 0 {
			g.first = time.Since(start)
		}
	}
	g.heap, g.goroutines = heap()-before, runtime.NumGoroutine()-goroutines
	before = heap()
	s := target.Shapes[0]
	perUser := peers.NewPerUser(target.Memory{Shape: s}, growing(n))
	g.perUser = heap() - before
	ours, err := e.Transport(target.Memory{Shape: s}, peers.Origin, -1)
	if err != nil {
		return g, err
	}
	o := r.scale.paired
	o.Rounds = max(2, o.Rounds/4)
	results, err := paired.Measure(o, inTurn("ours", ours, contexts), inTurn("theirs", perUser, contexts))
	g.ours, g.theirs = results.Nanos("ours"), results.Nanos("theirs")
	return g, err
}

// heap returns the bytes in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one's sweep left
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func memoryPlot(all []grown) plot.Chart {
	const mebibyte = 1 << 20
	ours := plot.Line{Name: "authtrip, at most 10,000 active", Strong: true}
	theirs := plot.Line{Name: "x/oauth2, a Transport each"}
	for _, g := range all {
		x := float64(g.subjects)
		ours.Points = append(ours.Points, plot.Point{X: x, Y: max(float64(g.heap), 1024) / mebibyte})
		theirs.Points = append(theirs.Points, plot.Point{X: x, Y: max(float64(g.perUser), 1024) / mebibyte})
	}
	return plot.Chart{
		Title: "Memory as the number of users grows", X: "users known", Y: "MiB, without the store", LogX: true, LogY: true,
		Lines: []plot.Line{theirs, ours},
	}
}

func subjectPlot(all []grown) plot.Chart {
	ours := plot.Line{Name: "authtrip", Strong: true}
	theirs := plot.Line{Name: "x/oauth2, a Transport each"}
	for _, g := range all {
		ours.Points = append(ours.Points, plot.Point{X: float64(g.subjects), Y: g.ours})
		theirs.Points = append(theirs.Points, plot.Point{X: float64(g.subjects), Y: g.theirs})
	}
	return plot.Chart{
		Title: "Request over a base in memory, at most 10,000 users in turn", X: "users known", Y: "ns per request", LogX: true,
		Lines: []plot.Line{theirs, ours},
	}
}
