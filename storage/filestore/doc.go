// Package filestore is a storage.Store in a directory of a local disk. It
// needs no server, and several processes of one machine may share it.
//
// # What it is for
//
// It is for programs of one machine that have no database. Processes on several
// machines need postgresstore or redisstore: file locks on a network file
// system are often not what they promise. For a command of one user, package
// userstore opens such a store and seals it.
//
// # Types
//
// [Open] returns a [Store]. [Options] are its options. A Store is a
// storage.Lister. On Linux it is also a storage.Watcher.
//
// # Example
//
//	files, err := filestore.Open("/var/lib/notes/grants", nil)
//	keys, err := seal.ParseKeys(os.Getenv("APP_KEYS"))
//	store, err := storage.Sealed(files, keys)
//
// # The directory
//
// Each record is a file whose name is "k-" and the key in base32. A file has a
// header with a format, the version of the record, the length of the value and
// a checksum. A write goes to a temporary file, which then replaces the old
// file: a reader sees the old record or the new one. The 32 files "lock-00" to
// "lock-1f" are the locks for writers. Exclude the directory from cleaners. If
// a lock file is deleted nevertheless, the store notices before the next write,
// and a write that was under way ends with an error.
//
// If the directory is renamed, deleted or replaced, every method returns an
// error that wraps fs.ErrNotExist, until the store is opened again. If a name
// of the store belongs to something else than a file, such as a pipe, the error
// wraps storage.ErrCorrupt.
//
// Values are stored as they are. Put storage.Sealed above the store.
//
// # Concurrency
//
// A Store is safe for concurrent use by goroutines. Any number of Stores, in
// any number of processes, may share a directory. A network file system needs
// working file locks. Reads take no lock.
//
// # Errors
//
// Errors name the directory, and say what to do if that is known. They wrap
// the error of the operating system. storage.ErrCorrupt means that a file is
// damaged: the store neither overwrites nor deletes it. After Close, errors
// wrap fs.ErrClosed.
package filestore
