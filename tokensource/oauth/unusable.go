package oauth

import (
	"errors"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
)

// unusable is the cause of an error for tokens that were granted and cannot be
// used.
type unusable struct {
	reason error
	token  func() *oauth2.Token // in a closure, so that nothing prints the tokens
}

func (u *unusable) Error() string { return u.reason.Error() }

// Unusable returns the tokens that came with an answer which granted, and which
// cannot be used all the same: because no request can carry the access token,
// or because it is bound to a key that the Client does not have. It reports
// whether err is the error of [Client.Exchange] or [Client.Refresh] for such an
// answer.
//
// The server has redeemed the code or the refresh token. So what came should be
// stored, or revoked. A token that is not fit for that is empty in the result.
func Unusable(err error) (*oauth2.Token, bool) {
	u, ok := errors.AsType[*unusable](err)
	if !ok {
		return nil, false
	}
	return u.token(), true
}

// notUsable is the failure for such an answer. Another attempt would end in the
// same way, so the failure is not temporary.
func notUsable(op string, a answer, r response) *tokensource.Error {
	return &tokensource.Error{
		Op: op, Kind: tokensource.ErrClient, Status: a.status,
		Hint: "the server granted, but this setup cannot use what it issues: another attempt would not help",
		Err:  &unusable{r.bad, func() *oauth2.Token { return r.tok }},
	}
}
