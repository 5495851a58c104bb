package simulation_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// end judges the world after a time without faults: every process must answer
// for every user as the books say, and no token may live that nobody holds.
func (r *run) end() {
	j := r.judge
	for _, u := range r.users {
		for _, p := range r.processes {
			j.lastCall(u, p)
		}
	}
	time.Sleep(2 * time.Minute) // a refresh ahead of expiry may have begun with the last call
	r.workOff()
	j.mu.Lock()
	for _, u := range r.users {
		j.judgeLeftovers(j.byUser[u.id])
	}
	j.mu.Unlock()
	for _, p := range r.processes {
		j.closed(p, p.keeper.Close())
	}
}

// workOff waits until every revocation is due, and has one more process work
// off the whole index of due work. It has nothing to do in most runs.
func (r *run) workOff() {
	if r.judge.queued() == 0 {
		return
	}
	time.Sleep(65 * time.Minute) // the longest pause between two attempts is an hour
	r.mu.Lock()
	p := r.newProcess("last", 0, time.Second)
	r.mu.Unlock()
	time.Sleep(8 * time.Minute) // the index has 256 parts
	r.judge.closed(p, p.keeper.Close())
}

// queued counts the tokens that are still to be revoked.
func (j *judge) queued() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, f := range j.byUser {
		n += f.stored.queued
	}
	return n
}

// lastCall asks one process for one user.
func (j *judge) lastCall(u *user, p *process) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tok, err := p.keeper.Source(u.id).Token(ctx)
	if err == nil && j.run.fake.Token(tok.AccessToken).Dead != "" {
		tok, err = p.keeper.Source(u.id).Renew(ctx, tok)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.byUser[u.id]
	now := f.stored
	switch {
	case err == nil && j.run.fake.Token(tok.AccessToken).Dead != "":
		j.violation("end-rejected", f, "%s hands out a token that the API rejects, long after the last fault", p.name)
	case err == nil && now.pair == nil:
		j.violation("end-revived", f, "%s hands out a token; the store says %q", p.name, now.over)
	case err != nil && now.pair != nil:
		j.violation("end-failed", f, "%s: %v", p.name, err)
	case err != nil && !errors.Is(err, tokensource.ErrReauthorize):
		j.violation("end-trouble", f, "%s: %v, long after the last fault", p.name, err)
	}
}

// judgeLeftovers looks for refresh tokens that live at the server though the
// grant is over here (G20), or though a process had them and lost them (G4).
// The lock must be held.
func (j *judge) judgeLeftovers(f *facts) {
	if f.stored.queued > 0 {
		j.violation("unrevoked", f, "%d tokens are still to be revoked", f.stored.queued)
	}
	for _, p := range f.pairs {
		if p.refresh == "" || f.stored.pair != nil && f.stored.pair.refresh == p.refresh || !j.lives(p) {
			continue
		}
		switch l := f.loginOf(p); {
		case !slices.ContainsFunc(p.holders, func(h *process) bool { return !h.is("crashed") }): // nobody knows it
		case l != nil && l.done.IsZero(): // the user was told to log in again
		default:
			j.violation("lost-token", f, "%s got %v; it lives at the server, and the store holds %v %s", p.holders[0].name, p, f.stored.pair, f.stored.over)
		}
	}
}

// closed looks at the end of an engine.
func (j *judge) closed(p *process, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.violation("close", nil, "%s: %v", p.name, err)
	}
}
