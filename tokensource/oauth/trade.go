package oauth

import (
	"context"
	"maps"
	"net/http"
	"net/url"

	"github.com/authtrip/authtrip/internal/firsttrade"
)

// trades reports whether an access token is itself traded for the next one
// (Provider.Trade).
func (c *Client) trades() bool { return c.provider.Trade.Next.URL != "" }

// trade returns the call that trades an access token. The token is no
// credential for one use: it stays valid.
func (c *Client) trade(ctx context.Context, accessToken string) call {
	facts := c.provider.Trade.Next
	if first := c.provider.Trade.First; first.URL != "" && firsttrade.Is(ctx) {
		facts = first
	}
	form := url.Values{}
	maps.Copy(form, facts.Params)
	form.Set(facts.TokenParam, accessToken)
	return call{op: opRefresh, endpoint: facts.URL, form: form, how: how{method: facts.Method, auth: facts.Auth, query: facts.Method == http.MethodGet}}
}

// secretAlone names no client. The secret belongs to one client only.
type secretAlone struct{ secret string }

func (a secretAlone) Authenticate(_ context.Context, r *TokenRequest) error {
	r.Form().Set("client_secret", a.secret)
	return nil
}

// moveToQuery puts the parameters of a request without a body into its URL. It
// makes the check that the body would make, see [mayLeave].
func moveToQuery(req *http.Request, form string, s *sending) error {
	if err := mayLeave(req.Context()); err != nil {
		return s.refuse(err)
	}
	s.read.Store(true)
	if req.URL.RawQuery != "" {
		form = req.URL.RawQuery + "&" + form
	}
	req.URL.RawQuery = form
	return nil
}
