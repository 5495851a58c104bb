package grant

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
func (k *Keeper) keep(key string, w *unsaved, err error) {
	k.mu.Lock()
	k.unsaved[key] = w
	k.mu.Unlock()
	k.tell(EventUnsaved, w.record.subject, err)
	k.work.Go(func() { k.keepWriting(key, w) }) // called from a flight, which Close still waits for
}

func (k *Keeper) keepWriting(key string, w *unsaved) {
	ctx := context.Background()
	for pause := firstSavePause; ; pause = min(2*pause, lastSavePause) {
		open := k.sleep(ctx, pause)
		if k.unsavedAt(key) != w {
			return // a later write has carried the tokens into the store, or replaced them
		}
		if k.settleUnsaved(ctx, key, w) || !open {
			return
		}
	}
}

// settleUnsaved tries once to write w, and reports whether that is done with: w is stored, or overtaken.
func (k *Keeper) settleUnsaved(ctx context.Context, key string, w *unsaved) bool {
	_, err := k.settle(ctx, key, w)
	if errors.Is(err, errNotTaken) {
		return false
	}
	if err == nil {
		k.tell(EventSaved, w.record.subject, nil)
	}
	k.forgetUnsaved(key, w)
	return true
}

// unsavedAt returns the unsaved grant under key, or nil.
func (k *Keeper) unsavedAt(key string) *unsaved {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unsaved[key]
}

// forgetUnsaved forgets w, unless another has taken its place.
func (k *Keeper) forgetUnsaved(key string, w *unsaved) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.unsaved[key] == w {
		delete(k.unsaved, key)
	}
}

// dropUnsaved forgets whatever is unsaved under key.
func (k *Keeper) dropUnsaved(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.unsaved, key)
}

// discard deals with renewed tokens that came too late: current is what is stored instead, nil after a logout. Tokens
// that a logout should have ended are revoked. Tokens superseded by a newer login are too, except where the server has
// ended them itself and a revocation might hit the new ones; and those of a redemption that another process has taken
// over are left alone, since they may belong to the same family.
func (k *Keeper) discard(ctx context.Context, late, current *record) {
	loggedOut := current == nil || current.state == stateRevoking
	newLogin := current != nil && current.authorized.After(late.authorized)
	if !loggedOut && (!newLogin || k.client.Provider().SingleGrant) {
		k.tell(EventSuperseded, late.subject, nil)
		return
	}
	k.tell(EventLate, late.subject, k.revokeBoth(ctx, late))
}
