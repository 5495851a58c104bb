//go:build linux

package fleet_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"sync"

	"github.com/authtrip/authtrip/tokensource"
)

// work is what a worker does. It obeys orders, each in a goroutine of its own,
// until its input ends. Then it ends as processes do: at once.
func work(text string) error {
	var s setup
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if s.Mass != nil {
		return s.Mass.serve(ctx)
	}
	p := newPoints(say())
	e, err := s.open(ctx, p, func(_ context.Context, ev tokensource.Event) {
		p.say(message{Event: string(ev.Kind), Subject: ev.Subject})
	})
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		go func() {
			m := e.obey(ctx, p, o)
			m.ID = o.ID
			p.say(m)
		}()
	}
	return lines.Err()
}

// say returns a function that writes a message. It may be called concurrently.
func say() func(message) {
	var mu sync.Mutex // guards out
	out := json.NewEncoder(os.Stdout)
	return func(m message) {
		mu.Lock()
		defer mu.Unlock()
		if err := out.Encode(m); err != nil {
			os.Exit(1) // the test has ended
		}
	}
}

func (e *engine) obey(ctx context.Context, p *points, o order) (m message) {
	switch o.Do {
	case "call":
		return e.call(ctx, o.Subject)
	case "arm":
		p.arm(o.Subject, o.Point)
	case "release":
		p.release()
	case "count":
		e.count(ctx, p.say)
	case "close":
		return m.with(e.close())
	default:
		m.Kind, m.Text = otherwise, "no such order: "+o.Do
	}
	return m
}
