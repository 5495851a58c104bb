// Package keyring keeps the key of a userstore in the keychain of the system:
// the Keychain of macOS, the Credential Manager of Windows, or the Secret
// Service of a Linux or BSD desktop, such as that of GNOME or KDE. It is a
// module of its own, on [github.com/zalando/go-keyring].
//
// # What it is for
//
// A command that logs its user in gives [New] to nativeapp.Options.Keys, and a
// program with a store of its own gives it to userstore.Options.Keys. Keychains
// hold little and have no compare-and-swap, so only the key of 32 bytes is kept
// there. The logins are in files that the key seals.
//
// # Where there is no keychain
//
// [Keychain.Available] says whether keys can be kept: not on a machine without
// a desktop, below Windows (WSL), or in a container, unless a Secret Service
// runs there and is unlocked. The key is then in a file. On macOS the keychain
// of a session over ssh is locked. Unlock it first: security unlock-keychain.
//
// # Types
//
// A [Keychain] is a userstore.KeySource.
//
// # Example
//
//	app, err := nativeapp.Open(ctx, "notes", client, &nativeapp.Options{
//		Keys: keyring.New(),
//	})
//
// # Concurrency
//
// A Keychain is safe for concurrent use, also by several processes.
//
// # Errors
//
// Errors are those of the keychain. A key that it does not have is
// fs.ErrNotExist. No error contains a key. A keychain may wait for the user and
// takes no context. So a method can outlive its context; userstore does not
// wait for it.
//
// [github.com/zalando/go-keyring]: https://github.com/zalando/go-keyring
package keyring
