package oauthtest

import (
	"net/http"

	"github.com/authtrip/authtrip/tokensource/provider"
)

const (
	typeJSON = "application/json; charset=utf-8"
	typeHTML = "text/html; charset=utf-8"
	typeText = "text/plain; charset=utf-8"
)

// problems are the answers of RFC 6749 section 5.2 and RFC 7009 section 2.2.1
// to the topics of Options.Answer.
var problems = map[string]struct {
	status     int
	code, text string
}{
	"missing":         {http.StatusBadRequest, "invalid_request", "a parameter is missing: "},
	"query":           {http.StatusBadRequest, "invalid_request", "parameters belong into the body"},
	"client":          {http.StatusUnauthorized, "invalid_client", "client authentication failed"},
	"unknown client":  {http.StatusUnauthorized, "invalid_client", "the client is not registered"},
	"grant_type":      {http.StatusBadRequest, "unsupported_grant_type", "the grant type is not supported"},
	"code":            {http.StatusBadRequest, "invalid_grant", "the code is unknown, used or expired"},
	"redirect_uri":    {http.StatusBadRequest, "invalid_grant", "the code was issued for another redirect_uri"},
	"code_verifier":   {http.StatusBadRequest, "invalid_grant", "the code_verifier does not match the code_challenge"},
	"device_code":     {http.StatusBadRequest, "invalid_grant", "the device code is unknown or used"},
	"assertion":       {http.StatusBadRequest, "invalid_grant", "the assertion is not accepted"},
	"subject_token":   {http.StatusBadRequest, "invalid_request", "the subject_token or actor_token is not valid"},
	"refresh_token":   {http.StatusBadRequest, "invalid_grant", "the refresh token is unknown, redeemed, revoked or expired"},
	"scope":           {http.StatusBadRequest, "invalid_scope", "the server does not know the scope"},
	"token_type_hint": {http.StatusBadRequest, "unsupported_token_type", "the token_type_hint is not supported"},
	"token":           {http.StatusBadRequest, "invalid_request", "the token is unknown"},
}

// own returns the server's own answer to a topic, or nil if it is the RFC's.
func (c *call) own(topic, parameter string) *reply {
	for _, words := range []func(string, string) *Answer{c.k.Answer, c.s.options.Answer} {
		if words == nil {
			continue
		}
		if a := words(topic, parameter); a != nil {
			return replyOf(a)
		}
	}
	return nil
}

// say returns the answer to a topic of Options.Answer.
func (c *call) say(topic, parameter string) *reply {
	if rep := c.own(topic, parameter); rep != nil {
		if topic == "method" {
			rep.header.Set("Allow", parameter)
		}
		return rep
	}
	switch topic {
	case "path":
		return newReply(http.StatusNotFound, typeText, "Not Found\n")
	case "page":
		return newReply(http.StatusBadRequest, typeHTML, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"+
			"<title>Bad request</title></head><body>\n<h1>This app cannot log you in</h1>\n"+
			"<p>The app or its redirect URL is not registered here.</p>\n</body></html>\n")
	case "method":
		rep := newReply(http.StatusMethodNotAllowed, typeText, "Method Not Allowed\n")
		rep.header.Set("Allow", parameter)
		return rep
	}
	p := problems[topic]
	rep := refused(p.status, p.code, p.text+parameter)
	if p.status == http.StatusUnauthorized && c.s.provider.ClientAuth != provider.Post {
		rep.header.Set("WWW-Authenticate", `Basic realm="oauthtest"`)
	}
	return rep
}

// refused is an error response of RFC 6749 section 5.2.
func refused(status int, code, description string) *reply {
	var b members
	b.add("error", code)
	b.add("error_description", description)
	return newReply(status, typeJSON, b.String()+"}")
}
