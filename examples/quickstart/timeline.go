package main

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The timeline shows requests between these programs.
const (
	browser    = "browser"
	theApp     = "app"
	theWorker  = "worker"
	authServer = "authorization server"
	api        = "API"
)

const (
	maxRows = 300 // what the page shows; older rows go
	mergeIn = 4   // a call that repeats one of so many rows before is counted there
)

// noAnswer is the status of a request that failed.
const noAnswer = -1

// row is one request, or several that were alike and close together. It holds
// no secret.
type row struct {
	Number       int
	Time         time.Time
	From, To     string
	Method, Path string
	Status       int // 0 while it is under way, noAnswer if it failed
	Note         string
	Count        int
}

func (r *row) like(other *row) bool {
	return r.From == other.From && r.To == other.To && r.Method == other.Method && r.Path == other.Path &&
		r.Status == other.Status && r.Note == other.Note
}

// Class is "good", "bad", or nothing, for the page.
func (r *row) Class() string {
	switch {
	case r.Status >= 400, r.Status == noAnswer:
		return "bad"
	case r.Status >= 200 && r.Status < 300:
		return "good"
	}
	return ""
}

// Outcome is the status in words.
func (r *row) Outcome() string {
	switch r.Status {
	case 0:
		return "…"
	case noAnswer:
		return "failed"
	}
	return strconv.Itoa(r.Status)
}

// Kind is "refresh" for the row that the demo is about.
func (r *row) Kind() string {
	if r.To == authServer && strings.HasPrefix(r.Note, "grant_type=refresh_token") {
		return "refresh"
	}
	return ""
}

// counters is what the rows add up to.
type counters struct{ Calls, Rejected, Refreshes, Logins int }

// timeline keeps what went over the wire, for the page. It is safe for
// concurrent use.
type timeline struct {
	mu       sync.Mutex // guards what follows; never held across I/O
	rows     []*row
	number   int
	counters counters
	changed  chan struct{} // closed and replaced at every change
}

func newTimeline() *timeline { return &timeline{changed: make(chan struct{})} }

// begin adds a row whose answer is still to come; end completes it.
func (t *timeline) begin(r row) *row {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.append(r)
}

func (t *timeline) end(r *row, status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Status = status
	t.tell()
}

// add adds a row that has its answer, or counts it in a like one: two hundred
// calls are one line.
func (t *timeline) add(r row, count counters) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counters.Calls += count.Calls
	t.counters.Rejected += count.Rejected
	t.counters.Refreshes += count.Refreshes
	t.counters.Logins += count.Logins
	for i := 0; i < mergeIn && i < len(t.rows); i++ {
		last := t.rows[len(t.rows)-1-i]
		if last.From == browser {
			break // another click, another story
		}
		if last.like(&r) {
			last.Count++
			t.tell()
			return
		}
	}
	t.append(r)
}

// append numbers and keeps a row. The lock must be held.
func (t *timeline) append(r row) *row {
	t.number++
	r.Number, r.Count = t.number, 1
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	t.rows = append(t.rows, &r)
	if len(t.rows) > maxRows {
		t.rows = slices.Delete(t.rows, 0, len(t.rows)-maxRows)
	}
	t.tell()
	return &r
}

// clear begins a new page: rows, numbers and counters.
func (t *timeline) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows, t.number, t.counters = nil, 0, counters{}
	t.tell()
}

// view returns copies, oldest row first, and a channel that is closed when they
// are out of date.
func (t *timeline) view() (counters, []*row, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := make([]*row, len(t.rows))
	for i, r := range t.rows {
		rows[i] = new(*r)
	}
	return t.counters, rows, t.changed
}

// tell wakes who looks at the timeline. The lock must be held.
func (t *timeline) tell() {
	close(t.changed)
	t.changed = make(chan struct{})
}
