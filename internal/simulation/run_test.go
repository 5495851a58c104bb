package simulation_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/opaquekeys"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// run is one simulated world.
type run struct {
	t       *testing.T
	profile profile
	seed    uint64
	chance  chance
	length  time.Duration
	start   time.Time
	faulty  time.Time     // until then faults happen
	over    chan struct{} // closed at the end: crashed calls return then
	periods []period
	base    float64 // how strong faults are between periods

	fake   *oauthtest.Server
	memory *storage.Memory
	net    *storagetest.Network
	keys   *opaquekeys.Proofs // of the logins; nil for Bearer tokens
	grace  bool               // the server has a grace window
	single bool               // the server keeps one grant per user

	mu        sync.Mutex // guards processes, names and births
	names     map[string]*process
	processes []*process // one per place
	births    []int      // per place

	users []*user
	judge *judge
	work  sync.WaitGroup // what users and the world do

	abandoned sync.WaitGroup // calls of processes that may have crashed
}

// newRun sets the world up. The seed chooses the server, the number of
// processes and of users, and the lifetime of tokens.
func newRun(t *testing.T, p profile, seed uint64, length time.Duration, digesting bool) *run {
	r := &run{
		t: t, profile: p, seed: seed, chance: chance(seed).of(p.name), length: length,
		start: time.Now(), over: make(chan struct{}), memory: storage.NewMemory(),
		names: map[string]*process{},
	}
	r.faulty = r.start.Add(length - min(20*time.Minute, length/4))
	r.periods = r.makePeriods()
	c := r.chance.of("world")
	if c.of("always").hit(0.4) {
		r.base = 0.02 + 0.2*c.of("base").float()
	}
	r.births = make([]int, 2+c.of("processes").below(4))
	r.processes = make([]*process, len(r.births))
	ttl := c.of("ttl").between(time.Minute, 20*time.Minute).Round(time.Second)
	for i := range 2 + c.of("users").below(4) {
		r.users = append(r.users, &user{run: r, id: "user-" + strconv.Itoa(i), chance: r.chance.of("user", strconv.Itoa(i)), ttl: ttl})
	}
	r.startServer(c, ttl)
	r.judge = newJudge(r, newLogbook(*follow, digesting))
	r.net = storagetest.NewNetwork(r.memory, &storagetest.NetworkOptions{Fault: r.storeFault, Committed: r.judge.effect})
	for place := range r.processes {
		r.startProcess(place)
	}
	return r
}

// startServer starts the fake authorization server.
func (r *run) startServer(c chance, ttl time.Duration) {
	r.grace, r.single = c.of("grace").hit(0.2), c.of("single").hit(0.7)
	server := *fakeProvider
	server.SingleGrant = r.single
	var list []oauthtest.User
	for _, u := range r.users {
		list = append(list, oauthtest.User{ID: u.id, Username: u.id})
	}
	o := &oauthtest.Options{Provider: &server, Users: list, RecordLimit: -1, DefaultScopes: scopes}
	if r.profile.proofs {
		r.keys = &opaquekeys.Proofs{Name: "login"}
		o.Proofs = r.keys
	}
	r.fake = oauthtest.New(r.t, o)
	r.fake.Set(func(k *oauthtest.Knobs) {
		k.Proof.Nonces, k.Proof.NonceServes = r.profile.proofs, 3
		k.Token.AccessTTL, k.Token.KillOldAccess = ttl, c.of("kill").hit(0.5)
		if r.grace {
			k.Token.GraceWindow = 48 * time.Hour
		}
	})
}

// startProcess starts a process in a place, under a new name.
func (r *run) startProcess(place int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.births[place]++
	name := fmt.Sprintf("p%d.%d", place, r.births[place])
	p := r.newProcess(name, place, []time.Duration{20 * time.Second, time.Minute, 5 * time.Minute}[r.chance.of(name, "due").below(3)])
	r.processes[place] = p
	r.note(p, "", "starts")
}

// newProcess makes a process. It looks at one part of the index of due work in
// each interval of the given length. The lock must be held.
func (r *run) newProcess(name string, place int, interval time.Duration) *process {
	p := &process{
		run: r, place: place, name: name, chance: r.chance.of(name), state: "runs",
		counts: map[string]int{}, disturbed: map[string]time.Time{}, dead: make(chan struct{}),
	}
	if r.faulting() {
		p.step = time.Duration((p.chance.of("skew").float()*2 - 1) * float64(r.profile.skew))
	}
	options := &oauth.Options{HTTPClient: &http.Client{Transport: wire{p}}}
	if r.profile.proofs {
		options.Proofs = &opaquekeys.Proofs{Name: name}
	}
	client, err := oauth.New(r.fake.Provider(""), registration(), options)
	if err != nil {
		r.t.Fatal(err)
	}
	r.names[name] = p
	var store storage.Store = gated{p, r.net.Process(name)}
	if p.watches = p.chance.of("watch").hit(0.5); !p.watches {
		store = struct{ storage.Store }{store} // this process is notified of nothing
	}
	o := &grant.Options{
		Clock: p.clock(), CacheSize: []int{1, 3, 0}[p.chance.of("cache").below(3)],
		DueInterval: interval,
		Alive:       p.probe,
		OnEvent:     func(_ context.Context, e tokensource.Event) { r.judge.event(p, e) },

		InsecurePlainStore: true, // the judge reads what is stored
	}
	if r.grace {
		o.InDoubt = grant.ResendAlways
	}
	if p.keeper, err = grant.New(client, store, o); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// live does everything that happens in the run, and judges it.
func (r *run) live() {
	for _, u := range r.users {
		r.work.Go(u.live)
	}
	r.work.Go(r.clocks)
	r.work.Go(r.reseals)
	time.Sleep(time.Until(r.faulty))
	r.setClocksRight()
	time.Sleep(time.Until(r.start.Add(r.length)))
	r.work.Wait() // what users have begun
	r.end()
	close(r.over)
	for _, p := range r.judge.dead {
		_ = p.keeper.Close()
	}
	r.abandoned.Wait()
	r.net.Close()
}

// named returns the process with a name, or nil.
func (r *run) named(name string) *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.names[name]
}

// running reports whether users still begin new things.
func (r *run) running() bool { return time.Since(r.start) < r.length-10*time.Second }

// faulting reports whether faults happen.
func (r *run) faulting() bool { return time.Now().Before(r.faulty) }

// later does something after a while. The run does not end before.
func (r *run) later(d time.Duration, do func()) {
	r.work.Go(func() {
		time.Sleep(d)
		do()
	})
}

// any returns a process, by chance.
func (r *run) any(c chance) *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.processes[c.below(len(r.processes))]
}

// note writes a line into the log of the run.
func (r *run) note(p *process, user, format string, args ...any) {
	r.judge.log.add(logLine{time.Since(r.start), nameOf(p), user, format, args})
}

func (r *run) count(name string) { r.judge.counts.add(name, 1) }

// probe is how a process finds out whether an access token works.
func (p *process) probe(ctx context.Context, tok *oauth2.Token) (bool, error) {
	if err := p.pass(p.chance.of("probe")); err != nil {
		return false, err
	}
	n := p.next("probe")
	if !sleep(ctx, p.chance.of("probe").nth(n).between(2*time.Millisecond, 80*time.Millisecond)) {
		return false, context.Cause(ctx)
	}
	p.run.count("probes")
	return p.run.fake.Token(tok.AccessToken).Dead == "", nil
}
