package transport

import (
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"

	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/internal/isnil"
	"github.com/authtrip/authtrip/tokensource"
)

// defaultReplayBody is MaxReplayBody when it is zero.
const defaultReplayBody = 64 << 10

// Options are the settings of a Transport. The zero value is the safe default.
type Options struct {
	// Base sends the requests. Nil means http.DefaultTransport. It may be another
	// Transport, for another provider.
	Base http.RoundTripper

	// Origins are where the token may go, such as "https://api.x.com": scheme,
	// host, and a port unless it is the scheme's own. Subdomains are other origins.
	// Nil means what the source names (tokensource.Scoper): the origins that it
	// names without a token, and the https origins that it names for the token of
	// the request. An origin is https, or http on loopback. The request's URL
	// decides, not its Host field.
	//
	// A request to an endpoint of the authorization server (tokensource.Scoper)
	// passes without a token, also at these origins.
	Origins []string

	// InsecureHTTP allows http origins on any host. What is lost: everybody on the
	// way reads the token and can use it.
	InsecureHTTP bool

	// Rejected says that a response of status 400 or above means that the token was
	// refused, so that another one should be tried. It must not read the body. Nil
	// means RejectedOn(401).
	Rejected func(*http.Response) bool

	// Retry repeats requests that failed or were rate-limited. Nil means never.
	Retry *RetryOptions

	// MaxReplayBody is how many bytes of a request body without GetBody are kept
	// while it is sent, so that the request can be replayed with another token.
	// Zero means 64 KiB. Negative means none. A longer body is sent too. If its
	// token is then rejected, the caller gets that response.
	MaxReplayBody int64
}

// New returns a Transport that sends the tokens of src. Nil options mean all
// defaults. It returns an error that says what to set if src is nil, if no
// origin is known, or if a setting cannot be used.
func New(src tokensource.Source, o *Options) (*Transport, error) {
	if isnil.Value(src) {
		return nil, errors.New("transport: nil Source: pass a tokensource.Source, such as a *grant.Keeper")
	}
	if o == nil {
		o = &Options{}
	}
	allowed, err := originsOf(src, o)
	if err != nil {
		return nil, err
	}
	retry, err := newRetrier(o.Retry)
	if err != nil {
		return nil, err
	}
	never, err := endpointsOf(src)
	if err != nil {
		return nil, err
	}
	c := &core{
		src: src, base: o.Base, origins: allowed, endpoints: never,
		rejected: o.Rejected, retry: retry, maxReplay: o.MaxReplayBody,
	}
	c.headers.seed = maphash.MakeSeed()
	c.renewer, _ = src.(tokensource.Renewer)
	c.authorizer, _ = src.(tokensource.RequestAuthorizer)
	c.ready = bearer.ReadyOf(src)
	if c.base == nil {
		c.base = http.DefaultTransport
	}
	if c.rejected == nil {
		c.rejected = RejectedOn(http.StatusUnauthorized) //nolint:bodyclose // it only judges responses
	}
	if c.maxReplay == 0 {
		c.maxReplay = defaultReplayBody
	}
	return &Transport{func() *core { return c }}, nil
}

// originsOf parses the origins that the options list. If they list none, it
// parses those that src names.
func originsOf(src tokensource.Source, o *Options) (origins, error) {
	list := o.Origins
	if list == nil {
		if named, ok := src.(tokensource.Scoper); ok {
			list = named.APIOrigins(nil)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("transport: no origins: set Options.Origins to where the token may go, such as %q", "https://api.x.com")
	}
	allowed := make(origins, 0, len(list))
	for _, raw := range list {
		parsed, err := parseOrigin(raw, o.InsecureHTTP)
		if err != nil {
			return nil, err
		}
		allowed = append(allowed, parsed)
	}
	return allowed, nil
}
