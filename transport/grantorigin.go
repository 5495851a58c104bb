package transport

import (
	"net/http"
	"net/url"

	"github.com/authtrip/authtrip/internal/hostname"
	"github.com/authtrip/authtrip/tokensource"
)

// grantOrigins are origins that come with a grant: one user's tokens go to
// another host than those of another user.
type grantOrigins struct {
	hosts  []string // where such an origin can be; nil means that there are none
	scoper tokensource.Scoper
}

func grantOriginsOf(src tokensource.Source, facts tokensource.APIFacts) grantOrigins {
	scoper, ok := src.(tokensource.Scoper)
	if !ok {
		return grantOrigins{}
	}
	return grantOrigins{facts.GrantHosts, scoper}
}

// possible reports whether u is at a host at which there are such origins.
func (g grantOrigins) possible(u *url.URL) bool {
	return len(g.hosts) > 0 && u != nil && hostname.Origin(u.String(), g.hosts) != ""
}

// sendsOwnTokenTo reports whether req goes to the origin that came with the
// grant of its subject, and so gets a token (T2). Before the grant is looked
// up, the host must be one at which there are such origins at all.
func (c *core) sendsOwnTokenTo(req *http.Request) (bool, error) {
	if !c.own.possible(req.URL) || c.endpoints.has(req.URL) || ownRequest(req) {
		return false, nil
	}
	tok, _, err := c.token(req.Context())
	if err != nil {
		return false, err
	}
	var allowed origins
	for _, raw := range c.own.scoper.APIOrigins(tok) {
		if o, err := parseOrigin(raw, false); err == nil {
			allowed = append(allowed, o)
		}
	}
	return allowed.has(req.URL), nil
}

// withoutGrant ends a request to a host of such origins whose grant could not
// be looked up.
func (c *core) withoutGrant(req *http.Request, err error) (*http.Response, error) {
	closeBody(req)
	c.report(req, err)
	return nil, timed(req.Context(), err)
}
