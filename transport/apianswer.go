package transport

import (
	"net/http"
	"strings"

	"github.com/authtrip/authtrip/internal/members"
	"github.com/authtrip/authtrip/tokensource"
)

// answerPeek is how much of a body is compared with APIFacts.Answers, in bytes.
const answerPeek = 4 << 10

// rejectedBy returns the predicate that follows from facts: what the body says,
// where it says something, and otherwise the status.
func rejectedBy(facts tokensource.APIFacts) func(*http.Response) bool {
	byStatus := RejectedOn(facts.RejectedStatuses...) //nolint:bodyclose // it only judges responses
	if len(facts.Answers) == 0 {
		return byStatus
	}
	return func(resp *http.Response) bool {
		var body members.Object
		read := false
		for _, a := range facts.Answers {
			if a.Status != resp.StatusCode || !isData(resp) {
				continue
			}
			if !read {
				body, read = peeked(resp), true
			}
			if says(body, a.Where) {
				return a.Rejected
			}
		}
		return byStatus(resp)
	}
}

// isData reports whether a body can be JSON. A successful answer must say so:
// the beginning of a download is not worth a wait.
func isData(resp *http.Response) bool {
	return resp.StatusCode/100 != 2 || strings.Contains(resp.Header.Get("Content-Type"), "json")
}

// peeked returns the members at the beginning of the body. Those behind
// answerPeek are missing.
func peeked(resp *http.Response) members.Object {
	text := Peek(resp, answerPeek)
	object, ok := members.Read(text)
	if !ok {
		object = members.List(text)
	}
	return object
}

// says reports whether the members of a body have all values of where.
func says(body members.Object, where map[string]string) bool {
	for path, want := range where {
		text := members.Text(body.At(path))
		if begin, ok := strings.CutSuffix(want, "*"); ok {
			if text == "" || !strings.HasPrefix(text, begin) {
				return false
			}
		} else if text != want {
			return false
		}
	}
	return true
}
