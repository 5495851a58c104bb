package main

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// authorization is an authorization server: package oauthtest with what MCP
// wants beside it, metadata (RFC 8414) and registration of clients (RFC 7591).
type authorization struct {
	*oauthtest.Server

	issuer string
}

// serveAuthorization puts the server on mux. Its tokens are for one resource.
func serveAuthorization(mux *http.ServeMux, issuer, resource string) (*authorization, error) {
	fake, err := oauthtest.NewServer(&oauthtest.Options{
		Provider: &provider.Provider{
			Name: "example", Issuer: issuer, IssuerRequired: true, InsecureLoopback: true,
			AuthorizationURL: issuer + "/authorize", TokenURL: issuer + "/token",
			Scopes: []string{scope, "offline_access"}, RefreshScope: "offline_access", ExpiresIn: time.Hour,
		},
		Apps:      []oauthtest.App{}, // they register
		Resources: []string{resource}, RequireResource: true, RequirePKCE: true,
		OnRequest: func(r oauthtest.Request) {
			if r.Op == "token" && r.Status == http.StatusOK {
				say("authorization server", "issues tokens for the grant type "+r.GrantType)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	fake.Set(func(k *oauthtest.Knobs) { k.Authorize.AnyLoopbackPort = true })
	a := &authorization{fake, issuer}
	mux.Handle("/", fake)
	mux.HandleFunc("/.well-known/oauth-authorization-server", a.metadata)
	mux.HandleFunc("POST /register", a.register)
	return a, nil
}

// metadata tells where the endpoints are.
func (a *authorization) metadata(w http.ResponseWriter, _ *http.Request) {
	say("authorization server", "its metadata name the endpoints")
	reply(w, http.StatusOK, map[string]any{
		"issuer": a.issuer, "authorization_endpoint": a.issuer + "/authorize",
		"token_endpoint": a.issuer + "/token", "registration_endpoint": a.issuer + "/register",
		"scopes_supported": []string{scope, "offline_access"}, "response_types_supported": []string{"code"},
		"code_challenge_methods_supported":               []string{"S256"},
		"token_endpoint_auth_methods_supported":          []string{"none"},
		"authorization_response_iss_parameter_supported": true,
	})
}

// register adds a public client.
func (a *authorization) register(w http.ResponseWriter, r *http.Request) {
	var client struct {
		Name         string   `json:"client_name"`
		RedirectURLs []string `json:"redirect_uris"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&client)
	if err == nil {
		err = a.Register(oauthtest.App{ClientID: "client-1", Name: client.Name, RedirectURLs: client.RedirectURLs})
	}
	if err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_client_metadata"})
		return
	}
	say("authorization server", "registers the client "+client.Name)
	reply(w, http.StatusCreated, map[string]any{
		"client_id": "client-1", "redirect_uris": client.RedirectURLs, "token_endpoint_auth_method": "none",
	})
}

// verify is how the MCP server checks a token. Here it looks into the books. A
// server of your own verifies a signature, or asks (RFC 7662).
func (a *authorization) verify(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
	t := a.Token(token)
	if t.Kind != "access_token" || t.Dead != "" {
		say("MCP server", "401, the token is not good")
		return nil, auth.ErrInvalidToken
	}
	return &auth.TokenInfo{UserID: t.User.ID, Scopes: t.Scopes, Expiration: t.Expires}, nil
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have left
}
