package moving

import (
	"context"
	"errors"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/transport"
)

// BeforeOAuth2 is a client of golang.org/x/oauth2. A refresh token that the
// server replaces is in its memory only. After a 401 it sends the same token
// again and again, and it sends it to any host that a redirect names.
func BeforeOAuth2(ctx context.Context, config *oauth2.Config, tok *oauth2.Token) *http.Client {
	return config.Client(ctx, tok)
}

// AfterOAuth2 takes over the token that the program had, in the first run, and
// returns a client that works in each further run and in every process. A grant
// that is stored already is newer than the old token, and stays. The caller
// closes the keeper at its end.
func AfterOAuth2(
	ctx context.Context, client *oauth.Client, store storage.Store, user string, old *oauth2.Token,
) (*http.Client, *grant.Keeper, error) {
	grants, err := grant.New(client, store, nil)
	if err != nil {
		return nil, nil, err
	}
	if _, err = grants.Grant(ctx, user); errors.Is(err, tokensource.ErrNoGrant) && old != nil {
		_, err = grants.Save(ctx, user, old)
	}
	if err != nil && !errors.Is(err, tokensource.ErrNoGrant) {
		return nil, nil, errors.Join(err, grants.Close())
	}
	authenticated, err := transport.New(grants.Source(user), nil)
	if err != nil {
		return nil, nil, err
	}
	return &http.Client{Transport: authenticated}, grants, nil
}

// AfterOAuth2Source is what other libraries take that know only
// golang.org/x/oauth2. It knows nothing of a rejected token, so give them an
// http.Client where they take one.
func AfterOAuth2Source(ctx context.Context, grants *grant.Keeper, user string) oauth2.TokenSource {
	return tokensource.ToOAuth2(ctx, grants.Source(user))
}
