// Package seal encrypts values and authenticates them.
//
// # What it is for
//
// Package storage seals its records with it, and package middleware its
// cookies. One ring of keys serves for both, or each has its own. Every process
// of the program needs the same keys, from its environment or from a secret
// manager. A ring in memory is enough for most programs. Use an [Envelope] if
// the key must stay in a key management service.
//
// # Types
//
// [AEAD] is the interface that those packages need: Seal and Open, each with
// associated data. [Keys] implements it with a ring of keys that are held in
// memory. A key management service can implement it too, which is why both
// methods have a context. Put an [Envelope] around such a service: it is then
// asked once for each data key, and not once for each value. [Live] is for keys
// that are replaced while the program runs. [Rotator] is an AEAD that also
// knows which values were sealed with an older key.
//
// Make a ring with [NewKeys], or read one from an environment variable with
// [ParseKeys]. [NewKey] makes a new key.
//
// # Example
//
//	keys, err := seal.ParseKeys(os.Getenv("APP_KEYS")) // openssl rand -base64 32
//	store, err := storage.Sealed(rows, keys)
//	login, err := middleware.New(grants, keys, nil)
//
// # Replacing a key
//
// A key is replaced in four steps, while the program runs everywhere:
//
//  1. Give every process both keys, the old one first.
//  2. Give every process both keys, the new one first.
//  3. Seal all records again with storage.Reseal.
//  4. Remove the old key.
//
// # Concurrency
//
// All types are safe for concurrent use.
//
// # Errors
//
// [ErrUnsealed] means that a value can never be opened. [ErrUnknownKey] and
// [ErrTampered] match it and say why. Any other error of an AEAD means that
// it cannot answer now. No error contains a key or a value.
//
// # Secrets
//
// A Keys holds its keys in a closure. Printing it, or a struct that contains
// it, shows no key.
package seal
