// Package storage keeps small versioned values for the engine that keeps
// grants alive, and for the login middleware. It knows nothing of OAuth: a
// value is a slice of bytes, and compare-and-swap on its version is the only
// synchronisation that it asks of a backend.
//
// # Types
//
// [Store] is the interface that a backend implements, with three methods.
// [Lister] and [Watcher] are optional: a Lister names its keys, and a Watcher
// notifies of changes. [Memory] is a complete store. So are package filestore
// and the modules sqlitestore, postgresstore and redisstore. Package userstore
// is a sealed store in the folder of a user, and the module keyring keeps its
// key in the keychain of the system.
//
// [Sealed] returns a Store that encrypts what another store keeps, with the
// keys of package seal. [Reseal] replaces the key of all its records. [Name]
// makes a storage key from a user's name, such that nobody without the store's
// keys can find the user by guessing names. [CheckSealed] tells whether secrets
// may be put into a store, and a [Volatile] store need not be sealed.
// [KeepNames] is for a store that ran without a seal.
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
