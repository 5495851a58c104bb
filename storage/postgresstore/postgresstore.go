// Package postgresstore is a storage.Store in a table of a PostgreSQL database
// (12 or later). Any number of processes may share it.
//
// # Types
//
// Open makes a pool of its own. New uses a pool of the caller. Both return a
// Store, which is a storage.Lister and a storage.Watcher. Options are the
// options of both. Schema returns the SQL of the table.
//
// Values are stored as they are. Put storage.Sealed above the store.
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

// Options are the rarer choices of Open and New. The zero value is the safe
// default.
type Options struct {
	// Table is the table's name: letters, digits and _, in upper or lower case as
	// it stands, with a schema and a dot before it if need be ("app.records").
	// Without a schema the server looks along its search_path. Empty means
	// "authtrip_records".
	Table string

	// CreateTable creates the table, as Schema says, if it does not exist. It needs
	// the privilege CREATE on the schema for that one time only, and any number of
	// processes may do it at once. Without it, run Schema yourself.
	CreateTable bool

	// Channel is what the changes of the table are told on, with NOTIFY: letters,
	// digits and _. All processes that use the table must name the same one. Empty
	// derives it from Table as that is written: name the table alike everywhere.
	Channel string
}

// Store is a storage.Store in a table. It is a storage.Lister and a
// storage.Watcher, and safe for concurrent use, by goroutines and by processes.
// Values are stored as they are: put storage.Sealed above.
//
// What Put returned is there after a crash of the server, unless it runs with
// fsync or synchronous_commit off. If it fails over to a replica that is not
// synchronous, the last writes may be gone, and a grant with them.
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
func Open(ctx context.Context, url string, o *Options) (*Store, error) {
	config, err := parseURL(url)
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

// New returns the store in the database of pool, which stays the caller's:
// Close leaves it open. Close the store before the pool. Nil options mean all
// defaults.
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
	s := &Store{pool: pool, channel: channel, sql: statementsOf(t), done: make(chan struct{}), calls: new(calls), pingEvery: pingEvery, pingTime: pingTime}
	s.notifier = startNotifier(pool, channel)
	s.close = sync.OnceFunc(func() {
		close(s.done)
		s.calls.close() // first: what they wrote is to be told
		s.notifier.close()
		closePool()
	})
	return s, nil
}

// Close waits for calls that have begun, tells the other processes what they
// have not been told yet, ends every Watch, and closes the pool if Open made
// it. With the server out of reach it gives up telling after a few seconds.
// Other methods then return an error that wraps fs.ErrClosed. Closing again
// does nothing. It returns nil.
func (s *Store) Close() error {
	s.close()
	return nil
}

var (
	_ storage.Store   = (*Store)(nil)
	_ storage.Lister  = (*Store)(nil)
	_ storage.Watcher = (*Store)(nil)
)
