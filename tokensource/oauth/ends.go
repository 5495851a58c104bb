package oauth

import (
	"time"

	"github.com/authtrip/authtrip/internal/kept"
	"github.com/authtrip/authtrip/internal/members"
)

// The members with which servers say for how many seconds a refresh token
// lives, and the whole authorization of the user.
var (
	refreshLife   = []string{"refresh_token_expires_in", "refresh_expires_in"}
	authorizeLife = []string{"authorization_expires_in"}
)

// addEnds adds to the members of an answer when the refresh token ends and when
// the authorization does, if the server says so. They count from the sending of
// the request, and they are points of time, so that they stay true while they
// are kept. A lifetime of zero means that there is none. The provider may name
// another member for the refresh token.
func (c *Client) addEnds(extra map[string]any, sent time.Time, objects ...members.Object) {
	refresh := refreshLife
	if path := c.provider.RefreshTokens.ExpiryMember; path != "" {
		refresh = []string{path}
	}
	for name, from := range map[string][]string{kept.RefreshEnd: refresh, kept.AuthorizationEnd: authorizeLife} {
		delete(extra, name) // a member of the server by our name means something else
		for _, o := range objects {
			for _, member := range from {
				if life, ok := lifetime(o.At(member)); ok && extra[name] == nil {
					extra[name] = float64(sent.Add(life).Unix())
				}
			}
		}
	}
}
