package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/authtrip/authtrip/storage"
)

const (
	// pingEvery is how long a connection may be silent before Watch asks whether
	// the server is still there, and pingTime how long it may take to answer.
	pingEvery = 15 * time.Second
	pingTime  = 10 * time.Second

	hangUpTime = time.Second
)

// Watch implements storage.Watcher, with LISTEN on a connection of its own. The
// connection is outside the pool and is configured like it. Watch returns when
// ctx ends, the store is closed, or the connection breaks. It notices within
// half a minute if the server does not answer any more, or takes no writes any
// more, so that changes are made at another server. The caller then watches
// again. PgBouncer in transaction mode forwards no notifications, so Watch
// reports no changes there.
//
// A notification is sent after the commit, by a goroutine of the Store that
// made the change, usually within a few milliseconds. It is repeated until the
// server has accepted it. If the process dies between its write and the
// notification, or cannot reach the server until Close, no process is notified
// of that change. A caller that must not miss any change also reads from time
// to time, as package grant does.
func (s *Store) Watch(ctx context.Context, changed func(storage.Change)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.done:
			cancel(errClosed)
		case <-ctx.Done():
		}
	}()
	return explain(ctx, "watch", s.watch(ctx, changed))
}

func (s *Store) watch(ctx context.Context, changed func(storage.Change)) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	turnedReadOnly(conn.PgConn()) // remembers what the server was at first
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{s.channel}.Sanitize()); err != nil {
		return err
	}
	changed(storage.Change{})
	for {
		received, err := s.next(ctx, conn)
		if err != nil {
			return err
		}
		if received != nil {
			notified(received.Payload, changed)
		}
	}
}

// connect returns a connection like those of the pool.
func (s *Store) connect(ctx context.Context) (*pgx.Conn, error) {
	config := s.pool.Config()
	if config.BeforeConnect != nil { // it may set a password that has changed
		if err := config.BeforeConnect(ctx, config.ConnConfig); err != nil {
			return nil, err
		}
	}
	config.ConnConfig.OnNotification = nil // otherwise the caller's function would get the notifications
	return pgx.ConnectConfig(ctx, config.ConnConfig)
}

// errReadOnly ends a Watch of a server that is no primary any more.
var errReadOnly = errors.New("the server takes no writes any more: another one has them")

// next returns the next notification. It returns nil if none has come for a
// while and the server answers.
func (s *Store) next(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	wait, stop := context.WithTimeout(ctx, s.pingEvery)
	defer stop()
	received, err := conn.WaitForNotification(wait)
	if err == nil || wait.Err() == nil || ctx.Err() != nil {
		return received, err
	}
	answer, stop := context.WithTimeout(ctx, s.pingTime)
	defer stop()
	if err := conn.Ping(answer); err != nil {
		return nil, fmt.Errorf("the server does not answer: %w", err)
	}
	if turnedReadOnly(conn.PgConn()) {
		return nil, errReadOnly
	}
	return nil, nil
}

// hangUp ends a connection in good order, and does not wait long for the
// server.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), hangUpTime)
	defer cancel()
	_ = conn.Close(ctx) // closes it in any case
}
