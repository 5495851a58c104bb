package seal_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/authtrip/authtrip/storage/seal"
)

// A value that was sealed for one place does not open at another.
func Example() {
	ctx := context.Background()
	keys, err := seal.NewKeys(seal.NewKey()) // ParseKeys(os.Getenv("APP_KEYS")) in a service
	if err != nil {
		fmt.Println(err)
		return
	}
	sealed, err := keys.Seal(ctx, []byte("secret"), []byte("drawer 1"))
	fmt.Println(err)
	plaintext, err := keys.Open(ctx, sealed, []byte("drawer 1"))
	fmt.Println(string(plaintext), err)
	_, err = keys.Open(ctx, sealed, []byte("drawer 2"))
	fmt.Println(errors.Is(err, seal.ErrTampered))
	// Output:
	// <nil>
	// secret <nil>
	// true
}

// Replace a key: the new key seals, and the old key still opens.
func ExampleKeys_Current() {
	ctx := context.Background()
	oldKey, newKey := seal.NewKey(), seal.NewKey()
	before, _ := seal.NewKeys(oldKey)
	sealed, _ := before.Seal(ctx, []byte("secret"), nil)

	both, _ := seal.NewKeys(newKey, oldKey)
	plaintext, err := both.Open(ctx, sealed, nil)
	fmt.Println(string(plaintext), err)
	fmt.Println("sealed with the new key:", both.Current(sealed))
	// Output:
	// secret <nil>
	// sealed with the new key: false
}
