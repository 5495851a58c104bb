package jose

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// A KeySet is the public half of the keys of an app ([RFC 7517] section 5). It
// is an http.Handler that serves them, for the jwks_uri of the app, and a
// json.Marshaler, for the jwks in its metadata. [NewKeySet] makes one; the zero
// KeySet is empty. It is safe for concurrent use.
//
// [RFC 7517]: https://www.rfc-editor.org/rfc/rfc7517
type KeySet struct {
	text []byte
}

// NewKeySet returns the set of public keys. Each key is named by its
// [Thumbprint], as [PrivateKeyJWT] names it. To replace a key, serve both for
// as long as a server may keep the set: at least a day.
//
// A private key is refused, as is a key that is too weak to sign, or that is
// there twice.
func NewKeySet(keys ...crypto.PublicKey) (*KeySet, error) {
	var set jose.JSONWebKeySet
	var names []string
	for _, key := range keys {
		if _, err := algorithmsOf(key); err != nil {
			return nil, fmt.Errorf("jose: %w", err)
		}
		name, err := Thumbprint(key)
		if err != nil {
			return nil, err
		}
		if slices.Contains(names, name) {
			return nil, errors.New("jose: a key is in the set twice")
		}
		names = append(names, name)
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key, KeyID: name, Use: "sig"})
	}
	if len(names) == 0 {
		return nil, errors.New("jose: a set needs at least one key")
	}
	text, err := json.Marshal(set)
	if err != nil {
		return nil, errors.New("jose: the keys cannot be written as JSON")
	}
	return &KeySet{text}, nil
}

// MarshalJSON returns the set as JSON.
func (s *KeySet) MarshalJSON() ([]byte, error) { return s.json(), nil }

func (s *KeySet) json() []byte {
	if s == nil || s.text == nil {
		return []byte(`{"keys":[]}`)
	}
	return slices.Clone(s.text)
}

// ServeHTTP answers GET and HEAD with the set. Caches may keep it for an hour.
func (s *KeySet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(s.json()) // the client has left
}
