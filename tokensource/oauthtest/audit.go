package oauthtest

import (
	"errors"
	"fmt"

	"github.com/authtrip/authtrip/internal/loopback"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// maxOffences bounds what Audit reports.
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
	if _, ours := c.s.routes.hosts[c.s.routes.canonical(r.Host)]; ours && authorized && !r.TLS && c.r.URL.Scheme == "http" &&
		!loopback.Host(c.r.URL.Hostname()) {
		offence("credentials without TLS")
	}
	if c.query.Has("client_secret") {
		offence("a client secret in the URL")
	}
	if c.form.Has("client_secret") && c.s.provider.ClientAuth != provider.Post {
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

// Audit reports, as one error, what clients did that no client should do: a
// client secret in a URL, or in a body where the provider does not ask for it,
// a bearer token in a URL, credentials sent to a stranger or without TLS, a
// code_verifier used twice.
func (s *Server) Audit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []error
	for _, text := range s.recorder.offences {
		list = append(list, errors.New("oauthtest: "+text))
	}
	return errors.Join(list...)
}
