// Package sqlitestore is a storage.Store in a SQLite file, through
// modernc.org/sqlite. It needs no C compiler and no server.
//
// # What it is for
//
// It is for programs that run on one machine, in one process or in several, and
// that want one file, or have a SQLite database already. Processes on several
// machines need postgresstore or redisstore. Package filestore does the same
// without a module more.
//
// # Types
//
// [Open] opens a file. [New] uses a database of the caller. Both return a
// [Store], which is a storage.Lister. [Options] are those of both. [Schema]
// returns the SQL of the table.
//
// Values are stored as they are. Put storage.Sealed above the store.
//
// # Example
//
//	rows, err := sqlitestore.Open(ctx, "/var/lib/notes/grants.db", nil)
//	store, err := storage.Sealed(rows, keys)
//
// # Concurrency
//
// A Store is safe for concurrent use by goroutines, and by the processes of one
// machine.
//
// # Errors
//
// storage.ErrCorrupt means that SQLite notices damage, or that Put did not
// write the row. After Close, errors wrap fs.ErrClosed.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/authtrip/authtrip/storage"
)

// Options adjusts a [Store]. The zero value is the safe default.
type Options struct {
	// Table is the name of the table: 1 to 63 of [A-Za-z0-9_], no digit first, not
	// beginning with sqlite_. Empty means "authtrip_records".
	Table string

	// CreateTable makes New create the table if it does not exist. Open always
	// does, unless MustExist is set.
	CreateTable bool

	// MustExist makes Open change nothing, and return an error that wraps
	// fs.ErrNotExist if the file or the table does not exist. It is for tools whose
	// user names a file.
	MustExist bool

	// InsecureNoSync makes Open leave out the fsync of every write (PRAGMA
	// synchronous=NORMAL). The database stays undamaged, and writes survive the
	// death of the process. What is lost: after a power failure the last writes may
	// be missing, and with them the newest refresh tokens. Their users must log in
	// again. New refuses this option, because there the caller decides about the
	// pragma.
	InsecureNoSync bool

	// InsecureOtherOwner makes Open accept a file that belongs to neither the user
	// of the process nor root. What is lost: its owner can read and change the
	// records.
	InsecureOtherOwner bool
}

// Store is a storage.Store in one table of a SQLite database. Any number of
// goroutines and processes of one machine may share the database. It is a
// storage.Lister and safe for concurrent use.
//
// Methods wait for the locks of other processes until ctx ends, and no longer.
// On a database that Open opened, a statement that has begun is not
// interrupted. If SQLite notices damage, the error wraps storage.ErrCorrupt.
type Store struct {
	db      *sql.DB
	own     bool   // Open opened it, and Close closes it
	where   string // for errors
	queries queries
	files   []opened      // of a database that Open opened
	opened  []io.Closer   // statements and connections
	lent    int           // handles in writing and reading
	writing chan *handle  // one: goroutines of this process take turns, so that they need not poll
	reading chan *handle  // several: readers do not wait for the writer
	done    chan struct{} // closed by Close
	close   func() error
}

var (
	_ storage.Store  = (*Store)(nil)
	_ storage.Lister = (*Store)(nil)
)

// errClosed is what methods return after Close.
var errClosed = fmt.Errorf("sqlitestore: the store is closed: %w", fs.ErrClosed)

// readers is how many reads run at a time.
const readers = 4

// Open returns the store in the database file at path, which is a file name and
// not a URI. If the file does not exist, Open creates it with mode 0600. The
// directory must exist. Open creates the table too, and switches the database
// to WAL mode permanently. Two more files then lie beside the file. Their names
// end with -wal and -shm. Open refuses a file of another user, unless that user
// is root: run the program as the user of the file. Nil options mean all
// defaults. Call Close at the end.
func Open(ctx context.Context, path string, o *Options) (*Store, error) {
	if o == nil {
		o = new(Options)
	}
	s, err := newStore(o.Table)
	if err != nil {
		return nil, err
	}
	file, err := absolute(path)
	if err != nil {
		return nil, err
	}
	s.where, s.own = file, true
	if o.MustExist {
		err = regular(file)
	} else {
		err = create(file)
	}
	if err == nil {
		err = beside(file)
	}
	if err == nil && !o.InsecureOtherOwner {
		err = trusted(file)
	}
	if err != nil {
		return nil, s.explain(ctx, "open", err)
	}
	if s.db, err = sql.Open("sqlite", dsn(file)); err != nil {
		return nil, s.explain(ctx, "open", err)
	}
	if err := s.open(ctx, o); err != nil {
		err = s.explain(ctx, "open", err) // before Close, which makes the reason disappear
		_ = s.Close()                     // the first error says more
		return nil, err
	}
	return s, nil
}

// New returns the store in a table of db, a database that the caller has opened
// with modernc.org/sqlite. Close does not close db. The table must exist
// (Schema) unless Options.CreateTable is set. Nil options mean all defaults.
//
// Methods take up to five connections at a time from the pool of db. The
// pragmas of db decide how durable a write is, and whether readers and writers
// wait for each other. Set synchronous=FULL and journal_mode=WAL.
func New(ctx context.Context, db *sql.DB, o *Options) (*Store, error) {
	if o == nil {
		o = new(Options)
	}
	if db == nil {
		return nil, errors.New("sqlitestore: no database: open one with sql.Open(\"sqlite\", …), or use Open")
	}
	if o.InsecureNoSync {
		return nil, errors.New("sqlitestore: InsecureNoSync is for Open: set synchronous in the data source name of your database")
	}
	s, err := newStore(o.Table)
	if err != nil {
		return nil, err
	}
	s.db, s.where = db, "the database"
	if err := s.attach(ctx, o.CreateTable); err != nil {
		_ = s.Close() // the first error says more
		return nil, s.explain(ctx, "new", err)
	}
	return s, nil
}

func newStore(table string) (*Store, error) {
	if table == "" {
		table = defaultTable
	}
	if err := checkTable(table); err != nil {
		return nil, err
	}
	s := &Store{
		queries: newQueries(table),
		writing: make(chan *handle, 1),
		reading: make(chan *handle, readers),
		done:    make(chan struct{}),
	}
	s.close = sync.OnceValue(s.shut)
	return s, nil
}

// Close waits for statements that have begun, and closes the database if Open
// opened it. Other methods then return an error that wraps fs.ErrClosed. A
// second Close does nothing and returns the same error.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut() error {
	close(s.done)
	for range s.lent {
		// The handles do not come back. So no call is under way when a statement is
		// closed, and none begins.
		select {
		case <-s.writing:
		case <-s.reading:
		}
	}
	var errs []error
	for _, c := range slices.Backward(s.opened) {
		errs = append(errs, c.Close())
	}
	if s.own {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(errs...)
}
