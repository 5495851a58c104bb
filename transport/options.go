package transport

import (
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"reflect"

	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/tokensource"
)

// defaultReplayBody is MaxReplayBody when it is zero.
const defaultReplayBody = 64 << 10

// Options are the settings of a Transport. The zero value is the safe default.
type Options struct {
	// Base sends the requests. Nil means http.DefaultTransport. It may be another Transport, for another provider.
	Base http.RoundTripper

	// Origins are where the token may go, such as "https://api.x.com": scheme, host, and a port unless it is the
	// scheme's own. Subdomains are other origins. Nil means what the source names (tokensource.Scoper). An origin is
	// https, or http on loopback. The request's URL decides, not its Host field.
	Origins []string

	// InsecureHTTP allows http origins on any host. What is lost: everybody on the way reads the token and can use it.
	InsecureHTTP bool

	// Rejected says that a response of status 400 or above means that the token was refused, so that another one
	// should be tried. It must not read the body. Nil means RejectedOn(401).
	Rejected func(*http.Response) bool

	// Retry repeats requests that failed or were rate-limited. Nil means never.
	Retry *RetryOptions

	// MaxReplayBody is how many bytes of a request body without GetBody are kept while it is sent, so that the
	// request can be replayed with another token. Zero means 64 KiB; negative means none. A longer body is sent
	// all the same; if the token is then rejected, the caller gets that response.
	MaxReplayBody int64
}

// New returns a Transport that sends the tokens of src. Nil options mean all defaults. It returns an error that says what
// to set if src is nil, if no origin is known, or if a setting cannot be used.
func New(src tokensource.Source, o *Options) (*Transport, error) {
	if isNil(src) {
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
	p := &parts{src: src, base: o.Base, origins: allowed, rejected: o.Rejected, retry: retry, maxReplay: o.MaxReplayBody}
	p.headers.seed = maphash.MakeSeed()
	p.renewer, _ = src.(tokensource.Renewer)
	p.ready = bearer.ReadyOf(src)
	if p.base == nil {
		p.base = http.DefaultTransport
	}
	if p.rejected == nil {
		p.rejected = RejectedOn(http.StatusUnauthorized) //nolint:bodyclose // it only judges responses
	}
	if p.maxReplay == 0 {
		p.maxReplay = defaultReplayBody
	}
	return &Transport{p}, nil
}

// isNil reports whether src is nil, also as a nil pointer in the interface.
func isNil(src tokensource.Source) bool {
	v := reflect.ValueOf(src)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// originsOf parses the origins that the options list, or else those that src names.
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
