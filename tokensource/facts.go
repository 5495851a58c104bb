package tokensource

import "slices"

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

// Clone returns a copy that shares nothing which could be changed.
func (f APIFacts) Clone() APIFacts {
	f.RejectedStatuses = slices.Clone(f.RejectedStatuses)
	f.LimitStatuses = slices.Clone(f.LimitStatuses)
	f.LimitHeaders = slices.Clone(f.LimitHeaders)
	return f
}

// A Describer is a Source that knows how the resource servers of its tokens
// answer. Package transport takes its defaults from it.
type Describer interface {
	APIFacts() APIFacts
}
