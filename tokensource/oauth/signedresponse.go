package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/authtrip/authtrip/internal/signedresponse"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// checkResponse checks the query of an authorization response with a code, as
// the provider signs it. If the secret of the client has changed meanwhile, the
// server may have signed with the new one.
func (c *Client) checkResponse(ctx context.Context, rawQuery string) error {
	p := c.provider
	if p.CallbackSignature == "" && len(p.CallbackValues) == 0 {
		return nil
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return fmt.Errorf("%w: its query is not well formed", signedresponse.ErrRefused)
	}
	if err := signedresponse.Values(query, p.CallbackValues); err != nil {
		return err
	}
	if p.CallbackSignature == "" {
		return nil
	}
	credential := c.registration.Credential
	secret, err := credential.current(ctx)
	if err != nil {
		return unprepared("callback", err)
	}
	refused := signedresponse.Signed(query, p.CallbackSignature, secret)
	if refused == nil {
		return nil
	}
	if changed, ok := credential.changed(ctx, secret); ok {
		return signedresponse.Signed(query, p.CallbackSignature, changed)
	}
	return refused
}

// checkSigning refuses a client without the secret that the provider signs
// responses with.
func checkSigning(r Registration, p *provider.Provider) error {
	if p.CallbackSignature == "" || r.Credential.fixed != nil || r.Credential.ask != nil {
		return nil
	}
	return errors.New("oauth: the provider signs its responses with the client secret: set Credential with Secret or SecretFunc")
}
