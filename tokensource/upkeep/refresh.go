package upkeep

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant"
)

// server names what holds up all of its grants when it hangs.
func (p patient) server() string { return p.facts.TokenURL }

// patients are the grants that need a refresh, by server. Otherwise those of a
// server that hangs could stand before those of the others at each look (G17).
type patients map[string][]patient

// add adds a grant, and drops those of its server that end last, if they are
// more than can be refreshed before the next look. They are found again then.
func (s patients) add(p patient, limit int) {
	own := append(s[p.server()], p)
	if len(own) >= 2*limit {
		sortPatients(own)
		own = own[:limit:limit]
	}
	s[p.server()] = own
}

func sortPatients(list []patient) {
	slices.SortFunc(list, func(a, b patient) int { return a.ends.Compare(b.ends) })
}

// limit is more than the number of refreshes until the next look.
func (w *Worker) limit() int { return w.o.PerMinute*int(w.o.Interval/time.Minute+1) + 1 }

// sending counts the refreshes in flight to each server.
type sending struct {
	mu sync.Mutex // guards n; never held across I/O
	n  map[string]int
}

func (s *sending) add(server string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == nil {
		s.n = map[string]int{}
	}
	if s.n[server] += n; s.n[server] == 0 {
		delete(s.n, server)
	}
}

func (s *sending) to(server string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n[server]
}

// mostAtOnce is how many refreshes may be in flight to one server: those of six
// seconds.
func (w *Worker) mostAtOnce() int { return max(2, w.o.PerMinute/10) }

// refresh renews grants, those that end first before the others, until the next
// look at the names is due. A server that hangs delays no other.
func (w *Worker) refresh(ctx context.Context, servers patients) {
	for _, own := range servers {
		sortPatients(own)
	}
	probed := map[*grant.Keeper]bool{}
	gap := time.Minute / time.Duration(w.o.PerMinute)
	for {
		if !sleep(ctx, w.sent+gap-w.clock.Mono()) || w.clock.Mono() >= w.next || !w.take(ctx) {
			return
		}
		p, ok := w.first(servers, probed)
		switch {
		case len(servers) == 0:
			return
		case !ok: // all of them hang
			if !sleep(ctx, time.Second) {
				return
			}
			continue
		}
		if inner(p.keeper).Blocked() {
			probed[p.keeper] = true
		}
		w.sent = w.clock.Mono()
		w.tried(p)
		w.begin(ctx, p)
	}
}

// first takes the grant that ends first, of those whose server may get one more
// request. A Keeper whose server has failed several times gets one attempt,
// which shows whether it works again. Its other grants are dropped, and found
// again at the next look.
func (w *Worker) first(servers patients, probed map[*grant.Keeper]bool) (p patient, ok bool) {
	dropped := func(k *grant.Keeper) bool { return inner(k).Blocked() && (probed[k] || inner(k).Pauses()) }
	var best string
	for name, own := range servers {
		for len(own) > 0 && dropped(own[0].keeper) {
			own = own[1:]
		}
		if servers[name] = own; len(own) == 0 {
			delete(servers, name)
			continue
		}
		sooner := best == "" || cmp.Or(own[0].ends.Compare(servers[best][0].ends), strings.Compare(name, best)) < 0
		if sooner && w.sending.to(name) < w.mostAtOnce() {
			best = name
		}
	}
	if best == "" {
		return patient{}, false
	}
	p, servers[best] = servers[best][0], servers[best][1:]
	return p, true
}

// begin refreshes one grant. Close waits for it.
func (w *Worker) begin(ctx context.Context, p patient) {
	w.sending.add(p.server(), 1)
	w.closed.Go(func() {
		defer w.sending.add(p.server(), -1)
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		_ = inner(p.keeper).Refresh(ctx, p.grant.Subject, p.grant.Obtained) // the Keeper reports it
	})
}
