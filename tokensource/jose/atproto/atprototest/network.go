// Package atprototest plays servers of the AT Protocol in tests: the directory
// of DIDs, name servers, servers that host accounts, and their authorization
// servers.
//
// # What it is for
//
// In the AT Protocol each user can be on another server. A test needs many
// servers at once, and accounts that lead to them, rightly or wrongly.
//
// # Types
//
// A [Network] is all these servers. Its methods say what they answer. Each
// authorization server is an oauthtest.Server that demands proofs of
// possession with nonces.
//
// # Example
//
//	net := atprototest.New(t)
//	user := oauthtest.User{ID: did, Username: "alice"}
//	net.Serve("entryway.test", []string{"pds.test"}, user)
//	net.Account(did, "alice.test", "https://pds.test")
//	resolver, err := identity.NewResolver(&identity.Options{
//		HTTPClient: &http.Client{Transport: net}, DNS: net,
//	})
//
// # Concurrency
//
// A Network is safe for concurrent use.
//
// # Errors
//
// What cannot be set up ends the test. A request to a server that is not there
// is answered with 404.
package atprototest

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/tokensource/jose/josetest"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A Network is the servers of one test. [New] makes one. It is safe for
// concurrent use.
type Network struct {
	t    testing.TB
	apps []oauthtest.App

	mu      sync.Mutex // guards what follows; never held across a request
	pages   map[string]string
	records map[string][]string
	servers map[string]*oauthtest.Server
	sites   map[string]http.Handler
	signed  map[string]string // the client key of each refresh token
	asked   []string
}

// New returns a Network without servers. The apps are known to each
// authorization server. It reads the client ID metadata document of an app only
// for the keys with which a confidential app signs: see [Network.Site].
func New(t testing.TB, apps ...oauthtest.App) *Network {
	return &Network{
		t: t, apps: apps, pages: map[string]string{}, records: map[string][]string{}, servers: map[string]*oauthtest.Server{},
		sites: map[string]http.Handler{}, signed: map[string]string{},
	}
}

// Site puts the web site of an app at a host.
func (n *Network) Site(host string, h http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sites[host] = h
}

// document returns the client ID metadata document of an app.
func (n *Network) document(clientID string) []byte {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, clientID, nil)
	if err != nil {
		return nil
	}
	n.mu.Lock()
	site := n.sites[r.URL.Host]
	n.mu.Unlock()
	if site == nil {
		return nil
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	return w.Body.Bytes()
}

// Serve adds an authorization server at host, an entryway, and the hosts of
// accounts that belong to it. A server of its own is a host that belongs to
// itself. The users are the accounts, whose IDs are DIDs.
func (n *Network) Serve(host string, hosts []string, users ...oauthtest.User) *oauthtest.Server {
	n.t.Helper()
	issuer := "https://" + host
	p := &provider.Provider{
		Name: "atproto", Issuer: issuer, IssuerRequired: true, AuthorizationURL: issuer + "/oauth/authorize", TokenURL: issuer + "/oauth/token",
		RevocationURL: issuer + "/oauth/revoke", PushedAuthorizationURL: issuer + "/oauth/par", RequirePushed: true,
		Scopes: []string{"atproto", "transition:generic"}, IdentityInToken: true,
	}
	p.IdentityPaths.Subject = []string{"sub"}
	for _, at := range hosts {
		p.APIOrigins = append(p.APIOrigins, "https://"+at)
	}
	fake := oauthtest.New(n.t, &oauthtest.Options{
		Provider: p, Apps: n.apps, Users: users, Proofs: josetest.Proofs{}, RequirePKCE: true, RequireState: true,
		Assertions: josetest.PublishedAssertions(n.document), Knobs: knobs(),
	})
	n.mu.Lock()
	n.servers[host] = fake
	for _, at := range hosts {
		n.servers[at] = fake
	}
	n.mu.Unlock()
	n.Describe(issuer, nil)
	for _, at := range hosts {
		n.Host("https://"+at, issuer)
	}
	return fake
}

// knobs returns the settings of the reference implementation: a refresh token
// can be used once, a second use ends the grant, and both servers want nonces.
// Beside that, a grant belongs to the key with which the app has signed its
// login.
func knobs() (k oauthtest.Knobs) {
	k.Proof.Nonces = true
	k.Token.TokenType = "DPoP"
	return k
}

