package oauth

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/internal/home"
)

// homeOf returns the endpoint at the server that ctx names for the grant. A
// server that is not in Provider.TokenHosts is not asked: the client secret
// would go there. An endpoint that is not at the server of TokenURL stays where
// it is.
func (c *Client) homeOf(ctx context.Context, endpoint string) string {
	return c.movedTo(home.Of(ctx), endpoint)
}

func (c *Client) movedTo(origin, endpoint string) string {
	if !slices.Contains(c.provider.TokenHosts, origin) {
		return endpoint
	}
	own, err := url.Parse(c.provider.TokenURL)
	if err != nil {
		return endpoint
	}
	path, ok := strings.CutPrefix(endpoint, own.Scheme+"://"+own.Host+"/")
	if !ok {
		return endpoint
	}
	return origin + "/" + path
}

// revocationEndpoints returns where a token may have to be revoked: at the
// server of its grant, or, if nobody knows that server any more, at each one.
func (c *Client) revocationEndpoints(ctx context.Context) []string {
	hosts := c.provider.TokenHosts
	if len(hosts) == 0 || slices.Contains(hosts, home.Of(ctx)) {
		return []string{c.homeOf(ctx, c.at.revocation)}
	}
	var list []string
	for _, origin := range hosts {
		list = append(list, c.movedTo(origin, c.at.revocation))
	}
	return list
}
