package postgresstore

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
)

// call runs one statement on a connection of the pool, and explains its error.
// It runs the statement again if that is safe and may help. pgx.ErrNoRows is an
// answer and not an error.
//
// A statement that the server refused with a serialization failure, or as the
// victim of a deadlock, was not applied. It is repeated until it succeeds or
// ctx ends. This happens if the caller's default_transaction_isolation is
// stricter than READ COMMITTED, or if other programs lock rows of the table.
//
// If the server of the connection takes no writes any more, or has ended the
// connection, the pool drops all its connections, and the statement is repeated
// once on a new one. A write is not repeated if it may have been applied.
func (s *Store) call(ctx context.Context, op string, statement func(*pgx.Conn) error) error {
	if ctx.Err() != nil {
		return explain(ctx, op, ctx.Err())
	}
	if !s.calls.begin() {
		return explain(ctx, op, errClosed)
	}
	defer s.calls.end()
	moved := false
	for attempt := 0; ; attempt++ {
		next, err := s.attempt(ctx, op, statement)
		switch {
		case ctx.Err() != nil:
			return explain(ctx, op, err)
		case next == onAnother && !moved:
			moved = true
		case next == again:
			pause(ctx, nil, attempt)
		default:
			return explain(ctx, op, err)
		}
	}
}

// verdict says what follows an attempt.
type verdict int

const (
	done      verdict = iota
	again             // the same statement may succeed
	onAnother         // the same statement may succeed on a new connection
)

// attempt runs a statement once.
func (s *Store) attempt(ctx context.Context, op string, statement func(*pgx.Conn) error) (verdict, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return done, err
	}
	defer conn.Release()
	turnedReadOnly(conn.Conn().PgConn()) // remembers what the server was at first
	err = statement(conn.Conn())
	reads := op == opGet || op == opList
	broken := err != nil && ctx.Err() == nil && conn.Conn().IsClosed()
	moved := broken || isMoved(err) || turnedReadOnly(conn.Conn().PgConn())
	if moved {
		s.pool.Reset() // closes this connection too, when it is released
	}
	switch {
	case takenBack(err):
		return again, err
	case moved && reads, err != nil && isUnapplied(err):
		return onAnother, err
	}
	return done, err
}

// The operations, for errors. Those that only read may always be repeated.
const (
	opGet    = "get"
	opPut    = "put"
	opDelete = "delete"
	opList   = "list"
)

// takenBack reports whether err says that a statement was not applied because
// of other transactions, and may be tried again.
func takenBack(err error) bool { return hasCode(err, serializationFailure, deadlockDetected) }

// calls counts the calls under way, so that Close can wait for them.
type calls struct {
	mu     sync.Mutex // guards all below; never held across I/O
	n      int
	closed bool
	idle   chan struct{} // made by close, and closed by the last call
}

// begin counts a call, and reports whether it may begin. If so, the caller must
// call end.
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

// close lets no more calls begin, and waits for those under way.
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
