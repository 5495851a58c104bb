// Package userstore is the store of a program that runs on the machine of its
// user: a command, a desktop program, an agent. Its records are sealed.
//
// # What it is for
//
// [Open] makes a folder below the folder that the system has for the settings
// of the user, puts a filestore into it, and seals that store. Any number of
// processes of the user may open it at the same time. A program needs no
// settings for that. Package nativeapp opens it by itself. A server has no such
// folder: it seals a store of its own with a key from its environment.
//
// # The key
//
// The key of 32 bytes is made by the first process. It is in the keychain of
// the system, if Options.Keys is one. Package keyring of this repository is.
// Keychains hold little and have no compare-and-swap, so the key is all that is
// kept there. Without a keychain the key is in a file of mode 0600 beside the
// records. That protects a copy of single records and not one of the folder.
// [Folder.Key] says where the key is.
//
// The file "key" in the folder exists in both cases. It says where the key is,
// and by a hash which key it is. The first process that creates it decides. So
// all processes that start for the first time at once use one key, and a key
// that did not seal the records is never used. [Folder.MoveKey] moves the key,
// for a machine that gets a keychain later or is about to lose it. By itself it
// never moves.
//
// # Types
//
// A [Folder] is an open store. A [KeySource] is a keychain.
//
// # Example
//
//	folder, err := userstore.Open(ctx, "notes", nil)
//	defer folder.Close()
//	grants, err := grant.New(client, folder.Store(), nil)
//
// # Concurrency
//
// All types are safe for concurrent use.
//
// # Errors
//
// [ErrKeychain] means that the keychain gives no key now: it is locked, it
// cannot be reached from here, or it does not answer. [ErrKey] means that the
// key is lost, is another one, or may be read by others. The text says what to
// do. No error deletes or replaces anything, and none contains a key. Other
// errors are those of package filestore.
package userstore
