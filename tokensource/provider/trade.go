package provider

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
)

// tradeRequest is the type of Provider.Trade.First and of Provider.Trade.Next.
type tradeRequest = struct {
	URL, Method, TokenParam, Auth string
	Params                        url.Values
}

// checkTradeRequest returns an error that says what is wrong with one of them.
func checkTradeRequest(field string, r tradeRequest) error {
	switch {
	case r.Method != "" && r.Method != http.MethodGet && r.Method != http.MethodPost:
		return fmt.Errorf("%s: Method %q is none of GET and POST", field, r.Method)
	case r.TokenParam == "" || r.Params.Get("grant_type") == "":
		return fmt.Errorf("%s: TokenParam, and grant_type in Params, are needed", field)
	case r.Params.Has(r.TokenParam):
		return fmt.Errorf("%s: Params has %q, which is TokenParam", field, r.TokenParam)
	case r.Auth != "" && r.Auth != "secret" && r.Auth != "none":
		return fmt.Errorf("%s: Auth %q is none of secret and none", field, r.Auth)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		if name == "client_id" || name == "client_secret" {
			return fmt.Errorf("%s: Params has %q, which Auth sets", field, name)
		}
	}
	return nil
}

// checkTrade returns an error that says what is wrong with Trade.
func (p *Provider) checkTrade() error {
	const field = "Trade"
	t := p.Trade
	switch {
	case t.From < 0:
		return fmt.Errorf("Trade.From %v is negative", t.From)
	case t.Next.URL == "" && (t.First.URL != "" || t.From > 0):
		return fmt.Errorf("%s has no Next.URL", field)
	case t.Next.URL == "":
		return nil
	case !p.RefreshTokens.None:
		return fmt.Errorf("%s is for servers without refresh tokens: set RefreshTokens.None", field)
	}
	if err := checkTradeRequest("Trade.Next", t.Next); err != nil {
		return err
	}
	if t.First.URL == "" {
		return nil
	}
	return checkTradeRequest("Trade.First", t.First)
}
