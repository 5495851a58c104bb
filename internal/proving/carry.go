package proving

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/internal/challenge"
	"github.com/authtrip/authtrip/tokensource"
)

// Header is the canonical name of the header with the proof.
const Header = "Dpop"

// Carry sets the headers of r that carry tok: a proof of its key if it has one,
// and otherwise the Bearer scheme. A token of type DPoP without its key is not
// sent (T12, RFC 9449 section 7.1).
func Carry(r *http.Request, tok *oauth2.Token) error {
	for name := range r.Header {
		if strings.EqualFold(name, Header) {
			delete(r.Header, name) // one proof in one request
		}
	}
	key := KeyOf(tok)
	if key == nil || !strings.EqualFold(tok.TokenType, Type) {
		value, err := bearer.Value(tok)
		if err == nil {
			r.Header.Set("Authorization", value)
		}
		return err
	}
	if err := bearer.Check(tok.AccessToken); err != nil {
		return err
	}
	opened, err := key.Open(r.Context(), "token")
	if err != nil {
		return err
	}
	proof, err := opened.Prove(r.Context(), method(r), Target(r), tok.AccessToken)
	if err != nil {
		return &tokensource.Error{Op: "token", Kind: tokensource.ErrTemporary, Err: fmt.Errorf("no proof of possession: %w", err)}
	}
	r.Header["Authorization"], r.Header[Header] = []string{"DPoP " + tok.AccessToken}, []string{proof}
	*r = *r.WithContext(context.WithValue(r.Context(), usedKey{}, opened))
	return nil
}

// usedKey names the key in the context of a request with a proof.
type usedKey struct{}

// Observed shows the answer to a request that Carry prepared to the key with
// which it was sent. It reports whether the request must be sent once more,
// with a new proof.
func Observed(r *http.Request, resp *http.Response) bool {
	key, ok := r.Context().Value(usedKey{}).(tokensource.ProofKey)
	if !ok || resp == nil {
		return false
	}
	code := ""
	if resp.StatusCode >= 400 && resp.StatusCode <= 499 {
		code = refusal(resp.Header)
	}
	return key.Observe(Target(r), true, resp.Header, code) && code != ""
}

// refusal returns the error code of the challenge for a proof (RFC 9449 section
// 7.1), or an empty one. The name of a scheme has no case.
func refusal(h http.Header) string {
	for _, c := range challenge.Parse(h) {
		if strings.EqualFold(c.Scheme, Type) && c.Params["error"] != "" {
			return c.Params["error"]
		}
	}
	return ""
}

// Refused reports whether a response refuses the proof, and not the token.
func Refused(h http.Header) bool {
	code := refusal(h)
	return code == "use_dpop_nonce" || code == "invalid_dpop_proof"
}

func method(r *http.Request) string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

// Target returns the URL of r as the server sees it, without query and fragment
// (RFC 9449 section 4.2, htu): scheme and host in lower case, no default port,
// and a path that is never empty.
func Target(r *http.Request) string {
	u := r.URL
	host := r.Host
	if host == "" {
		host = u.Host
	}
	path, _, _ := strings.Cut(u.RequestURI(), "?")
	if strings.HasPrefix(path, u.Scheme+"://") { // an opaque URL with a host
		return path
	}
	return origin(u.Scheme, host) + path
}

// TargetOf is [Target] for a URL. It returns raw if that is none.
func TargetOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return Target(&http.Request{URL: u})
}

func origin(scheme, host string) string {
	scheme, host = strings.ToLower(scheme), strings.ToLower(host)
	port := map[string]string{"https": "443", "http": "80"}[scheme]
	if _, p, err := net.SplitHostPort(host); err == nil && (p == port || p == "") {
		host = strings.TrimSuffix(host, ":"+p)
	}
	return scheme + "://" + host
}

// Authorizer is a tokensource.RequestAuthorizer for the tokens of a source,
// which embeds it.
type Authorizer struct{ *authorizer }

type authorizer struct {
	token func(context.Context) (*oauth2.Token, error)
}

// For returns the Authorizer of a source with the given Token method.
func For(token func(context.Context) (*oauth2.Token, error)) Authorizer {
	return Authorizer{&authorizer{token}}
}

type carriedKey struct{}

// With returns a context under which Authorize sends tok, and not the token of
// its own source: tok is what a source returned that embeds an engine, and has
// a Token method of its own.
func With(ctx context.Context, tok *oauth2.Token) context.Context {
	return context.WithValue(ctx, carriedKey{}, tok)
}

// Authorize sets the headers of r that carry the token of the source, and
// returns the token. A token that is bound to a key is sent with a new proof of
// possession (DPoP, [RFC 9449]), and any other as a Bearer token. The context
// of r names the subject. Programs that use package transport need not call
// it.
//
// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
func (a Authorizer) Authorize(r *http.Request) (*oauth2.Token, error) {
	tok, given := r.Context().Value(carriedKey{}).(*oauth2.Token)
	if !given {
		var err error
		if tok, err = a.token(r.Context()); err != nil {
			return nil, err
		}
	}
	return tok, Carry(r, tok)
}

// Observe learns the nonces of a server from its response to a request that
// Authorize prepared. It reports whether the request must be sent once more
// with the same token: the server has refused only the proof.
func (Authorizer) Observe(r *http.Request, resp *http.Response) (again bool) {
	return Observed(r, resp)
}
