package derived

import (
	"context"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bearer"
)

// ReadyFor returns the header value that this source stores beside its token.
// It is for package transport: its result type is internal.
func (s *AppSource) ReadyFor(src any) bearer.Ready {
	if src != any(s) {
		return nil
	}
	return ready{s.state()}
}

type ready struct{ state *appState }

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
func (r ready) Accepted(_ context.Context, tok *oauth2.Token, renewed bool) {
	if r.state.trials.None() {
		return
	}
	if h := r.state.held.Load(); h != nil && h.token.AccessToken == tok.AccessToken {
		r.state.trials.Accept("", h.name, renewed, time.Since(r.state.begun))
	}
}
