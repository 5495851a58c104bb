package identity_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/discovery"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/atprototest"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
)

const (
	alice = "did:plc:aliceaaaaaaaaaaaaaaaaaaa"
	bob   = "did:plc:bobbbbbbbbbbbbbbbbbbbbbb"
	carol = "did:web:carol.test"

	entryway, pds, own = "https://entryway.test", "https://pds.test", "https://own.test"
)

// newNetwork returns a Network with alice at a server that belongs to an
// entryway, and bob at a server of his own.
func newNetwork(t *testing.T) (*atprototest.Network, *identity.Resolver) {
	t.Helper()
	n := atprototest.New(t)
	n.Describe(entryway, nil)
	n.Describe(own, nil)
	n.Host(pds, entryway)
	n.Host(own, own)
	n.Account(alice, "alice.test", pds)
	n.Account(bob, "bob.own.test", own)
	return n, resolver(t, n)
}

func resolver(t *testing.T, n *atprototest.Network) *identity.Resolver {
	t.Helper()
	r, err := identity.NewResolver(&identity.Options{HTTPClient: &http.Client{Transport: n}, DNS: n})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// serviceAt is the entry of a document that names the server of an account.
func serviceAt(server string) map[string]any {
	return map[string]any{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": server}
}

// services publishes the document of alice with some services.
func services(n *atprototest.Network, list ...any) {
	n.Page("https://plc.directory/"+alice, map[string]any{"id": alice, "alsoKnownAs": []string{"at://alice.test"}, "service": list})
}

// redirects makes the file of the handle of alice a redirect. A page at the
// target would name her.
func redirects(to string) func(*atprototest.Network) {
	return func(n *atprototest.Network) {
		n.Record("alice.test")
		n.Page(to, alice)
		n.Page("https://alice.test/.well-known/atproto-did", "redirect "+to)
	}
}

func TestResolve(t *testing.T) {
	whole := identity.Account{DID: alice, Handle: "alice.test", Server: pds, Issuer: entryway}
	for _, tt := range []struct {
		name, in string
		set      func(n *atprototest.Network)
		want     identity.Account
	}{
		{name: "a handle", in: "alice.test", want: whole},
		{name: "a handle with at sign and capitals", in: " @Alice.TEST", want: whole},
		{name: "a URI", in: "at://alice.test", want: whole},
		{name: "a DID", in: alice, want: whole},
		{name: "a server of its own", in: "bob.own.test", want: identity.Account{DID: bob, Handle: "bob.own.test", Server: own, Issuer: own}},
		{name: "a handle with a file and no record", in: "alice.test", want: whole, set: func(n *atprototest.Network) {
			n.Record("alice.test")
			n.Page("https://alice.test/.well-known/atproto-did", alice+"\n")
		}},
		{name: "a record beside others", in: "alice.test", want: whole, set: func(n *atprototest.Network) {
			n.Record("alice.test", "v=spf1", "did="+alice, "did="+alice)
		}},
		{name: "a record counts before the file", in: "alice.test", want: whole, set: func(n *atprototest.Network) {
			n.Page("https://alice.test/.well-known/atproto-did", bob)
		}},
		{name: "a name server that does not answer, and a file", in: "alice.test", want: whole, set: func(n *atprototest.Network) {
			n.Record("alice.test", "error")
			n.Page("https://alice.test/.well-known/atproto-did", alice)
		}},
		{name: "a file on another host, by two redirects", in: "alice.test", want: whole, set: func(n *atprototest.Network) {
			n.Record("alice.test")
			n.Page("https://alice.test/.well-known/atproto-did", "redirect https://www.alice.test/did")
			n.Page("https://www.alice.test/did", "redirect /did.txt")
			n.Page("https://www.alice.test/did.txt", alice)
		}},
		{name: "several services, of which the second is the server", in: alice, want: whole, set: func(n *atprototest.Network) {
			services(n, map[string]any{"id": "#bsky_notif", "type": "BskyNotificationService", "serviceEndpoint": own}, serviceAt(pds))
		}},
		{name: "the right service name with another type comes first", in: alice, want: whole, set: func(n *atprototest.Network) {
			services(n, map[string]any{"id": "#atproto_pds", "type": "Another", "serviceEndpoint": own}, serviceAt(pds))
		}},
		{name: "services in other forms that DIDs allow", in: alice, want: whole, set: func(n *atprototest.Network) {
			services(n, map[string]any{"id": "#a", "type": []string{"A", "B"}, "serviceEndpoint": own},
				map[string]any{"id": "#b", "type": "B", "serviceEndpoint": map[string]string{"origin": own}}, "text", serviceAt(pds))
		}},
		{name: "two servers, of which the first counts", in: alice, want: whole, set: func(n *atprototest.Network) {
			services(n, serviceAt(pds), serviceAt(own))
		}},
		{name: "a service named by the whole DID", in: alice, want: whole, set: func(n *atprototest.Network) {
			s := serviceAt(pds)
			s["id"] = alice + "#atproto_pds"
			services(n, s)
		}},
		{name: "other names before the handle", in: alice, want: whole, set: func(n *atprototest.Network) {
			n.Page("https://plc.directory/"+alice, map[string]any{
				"id": alice, "service": []any{serviceAt(pds)},
				"alsoKnownAs": []any{"https://alice.example", 7, "at://handle.invalid", "at://no_handle", "at://alice.test", "at://bob.own.test"},
			})
		}},
		{name: "a server at the default port", in: alice, want: whole, set: func(n *atprototest.Network) { n.Account(alice, "alice.test", pds+":443") }},
		{name: "did:web", in: carol, want: identity.Account{DID: carol, Handle: "carol.test", Server: own, Issuer: own}, set: func(n *atprototest.Network) {
			n.Account(carol, "carol.test", own)
		}},
		{name: "a DID whose handle leads elsewhere", in: alice, want: identity.Account{DID: alice, Server: pds, Issuer: entryway}, set: func(n *atprototest.Network) {
			n.Record("alice.test", "did="+bob)
		}},
		{name: "a server with a slash at the end", in: alice, want: whole, set: func(n *atprototest.Network) {
			n.Account(alice, "alice.test", pds+"/")
		}},
		{name: "an account that moved to another server", in: "alice.test", want: identity.Account{DID: alice, Handle: "alice.test", Server: own, Issuer: own}, set: func(n *atprototest.Network) {
			n.Account(alice, "alice.test", own)
		}},
	} {
		n, r := newNetwork(t)
		if tt.set != nil {
			tt.set(n)
		}
		got, err := r.Resolve(t.Context(), tt.in)
		if err != nil || *got != tt.want {
			t.Errorf("%s: Resolve(%q) = %+v, %v, want %+v", tt.name, tt.in, got, err, tt.want)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		set      func(n *atprototest.Network)
		want     error
	}{
		{name: "an empty text", in: "", want: identity.ErrIdentifier},
		{name: "one label", in: "alice", want: identity.ErrIdentifier},
		{name: "an address", in: "127.0.0.1", want: identity.ErrIdentifier},
		{name: "a host of this machine", in: "app.localhost", want: identity.ErrIdentifier},
		{name: "a handle with a port", in: "alice.test:8080", want: identity.ErrIdentifier},
		{name: "a handle with a path", in: "alice.test/x", want: identity.ErrIdentifier},
		{name: "a DID of another method", in: "did:key:z6Mk", want: identity.ErrIdentifier},
		{name: "a did:plc with a path", in: "did:plc:../../x", want: identity.ErrIdentifier},
		{name: "a did:web with a port", in: "did:web:carol.test%3A8080", want: identity.ErrIdentifier},
		{name: "a did:web with a path", in: "did:web:carol.test:path", want: identity.ErrIdentifier},
		{name: "a did:web at an address", in: "did:web:169.254.169.254", want: identity.ErrIdentifier},
		{name: "a handle that nobody has", in: "nobody.test", want: identity.ErrNotFound},
		{name: "a DID that does not exist", in: "did:plc:zzzzzzzzzzzzzzzzzzzzzzzz", want: identity.ErrNotFound},
		{name: "a handle that another document does not name", in: "mallory.test", want: identity.ErrHandle, set: func(n *atprototest.Network) {
			n.Record("mallory.test", "did="+alice)
		}},
		{name: "a handle with two DIDs", in: "alice.test", want: identity.ErrHandle, set: func(n *atprototest.Network) {
			n.Record("alice.test", "did="+alice, "did="+bob)
		}},
		{name: "a record and a file disagree, and the account of the record does not name the handle", in: "alice.test", want: identity.ErrHandle,
			set: func(n *atprototest.Network) {
				n.Record("alice.test", "did="+bob)
				n.Page("https://alice.test/.well-known/atproto-did", alice)
			}},
		{name: "a second handle of an account", in: "second.test", want: identity.ErrHandle, set: func(n *atprototest.Network) {
			n.Record("second.test", "did="+alice)
			n.Page("https://plc.directory/"+alice, map[string]any{
				"id": alice, "service": []any{serviceAt(pds)}, "alsoKnownAs": []any{"at://alice.test", "at://second.test"},
			})
		}},
		{name: "a file that is a redirect to plain http", in: "alice.test", want: identity.ErrNotFound, set: redirects("http://elsewhere.test/did")},
		{name: "a file that is a redirect to another port", in: "alice.test", want: identity.ErrNotFound, set: redirects("https://elsewhere.test:8443/did")},
		{name: "a file that is a redirect with a user name", in: "alice.test", want: identity.ErrNotFound, set: redirects("https://a:b@elsewhere.test/did")},
		{name: "a file that is a redirect to itself", in: "alice.test", want: identity.ErrNotFound, set: redirects("https://alice.test/.well-known/atproto-did")},
		{name: "a directory that redirects", in: alice, want: identity.ErrNotFound, set: func(n *atprototest.Network) {
			n.Page("https://plc.directory/"+alice, "redirect https://elsewhere.test/document")
			n.Page("https://elsewhere.test/document", map[string]any{"id": alice, "service": []any{serviceAt(pds)}})
		}},
		{name: "a name server that does not answer, and no file", in: "alice.test", want: tokensource.ErrTemporary, set: func(n *atprototest.Network) {
			n.Record("alice.test", "error")
		}},
		{name: "the handle of accounts without one", in: "handle.invalid", want: identity.ErrIdentifier},
		{name: "a service of another DID", in: alice, want: identity.ErrDocument, set: func(n *atprototest.Network) {
			s := serviceAt(pds)
			s["id"] = bob + "#atproto_pds"
			services(n, s)
		}},
		{name: "an issuer that names the default port", in: alice, want: identity.ErrServer, set: func(n *atprototest.Network) { n.Host(pds, entryway+":443") }},
		{name: "an issuer with a user name", in: alice, want: discovery.ErrInvalid, set: func(n *atprototest.Network) { n.Host(pds, "https://a@entryway.test") }},
		{name: "a file without a DID", in: "alice.test", want: identity.ErrNotFound, set: func(n *atprototest.Network) {
			n.Record("alice.test")
			n.Page("https://alice.test/.well-known/atproto-did", "<html>")
		}},
		{name: "the document of another DID", in: alice, want: identity.ErrDocument, set: func(n *atprototest.Network) {
			n.Page("https://plc.directory/"+alice, map[string]any{"id": bob})
		}},
		{name: "a document above the limit", in: alice, want: identity.ErrDocument, set: func(n *atprototest.Network) {
			n.Page("https://plc.directory/"+alice, strings.Repeat(" ", 1<<17))
		}},
		{name: "a document without a server", in: alice, want: identity.ErrDocument, set: func(n *atprototest.Network) {
			n.Page("https://plc.directory/"+alice, map[string]any{"id": alice})
		}},
		{name: "a server with a path", in: alice, want: identity.ErrDocument, set: func(n *atprototest.Network) {
			n.Account(alice, "alice.test", pds+"/path")
		}},
		{name: "a server without TLS", in: alice, want: identity.ErrDocument, set: func(n *atprototest.Network) {
			n.Account(alice, "alice.test", "http://pds.test")
		}},
		{name: "a server without metadata", in: alice, want: discovery.ErrNotFound, set: func(n *atprototest.Network) {
			n.Account(alice, "alice.test", "https://empty.test")
		}},
		{name: "a server that names another as the resource", in: alice, want: discovery.ErrMismatch, set: func(n *atprototest.Network) {
			n.Page(pds+"/.well-known/oauth-protected-resource", map[string]any{"resource": own, "authorization_servers": []string{own}})
		}},
		{name: "a server with two authorization servers", in: alice, want: identity.ErrServer, set: func(n *atprototest.Network) { n.Host(pds, entryway, own) }},
		{name: "an issuer with a path", in: alice, want: identity.ErrServer, set: func(n *atprototest.Network) { n.Host(pds, entryway+"/x") }},
		{name: "a directory that is down", in: alice, want: tokensource.ErrTemporary, set: func(n *atprototest.Network) { n.Page("error plc.directory", "") }},
		{name: "a host of a file that is down", in: "alice.test", want: tokensource.ErrTemporary, set: func(n *atprototest.Network) {
			n.Record("alice.test")
			n.Page("error alice.test", "")
		}},
	} {
		n, r := newNetwork(t)
		if tt.set != nil {
			tt.set(n)
		}
		if got, err := r.Resolve(t.Context(), tt.in); !errors.Is(err, tt.want) {
			t.Errorf("%s: Resolve(%q) = %+v, %v, want %v", tt.name, tt.in, got, err, tt.want)
		}
	}
}

// A server that lacks something is refused before anybody is sent there.
func TestProviderRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		changes map[string]any
		want    error
	}{
		{"no pushed requests", map[string]any{"pushed_authorization_request_endpoint": nil, "require_pushed_authorization_requests": nil}, identity.ErrServer},
		{"pushed requests are optional", map[string]any{"require_pushed_authorization_requests": false}, identity.ErrServer},
		{"no iss", map[string]any{"authorization_response_iss_parameter_supported": nil}, identity.ErrServer},
		{"no proofs", map[string]any{"dpop_signing_alg_values_supported": nil}, identity.ErrServer},
		{"proofs with RS256 only", map[string]any{"dpop_signing_alg_values_supported": []string{"RS256"}}, identity.ErrServer},
		{"no client ID documents", map[string]any{"client_id_metadata_document_supported": nil}, identity.ErrServer},
		{"no scope atproto", map[string]any{"scopes_supported": []string{"openid"}}, identity.ErrServer},
		{"no answers with a code", map[string]any{"response_types_supported": []string{"token"}}, identity.ErrServer},
		{"no refresh tokens", map[string]any{"grant_types_supported": []string{"authorization_code"}}, identity.ErrServer},
		{"no grant types", map[string]any{"grant_types_supported": nil}, identity.ErrServer},
		{"no public clients", map[string]any{"token_endpoint_auth_methods_supported": []string{"private_key_jwt"}}, identity.ErrServer},
		{"no clients with keys", map[string]any{"token_endpoint_auth_methods_supported": []string{"none"}}, identity.ErrServer},
		{"assertions with RS256 only", map[string]any{"token_endpoint_auth_signing_alg_values_supported": []string{"RS256"}}, identity.ErrServer},
		{"request URIs of strangers", map[string]any{"require_request_uri_registration": false}, identity.ErrServer},
		{"no S256", map[string]any{"code_challenge_methods_supported": nil}, discovery.ErrNoS256},
		{"another issuer", map[string]any{"issuer": own}, discovery.ErrMismatch},
	} {
		n, r := newNetwork(t)
		n.Describe(entryway, tt.changes)
		a, err := r.Resolve(t.Context(), alice)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Provider(t.Context(), a); !errors.Is(err, tt.want) {
			t.Errorf("%s: Provider(alice) = %v, want %v", tt.name, err, tt.want)
		}
	}
}

// A login can begin at a server whose users have forgotten their handles.
func TestIssuer(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		err            error
	}{
		{"an entryway", "entryway.test", entryway, nil},
		{"an entryway as a URL with a slash", " https://Entryway.test/ ", entryway, nil},
		{"a server of accounts", "pds.test", entryway, nil},
		{"a server of its own", own, own, nil},
		{"an empty text", "", "", identity.ErrIdentifier},
		{"a URL with a path", "https://pds.test/xrpc", "", identity.ErrIdentifier},
		{"a URL with a query", "https://pds.test?x", "", identity.ErrIdentifier},
		{"plain http", "http://pds.test", "", identity.ErrIdentifier},
		{"a user name", "https://me@pds.test", "", identity.ErrIdentifier},
		{"a server that names two", "two.test", "", identity.ErrServer},
		{"a server that is down", "down.test", "", tokensource.ErrTemporary},
	} {
		n, r := newNetwork(t)
		n.Host("https://two.test", entryway, own)
		n.Page("error down.test", "")
		if got, err := r.Issuer(t.Context(), tt.in); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: Issuer(%q) = %q, %v, want %q, %v", tt.name, tt.in, got, err, tt.want, tt.err)
		}
	}
}

