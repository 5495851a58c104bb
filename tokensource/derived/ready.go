package derived

import (
	"context"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bearer"
)

// ReadyFor returns the header values that this source stores beside its tokens.
// It is for package transport: its result type is internal.
func (s *Source) ReadyFor(src any) bearer.Ready {
	if src != any(s) {
		return nil
	}
	return ready{s.state()}
}

type ready struct{ state *state }

// Authorization implements [bearer.Ready].
func (r ready) Authorization(ctx context.Context) (*oauth2.Token, string, error) {
	h, err := r.state.current(ctx)
	if err != nil {
		return nil, "", err
	}
	return h.token, h.header, nil
}

// Accepted implements [bearer.Ready]. A token of an earlier answer says nothing
// about the present one, unless the server has returned the same token again.
// What was exchanged for a token that the API accepts is good too.
func (r ready) Accepted(ctx context.Context, tok *oauth2.Token, renewed bool) {
	if r.state.trials.None() {
		return
	}
	h := r.state.held.of(tok.AccessToken)
	if h == nil {
		return
	}
	r.state.trials.Accept(h.line, h.name, renewed, time.Since(r.state.begun))
	if below := bearer.ReadyOf(r.state.parent); below != nil && h.parent != nil {
		below.Accepted(ctx, h.parent, renewed)
	}
}
