package readme_test

import (
	"net/http"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/transport"
)

// wrap is how one account of a bot uses an existing http.Client.
func wrap(httpClient *http.Client, client *oauth.Client, store storage.Store) (*grant.Keeper, error) {
	grants, err := grant.New(client, store, nil)
	if err != nil {
		return nil, err
	}
	options := &transport.Options{Base: httpClient.Transport}
	authenticated, err := transport.New(grants.Source("2244994945"), options)
	if err != nil {
		return nil, err
	}
	httpClient.Transport = authenticated
	return grants, nil
}
