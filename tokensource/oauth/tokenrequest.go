package oauth

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/authtrip/authtrip/tokensource"
)

// A TokenRequest is a POST to the authorization server before it is sent, as an
// [Authenticator] and Options.Prepare see it. They may change its form and its
// headers. Each attempt to send has a TokenRequest of its own, which belongs to
// one goroutine.
//
// Form and headers contain secrets. They are in closures, so that no verb of
// package fmt and no encoder shows them.
type TokenRequest struct {
	Op       string // what is asked, as Op of a *tokensource.Error says it
	URL      string // the endpoint; a change has no effect
	ClientID string // the client identifier; a change has no effect

	// Audience is what an assertion of the client names as its aud: the issuer
	// or Provider.AssertionAudience. It is empty if the provider has neither.
	Audience string

	// Key proves possession in the request ([Client.WithProver]). It is nil if the
	// request has no proof; a change has no effect.
	Key tokensource.ProofKey

	form   func() url.Values
	header func() http.Header
}

// NewTokenRequest returns a request with form and no headers. A Client makes
// its requests itself: this function is for tests of an Authenticator.
func NewTokenRequest(op, endpoint, clientID string, form url.Values) *TokenRequest {
	header := http.Header{}
	return &TokenRequest{
		Op: op, URL: endpoint, ClientID: clientID,
		form: func() url.Values { return form }, header: func() http.Header { return header },
	}
}

// Form returns the parameters that will be posted. The caller may change them.
func (r *TokenRequest) Form() url.Values { return r.form() }

// Header returns the headers that will be sent. The caller may change them.
func (r *TokenRequest) Header() http.Header { return r.header() }

// publicParams are parameters whose values are no secrets.
var publicParams = []string{
	"grant_type", "client_id", "redirect_uri", "scope", "token_type_hint", "resource", "audience",
	"client_assertion_type", "response_type", "code_challenge_method", "requested_token_type", "subject_token_type", "actor_token_type",
}

// publicHeaders are headers that every request has, with values that are no
// secrets.
var publicHeaders = []string{"Content-Type", "Accept", "User-Agent"}

// minSecret is the length in bytes below which a value is no secret. Without
// the limit, a parameter such as "page=1" would remove every 1 from a server's
// description of an error.
const minSecret = 4

// secrets returns everything in r that an error must not repeat: a server may
// send back what it was sent.
func (r *TokenRequest) secrets() []string {
	var list []string
	add := func(values []string) {
		for _, v := range values {
			if len(v) >= minSecret {
				list = append(list, v)
			}
		}
	}
	for name, values := range r.Form() {
		if !slices.Contains(publicParams, name) {
			add(values)
		}
	}
	for name, values := range r.Header() {
		if !slices.Contains(publicHeaders, name) {
			add(values)
		}
	}
	return list
}
