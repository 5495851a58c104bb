package grant

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// checkStore demands an explicit choice before tokens are stored as they are.
// Private keys are never stored so: with one, every stolen token of its grant
// can be used.
func (o *Options) checkStore(client *oauth.Client, store storage.Store) error {
	err := storage.CheckSealed(store)
	switch {
	case err == nil:
		return nil
	case o.InsecurePlainStore && proving.Private(client.Proofs()):
		return fmt.Errorf("grant: %w: the client's Proofs put private keys into the grants, for which Options.InsecurePlainStore is not enough", err)
	case o.InsecurePlainStore:
		return nil
	}
	return fmt.Errorf("grant: %w, or set Options.InsecurePlainStore", err)
}

// checkBound refuses tokens that could not be used, or would be used in a
// weaker way than the client wants (T12).
func (k *Keeper) checkBound(tok *oauth2.Token) error {
	key := proving.KeyOf(tok) != nil
	switch proofs := k.client.Proofs() != nil; {
	case key && !proofs:
		return errors.New("grant: the token is bound to a key, and the Keeper's client has no oauth.Options.Proofs")
	case !key && strings.EqualFold(tok.TokenType, proving.Type):
		return errors.New("grant: the token is bound to a key that it does not carry: pass it on as Exchange returned it")
	case !key && proofs:
		return errors.New("grant: the token is bound to no key, and the Keeper's client has oauth.Options.Proofs")
	}
	return nil
}

// keyOf returns the key that stands in a record, or nil if there is none.
func (k *Keeper) keyOf(stored string) *proving.Key {
	return proving.Named(k.client.Proofs(), stored)
}

// openKey opens the key to which the refresh token is bound, before anything is
// announced. A grant whose key is lost is not renewed, and is not sent as a
// Bearer token instead (RFC 9449 section 5). It stays stored: another process
// may have the key.
func (r *run) openKey(ctx context.Context, stored string) (err error) {
	if r.prover = nil; stored != "" {
		r.prover, err = r.keyOf(stored).Open(ctx, "refresh")
	}
	return err
}
