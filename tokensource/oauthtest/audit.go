package oauthtest

import (
	"fmt"
	"strings"
)

// maxOffences bounds what Audit tells.
const maxOffences = 100

// inspect looks for what no client should do. Server.mu must be held.
func (rec *recorder) inspect(c *call, r *Request) {
	offence := func(text string) {
		if len(rec.offences) < maxOffences {
			rec.offences = append(rec.offences, fmt.Sprintf("request %d, %s %s%s: %s", r.Number, r.Method, r.Host, r.Path, text))
		}
	}
	authorized := len(c.r.Header.Values("Authorization")) > 0
	if r.Foreign {
		if authorized {
			offence("credentials went to a stranger")
		}
		return
	}
	if !r.TLS && authorized && !foreign(c.r.URL.Hostname()) && c.r.URL.Scheme == "http" && strings.HasSuffix(r.Host, ".com") {
		offence("credentials without TLS")
	}
	if c.query.Has("client_secret") {
		offence("a client secret in the URL")
	}
	if c.form.Has("client_secret") {
		offence("a client secret in the body")
	}
	if c.query.Has("access_token") {
		offence("a bearer token in the URL")
	}
	if verifier := c.form.Get("code_verifier"); verifier != "" {
		if rec.verifiers[digestOf(verifier)] {
			offence("a code_verifier used twice")
		}
		rec.verifiers[digestOf(verifier)] = true
	}
}
