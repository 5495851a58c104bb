package grant

import (
	"context"
	"errors"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
)

// withdraw stores next, which has no intent, in place of a record with an intent under which nothing is in doubt, though the
// store may not have said that it took the intent, or refuses to take it back. It goes on in the background until that is
// done, or somebody else has changed the record: an intent left behind would be taken for a lost answer. If the intent was
// never written, writing next over version keeps it from being written late.
func (k *Keeper) withdraw(key string, next *record, version storage.Version, intent string) {
	k.mu.Lock()
	k.withdrawing[key] = true // no intent is announced meanwhile, so there is one withdrawal per key at most
	k.mu.Unlock()
	k.work.Go(func() { // called from a flight, which Close still waits for
		defer k.withdrawn(key)
		ctx := context.Background()
		for pause := firstSavePause; ; pause = min(2*pause, lastSavePause) {
			_, _, err := k.overwrite(ctx, key, next, version, intent)
			if err == nil || errors.Is(err, errOvertaken) || !k.sleep(ctx, pause) {
				return
			}
		}
	})
}

func (k *Keeper) withdrawn(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.withdrawing, key)
}

// withdrawal returns why no intent can be announced under key now, or nil. An intent of ours is still to be taken back: one
// at a time, so that an outage of the store does not leave a trail of them.
func (k *Keeper) withdrawal(key string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.withdrawing[key] {
		return nil
	}
	return &tokensource.Error{Op: "store", Kind: tokensource.ErrTemporary, Err: errors.New("the store has failed, and is being asked again")}
}
