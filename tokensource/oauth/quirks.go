package oauth

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/loopback"
	"github.com/authtrip/authtrip/internal/members"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// adapted returns a copy of p for one client: with the client ID where p has a
// place for it, and with the parameters of the authorization response among the
// members that are kept. Clients of one server share the copy if it has no
// place for a client ID.
func adapted(p *provider.Provider, clientID string) *provider.Provider {
	p = sharedFacts(p)
	if !hasPlace(p) {
		return p
	}
	return withClientID(p, clientID)
}

// hasPlace reports whether p has a place for the client ID.
func hasPlace(p *provider.Provider) bool {
	has := func(s string) bool { return strings.Contains(s, clientIDPlace) }
	for _, value := range p.API.Headers {
		if has(value) {
			return true
		}
	}
	for _, values := range p.IdentityRequest.Header {
		if slices.ContainsFunc(values, has) {
			return true
		}
	}
	return has(p.RevocationURL)
}

// withClientID puts the client ID where p has a place for it, in a copy that
// shares the rest.
func withClientID(shared *provider.Provider, clientID string) *provider.Provider {
	p := new(*shared)
	p.API.Headers, p.IdentityRequest.Header = maps.Clone(p.API.Headers), p.IdentityRequest.Header.Clone()
	p.RevocationURL = strings.ReplaceAll(p.RevocationURL, clientIDPlace, url.PathEscape(clientID))
	for name, value := range p.API.Headers {
		p.API.Headers[name] = strings.ReplaceAll(value, clientIDPlace, clientID)
	}
	for _, values := range p.IdentityRequest.Header {
		for i := range values {
			values[i] = strings.ReplaceAll(values[i], clientIDPlace, clientID)
		}
	}
	return p
}

// withCallbackMembers adds the parameters of the authorization response to the
// members that are kept.
func withCallbackMembers(p *provider.Provider) *provider.Provider {
	for _, name := range append(slices.Clone(p.KeepCallback), p.TokenHostParam) {
		if name != "" && !slices.Contains(p.KeepMembers, name) {
			p.KeepMembers = append(p.KeepMembers, name)
		}
	}
	return p
}

// clientIDPlace stands for the client ID in the facts of a provider.
const clientIDPlace = "{client_id}"

// checkAccepted refuses what the server is known to refuse.
func checkAccepted(r Registration, p *provider.Provider) error {
	if p.NoPublicClients && r.Credential.IsZero() {
		return fmt.Errorf("oauth: %s has no public clients: set Credential", p.Name)
	}
	u, err := url.Parse(r.RedirectURL)
	if err != nil {
		return errors.New("oauth: RedirectURL is not a URL") // cannot happen: it was checked before
	}
	refuses, host := p.Redirects, strings.ToLower(u.Hostname())
	switch custom := u.Scheme != "https" && u.Scheme != "http"; {
	case custom && refuses.NoCustomScheme:
		return fmt.Errorf("oauth: RedirectURL: %s accepts no scheme of an app: use https, or http on this machine", p.Name)
	case u.Scheme == "http" && refuses.NoHTTP:
		return fmt.Errorf("oauth: RedirectURL: %s accepts https only, also on this machine", p.Name)
	case host == "localhost" && refuses.NoLocalhost:
		return fmt.Errorf("oauth: RedirectURL: %s does not accept the name localhost: use 127.0.0.1, here and in the registration", p.Name)
	case host != "localhost" && !custom && loopback.Host(host) && refuses.NoLoopbackIP:
		return fmt.Errorf("oauth: RedirectURL: %s does not accept the address %s: use localhost, here and in the registration", p.Name, host)
	}
	return nil
}

// adapt changes a request that is authenticated as the provider wants it.
func (c *Client) adapt(call call, r *TokenRequest) {
	p, form := c.provider, r.Form()
	if asksForToken(call.op) {
		for name, values := range p.TokenParams {
			if !form.Has(name) {
				form[name] = slices.Clone(values)
			}
		}
		for name, values := range p.TokenHeader {
			r.Header()[name] = slices.Clone(values)
		}
	}
	if id, ok := form["client_id"]; ok && p.ClientIDParam != "" {
		form[p.ClientIDParam] = id
		delete(form, "client_id")
	}
}

func asksForToken(op string) bool {
	return op == opExchange || op == opRefresh || op == opClientCredentials
}

// encoded returns the parameters of a request as its media type has them.
func encoded(form url.Values, asJSON bool) (text, mediaType string) {
	if !asJSON {
		return form.Encode(), "application/x-www-form-urlencoded"
	}
	object := map[string]any{}
	for name, values := range form {
		object[name] = values
		if len(values) == 1 {
			object[name] = values[0]
		}
	}
	body, err := json.Marshal(object)
	if err != nil {
		return "{}", "application/json" // cannot happen: there are texts only
	}
	return string(body), "application/json"
}

// shape gives a request its headers and its method. A request whose method has
// no body has no parameters either.
func (h how) shape(req *http.Request, header http.Header) {
	req.Header = header
	if h.method != "" {
		req.Method = h.method
	}
	if h.method == http.MethodGet || req.ContentLength == 0 {
		req.Body, req.GetBody, req.ContentLength = http.NoBody, nil, 0
		header.Del("Content-Type")
	}
}

// moveToken moves a user's Bearer token to the header in which the API of the
// provider wants it.
func (c *Client) moveToken(header http.Header) {
	facts := c.provider.API
	token, bearer := strings.CutPrefix(header.Get("Authorization"), "Bearer ")
	if !bearer || facts.TokenHeader == "" && facts.TokenScheme == "" {
		return
	}
	header.Del("Authorization")
	header.Set(cmp.Or(facts.TokenHeader, "Authorization"), strings.TrimSpace(facts.TokenScheme+" "+token))
}

// remaining returns the lifetime of an access token whose answer says when it
// ends. It reports whether that is known.
func (c *Client) remaining(o members.Object, sent time.Time) (time.Duration, bool) {
	if c.provider.ExpiryMember == "" {
		return 0, false
	}
	end, ok := expiry(c.provider.ExpiryForm, members.Text(o.At(c.provider.ExpiryMember)))
	life := end.Sub(sent)
	return max(life, time.Second), ok
}

// expiry reads the end of a token in one of the forms of Provider.ExpiryForm.
// The signature of a token in JWT form is not checked: the text came from the
// server itself, and a wrong time costs a request and nothing more.
func expiry(form, text string) (time.Time, bool) {
	switch form {
	case "rfc3339":
		at, err := time.Parse(time.RFC3339, text)
		return at, err == nil
	case "unix":
		return unixTime(text)
	case "jwt":
		parts := strings.Split(text, ".")
		if len(parts) != 3 {
			return time.Time{}, false
		}
		claims, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			return time.Time{}, false
		}
		object, _ := members.Read(claims)
		return unixTime(members.Text(object.At("exp")))
	}
	return time.Time{}, false
}

// unixTime reads seconds since 1970, without a fraction. A time so late that no
// token lives until then says nothing.
func unixTime(text string) (time.Time, bool) {
	seconds, err := strconv.ParseFloat(text, 64)
	const latest = 1 << 35 // the year 3058
	if err != nil || seconds <= 0 || seconds >= latest {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}
