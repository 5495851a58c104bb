package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/authtrip/authtrip/tokensource/provider"
)

const modeFormPost = "form_post"

// responseMode returns how the answer to an authorization request comes back
// (OAuth 2.0 Multiple Response Type Encoding Practices, section 2.1): "query",
// or "form_post" (OAuth 2.0 Form Post Response Mode).
func responseMode(p *provider.Provider, params url.Values) (string, error) {
	endpoint, err := url.Parse(p.AuthorizationURL)
	if err != nil {
		return "", errors.New("middleware: the authorization endpoint is no URL")
	}
	for _, from := range []url.Values{endpoint.Query(), params, p.AuthorizationParams} {
		if modes, ok := from["response_mode"]; ok { // the first one wins
			if len(modes) == 1 && (modes[0] == "query" || modes[0] == modeFormPost) {
				return modes[0], nil
			}
			return "", fmt.Errorf("middleware: response_mode %q: the callback reads a query or a form, so leave the parameter out", modes)
		}
	}
	return "query", nil
}

// posts reports whether the authorization server posts its answers. The
// provider or Options.Params say so, for all logins.
func (l *login) posts() bool {
	mode, err := responseMode(l.client.Provider(), l.options.Params)
	return err == nil && mode == modeFormPost
}

// posted answers an authorization response that came as a form. A browser sends
// no cookie of a login with a form of another site: they are SameSite=Lax
// (R149 of docs/security.md). So the response comes once more, as the query of
// a GET, which has them. Nothing is believed or used up here. Parameters that
// Callback does not read are left out: they may be facts about the user, and
// the addresses of requests are logged.
func (l *login) posted(w http.ResponseWriter, r *http.Request) error {
	query, path := url.Values{}, l.site.publicPath(r)
	if !plainPath(path) { // a browser could take it for another host
		return l.retry(&Error{Op: opCallback, Kind: ErrBadCallback, Cause: "the path is not well formed"}, "")
	}
	if !parseForm(w, r) {
		return l.retry(&Error{Op: opCallback, Kind: ErrBadCallback, Cause: "the form cannot be read"}, "")
	}
	read := slices.Concat(callbackParams, []string{"error_description"}, l.client.Provider().KeepCallback)
	signed := l.client.Provider().CallbackSignature != "" // over all parameters
	for name, values := range r.PostForm {
		if signed || slices.Contains(read, name) {
			query[name] = values // also twice, which the GET refuses
		}
	}
	seeOther(w, path+"?"+query.Encode())
	return nil
}
