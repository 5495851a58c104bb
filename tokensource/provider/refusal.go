package provider

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// A Refusal is an answer that reports a failure in other words than RFC 6749
// section 5.2, such as a status of 200 with ok=false.
type Refusal struct {
	// Ops are what was asked, see [Answer]. Nil means "exchange" and "refresh".
	Ops []string

	// Status is the status of the answer. Zero means any but 429 and 5xx: an
	// outage ends no grant, whatever it says.
	Status int

	// Where are members of the answer, by their paths (see [Answer.Member]), and
	// their values. All must be there. A value that ends with * matches every
	// text that begins like it.
	Where map[string]string

	// Cure is who can do something about it.
	Cure Cure

	// CodeAt is the path of the error code in the answer. Empty means that the
	// code of RFC 6749 stays.
	CodeAt string

	// Hint says in words what to do. It becomes part of the error.
	Hint string
}

// Judge says who can cure what an answer reports: by the first of Refusals that
// matches, or else by Classify. The zero Verdict means that neither knows.
func (p *Provider) Judge(a Answer) Verdict {
	for _, r := range p.Refusals {
		if r.matches(a) {
			return Verdict{Cure: r.Cure, Code: a.Member(r.CodeAt), Hint: r.Hint}
		}
	}
	if p.Classify != nil {
		return p.Classify(a)
	}
	return Verdict{}
}

func (r Refusal) matches(a Answer) bool {
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

func (r Refusal) clone() Refusal {
	r.Ops = slices.Clone(r.Ops)
	r.Where = maps.Clone(r.Where)
	return r
}
