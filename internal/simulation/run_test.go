package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// calm is how long a run goes on without faults before it is judged at its end.
const calm = 75 * time.Minute

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

	fake   *oauthtest.Server
	memory *storage.Memory
	net    *storagetest.Network
	grace  bool // the server has a grace window
	single bool // the server keeps one grant per user

	mu        sync.Mutex // guards processes, names and births
	names     map[string]*process
	processes []*process // one per place
	births    []int      // per place

	users []*user
	judge *judge
	work  sync.WaitGroup // what users and the world do

	abandoned sync.WaitGroup // calls of processes that may have crashed
}

// newRun sets the world up. The seed chooses the server, the number of processes
// and of users, and the lifetime of tokens.
func newRun(t *testing.T, p profile, seed uint64, length time.Duration) *run {
	r := &run{
		t: t, profile: p, seed: seed, chance: chance(seed).of(p.name), length: length,
		start: time.Now(), over: make(chan struct{}), memory: storage.NewMemory(),
		names: map[string]*process{},
	}
	r.faulty = r.start.Add(max(length-calm, length/2))
	c := r.chance.of("world")
	r.grace, r.single = c.of("grace").hit(0.2), c.of("single").hit(0.7)
	server := *fakeProvider
	server.SingleGrant = r.single
	ttl := c.of("ttl").between(time.Minute, 20*time.Minute).Round(time.Second)
	names := make([]oauthtest.User, 2+c.of("users").below(4))
	for i := range names {
		names[i] = oauthtest.User{ID: "user-" + strconv.Itoa(i), Username: "u" + strconv.Itoa(i)}
	}
	r.fake = oauthtest.New(t, &oauthtest.Options{
		Provider: &server, Users: names, RecordLimit: -1, DefaultScopes: scopes,
	})
	r.fake.Set(func(k *oauthtest.Knobs) {
		k.Token.AccessTTL, k.Token.KillOldAccess = ttl, c.of("kill").hit(0.5)
		if r.grace {
			k.Token.GraceWindow = 48 * time.Hour
		}
	})
	r.judge = newJudge(r)
	r.net = storagetest.NewNetwork(r.memory, &storagetest.NetworkOptions{
		Fault: r.storeFault,
		Committed: func(op storagetest.Op, stored storage.Record) {
			r.judge.effect(r.named(op.Process), op.Key, stored.Value())
		},
	})
	r.births = make([]int, 2+c.of("processes").below(4))
	r.processes = make([]*process, len(r.births))
	for place := range r.processes {
		r.startProcess(place)
	}
	for i, u := range names {
		r.users = append(r.users, &user{run: r, id: u.ID, chance: r.chance.of("user", strconv.Itoa(i)), ttl: ttl})
	}
	return r
}

// startProcess starts a process in a place, under a new name.
func (r *run) startProcess(place int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.births[place]++
	name := fmt.Sprintf("p%d.%d", place, r.births[place])
	p := &process{
		run: r, place: place, name: name, chance: r.chance.of(name), state: "runs",
		counts: map[string]int{}, dead: make(chan struct{}),
	}
	p.step = time.Duration((p.chance.of("skew").float()*2 - 1) * float64(r.profile.skew))
	client, err := oauth.New(r.fake.Provider(""), registration(), &oauth.Options{HTTPClient: &http.Client{Transport: wire{p}}})
	if err != nil {
		r.t.Fatal(err)
	}
	var store storage.Store = gated{p, r.net.Process(name)}
	if !p.chance.of("watch").hit(0.5) {
		store = struct{ storage.Store }{store} // this process hears nothing of changes
	}
	o := &grant.Options{
		Clock: p.clock(), CacheSize: []int{1, 3, 0}[p.chance.of("cache").below(3)],
		DueInterval: 10 * time.Second,
		Observe:     func(e grant.Event) { r.judge.event(p, e) },
	}
	if r.grace {
		o.InDoubt = grant.ResendAlways
	}
	if p.keeper, err = grant.New(client, store, o); err != nil {
		r.t.Fatal(err)
	}
	r.processes[place] = p
	r.names[name] = p
	r.note(p, "", "starts")
}

// live does everything that happens in the run, and judges it.
func (r *run) live() {
	for _, u := range r.users {
		r.work.Go(u.live)
	}
	r.work.Go(r.clocks)
	if r.profile.reseal {
		r.work.Go(r.reseals)
	}
	time.Sleep(time.Until(r.start.Add(r.length)))
	r.work.Wait() // what users have begun
	r.judge.end()
	close(r.over)
	for _, p := range r.processes {
		r.judge.closed(p, p.keeper.Close())
	}
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

// later does something after a while, unless the run ends before.
func (r *run) later(d time.Duration, do func()) {
	r.work.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		<-timer.C
		do()
	})
}

// any returns a process, by chance.
func (r *run) any(c chance) *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.processes[c.below(len(r.processes))]
}

// storm returns how strong faults are at the moment, from 0 to 1. A storm lasts
// from seconds to tens of minutes, and hits one process or all of them.
func (r *run) storm(p *process) float64 {
	if time.Now().After(r.faulty) {
		return 0
	}
	if r.profile.faultless() {
		return 0
	}
	hour := int(time.Since(r.start) / time.Hour)
	for _, h := range []int{hour - 1, hour} { // the storm of the last hour may go on
		c := r.chance.of("storm").nth(h)
		begin := r.start.Add(time.Duration(h)*time.Hour + c.of("begin").between(0, 50*time.Minute))
		length := c.of("length").between(20*time.Second, 30*time.Minute)
		if c.of("short").hit(0.4) {
			length /= 20
		}
		if now := time.Now(); now.Before(begin) || now.After(begin.Add(length)) {
			continue
		}
		if c.of("all").hit(0.5) || c.of("place").below(len(r.births)) == p.place {
			return 0.2 + 0.8*c.of("force").float()
		}
	}
	return 0
}

