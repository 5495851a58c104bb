package main

import (
	"net/url"
	"strings"
)

// mask stands for a secret.
const mask = "••••"

// What the timeline says of a query or form. Whatever is in neither list is
// left out.
var (
	shown  = []string{"response_type", "grant_type", "token_type_hint", "code_challenge_method", "error"}
	masked = []string{"code", "code_verifier", "state", "refresh_token", "token"}
)

// redacted returns the parameters in one line, with secrets masked.
func redacted(values url.Values) string {
	const longest = 40 // what comes from a browser may be anything
	var list []string
	for _, name := range shown {
		if value := values.Get(name); value != "" {
			list = append(list, name+"="+value[:min(len(value), longest)])
		}
	}
	for _, name := range masked {
		if values.Get(name) != "" {
			list = append(list, name+"="+mask)
		}
	}
	return strings.Join(list, "  ")
}
