package grant

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/tokensource"
)

// tellScopes reports that the server granted other scopes than those that a
// login asked for, or than those that the grant had before a refresh. Both
// texts are lists with spaces between. If one of them is empty, nothing is
// known.
func (k *Keeper) tellScopes(ctx context.Context, subject, before, granted string) {
	had, has := strings.Fields(before), strings.Fields(granted)
	missing, added := without(had, has), without(has, had)
	if len(had) == 0 || len(has) == 0 || len(missing)+len(added) == 0 {
		return
	}
	k.tell(ctx, tokensource.Event{
		Kind: EventScopes, Subject: subject, Scopes: has,
		Err: fmt.Errorf("grant: the server granted other scopes than expected: missing %q, added %q", missing, added),
	})
}

// without returns the members of list that are not in other.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// tell calls Options.OnEvent.
func (k *Keeper) tell(ctx context.Context, e tokensource.Event) {
	if k.o.OnEvent == nil {
		return
	}
	e.Time, e.Provider, e.ClientID = k.clock.Wall(), k.client.Provider().Name, k.client.ClientID()
	e.CorrelationID = tokensource.CorrelationID(ctx)
	k.o.OnEvent(ctx, e)
}
