package simulation_test

import (
	"context"
	"errors"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// end judges the world after a time without faults: every process must answer
// for every user as the books say, and no token may live that nobody holds.
func (j *judge) end() {
	for _, u := range j.run.users {
		for _, p := range j.run.processes {
			j.lastCall(u, p)
		}
	}
	time.Sleep(2 * time.Minute) // a refresh ahead of expiry may have begun with the last call
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, u := range j.run.users {
		j.judgeLeftovers(j.of(u.id))
	}
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
	f := j.of(u.id)
	switch {
	case err == nil && j.run.fake.Token(tok.AccessToken).Dead != "":
		j.violation("end-rejected", u.id, "%s hands out a token that the API rejects, half an hour after the last fault", p.name)
	case err == nil && f.stored.pair == nil:
		j.violation("end-revived", u.id, "%s hands out a token; the store says %q", p.name, f.stored.over)
	case err != nil && f.stored.pair != nil && errors.Is(err, tokensource.ErrReauthorize) && j.run.fake.Token(f.stored.pair.refresh).Dead != "":
		// The grant has died at the server, and this call found out.
	case err != nil && f.stored.pair != nil:
		j.violation("end-failed", u.id, "%s: %v", p.name, err)
	case err != nil && !errors.Is(err, tokensource.ErrReauthorize):
		j.violation("end-trouble", u.id, "%s: %v, half an hour after the last fault", p.name, err)
	}
}

// judgeLeftovers looks for refresh tokens that live at the server though the
// grant is over here (G20), or though a process had them and lost them (G4). The
// lock must be held.
func (j *judge) judgeLeftovers(f *facts) {
	for _, p := range f.pairs {
		if p == f.stored.pair || p.refresh == "" || j.run.fake.Token(p.refresh).Dead != "" {
			continue
		}
		if f.stored.pair != nil && f.stored.pair.refresh == p.refresh {
			continue
		}
		switch holder := p.holder; {
		case holder == nil: // its answer was lost: nobody knows it
		case holder.is("crashed"):
		case j.failedLogin(f, p): // the user was told to log in again
		default:
			j.violation("lost-token", f.user, "%s got %v; it lives at the server, and the store holds %v %s", holder.name, p, f.stored.pair, f.stored.over)
		}
	}
}

func (j *judge) failedLogin(f *facts, p *pair) bool {
	for _, l := range f.logins {
		if l.pair == p {
			return l.failed || l.done.IsZero()
		}
	}
	return false
}

// closed looks at the end of an engine.
func (j *judge) closed(p *process, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.violation("close", "", "%s: %v", p.name, err)
	}
}
