package upkeep

import (
	"context"
	"hash/fnv"
	"hash/maphash"
	"slices"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// look is what the worker remembers of a grant.
type look struct {
	last, next int64 // when it was read, and when it is to be read again; nanoseconds since 1970
	tried      int64 // when the next refresh may be tried, after one was; otherwise zero

	// If a warning was due then: of what, and when the grant was saved.
	warned string
	saved  int64
}

// pass looks at all grants for which something may be due. It returns false if
// the store failed, or if another process has taken the record over.
func (w *Worker) pass(ctx context.Context) bool {
	begun := w.clock.Wall()
	keys, err := w.due(ctx, begun)
	if err != nil {
		return false
	}
	waiting := patients{}
	for batch := range slices.Chunk(keys, reads) {
		if !w.take(ctx) {
			return false
		}
		found, err := w.read(ctx, batch)
		if err != nil {
			return false
		}
		w.saw(batch, begun)
		for _, f := range found {
			if p, urgent := w.look(ctx, f, begun); urgent {
				waiting.add(p, w.limit())
			}
		}
	}
	w.done(ctx, begun)
	w.refresh(ctx, waiting)
	return true
}

// due returns the storage keys of the grants that are to be read, and forgets
// those that are gone.
func (w *Worker) due(ctx context.Context, now time.Time) ([]string, error) {
	all, err := grantKeys(ctx, w.store.Store, "")
	if err != nil {
		return nil, err
	}
	known := make(map[uint64]look, len(all))
	var due []string
	for _, key := range all {
		h := maphash.String(w.seed, key)
		l, ok := w.looks[h]
		if ok {
			known[h] = l
		}
		if !ok || l.next <= now.UnixNano() {
			due = append(due, key)
		}
	}
	w.looks = known
	return due, nil
}

// saw notes that grants were read. What is due for those that this worker can
// read is noted after that.
func (w *Worker) saw(keys []string, now time.Time) {
	for _, key := range keys {
		h := maphash.String(w.seed, key)
		l := w.looks[h]
		l.next = now.Add(lookAgain).UnixNano()
		w.looks[h] = l
	}
}

// patient is a grant that needs a refresh.
type patient struct {
	found
	need need
	ends time.Time // without a refresh
}

// look warns of the end of a grant, once, and reports whether it needs a
// refresh now.
func (w *Worker) look(ctx context.Context, f found, now time.Time) (patient, bool) {
	h := maphash.String(w.seed, f.key)
	before := w.looks[h]
	w.warn(ctx, f, before, now)
	n := needOf(f.grant, f.facts, &w.o, jitterOf(f))
	l := look{last: now.UnixNano(), next: now.Add(lookAgain).UnixNano(), tried: before.tried}
	if e := endOf(f.grant, f.facts); e.warning().After(now) {
		l.next = min(l.next, e.warning().UnixNano())
	} else {
		l.warned, l.saved = e.of, f.grant.Saved.Unix()
	}
	urgent := n.life > 0 && !now.Before(n.at) && now.UnixNano() >= l.tried && !f.grant.RetryAt.After(now)
	if n.life > 0 {
		l.next = min(l.next, max(n.at.UnixNano(), l.tried))
	}
	w.looks[h] = l
	return patient{f, n, f.grant.Obtained.Add(n.life)}, urgent
}

// warn reports that a grant ends soon, if no earlier look has done so.
func (w *Worker) warn(ctx context.Context, f found, before look, now time.Time) {
	e := endOf(f.grant, f.facts)
	if e.at.IsZero() || w.o.OnEvent == nil || e.warning().After(now) || w.warned(before, f, e) {
		return
	}
	w.o.OnEvent(ctx, tokensource.Event{
		Time: now, Kind: EventEnding, Provider: f.facts.Name, ClientID: f.grant.ClientID, Subject: f.grant.Subject,
		Reason: e.of, Ends: e.at, CorrelationID: tokensource.CorrelationID(ctx),
	})
}

// warned reports whether an earlier look has warned of an end: a look of this
// process, or of the process that worked before.
//
// A grant can be saved after the time of its warning, with tokens that another
// program obtained. A refresh can say that an end is nearer, or put off one end
// so that the next one is another.
func (w *Worker) warned(before look, f found, e ending) bool {
	at := e.warning()
	if before.last > 0 {
		return before.warned == e.of && before.saved == f.grant.Saved.Unix() && !at.After(time.Unix(0, before.last))
	}
	return !at.After(w.round.Done) && !f.grant.Saved.Add(clockSkew).After(w.round.Done)
}

// tried notes that a refresh was begun.
func (w *Worker) tried(p patient) {
	h := maphash.String(w.seed, p.key)
	l := w.looks[h]
	l.tried = p.need.again(w.clock.Wall()).UnixNano()
	l.next = l.tried
	if at := endOf(p.grant, p.facts).warning().UnixNano(); at > l.last {
		l.next = min(l.next, at)
	}
	w.looks[h] = l
}

// jitterOf returns a number below one that stays the same for one grant.
func jitterOf(f found) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(f.key)) // never fails (package hash)
	return float64(h.Sum32()) / (1 << 32)
}
