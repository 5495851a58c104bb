//go:build !darwin && !windows && !linux && !freebsd && !netbsd && !openbsd && !dragonfly

package keyring

import (
	"context"
	"errors"
)

func systemAvailable(context.Context) error {
	return errors.New("keyring: this system has no keychain")
}
