package oauth

import (
	"net/http"
	"reflect"
	"slices"
	"sync"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// Clients of one authorization server need the same facts and the same
// transport. A program with thousands of tenants would have thousands of copies
// of both. So what was made last is used again. Nobody changes it.
var (
	recentFacts      = recent[facts]{}
	recentTransports = recent[*freshTransport]{}
)

// facts are those about an authorization server as a program passed them, and
// what the Clients use. They are without functions, which cannot be compared.
type facts struct{ given, adapted *provider.Provider }

// alike reports whether p, which has no functions, has the same facts.
func (f facts) alike(p *provider.Provider) bool {
	return f.given.Name == p.Name && f.given.TokenURL == p.TokenURL && reflect.DeepEqual(f.given, p)
}

// sharedFacts returns a copy of p that has the parameters of the authorization
// response among the members that are kept. What it points to is shared.
func sharedFacts(p *provider.Provider) *provider.Provider {
	plain := *p
	plain.CheckClient, plain.Classify, plain.ParseIdentity = nil, nil, nil
	shared := recentFacts.get(func(f facts) bool { return f.alike(&plain) }, func() facts {
		return facts{plain.Clone(), withCallbackMembers(plain.Clone())}
	}).adapted
	if p.CheckClient == nil && p.Classify == nil && p.ParseIdentity == nil {
		return shared
	}
	own := *shared
	own.CheckClient, own.Classify, own.ParseIdentity = p.CheckClient, p.Classify, p.ParseIdentity
	return &own
}

// recent holds a few values that were made last. Its zero value is ready. It is
// safe for concurrent use.
type recent[T any] struct {
	mu   sync.Mutex // guards list; never held across I/O
	list []T        // the newest comes last
}

// get returns the value that matches, or makes it.
func (r *recent[T]) get(match func(T) bool, made func() T) T {
	const most = 16
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.IndexFunc(r.list, match); i >= 0 {
		return r.list[i]
	}
	v := made()
	if len(r.list) == most {
		r.list = slices.Delete(r.list, 0, 1)
	}
	r.list = append(r.list, v)
	return v
}

// bufferSize is how many bytes the two buffers of a connection have. Nearly all
// requests and answers are shorter. Each connection is used once, so larger
// ones, as net/http makes them, would be most of the memory that a refresh
// takes.
const bufferSize = 2 << 10

// fresh returns a transport that uses each connection once, for Clients without
// a certificate.
func fresh(pooled *http.Transport, byDefault bool) *freshTransport {
	match := func(f *freshTransport) bool { return f.of == pooled && f.byDefault == byDefault }
	return recentTransports.get(match, func() *freshTransport {
		f := &freshTransport{of: pooled, byDefault: byDefault, transport: pooled.Clone()}
		f.transport.DisableKeepAlives = true
		for _, size := range []*int{&f.transport.ReadBufferSize, &f.transport.WriteBufferSize} {
			if *size == 0 {
				*size = bufferSize
			}
		}
		f.plain = len(f.transport.TLSNextProto) == 0 // the program has added no protocol
		if byDefault {
			f.transport.Proxy = httpsOnly(pooled.Proxy)
		}
		return f
	})
}
