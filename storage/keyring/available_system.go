//go:build darwin || windows

package keyring

import "context"

// systemAvailable returns nil: the keychain is a part of the system.
func systemAvailable(context.Context) error { return nil }
