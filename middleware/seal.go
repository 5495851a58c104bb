package middleware

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// The purposes of sealed values: a value that was sealed for one is nothing to
// another.
const (
	forFlow       = "flow"
	forSession    = "session"
	forLogout     = "logout"
	forDisconnect = "disconnect"
	forKept       = "login"
	forHint       = "hint"
)

// errNotSealed means that a value was not sealed by this Login for this purpose
// and name, or not by keys that still open.
var errNotSealed = errors.New("middleware: not a value that this login sealed")

// seal returns v, encrypted, as text for a cookie of the given name.
func (l *login) seal(ctx context.Context, purpose, name string, v any) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	sealed, err := l.keys.Seal(ctx, plain, l.binding(purpose, name))
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// open reads what seal returned into v.
func (l *login) open(ctx context.Context, purpose, name, text string, v any) error {
	if text == "" || len(text) > 2*maxCookie {
		return errNotSealed
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return errNotSealed
	}
	plain, err := l.keys.Open(ctx, sealed, l.binding(purpose, name))
	if err != nil {
		return err
	}
	if json.Unmarshal(plain, v) != nil {
		return errNotSealed // written by another version
	}
	return nil
}

// binding is the associated data: a sealed value cannot be moved to another
// cookie, purpose, authorization server, client or deployment of it.
func (l *login) binding(purpose, name string) []byte {
	return []byte(strings.Join([]string{
		"authtrip/middleware/2", purpose, name, l.client.Provider().Authority(), l.client.ClientID(), l.site.path,
	}, "\x00"))
}
