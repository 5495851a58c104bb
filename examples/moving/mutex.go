package moving

import (
	"context"
	"sync"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/grant"
)

// Tokens is where a program keeps the token of an account, such as a row of its
// database.
type Tokens interface {
	Load(ctx context.Context) (*oauth2.Token, error)
	Save(ctx context.Context, tok *oauth2.Token) error
}

// BeforeMutex refreshes the token of an account under a mutex. Within one
// process that is one refresh at a time. But a second process redeems the same
// refresh token, and a server that rotates takes that for theft. A process that
// dies after the refresh loses the only good token. And a caller that waits for
// the mutex cannot leave.
type BeforeMutex struct {
	Config *oauth2.Config
	Tokens Tokens

	mu sync.Mutex
}

// Token returns a valid token.
func (b *BeforeMutex) Token(ctx context.Context) (*oauth2.Token, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	tok, err := b.Tokens.Load(ctx)
	if err != nil || tok.Valid() {
		return tok, err
	}
	if tok, err = b.Config.TokenSource(ctx, tok).Token(); err != nil {
		return nil, err
	}
	return tok, b.Tokens.Save(ctx, tok)
}

// AfterMutex is the same account. A process announces in the store that it will
// redeem the refresh token, and others wait for the outcome.
func AfterMutex(grants *grant.Keeper, account string) *grant.Source {
	return grants.Source(account)
}
