// Package postgresstore is a storage.Store in a table of a PostgreSQL database
// (12 or later). Any number of processes may share it.
//
// # What it is for
//
// It is for programs with several processes, on any number of machines. On one
// machine without a database, use filestore or sqlitestore.
//
// # Types
//
// [Open] makes a pool of its own. [New] uses a pool of the caller. Both return
// a [Store], which is a storage.Lister and a storage.Watcher. [Options] are
// those of both. [Schema] returns the SQL of the table.
//
// Values are stored as they are. Put storage.Sealed above the store.
//
// # Example
//
//	rows, err := postgresstore.Open(ctx, os.Getenv("DATABASE_URL"),
//		&postgresstore.Options{CreateTable: true})
//	store, err := storage.Sealed(rows, keys)
//
// # Transactions
//
// Every write is one statement that commits by itself. No transaction stays
// open, so the store also works through PgBouncer. Processes are notified of
// changes with NOTIFY. [Store.Watch] says what that promises.
//
// # Concurrency
//
// A Store is safe for concurrent use by goroutines and by processes.
//
// # Errors
//
// After Close, errors wrap fs.ErrClosed. No error shows a password.
package postgresstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtrip/authtrip/storage"
)

// Options adjusts a [Store]. The zero value is the safe default.
type Options struct {
	// Table is the name of the table: letters, digits and _, where upper and lower
	// case differ. A schema and a dot may stand before it ("app.records"). Without
	// a schema the server searches its search_path. Empty means "authtrip_records".
	Table string

	// CreateTable creates the table of Schema if it does not exist. It needs the
	// privilege CREATE on the schema only when the table is missing. Any number of
	// processes may do it at once. Without it, run the SQL of Schema yourself.
	CreateTable bool

	// Channel is the channel on which changes of the table are notified (NOTIFY):
	// letters, digits and _. All processes that use the table must use the same
	// channel. Empty derives it from the text of Table, so write Table in the same
	// way everywhere.
	Channel string
}

// Store is a storage.Store in a table. It is a storage.Lister and a
// storage.Watcher, and safe for concurrent use by goroutines and by processes.
// Values are stored as they are: put storage.Sealed above.
//
// A write that Put has confirmed survives a crash of the server, unless fsync
// or synchronous_commit is off. After a failover to a replica that is not
// synchronous, the last writes may be lost, and a grant with them.
type Store struct {
	pool     *pgxpool.Pool
	channel  string
	sql      statements
	notifier *notifier
	calls    *calls        // a pointer, because printing a Store reads its fields
	done     chan struct{} // closed when Close begins
	close    func()

	pingEvery, pingTime time.Duration // of Watch
}

// Open returns the store in the database at url
// ("postgres://user:password@host:5432/database"), with a pool of connections
// of its own. The URL may set the pool's size and more: see
// pgxpool.ParseConfig. Nil options mean all defaults. Call Close at the end. No
// error shows the password.
//
// Connections use TLS, with a certificate that names the host, unless the URL
// says otherwise: sslmode=require accepts any certificate, and sslmode=disable
// uses no TLS. What is lost then: somebody between the two can pretend to be
// the server, or read the password and all records. Without an sslmode, a host
// of this machine may have any certificate, and needs no TLS if there is no
// password. sslmode=prefer and sslmode=allow mean the same as none.
//
// If the URL names several hosts, the store uses the one that takes writes.
// When another host takes over, the pool drops its connections to the old one,
// and reads are repeated, as are writes that the old host refused.
func Open(ctx context.Context, url string, o *Options) (*Store, error) {
	config, err := configOf(url)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, explain(ctx, "open", err)
	}
	s, err := open(ctx, pool, o, pool.Close)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

// New returns the store in the database of pool. Close does not close the pool.
// Close the store before the pool. Nil options mean all defaults. The error
// says what to do if the table does not exist or has other columns, or if the
// server cannot be reached.
//
// The pool decides whether connections use TLS. The store calls its Reset
// method when a server shuts down or takes no writes any more. Reset does not
// disturb connections that are in use.
func New(ctx context.Context, pool *pgxpool.Pool, o *Options) (*Store, error) {
	if pool == nil {
		return nil, errors.New("postgresstore: no pool: make one with pgxpool.New, or use Open")
	}
	return open(ctx, pool, o, func() {})
}

func open(ctx context.Context, pool *pgxpool.Pool, o *Options, closePool func()) (*Store, error) {
	if o == nil {
		o = new(Options)
	}
	t, err := parseTable(o.Table)
	if err != nil {
		return nil, err
	}
	channel, err := channelOf(o.Channel, t)
	if err != nil {
		return nil, err
	}
	if err := ready(ctx, pool, t, o.CreateTable); err != nil {
		return nil, explain(ctx, "open", err)
	}
	s := &Store{pool: pool, channel: channel, sql: statementsOf(t, pool.Config().ConnConfig.DefaultQueryExecMode), done: make(chan struct{}), calls: new(calls), pingEvery: pingEvery, pingTime: pingTime}
	s.notifier = startNotifier(pool, channel)
	s.close = sync.OnceFunc(func() {
		close(s.done)
		s.calls.close() // first, because their writes need notifications
		s.notifier.close()
		closePool()
	})
	return s, nil
}

// Close waits for calls that have begun, and sends the notifications that are
// still due. It ends every Watch, and closes the pool if Open made it. If the
// server cannot be reached, it stops sending after a few seconds. Other methods
// then return an error that wraps fs.ErrClosed. A second Close does nothing.
// Close returns nil.
func (s *Store) Close() error {
	s.close()
	return nil
}

var (
	_ storage.Store   = (*Store)(nil)
	_ storage.Lister  = (*Store)(nil)
	_ storage.Watcher = (*Store)(nil)
)
