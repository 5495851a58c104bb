package upkeep

import (
	"time"

	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// State is how a grant is.
type State string

// The states of a grant. If more than one fits, the last one of this list that
// fits is the state.
const (
	// Alive is a grant that works, as far as anybody knows.
	Alive State = "alive"

	// Expiring is a grant of whose life less than a tenth is left: the user must
	// authorize again then, unless a refresh comes before and helps.
	Expiring State = "expiring"

	// Failing is a grant whose last attempt to refresh failed. RetryAt of its
	// facts is when the next one may follow.
	Failing State = "failing"

	// InDoubt is a grant whose refresh token was sent by a process that has
	// stored no outcome in time. The next use sends it again, or ends the grant.
	InDoubt State = "in doubt"

	// Unsaved is a grant whose newest tokens are in the memory of this process
	// only, because the store did not take them.
	Unsaved State = "unsaved"

	// Dead is a grant that has ended: the user must authorize again. Dead of its
	// facts says why.
	Dead State = "dead"

	// Ended is a grant that the user has ended.
	Ended State = "ended"
)

// clockSkew is how far the wall clocks of two hosts may differ.
const clockSkew = 30 * time.Second

// stateOf returns the state of a grant that is stored.
func stateOf(g grant.Grant, p *provider.Provider, now time.Time) State {
	switch {
	case !g.LoggedOut.IsZero():
		return Ended
	case g.Dead != "":
		return Dead
	case !g.RedeemingUntil.IsZero() && now.After(g.RedeemingUntil.Add(clockSkew)):
		return InDoubt
	case g.Failures > 0:
		return Failing
	}
	if e := endOf(g, p); !e.at.IsZero() && !now.Before(e.warning()) {
		return Expiring
	}
	return Alive
}

// ending is the end of something on which a grant depends.
type ending struct {
	from, at time.Time // its life; zero if no end is known
	of       string    // for the event
}

// warning returns when a tenth of the life is left.
func (e ending) warning() time.Time { return e.at.Add(-max(e.at.Sub(e.from), 0) / 10) }

// The things that may end. Reason of an event names one of them.
const (
	ofRefreshToken  = "refresh token"
	ofAuthorization = "authorization"
	ofAccessToken   = "access token"
	ofDisuse        = "disuse"
)

// endOf returns what ends first of the things on which a grant depends. An
// access token that ends is none of them while it can be replaced. Access
// tokens that live for less than a day are none either: nobody can be warned in
// time.
func endOf(g grant.Grant, p *provider.Provider) ending {
	if g.Dead != "" || !g.LoggedOut.IsZero() {
		return ending{}
	}
	all := []ending{{g.Authorized, g.AuthorizationEnds, ofAuthorization}}
	switch life := g.Expiry.Sub(g.Obtained); {
	case !g.TradeFrom.IsZero(), !g.Refreshable && life >= 24*time.Hour:
		all = append(all, ending{g.Obtained, g.Expiry, ofAccessToken})
	case g.Refreshable:
		from := g.RefreshEndKnown
		if from.IsZero() {
			from = g.Obtained
		}
		all = append(all, ending{from, g.RefreshEnds, ofRefreshToken})
		if life := p.RefreshTokens.Lifetime; life > 0 {
			all = append(all, ending{g.Authorized, g.Authorized.Add(life), ofRefreshToken})
		}
		if life := p.RefreshTokens.Idle; life > 0 {
			all = append(all, ending{g.Obtained, g.Obtained.Add(life), ofDisuse})
		}
	}
	var first ending
	for _, e := range all {
		if !e.at.IsZero() && (first.at.IsZero() || e.at.Before(first.at)) {
			first = e
		}
	}
	return first
}

// need is when a grant that nobody uses needs a refresh, and how long its
// server keeps it without one. A zero life means never.
type need struct {
	at   time.Time
	life time.Duration
}

// again returns when the refresh may be tried again after an attempt.
func (n need) again(now time.Time) time.Time { return now.Add(n.life / 10) }

// needOf returns when a grant needs a refresh. Half of the idle life is left
// then, for attempts that fail. The jitter, which is below one, spreads grants
// that were used last at the same time. Two refreshes of a grant are a tenth of
// its life apart.
//
// An access token that is itself traded for the next one has a window instead.
// The token of a login lives for an hour or two and is traded at once.
func needOf(g grant.Grant, p *provider.Provider, o *Options, jitter float64) need {
	if g.Dead != "" || !g.LoggedOut.IsZero() || !g.Refreshable {
		return need{}
	}
	if !g.TradeFrom.IsZero() {
		life := g.Expiry.Sub(g.Obtained)
		half := g.Obtained.Add(spread(life/2, jitter))
		if g.Obtained.Equal(g.Authorized) && !g.TradeFrom.After(g.Obtained) {
			half = g.Obtained
		}
		return need{later(half, g.TradeFrom), life}
	}
	life := p.RefreshTokens.Idle
	if life <= 0 {
		life = o.IdleLife
	}
	if life <= 0 {
		return need{}
	}
	half := life / 2
	if !g.RefreshEnds.IsZero() {
		half = max(min(half, g.RefreshEnds.Sub(g.Obtained)/2), life/10)
	}
	return need{g.Obtained.Add(max(spread(half, jitter), life/10)), life}
}

// spread returns d less up to a fifth of it.
func spread(d time.Duration, jitter float64) time.Duration {
	return d - time.Duration(float64(d)*jitter/5)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
