package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/jackc/pgx/v5"
)

var errClosed = fmt.Errorf("the store is closed: %w", fs.ErrClosed)

// call runs one statement, and explains its error. It runs the statement again
// if the server has rolled back its transaction. pgx.ErrNoRows is an answer and
// not an error.
//
// A statement that the server refused with a serialization failure, or as the
// victim of a deadlock, was not applied. It is repeated until it succeeds or
// ctx ends. This happens if the caller's default_transaction_isolation is
// stricter than READ COMMITTED, or if other programs lock rows of the table.
func (s *Store) call(ctx context.Context, op string, statement func() error) error {
	if ctx.Err() != nil {
		return explain(ctx, op, ctx.Err())
	}
	if !s.calls.begin() {
		return explain(ctx, op, errClosed)
	}
	defer s.calls.end()
	for attempt := 0; ; attempt++ {
		err := statement()
		if !takenBack(err) || ctx.Err() != nil {
			return explain(ctx, op, err)
		}
		pause(ctx, nil, attempt)
	}
}

// takenBack reports whether err says that a statement was not applied because
// of others at work, and may be tried again.
func takenBack(err error) bool { return hasCode(err, serializationFailure, deadlockDetected) }

// explain returns the error of a method: the cause of ctx if that has ended.
func explain(ctx context.Context, op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return err
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	return fmt.Errorf("postgresstore: %s: %w", op, err)
}

// calls counts the calls at work, so that Close can wait for them.
type calls struct {
	mu     sync.Mutex // guards all below; never held across I/O
	n      int
	closed bool
	idle   chan struct{} // made by close, and closed by the last call
}

// begin reports whether a call may begin: end must follow.
func (c *calls) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.n++
	return true
}

func (c *calls) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n--
	if c.closed && c.n == 0 {
		close(c.idle)
	}
}

// close lets no more calls begin, and waits for those that have.
func (c *calls) close() {
	c.mu.Lock()
	c.closed = true
	c.idle = make(chan struct{})
	if c.n == 0 {
		close(c.idle)
	}
	c.mu.Unlock()
	<-c.idle
}
