package peers

import (
	"net/http"
	"sync"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
)

// perUser is how x/oauth2 serves many users: a source and a transport for each, found in a map.
type perUser struct{ transports sync.Map }

// NewPerUser returns x/oauth2 with subjects 0 to n-1, which it finds by the context as authtrip does.
func NewPerUser(base http.RoundTripper, n, length int) http.RoundTripper {
	p := new(perUser)
	for i := range n {
		tok := Token(length)
		tok.AccessToken, tok.RefreshToken = Text(i, length), "refresh"
		p.transports.Store(Subject(i), &oauth2.Transport{Source: reuse(tok), Base: base})
	}
	return p
}

// RoundTrip implements http.RoundTripper.
func (p *perUser) RoundTrip(req *http.Request) (*http.Response, error) {
	subject, _ := tokensource.SubjectFrom(req.Context())
	rt, ok := p.transports.Load(subject)
	if !ok {
		return nil, errAsked
	}
	return rt.(*oauth2.Transport).RoundTrip(req)
}
