package derived

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/internal/trials"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// ask asks the server for a token, in exchange for the token of the parent.
// Without a parent, that is nil.
type ask func(ctx context.Context, c *oauth.Client, parent *oauth2.Token) (*oauth2.Token, error)

// state is what is behind a Source.
type state struct {
	client  *oauth.Client
	parent  tokensource.Source // nil if there is none
	actor   tokensource.Source // who acts for the subject; nil if nobody has a source
	ask     ask
	begun   time.Time // with a monotonic clock, from which trials count
	held    holders
	fetches singleflight.Group // by key
	renews  singleflight.Group // by key
	breaker pacing.Breaker
	trials  *trials.Trials // renewals that did not help
	answers atomic.Uint64  // counts answers, for their names
}

// held is an answer of the server. Two answers may have the same token.
type held struct {
	token   *oauth2.Token
	parent  *oauth2.Token // which it was asked for with, or nil
	client  *oauth.Client // with the key of the token, if it has one
	header  string        // the value of the Authorization header
	name    string        // of the answer
	line    string        // the name of the first of the answers that replaced each other
	renewed bool          // it came in place of a rejected token
	at      time.Duration // when it came, by the monotonic clock
}

// renewSpacing is the shortest pause between two renewals (G9).
const renewSpacing = 10 * time.Second

func newState(client *oauth.Client, parent, actor tokensource.Source, grant ask) *state {
	s := &state{client: client, parent: parent, actor: actor, ask: grant, begun: time.Now(), trials: trials.New(renewSpacing)}
	if s.ofUsers() {
		s.breaker.Grants = 2 // trouble of one user stays with that user (G17)
	}
	return s
}

// ofUsers reports whether different users may have different tokens here.
func (s *state) ofUsers() bool { return s.parent != nil || s.actor != nil }

// key returns what a token is kept under: the token that it was derived from,
// and that of the actor. So the context's subject selects the user, and a new
// login of a user has new tokens. After a logout the parent has no token, and
// no derived token is handed out. A chain of sources keeps everything under the
// tokens at its root.
func (s *state) key(ctx context.Context) (string, error) {
	subject, err := keyOf(ctx, s.parent)
	if err != nil || s.actor == nil {
		return subject, err
	}
	actor, err := keyOf(ctx, s.actor)
	return strconv.Itoa(len(subject)) + " " + subject + actor, err
}

// keyOf returns the part of a key that a source decides. It is empty if there
// is no source.
func keyOf(ctx context.Context, src tokensource.Source) (string, error) {
	if src == nil {
		return "", nil
	}
	if below, ok := src.(*Source); ok {
		return below.state().key(ctx)
	}
	tok, err := tokenOf(ctx, src)
	if err != nil {
		return "", err
	}
	return tok.AccessToken, nil
}

// tokenOf returns the token of a source.
func tokenOf(ctx context.Context, src tokensource.Source) (*oauth2.Token, error) {
	tok, err := src.Token(ctx)
	if err == nil && (tok == nil || tok.AccessToken == "") {
		err = errors.New("derived: the source below supplied no token")
	}
	return tok, err
}

// current returns a token that has not expired.
func (s *state) current(ctx context.Context) (*held, error) {
	key, err := s.key(ctx)
	if err != nil {
		return nil, err
	}
	h := s.held.get(key)
	if h == nil {
		return s.fetch(ctx, key)
	}
	switch left := time.Until(h.token.Expiry.Round(0)); {
	case h.token.Expiry.IsZero() || left > early(h.token):
		return h, nil
	case left <= 0:
		return s.fetch(ctx, key)
	}
	s.begin(ctx, key, "") // nobody waits
	return h, nil
}

// early returns how long before its expiry a token is replaced: a minute, or a
// tenth of its lifetime if that is less.
func early(tok *oauth2.Token) time.Duration {
	return min(time.Minute, time.Duration(tok.ExpiresIn)*time.Second/10)
}