// Describe publishes the metadata of an authorization server. The changes
// replace members of what is right. A member that is nil is left out.
func (n *Network) Describe(issuer string, changes map[string]any) {
	metadata := map[string]any{
		"issuer": issuer, "authorization_endpoint": issuer + "/oauth/authorize", "token_endpoint": issuer + "/oauth/token",
		"revocation_endpoint": issuer + "/oauth/revoke", "pushed_authorization_request_endpoint": issuer + "/oauth/par",
		"require_pushed_authorization_requests": true, "authorization_response_iss_parameter_supported": true,
		"client_id_metadata_document_supported": true, "code_challenge_methods_supported": []string{"S256"},
		"dpop_signing_alg_values_supported": []string{"ES256"}, "scopes_supported": []string{"atproto", "transition:generic"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
		"token_endpoint_auth_methods_supported": []string{"none", "private_key_jwt"}, "response_types_supported": []string{"code"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"ES256"},
	}
	maps.Copy(metadata, changes)
	maps.DeleteFunc(metadata, func(_ string, v any) bool { return v == nil })
	n.Page(issuer+"/.well-known/oauth-authorization-server", metadata)
}

// Host makes an origin a server of accounts, which names its authorization
// servers.
func (n *Network) Host(origin string, issuers ...string) {
	n.Page(origin+"/.well-known/oauth-protected-resource", map[string]any{"resource": origin, "authorization_servers": issuers})
}

// Account publishes an account: the record of the handle, and the document of
// the DID, which names the origin of the server that hosts the account.
func (n *Network) Account(did, handle, server string) {
	n.Record(handle, "did="+did)
	n.Document(did, handle, server)
}

// Record sets the TXT records of a handle. Without texts there are none. With
// the text "error" alone the name server does not answer.
func (n *Network) Record(handle string, texts ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records["_atproto."+handle] = texts
}

// Document publishes the document of a DID, at the place of its method.
func (n *Network) Document(did, handle, server string) {
	place := "https://plc.directory/" + did
	if host, ok := strings.CutPrefix(did, "did:web:"); ok {
		place = "https://" + host + "/.well-known/did.json"
	}
	n.Page(place, map[string]any{
		"id": did, "alsoKnownAs": []string{"at://" + handle},
		"service": []map[string]any{{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": server}},
	})
}

// Page sets what a place answers: a text, or a value as JSON.
func (n *Network) Page(place string, body any) {
	n.t.Helper()
	text, ok := body.(string)
	if !ok {
		raw, err := json.Marshal(body)
		if err != nil {
			n.t.Fatal(err)
		}
		text = string(raw)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pages[place] = text
}

// Unpage removes what a place answers.
func (n *Network) Unpage(place string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.pages, place)
}

// Asked returns the addresses of all requests, in order, without queries.
func (n *Network) Asked() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.asked...)
}

// LookupTXT answers as a name server does.
func (n *Network) LookupTXT(_ context.Context, name string) ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.records[name]) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	if len(n.records[name]) == 1 && n.records[name][0] == "error" {
		return nil, &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	return n.records[name], nil
}

// RoundTrip answers as the servers do. A page of the place "error" of a host
// is no answer: the host cannot be reached.
func (n *Network) RoundTrip(r *http.Request) (*http.Response, error) {
	place := (&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: r.URL.Path}).String()
	n.mu.Lock()
	n.asked = append(n.asked, place)
	body, known := n.pages[place]
	fake := n.servers[r.URL.Host]
	site := n.sites[r.URL.Host]
	_, down := n.pages["error "+r.URL.Host]
	n.mu.Unlock()
	switch {
	case down:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: net.UnknownNetworkError("the host is down")}
	case known:
		return answer(r, http.StatusOK, body), nil
	case site != nil:
		w := httptest.NewRecorder()
		site.ServeHTTP(w, r)
		return w.Result(), nil
	case fake != nil && strings.HasSuffix(place, "/oauth/token"):
		return n.token(r, fake)
	case fake != nil:
		return fake.Transport().RoundTrip(r)
	}
	return answer(r, http.StatusNotFound, "{}"), nil
}

func answer(r *http.Request, status int, body string) *http.Response {
	if to, ok := strings.CutPrefix(body, "redirect "); ok {
		return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {to}}, Body: http.NoBody, Request: r}
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}
}