// storeFault chooses what happens to an operation of the store.
func (r *run) storeFault(op storagetest.Op) storagetest.Fault {
	p := r.named(op.Process)
	c := r.chance.of("store", op.Process, string(op.Kind), op.Key).nth(op.N)
	out, back := c.of("out").between(200*time.Microsecond, 4*time.Millisecond), c.of("back").between(200*time.Microsecond, 4*time.Millisecond)
	fault := storagetest.Fault{Delay: out, AnswerDelay: back}
	if p == nil {
		return fault
	}
	s, force := r.profile.store, r.storm(p)
	if op.Kind == storagetest.Notify {
		fault.Hang = c.of("deaf").hit(r.profile.deafWatchers * force)
		return fault
	}
	writes := op.Kind == storagetest.Put || op.Kind == storagetest.Delete
	switch choose(c.of("fault"), force, odds{"slow", s.slow}, odds{"failed", s.failed}, odds{"hang", s.hang},
		odds{"late", s.late}, odds{"lost ack", s.lostAck}, odds{"conflict", s.conflict}, odds{"mute", s.mute}) {
	case "slow":
		fault.Delay += c.of("slow").between(100*time.Millisecond, 4*time.Second)
	case "failed":
		fault.Err = errStore
	case "hang":
		fault.Hang = true
	case "late":
		if writes {
			fault.Hang, fault.Late = true, c.of("late").between(time.Millisecond, 40*time.Second)
		}
	case "lost ack":
		if writes {
			fault.Err, fault.Applied = errStore, true
		}
	case "conflict":
		if writes {
			fault.Err = storage.ErrConflict
		}
	case "mute": // reads work, and no write is ever acknowledged
		if writes {
			fault.Hang, fault.Applied = true, true
		}
	}
	return fault
}

var errStore = errors.New("the store has trouble")

// wireFault chooses what happens to a request.
func (r *run) wireFault(p *process, c chance) string {
	w, force := r.profile.wire, r.storm(p)
	return choose(c.of("fault"), force,
		odds{"refused", w.refused}, odds{"lost before", w.lostBefore}, odds{"lost after", w.lostAfter},
		odds{"hang", w.hang}, odds{"late", w.late}, odds{"status", w.status}, odds{"slow", w.slow})
}

type odds struct {
	name        string
	probability float64
}

func choose(c chance, force float64, list ...odds) string {
	x := c.float()
	for _, o := range list {
		if x -= o.probability * force; x < 0 {
			return o.name
		}
	}
	return ""
}

// maybeEnd crashes or stops a process at an operation.
func (r *run) maybeEnd(p *process, c chance) {
	force := r.storm(p)
	switch choose(c.of("end"), force, odds{"crash", r.profile.crash}, odds{"stop", r.profile.stop}, odds{"suspend", r.profile.suspend}) {
	case "crash":
		if p.crash() {
			r.note(p, "", "crashes")
			r.judge.crashed(p)
			r.later(c.of("restart").between(time.Second, 2*time.Minute), func() { r.startProcess(p.place) })
		}
	case "stop":
		r.note(p, "", "is stopped")
		p.stop(c.of("stop").between(time.Second, 2*time.Minute), false)
	case "suspend":
		r.note(p, "", "is suspended")
		p.stop(c.of("suspend").between(time.Second, 20*time.Minute), true)
	}
}

// maybeRace has the user log in or out within moments of a refresh request.
func (r *run) maybeRace(s *send, c chance) {
	if s.user == nil || !c.of("race").hit(r.profile.races) || time.Now().After(r.faulty) {
		return
	}
	r.later(c.of("when").between(0, 300*time.Millisecond), func() {
		if c.of("what").hit(0.5) {
			s.user.login(c.of("race login"))
		} else {
			s.user.logout(c.of("race logout"))
		}
	})
}

// clocks sets the wall clocks of processes, now and then.
func (r *run) clocks() {
	if r.profile.step == 0 {
		return
	}
	for n := 0; r.running(); n++ {
		c := r.chance.of("clock").nth(n)
		time.Sleep(c.of("pause").between(time.Minute, time.Hour))
		if time.Now().Before(r.faulty) {
			p := r.any(c)
			step := time.Duration((c.of("step").float()*2 - 1) * float64(r.profile.step))
			r.note(p, "", "sets its clock to %v", step)
			p.setClock(step)
		}
	}
}

// reseals writes every record again, as a change of the sealing key does.
func (r *run) reseals() {
	for n := 0; r.running(); n++ {
		time.Sleep(r.chance.of("reseal").nth(n).between(10*time.Minute, 3*time.Hour))
		r.reseal()
	}
}

func (r *run) reseal() {
	ctx := context.Background()
	for _, key := range sortedKeys(ctx, r.memory) {
		stored, err := r.memory.Get(ctx, key)
		if err == nil {
			_, _ = r.memory.Put(ctx, key, stored.Value(), stored.Version)
		}
	}
}

// note writes a line into the log of the run.
func (r *run) note(p *process, user, format string, args ...any) {
	name := ""
	if p != nil {
		name = p.name
	}
	r.judge.log.add(time.Since(r.start), name, user, fmt.Sprintf(format, args...))
}
