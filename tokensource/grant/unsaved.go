package tokensource

import (
	"context"
	"errors"
	"time"

	"github.com/authtrip/authtrip/storage"
)

const (
	saveTries      = 3
	firstSavePause = 100 * time.Millisecond
	lastSavePause  = time.Second
)

// unsaved is a grant with renewed tokens that the store has not taken yet.
type unsaved struct {
	record  *record
	version storage.Version // the version to write over
	intent  string          // the intent that the tokens were obtained under
	old     string          // the access token that record's replaces
}

// replaces reports whether current is still the grant that w was obtained from, and nobody is about to redeem its refresh
// token, which w's record has used up.
func (w *unsaved) replaces(current *record) bool {
	return current.state == stateAlive && current.intent.id == "" && current.access == w.old &&
		current.authorized.Equal(w.record.authorized)
}

// keep remembers w and writes it in the background until the store takes it or Close gives up.
func (g *Grants) keep(key string, w *unsaved, err error) {
	g.mu.Lock()
	g.unsaved[key] = w
	g.mu.Unlock()
	g.tell(EventUnsaved, w.record.subject, err)
	g.work.Go(func() { g.keepWriting(key, w) }) // called from a flight, which Close still waits for
}

func (g *Grants) keepWriting(key string, w *unsaved) {
	ctx := context.Background()
	for pause := firstSavePause; ; pause = min(2*pause, lastSavePause) {
		open := g.sleep(ctx, pause)
		if g.unsavedAt(key) != w {
			return // a later write has carried the tokens into the store, or replaced them
		}
		if g.settleUnsaved(ctx, key, w) || !open {
			return
		}
	}
}

// settleUnsaved tries once to write w, and reports whether that is done with: w is stored, or overtaken.
func (g *Grants) settleUnsaved(ctx context.Context, key string, w *unsaved) bool {
	_, err := g.settle(ctx, key, w)
	if errors.Is(err, errNotTaken) {
		return false
	}
	if err == nil {
		g.tell(EventSaved, w.record.subject, nil)
	}
	g.forgetUnsaved(key, w)
	return true
}

// unsavedAt returns the unsaved grant under key, or nil.
func (g *Grants) unsavedAt(key string) *unsaved {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.unsaved[key]
}

// forgetUnsaved forgets w, unless another has taken its place.
func (g *Grants) forgetUnsaved(key string, w *unsaved) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.unsaved[key] == w {
		delete(g.unsaved, key)
	}
}

// dropUnsaved forgets whatever is unsaved under key.
func (g *Grants) dropUnsaved(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.unsaved, key)
}

// discard deals with renewed tokens that came too late: current is what is stored instead, nil after a logout. Tokens
// that a logout should have ended are revoked. Tokens superseded by a newer login are too, except where the server has
// ended them itself and a revocation might hit the new ones; and those of a redemption that another process has taken
// over are left alone, since they may belong to the same family.
func (g *Grants) discard(ctx context.Context, late, current *record) {
	loggedOut := current == nil || current.state == stateRevoking
	newLogin := current != nil && current.authorized.After(late.authorized)
	if !loggedOut && (!newLogin || g.client.provider.SingleGrant) {
		g.tell(EventSuperseded, late.subject, nil)
		return
	}
	g.tell(EventLate, late.subject, g.revokeBoth(ctx, late))
}
