package bearer

import (
	"context"

	"golang.org/x/oauth2"
)

// Ready supplies tokens that are ready to be sent, and learns which of them
// work.
type Ready interface {
	// Authorization returns a token together with the value of the Authorization
	// header that carries it. The value is empty if the token cannot be sent as a
	// Bearer token.
	Authorization(ctx context.Context) (*oauth2.Token, string, error)

	// Accepted reports that an API has accepted tok, which came from this source
	// under ctx. Renewed says that the API had rejected the same request with an
	// earlier token. It is called after every request, and costs a nanosecond
	// while no renewal is in question.
	Accepted(ctx context.Context, tok *oauth2.Token, renewed bool)
}

// Readier is a source that may keep header values beside its tokens.
type Readier interface {
	// ReadyFor returns the header values of this source, or nil if src is
	// another source. A type that embeds a Readier has this method too, but may
	// supply other tokens by a Token method of its own. The comparison with src
	// tells the two apart.
	ReadyFor(src any) Ready
}

// ReadyOf returns the header values of src, or nil if src keeps none.
func ReadyOf(src any) Ready {
	if r, ok := src.(Readier); ok {
		return r.ReadyFor(src)
	}
	return nil
}