// What a server says about its user counts only if the account leads back.
func TestVerify(t *testing.T) {
	for _, tt := range []struct {
		name, sub, issuer, did string
		want                   error
	}{
		{"the user who was asked for", alice, entryway, alice, nil},
		{"a login that began at an entryway", alice, entryway, "", nil},
		{"another user of the same server", alice, entryway, bob, identity.ErrUser},
		{"a user of another server", bob, entryway, "", identity.ErrUser},
		{"a user who was asked for and has another server", bob, entryway, bob, identity.ErrUser},
		{"a handle", "alice.test", entryway, "", identity.ErrUser},
		{"no user", "", entryway, "", identity.ErrUser},
	} {
		_, r := newNetwork(t)
		a, err := r.Verify(t.Context(), tt.sub, tt.issuer, tt.did)
		if !errors.Is(err, tt.want) || err == nil && a.DID != tt.sub {
			t.Errorf("%s: Verify(%q, %q, %q) = %+v, %v, want %v", tt.name, tt.sub, tt.issuer, tt.did, a, err, tt.want)
		}
	}
}

// An account that moves while its grant lives belongs to another server.
func TestVerifyAfterTheAccountMoved(t *testing.T) {
	n, r := newNetwork(t)
	if _, err := r.Verify(t.Context(), alice, entryway, alice); err != nil {
		t.Fatal(err)
	}
	n.Account(alice, "alice.test", own)
	if _, err := r.Verify(t.Context(), alice, entryway, alice); !errors.Is(err, identity.ErrUser) {
		t.Errorf("Verify after the account moved = %v, want ErrUser", err)
	}
}

