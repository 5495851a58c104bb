package moving

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/discovery"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oidc"
)

// BeforeZitadel logs users in with zitadel/oidc. The tokens end with the
// callback, unless the program keeps them and refreshes them by itself.
func BeforeZitadel(mux *http.ServeMux, party rp.RelyingParty) {
	mux.Handle("GET /login", rp.AuthURLHandler(uuid.NewString, party))
	mux.Handle("GET /callback", rp.CodeExchangeHandler(
		func(
			w http.ResponseWriter, _ *http.Request,
			tokens *zitadel.Tokens[*zitadel.IDTokenClaims], _ string, _ rp.RelyingParty,
		) {
			fmt.Fprintln(w, "Hello,", tokens.IDTokenClaims.Name)
		}, party))
}

// AfterZitadel finds the server by its issuer too, verifies ID tokens, keeps
// the grant and makes the session.
func AfterZitadel(ctx context.Context, issuer string, r oauth.Registration, store storage.Store, keys seal.AEAD) (*middleware.Login, *grant.Keeper, error) {
	server, err := discovery.Provider(ctx, issuer, nil)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := oidc.New(server, r.ClientID, nil)
	if err != nil {
		return nil, nil, err
	}
	client, err := oauth.New(server, r, &oauth.Options{IDTokens: tokens})
	if err != nil {
		return nil, nil, err
	}
	grants, err := grant.New(client, store, nil)
	if err != nil {
		return nil, nil, err
	}
	login, err := middleware.New(grants, keys, nil)
	return login, grants, err
}
