// Package storage keeps small versioned values for the engine that keeps
// grants alive, and for the login middleware. It knows nothing of OAuth: a
// value is a slice of bytes, and compare-and-swap on its version is the only
// synchronisation that it asks of a backend.
//
// # What it is for
//
// A program chooses a store, seals it with [Sealed], and gives it to grant.New.
// All processes that serve the same users need the same store:
//
//   - [Memory]: tests, and grants that may end with the process.
//   - Package filestore: processes of one machine, without a database.
//   - Module sqlitestore: the same, in one file that other tools can copy.
//   - Module postgresstore: processes on several machines.
//   - Module redisstore: the same, where Redis keeps its data on disk.
//   - Package userstore: a program on the machine of its user. It is sealed,
//     and module keyring keeps its key in the keychain of the system.
//
// # Types
//
// [Store] is the interface that a backend implements, with three methods.
// [Lister] and [Watcher] are optional: a Lister names its keys, and a Watcher
// notifies of changes. Memory is a complete store.
//
// [Sealed] returns a Store that encrypts what another store keeps, with the
// keys of package seal. [Reseal] replaces the key of all its records. [Name]
// makes a storage key from a user's name, such that nobody without the store's
// keys can find the user by guessing names. [CheckSealed] tells whether secrets
// may be put into a store, and a [Volatile] store need not be sealed.
// [KeepNames] is for a store that ran without a seal.
//
// # Example
//
//	rows, err := postgresstore.Open(ctx, os.Getenv("DATABASE_URL"),
//		&postgresstore.Options{CreateTable: true})
//	keys, err := seal.ParseKeys(os.Getenv("APP_KEYS"))
//	store, err := storage.Sealed(rows, keys)
//	grants, err := grant.New(client, store, nil)
//
// # A store of your own
//
// Implement [Store], and call [CheckCall] and [CheckValue] first. [NewVersion]
// makes versions where the backend has no counter. Then run the conformance
// suite of package storagetest, which states the whole contract as tests.
//
// # Concurrency
//
// All types are safe for concurrent use by goroutines. Stores on a shared
// backend are safe for concurrent use by processes too.
//
// # Errors
//
// [ErrNotFound], [ErrConflict], [ErrBadKey] and [ErrTooLarge] mean that
// nothing was written. [ErrCorrupt] means that a record is damaged.
// seal.ErrUnsealed means that a sealed record cannot be opened. After any
// other error of Put or Delete the outcome is unknown: read again.
//
// # Secrets
//
// A value may be a secret. A [Record], a Memory and a sealed store show no
// value when they are printed, logged or encoded.
package storage
