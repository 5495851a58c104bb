// Package reading reads answers of a server with the facts that a Provider
// holds: who can fix a refusal, and which user a token is for.
//
// All functions are safe for concurrent use. What they return can be a secret
// only where a caller asked for it, and no error quotes an answer.
package reading

import (
	"net/http"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// Judge says who can fix what an answer reports: by the first of Refusals that
// matches, and otherwise by Classify. The zero Verdict means that neither
// knows.
func Judge(p *provider.Provider, a provider.Answer) provider.Verdict {
	for _, r := range p.Refusals {
		if matches(r, a) {
			return provider.Verdict{Fixer: r.Fixer, Code: a.Member(r.CodeAt), Hint: r.Hint}
		}
	}
	if p.Classify != nil {
		return p.Classify(a)
	}
	return provider.Verdict{}
}

func matches(r provider.Refusal, a provider.Answer) bool {
	ops := r.Ops
	if ops == nil {
		ops = []string{"exchange", "refresh"}
	}
	outage := a.Status >= 500 || a.Status == http.StatusTooManyRequests
	if !slices.Contains(ops, a.Op) || r.Status != a.Status && (r.Status != 0 || outage) {
		return false
	}
	for path, value := range r.Where {
		if !like(a.Member(path), value) {
			return false
		}
	}
	return true
}

// like reports whether text is value, or begins like a value that ends with *.
func like(text, value string) bool {
	if begin, ok := strings.CutSuffix(value, "*"); ok {
		return text != "" && strings.HasPrefix(text, begin)
	}
	return text == value
}
