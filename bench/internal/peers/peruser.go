package peers

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// perUser is how x/oauth2 serves many users: a source and a transport for each
// of them, found in a map by the subject that the context names.
type perUser struct{ transports sync.Map }

// NewPerUser returns x/oauth2 for many users.
func NewPerUser(base http.RoundTripper, u Users) http.RoundTripper {
	p := new(perUser)
	for i := range u.Count {
		tok := Token(u.TokenLength)
		tok.AccessToken, tok.RefreshToken = Text(i, u.TokenLength), "refresh"
		p.transports.Store(u.Name(i), &oauth2.Transport{Source: reuse(tok), Base: base})
	}
	return p
}

// RoundTrip implements http.RoundTripper.
func (p *perUser) RoundTrip(req *http.Request) (*http.Response, error) {
	subject := SubjectOf(req.Context())
	rt, ok := p.transports.Load(subject)
	if !ok {
		return nil, errAsked
	}
	return rt.(*oauth2.Transport).RoundTrip(req)
}

// floorAll is the cheapest wrapper for many users: the floor with a map from
// subjects to header values. Nothing in it can change, so it needs no lock, and
// one time holds for all tokens.
type floorAll struct {
	base   http.RoundTripper
	values map[string]string
	span   span
}

// NewFloorAll returns the floor for many users.
func NewFloorAll(base http.RoundTripper, u Users) http.RoundTripper {
	f := &floorAll{base, make(map[string]string, u.Count), newSpan(life)}
	for i := range u.Count {
		f.values[u.Name(i)] = "Bearer " + Text(i, u.TokenLength)
	}
	return f
}

// RoundTrip implements http.RoundTripper.
func (f *floorAll) RoundTrip(req *http.Request) (*http.Response, error) {
	subject := SubjectOf(req.Context())
	value, ok := f.values[subject]
	if !ok || f.span.over(time.Now()) {
		return nil, errAsked
	}
	return f.base.RoundTrip(stamp(req, value))
}
