package tokensource

import (
	"maps"
	"slices"
)

// APIFacts says how the resource servers of a Source answer. The zero value
// means that they follow the RFCs.
type APIFacts struct {
	// RejectedStatuses are the statuses of an answer that rejects an access
	// token. Nil means 401. Some servers say 403.
	RejectedStatuses []int

	// LimitStatuses are statuses that an API uses for an exhausted rate limit,
	// beside 429. An answer with such a status counts as a rate limit only if a
	// header says when to try again: Retry-After, or one of LimitHeaders. So 403
	// can be one of them.
	LimitStatuses []int

	// LimitHeaders are the headers with which an API describes its rate limits.
	// An API can have several limits at once. Nil means that it has none.
	LimitHeaders []LimitHeaders

	// Headers are headers that every request needs beside its token, such as
	// Client-Id. A request that has the header already keeps its own.
	Headers map[string]string

	// TokenHeader is the header that carries the token, and TokenScheme is what
	// stands before the token. Empty means Authorization and Bearer. With a
	// TokenHeader, an empty scheme means that the token stands alone.
	TokenHeader string
	TokenScheme string

	// Answers are answers whose status does not say whether the token was
	// rejected. The first one that matches counts more than RejectedStatuses. To
	// compare, up to 4 KiB of the body are read.
	Answers []APIAnswer

	// GrantHosts are the hosts of origins that come with a grant, such as
	// "*.salesforce.com". A token goes to such a host only if
	// Scoper.APIOrigins of that token names its origin.
	GrantHosts []string

	// InsecureHTTP allows tokens to be sent over http to the origins that the
	// Source names. A provider with InsecureHTTP sets it. What is lost:
	// everybody on the way reads the tokens and can use them.
	InsecureHTTP bool
}

// LimitHeaders are the names of the headers of one rate limit.
type LimitHeaders struct {
	Limit     string // requests per window; empty if there is no such header
	Remaining string // requests left; empty if there is no such header
	Reset     string // when the window ends. Required

	// ResetAfter says that Reset is a number of seconds from now. Otherwise it
	// is a Unix time.
	ResetAfter bool
}

// An APIAnswer is an answer of a resource server whose status does not say
// whether the token was rejected.
type APIAnswer struct {
	// Status is the status of the answer. It can be 200.
	Status int

	// Where are members of the JSON body, by paths such as "error.code", and
	// their values as they are written. All must be there. A value that ends with
	// * matches every text that begins like it.
	Where map[string]string

	// Rejected says that such an answer rejects the token. Otherwise the token
	// is good, and another one would not help.
	Rejected bool
}

// Clone returns a copy that shares nothing which could be changed.
func (f APIFacts) Clone() APIFacts {
	f.RejectedStatuses = slices.Clone(f.RejectedStatuses)
	f.LimitStatuses = slices.Clone(f.LimitStatuses)
	f.LimitHeaders = slices.Clone(f.LimitHeaders)
	f.Headers = maps.Clone(f.Headers)
	f.GrantHosts = slices.Clone(f.GrantHosts)
	f.Answers = slices.Clone(f.Answers)
	for i := range f.Answers {
		f.Answers[i].Where = maps.Clone(f.Answers[i].Where)
	}
	return f
}

// A Describer is a Source that knows how the resource servers of its tokens
// answer. Package transport takes its defaults from it.
type Describer interface {
	// APIFacts returns what is known. The result belongs to the caller.
	APIFacts() APIFacts
}
