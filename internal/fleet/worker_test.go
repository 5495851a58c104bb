//go:build unix

package fleet_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// order is a line on a worker's standard input.
type order struct {
	ID      int
	Do      string        // "call", "arm", "release", "load", "close"
	Subject string        `json:",omitzero"`
	Point   string        `json:",omitzero"` // with arm
	How     string        `json:",omitzero"` // with arm
	Time    time.Duration `json:",omitzero"` // with load
	Users   []string      `json:",omitzero"` // with load
}

// message is a line on a worker's standard output: the answer to an order, or news.
type message struct {
	ID int `json:",omitzero"` // of the order; zero with news

	At      string `json:",omitzero"` // news: a point was reached
	Event   string `json:",omitzero"` // news: an event of the engine
	Subject string `json:",omitzero"` // whom the news is about

	Took     time.Duration      `json:",omitzero"` // by a call
	Status   int                `json:",omitzero"` // of its last response
	Rejected int                `json:",omitzero"` // responses with status 401
	Kind     string             `json:",omitzero"` // of its error; empty if there was none
	Reason   tokensource.Reason `json:",omitzero"`
	Text     string             `json:",omitzero"`
	Tally    tally              `json:",omitzero"` // of a load
}

// What became of a call, in message.Kind.
const (
	worked      = ""
	reauthorize = "reauthorize"
	temporary   = "temporary"
	otherwise   = "otherwise"
)

func (m *message) fail(err error) {
	switch {
	case err == nil && m.Status != 200 && m.Status != 0:
		m.Kind, m.Text = otherwise, fmt.Sprint("HTTP ", m.Status)
	case err == nil:
		return
	case errors.Is(err, tokensource.ErrReauthorize):
		m.Kind = reauthorize
	case errors.Is(err, tokensource.ErrTemporary):
		m.Kind = temporary
	default:
		m.Kind = otherwise
	}
	if e, ok := errors.AsType[*tokensource.Error](err); ok {
		m.Reason = e.Reason
	}
	if err != nil {
		m.Text = err.Error()
	}
}

// tally counts the calls of a load.
type tally struct {
	Calls, Failed, Temporary, Reauthorize int
	Renewed                               int    // calls that met a 401 and then worked
	Again                                 int    // calls that met more than one
	First                                 string // text of the first failure, leaving out temporary ones if there are others
}

func (t *tally) add(m message) {
	t.Calls++
	switch m.Kind {
	case worked:
		if m.Rejected > 0 {
			t.Renewed++
		}
	case temporary:
		t.Temporary++
	case reauthorize:
		t.Reauthorize++
	}
	if m.Rejected > 1 {
		t.Again++
	}
	if m.Kind != worked {
		t.Failed++
		if t.First == "" || m.Kind != temporary {
			t.First = m.Kind + ": " + m.Text
		}
	}
}

func (t *tally) join(more tally) {
	t.Calls += more.Calls
	t.Failed += more.Failed
	t.Temporary += more.Temporary
	t.Reauthorize += more.Reauthorize
	t.Renewed += more.Renewed
	t.Again += more.Again
	if t.First == "" {
		t.First = more.First
	}
}

// String leaves out the failure's text if there is none.
func (t *tally) String() string {
	s := fmt.Sprintf("%d calls, %d failed (%d temporary, %d reauthorize), %d renewed after a 401, %d met a second 401",
		t.Calls, t.Failed, t.Temporary, t.Reauthorize, t.Renewed, t.Again)
	if t.First != "" {
		s += ", first failure: " + t.First
	}
	return s
}

// work is what a worker does: it obeys orders, each in a goroutine of its own, until its input ends. Then it ends as
// processes do, at once.
func work(text string) error {
	var s setup
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	var mu sync.Mutex // guards out
	out := json.NewEncoder(os.Stdout)
	say := func(m message) {
		mu.Lock()
		defer mu.Unlock()
		if err := out.Encode(m); err != nil {
			os.Exit(1) // nobody listens any more
		}
	}
	p := newPoints(say)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e, err := s.open(ctx, p, func(ev grant.Event) {
		say(message{Event: string(ev.Kind), Subject: ev.Subject})
	})
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		go func() {
			m := e.obey(ctx, p, o)
			m.ID = o.ID
			say(m)
		}()
	}
	return lines.Err()
}

func (e *engine) obey(ctx context.Context, p *points, o order) (m message) {
	switch o.Do {
	case "call":
		m = e.call(ctx, o.Subject)
	case "arm":
		p.arm(o.Subject, o.Point, o.How)
	case "release":
		p.release()
	case "load":
		m.Tally = e.load(ctx, o.Users, o.Time)
	case "close":
		m.fail(e.close())
	default:
		m.Text = "no such order: " + o.Do
	}
	return m
}

// load makes calls for random users for a while: four at a time, and a hundred per second each at most.
func (e *engine) load(ctx context.Context, users []string, d time.Duration) (sum tally) {
	const callers, pause = 4, 10 * time.Millisecond
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	end := time.Now().Add(d)
	var mu sync.Mutex // guards sum
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			ticker := time.NewTicker(pause)
			defer ticker.Stop()
			for time.Now().Before(end) {
				m := e.call(ctx, users[rand.IntN(len(users))])
				mu.Lock()
				sum.add(m)
				mu.Unlock()
				<-ticker.C
			}
		})
	}
	wg.Wait()
	return sum
}
