package seal_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"sync/atomic"

	"github.com/authtrip/authtrip/storage/seal"
)

// Which key? One that every process of the program reads from its environment
// or from a secret manager, and that is not beside the records. The package
// comment says how to replace it while the program runs.
func ExampleParseKeys() {
	fromEnvironment := base64.StdEncoding.EncodeToString(seal.NewKey()) // os.Getenv("APP_KEYS")
	keys, err := seal.ParseKeys(fromEnvironment)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v\n", keys != nil)

	_, err = seal.ParseKeys("too short")
	fmt.Println(err != nil) // the error names the key by its number and does not show it
	// Output:
	// true
	// true
}

// counted stands for a key management service.
type counted struct {
	*seal.Keys
	calls *atomic.Int64
}

func (s counted) Seal(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	s.calls.Add(1)
	return s.Keys.Seal(ctx, plaintext, associatedData)
}

// A key in a key management service never leaves it. With an Envelope the
// service is asked once for each data key, and not for each record.
func ExampleNewEnvelope() {
	inService, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		log.Fatal(err)
	}
	kms := counted{inService, new(atomic.Int64)}
	envelope, err := seal.NewEnvelope(kms, nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for range 1000 {
		if _, err := envelope.Seal(ctx, []byte("a record"), []byte("its place")); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("calls of the service:", kms.calls.Load())
	// Output: calls of the service: 1
}

// A program that reads its keys again while it runs stores the new ring. From
// then on the new key seals. Before that, every process must have the new key
// behind the old one. Otherwise it could not open what this process seals.
func ExampleLive() {
	var ring atomic.Pointer[seal.Keys]
	keys := seal.Live(ring.Load) // for storage.Sealed and middleware.New
	oldKey, newKey := seal.NewKey(), seal.NewKey()
	before, err := seal.NewKeys(oldKey)
	if err != nil {
		log.Fatal(err)
	}
	ring.Store(before)
	ctx := context.Background()
	sealed, err := keys.Seal(ctx, []byte("secret"), nil)
	if err != nil {
		log.Fatal(err)
	}

	now, err := seal.NewKeys(newKey, oldKey) // when the program notices that its file has changed
	if err != nil {
		log.Fatal(err)
	}
	ring.Store(now)
	plaintext, err := keys.Open(ctx, sealed, nil)
	fmt.Println(string(plaintext), err)

	after, err := seal.NewKeys(newKey) // too early: a record is still sealed with the old key
	if err != nil {
		log.Fatal(err)
	}
	ring.Store(after)
	_, err = keys.Open(ctx, sealed, nil)
	fmt.Println(errors.Is(err, seal.ErrUnknownKey))
	// Output:
	// secret <nil>
	// true
}
