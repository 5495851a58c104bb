package tokensource

import (
	"context"
	"errors"

	"github.com/authtrip/authtrip/storage"
)

// withdraw stores next, which has no intent, in place of a record with an intent under which nothing is in doubt, though the
// store may not have said that it took the intent, or refuses to take it back. It goes on in the background until that is
// done, or somebody else has changed the record: an intent left behind would be taken for a lost answer. If the intent was
// never written, writing next over version keeps it from being written late.
func (g *Grants) withdraw(key string, next *record, version storage.Version, intent string) {
	g.mu.Lock()
	g.withdrawing[key] = true // no intent is announced meanwhile, so there is one withdrawal per key at most
	g.mu.Unlock()
	g.work.Go(func() { // called from a flight, which Close still waits for
		defer g.withdrawn(key)
		ctx := context.Background()
		for pause := firstSavePause; ; pause = min(2*pause, lastSavePause) {
			_, _, err := g.overwrite(ctx, key, next, version, intent)
			if err == nil || errors.Is(err, errOvertaken) || !g.sleep(ctx, pause) {
				return
			}
		}
	})
}

func (g *Grants) withdrawn(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.withdrawing, key)
}

// withdrawal returns why no intent can be announced under key now, or nil. An intent of ours is still to be taken back: one
// at a time, so that an outage of the store does not leave a trail of them.
func (g *Grants) withdrawal(key string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.withdrawing[key] {
		return nil
	}
	return &Error{Op: "store", Kind: ErrTemporary, Err: errors.New("the store has failed, and is being asked again")}
}
