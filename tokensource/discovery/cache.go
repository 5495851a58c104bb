package discovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtrip/authtrip/internal/backchannel"
	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/tokensource"
)

// maxEntries bounds the documents in memory (G10).
const maxEntries = 1024

// Pauses between two attempts to read a document.
const (
	pauseBetween = time.Minute     // while an older one can be used
	pauseWithout = 5 * time.Second // otherwise
)

// A job reads one document.
type job struct {
	key  string // the kind of document, and what it is about
	read func(context.Context) (any, time.Duration, error)
	done func(old, now any) // after a document has replaced another one
}

// An entry is what is known of one document. The mutex of the Client guards it.
type entry struct {
	document any           // the last that could be read; nil for none
	err      error         // of the last attempt
	read     time.Time     // when document was read, by the wall clock
	life     time.Duration // how long document is fresh
	tried    time.Time     // the last attempt, by the wall clock
	busy     chan struct{} // closed at the end of the attempt that is under way; nil for none
}

// wall returns the time without a monotonic reading: a suspended machine must
// not take an old document for a fresh one.
func wall() time.Time { return time.Now().Round(0) }

// since returns how long ago t was. A clock that was set back makes it long
// ago.
func since(t time.Time) time.Duration {
	if d := wall().Sub(t); d >= 0 {
		return d
	}
	return longestAge
}

// current returns the document of a job. One that is fresh comes from memory.
// In the last quarter of its time it is read again in the background.
func current[T any](ctx context.Context, c *Client, j job) (T, error) {
	c.mu.Lock()
	e := c.entries[j.key]
	if c.closed || e == nil {
		c.mu.Unlock()
		return renewed[T](ctx, c, j)
	}
	document, err, age, rested := e.document, e.err, since(e.read), since(e.tried)
	life := e.life
	c.mu.Unlock()
	switch {
	case document == nil && err != nil && rested < pauseWithout:
		var none T
		return none, err
	case document == nil || age >= life && rested >= pauseBetween:
		return renewed[T](ctx, c, j)
	case age >= life*3/4 && rested >= pauseBetween:
		_, _, _ = c.begin(ctx, j) // the older document can be used
	}
	return document.(T), nil
}

// renewed waits for an attempt to read the document, and begins one unless the
// last was less than a minute ago.
func renewed[T any](ctx context.Context, c *Client, j job) (none T, err error) {
	c.mu.Lock()
	if e := c.entries[j.key]; e != nil && e.busy == nil && e.document != nil && since(e.tried) < pauseBetween && !c.closed {
		defer c.mu.Unlock()
		return e.document.(T), nil
	}
	c.mu.Unlock()
	if ctx.Err() != nil {
		return none, flight.GaveUp(ctx)
	}
	e, busy, err := c.begin(ctx, j)
	if err != nil {
		return none, err
	}
	select {
	case <-busy:
	case <-ctx.Done():
		return none, flight.GaveUp(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.document == nil {
		return none, e.err
	}
	return e.document.(T), nil
}

// begin starts an attempt, or joins the one that is under way. It does not
// wait. The attempt continues when ctx ends, because other callers share it. It
// fails after Close, and if too many attempts are under way.
func (c *Client) begin(ctx context.Context, j job) (*entry, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, tokensource.ErrClosed
	}
	e := c.entries[j.key]
	if e == nil {
		if !c.makeRoom() {
			return nil, nil, errCrowded
		}
		e = new(entry)
		c.entries[j.key] = e
	}
	if e.busy == nil {
		e.busy = make(chan struct{})
		shared := backchannel.With(context.WithoutCancel(ctx))
		c.work.Go(func() { c.attempt(shared, j, e) })
	}
	return e, e.busy, nil
}

// attempt reads the document. One that cannot be read replaces nothing.
func (c *Client) attempt(ctx context.Context, j job, e *entry) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.begun, cancel)()
	document, life, err := j.read(ctx)
	if err != nil && c.begun.Err() != nil {
		err = tokensource.ErrClosed
	}
	c.mu.Lock()
	old := e.document
	e.tried, e.err = wall(), err
	if err == nil {
		e.document, e.read, e.life = document, e.tried, min(max(life, shortestAge), c.options.MaxAge)
	}
	c.mu.Unlock()
	if err == nil && old != nil && j.done != nil {
		j.done(old, document)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	close(e.busy)
	e.busy = nil
}

// errCrowded is the error of a document for which there is no room.
var errCrowded = fmt.Errorf("discovery: %d documents are being read at once: %w", maxEntries, tokensource.ErrTemporary)

// makeRoom drops the entry whose last attempt is the oldest if there are too
// many. It reports whether there is room now: an entry whose attempt is under
// way is not dropped, because callers wait for it. It runs under the mutex.
func (c *Client) makeRoom() bool {
	if len(c.entries) < maxEntries {
		return true
	}
	var oldest string
	for key, e := range c.entries {
		if e.busy == nil && (oldest == "" || e.tried.Before(c.entries[oldest].tried)) {
			oldest = key
		}
	}
	delete(c.entries, oldest)
	return oldest != ""
}

// temporary reports whether err may be gone at the next attempt.
func temporary(err error) bool { return errors.Is(err, tokensource.ErrTemporary) }