// failingDNS is a name server that does not answer.
type failingDNS struct{}

func (failingDNS) LookupTXT(context.Context, string) ([]string, error) {
	return nil, &net.DNSError{Err: "server misbehaving", IsTemporary: true}
}

// Names from outside that lead into the network of the program are refused
// before a connection is made, at each step.
func TestHostsInTheNetworkOfTheProgram(t *testing.T) {
	guarded := func(address string) *identity.Resolver {
		dialer := &net.Dialer{Control: discovery.Guard{}.Control}
		dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		}
		r, err := identity.NewResolver(&identity.Options{HTTPClient: &http.Client{Transport: &http.Transport{DialContext: dial}}, DNS: failingDNS{}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		return r
	}
	for _, address := range []string{"127.0.0.1:443", "169.254.169.254:443", "10.0.0.1:443", "[::1]:443", "[fd00:ec2::254]:443"} {
		for _, in := range []string{carol, alice} {
			if _, err := guarded(address).Resolve(t.Context(), in); !errors.Is(err, discovery.ErrAddress) {
				t.Errorf("Resolve(%q), whose host has the address %s = %v, want ErrAddress", in, address, err)
			}
		}
		if _, err := guarded(address).Issuer(t.Context(), "pds.test"); !errors.Is(err, discovery.ErrAddress) {
			t.Errorf("Issuer(pds.test), whose host has the address %s = %v, want ErrAddress", address, err)
		}
	}
}

func TestNewResolverRefuses(t *testing.T) {
	for name, o := range map[string]*identity.Options{
		"a negative timeout":           {Timeout: -1},
		"a client without a transport": {HTTPClient: &http.Client{}},
		"a directory without TLS":      {Directory: "http://plc.directory"},
		"a directory with a path":      {Directory: "https://plc.directory/path"},
	} {
		if _, err := identity.NewResolver(o); err == nil {
			t.Errorf("%s: NewResolver(%+v) = nil error, want one", name, o)
		}
	}
}

// A directory of the caller is asked in place of the public one.
func TestAnotherDirectory(t *testing.T) {
	n := atprototest.New(t)
	r, err := identity.NewResolver(&identity.Options{HTTPClient: &http.Client{Transport: n}, DNS: n, Directory: "https://plc.test/"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = r.Resolve(t.Context(), alice)
	if want := []string{"https://plc.test/" + alice}; !errors.Is(err, identity.ErrNotFound) || !slices.Equal(n.Asked(), want) {
		t.Errorf("Resolve = %v, having asked %q, want ErrNotFound and %q", err, n.Asked(), want)
	}
}
