package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/internal/isnil"
	"github.com/authtrip/authtrip/tokensource"
)

// defaultReplayBody is MaxReplayBody when it is zero.
const defaultReplayBody = 64 << 10

// Options adjusts a Transport. The zero value is the safe default.
type Options struct {
	// Base sends the requests. Nil means http.DefaultTransport. It may be another
	// Transport, for another provider.
	Base http.RoundTripper

	// Origins are where the token may go, such as "https://api.x.com": scheme,
	// host, and a port unless it is the scheme's own. Subdomains are other origins.
	// Nil means the origins that the source names without a token
	// (tokensource.Scoper), and for each user those that came with the grant of
	// that user. An origin is https, or http on loopback. The request's
	// URL decides, not its Host field.
	//
	// A request to an endpoint of the authorization server (Endpoints) passes
	// without a token, also at these origins.
	Origins []string

	// Endpoints are URLs that never get a token, beside those that the source names
	// (tokensource.Scoper). A source whose own requests for tokens go through this
	// Transport must name their endpoint, or it is named here. Otherwise such a
	// request would wait for the token that it is to obtain. Nil means those of the
	// source alone.
	Endpoints []string

	// InsecureHTTP allows http origins on any host, in Origins and of the source.
	// What is lost: everybody on the way reads the token and can use it. A source
	// may allow it for the origins that it names (tokensource.APIFacts).
	InsecureHTTP bool

	// Rejected says that a response means that the token was rejected, so that
	// another one should be tried. It is asked about every response, whatever its
	// status, except 101 (Switching Protocols) and rate limits. It must not read
	// the body, but may look at the beginning of it with Peek. Nil means
	// what the source says of statuses and bodies (tokensource.Describer), or
	// RejectedOn(401).
	Rejected func(*http.Response) bool

	// API says how the resource servers are called and how they answer: which
	// headers a request needs, which answers reject a token, and how a rate limit
	// is announced. Nil means what the source names
	// (tokensource.Describer).
	API *tokensource.APIFacts

	// OnEvent is called when a request gets no token (EventWithoutToken), because
	// of its origin or because the source has none. It is not called for a request
	// with an Authorization header of its own. It is called concurrently, and
	// before the request is sent. A request that it sends under its context gets no
	// token and is not reported. Nil means no calls.
	OnEvent func(context.Context, tokensource.Event)

	// Strict refuses a request to an origin that gets no token, with
	// ErrOtherOrigin, if its context names a subject (tokensource.HasSubject) and
	// the request has no Authorization header. So a missing entry in Origins is
	// found, and a redirect elsewhere ends in an error. In a stack of Transports
	// with other RoundTrippers between them, only the innermost can be strict.
	Strict bool

	// Retry repeats requests that failed or were rate-limited. Nil means never.
	Retry *RetryOptions

	// MaxReplayBody is how many bytes of a request body without GetBody are kept
	// while it is sent, so that the request can be replayed with another token.
	// Zero means 64 KiB. Negative means none. A longer body is sent too. If its
	// token is rejected after more of the body was read, the caller gets that
	// response.
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
	c := &core{
		src: src, base: o.Base, maxReplay: o.MaxReplayBody, limits: &rateLimits{}, futile: newFutile(),
		onEvent: o.OnEvent, strict: o.Strict,
	}
	facts := factsOf(src, o)
	c.form = formOf(facts)
	if o.Origins == nil {
		c.own = grantOriginsOf(src, facts)
	}
	c.limits.statuses, c.limits.headers = facts.LimitStatuses, facts.LimitHeaders
	var err error
	if c.origins, err = originsOf(src, o); err != nil {
		return nil, err
	}
	if c.endpoints, err = endpointsOf(src, o); err != nil {
		return nil, err
	}
	c.endpoints.mark(c.origins)
	if c.retry, err = newRetrier(o.Retry, c.limits); err != nil {
		return nil, err
	}
	c.renewer, _ = src.(tokensource.Renewer)
	c.authorizer, _ = src.(tokensource.RequestAuthorizer)
	c.ready = bearer.ReadyOf(src)
	c.headers = newHeaders(c.ready != nil)
	_, engine := src.(bearer.Readier)
	c.wraps = engine && c.ready == nil
	c.rejected = o.Rejected
	if c.rejected == nil {
		c.rejected = rejectedBy(facts) //nolint:bodyclose // it only judges responses
	}
	if c.base == nil {
		c.base = http.DefaultTransport
	}
	c.fresh = onNewConnections(c.base)
	if c.maxReplay == 0 {
		c.maxReplay = defaultReplayBody
	}
	return &Transport{func() *core { return c }}, nil
}

// factsOf returns how the resource servers answer.
func factsOf(src tokensource.Source, o *Options) tokensource.APIFacts {
	var facts tokensource.APIFacts
	if o.API != nil {
		facts = o.API.Clone()
	} else if d, ok := src.(tokensource.Describer); ok {
		facts = d.APIFacts().Clone()
	}
	if len(facts.RejectedStatuses) == 0 {
		facts.RejectedStatuses = []int{http.StatusUnauthorized}
	}
	return facts
}

// originsOf parses the origins that the options list. If they list none, it
// parses those that src names.
func originsOf(src tokensource.Source, o *Options) (origins, error) {
	list, insecure := o.Origins, o.InsecureHTTP
	if list == nil {
		if named, ok := src.(tokensource.Scoper); ok {
			list = named.APIOrigins(nil)
		}
		if d, ok := src.(tokensource.Describer); ok {
			insecure = insecure || d.APIFacts().InsecureHTTP
		}
	}
	if len(list) == 0 && factsOf(src, o).GrantHosts != nil {
		return origins{}, nil
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("transport: no origins: set Options.Origins to where the token may go, such as %q", "https://api.x.com")
	}
	allowed := make(origins, 0, len(list))
	for _, raw := range list {
		parsed, err := parseOrigin(raw, insecure)
		if err != nil {
			return nil, err
		}
		allowed = append(allowed, parsed)
	}
	return allowed, nil
}
