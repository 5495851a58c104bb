package mcp_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/auth"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/mcp"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// A command connects to an MCP server with the Go SDK. The browser of the user
// opens when the server demands a login.
func Example() {
	h, err := mcp.New("https://mcp.example/mcp", storage.NewMemory(), &mcp.Options{Name: "My agent"})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	// The client logs in by itself. The field OAuthHandler takes h instead.
	transport := &sdk.StreamableClientTransport{Endpoint: "https://mcp.example/mcp", HTTPClient: h.Client()}
	var _ auth.OAuthHandler = h
	fmt.Println(transport.Endpoint)
	// Output: https://mcp.example/mcp
}

// A web app whose users log in at the authorization server of an MCP server.
func ExampleOpen() {
	var store storage.Store // from storage.Sealed
	var keys seal.AEAD      // from seal.ParseKeys
	serve := func(ctx context.Context, mux *http.ServeMux, page http.Handler) (*http.Client, error) {
		login, err := mcp.Open(ctx, "https://mcp.example/mcp", store, keys, &mcp.Options{
			Name: "My app", RedirectURL: "https://app.example/auth/callback",
		}, nil)
		if err != nil {
			return nil, err
		}
		login.Mount(mux)
		mux.Handle("/tools", login.Require(page))
		return login.Client(), nil // its requests carry the token of the user who is logged in
	}
	_ = serve
}

// A program that acts for itself finds the authorization server, and asks there
// for a token of its own.
func ExampleFind() {
	source := func(ctx context.Context, secret string) (*derived.Source, error) {
		found, err := mcp.Find(ctx, "https://mcp.example/mcp", nil, nil)
		if err != nil {
			return nil, err
		}
		return derived.NewAppSource(found.Provider, derived.AppCredentials{
			ID: "my-agent", Credential: oauth.Secret(secret), Scopes: found.Scopes, Resources: []string{found.Resource},
		}, nil)
	}
	_ = source
}
