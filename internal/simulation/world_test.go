package simulation_test

import (
	"context"
	"slices"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// The settings of the engine that the judge knows. All are defaults.
const (
	leaseTime   = 30 * time.Second // how long an intent lives
	requestTime = 20 * time.Second // from the intent to the end of the request
	quietTime   = 5 * time.Second  // how long a foreign intent is watched
	clockSkew   = 30 * time.Second // how far the clocks of two hosts may differ
	recheckTime = 30 * time.Second // how long a process may not know of a change elsewhere
	retryTime   = 6 * time.Second  // within it, the background writer tries once more
	storeTime   = 3 * time.Second  // the time limit of one operation of the store
)

var scopes = []string{"read", "offline"}

// fakeProvider is the server of every run.
var fakeProvider = &provider.Provider{
	Name:             "fake",
	AuthorizationURL: "https://auth.example/authorize",
	TokenURL:         "https://auth.example/token",
	RevocationURL:    "https://auth.example/revoke",
	APIOrigins:       []string{"https://api.example"},
	RefreshScope:     "offline",
}

func registration() oauth.Registration {
	app := oauthtest.PublicApp()
	return oauth.Registration{ClientID: app.ClientID, RedirectURL: app.RedirectURLs[0], Scopes: scopes}
}

// clocks sets the wall clocks of processes, now and then. After the time of
// faults all clocks are right.
func (r *run) clocks() {
	for n := 0; r.profile.step > 0 && r.faulting(); n++ {
		c := r.chance.of("clock").nth(n)
		time.Sleep(c.of("pause").between(time.Minute, time.Hour))
		if r.faulting() {
			p := r.any(c)
			step := time.Duration((c.of("step").float()*2 - 1) * float64(r.profile.step))
			r.note(p, "", "sets its clock to %v", step)
			r.count("clock steps")
			p.setClock(step)
		}
	}
}

// setClocksRight ends the faults of the clocks.
func (r *run) setClocksRight() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.processes {
		p.setClock(0)
	}
}

// reseals writes every record again, as a change of the sealing key does.
func (r *run) reseals() {
	for n := 0; r.profile.reseal && r.running(); n++ {
		time.Sleep(r.chance.of("reseal").nth(n).between(5*time.Minute, 2*time.Hour))
		r.reseal()
	}
}

func (r *run) reseal() {
	ctx := context.Background()
	for _, key := range sortedKeys(ctx, r.memory) {
		stored, err := r.memory.Get(ctx, key)
		if err != nil {
			continue
		}
		if version, err := r.memory.Put(ctx, key, stored.Value(), stored.Version); err == nil {
			r.count("records written again")
			r.judge.rewritten(stored.Version, version)
		}
	}
}

// sortedKeys returns the keys of a store in one order, whatever the order in
// which the store lists them.
func sortedKeys(ctx context.Context, store storage.Lister) []string {
	var keys []string
	for key, err := range store.Keys(ctx) {
		if err == nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
