package provider

import (
	"maps"
	"slices"
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

	// Fixer is who can fix it.
	Fixer Fixer

	// CodeAt is the path of the error code in the answer. Empty means that the
	// code of RFC 6749 stays.
	CodeAt string

	// Hint says in words what to do. It becomes part of the error.
	Hint string
}

func (r Refusal) clone() Refusal {
	r.Ops = slices.Clone(r.Ops)
	r.Where = maps.Clone(r.Where)
	return r
}
