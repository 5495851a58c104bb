package transport_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// newKeeper returns a Keeper of a provider at host, with one user logged in
// whose token is the name of the host.
func newKeeper(t *testing.T, store storage.Store, host, user string) *grant.Keeper {
	t.Helper()
	p := &provider.Provider{
		Name: "same", AuthorizationURL: "https://login." + host + "/authorize", TokenURL: "https://login." + host + "/token",
		APIOrigins: []string{"https://api." + host},
	}
	client, err := oauth.New(p, oauth.Registration{ClientID: "same", RedirectURL: "https://app.example/callback"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := grant.New(client, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := keeper.Close(); err != nil {
			t.Error(err)
		}
	})
	tok := &oauth2.Token{AccessToken: host, RefreshToken: "r", TokenType: "Bearer", Expiry: time.Now().Add(2 * time.Hour)}
	if _, err := keeper.Save(t.Context(), user, tok); err != nil {
		t.Fatal(err)
	}
	return keeper
}

// Two logins through one client, with Transports that are stacked in either
// order: each call is made as the user of its own login. A page behind one
// login alone that calls the API of the other gets no token, and an error,
// although a user of the other login has the same identifier (M8).
func TestTwoLoginsThroughOneClient(t *testing.T) {
	store := storage.NewMemory()
	x, acme := newKeeper(t, store, "x.example", "42"), newKeeper(t, store, "acme.example", "42")
	both := acme.WithSubject(x.WithSubject(t.Context(), "42"), "42")
	tests := []struct {
		name   string
		ctx    context.Context
		atX    error
		atAcme error
	}{
		{"behind both logins", both, nil, nil},
		{"behind both logins, the other way round", x.WithSubject(acme.WithSubject(t.Context(), "42"), "42"), nil, nil},
		{"behind x", x.WithSubject(t.Context(), "42"), nil, tokensource.ErrNoSubject},
		{"behind acme", acme.WithSubject(t.Context(), "42"), tokensource.ErrNoSubject, nil},
		{"behind acme as a user who is unknown at x", acme.WithSubject(x.WithSubject(t.Context(), "43"), "42"), tokensource.ErrNoGrant, nil},
		{"behind both, logged out at x since", x.WithSubject(both, ""), tokensource.ErrNoSubject, nil},
		{"behind none", t.Context(), tokensource.ErrNoSubject, tokensource.ErrNoSubject},
	}
	for _, tt := range tests {
		for _, outer := range []*grant.Keeper{x, acme} {
			inner := map[*grant.Keeper]*grant.Keeper{x: acme, acme: x}[outer]
			h, base := &hook{}, &script{answers: []answer{ok200}}
			rt := newTransport(t, outer, newTransport(t, inner, base, transport.Options{OnEvent: h.on}), transport.Options{OnEvent: h.on})
			for _, call := range []struct {
				host string
				want error
			}{{"x.example", tt.atX}, {"acme.example", tt.atAcme}} {
				base.sent, h.events = nil, nil
				req := newRequest(t, http.MethodGet, "https://api."+call.host+"/me", nil).WithContext(tt.ctx)
				resp, err := rt.RoundTrip(req)
				if err == nil {
					resp.Body.Close()
				}
				if !errors.Is(err, call.want) {
					t.Errorf("%s: a call to %s = %v, want %v", tt.name, call.host, err, call.want)
				}
				wantAuths, wantEvents := "Bearer "+call.host, ""
				if call.want != nil {
					wantAuths, wantEvents = "", "https://api."+call.host
				}
				if base.auths() != wantAuths || h.origins() != wantEvents {
					t.Errorf("%s: a call to %s was sent with %q and reported %q, want %q and %q", tt.name, call.host, base.auths(), h.origins(), wantAuths, wantEvents)
				}
			}
		}
	}
}
