package ahead_test

import (
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/ahead"
)

var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// An access token is traded from a day on, and when half of its life is over.
// That of a login is traded at once.
func TestRefreshOfATokenThatIsTraded(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name      string
		life, age time.Duration
		refreshed bool
		jitter    uint64
		from, at  time.Duration // since the start; negative is never
	}{
		{"an hour, of a login", time.Hour, day, false, 7, 0, 0},
		{"an hour, of a login, no age", time.Hour, 0, false, 7, 0, 0},
		{"an hour, traded", time.Hour, day, true, 0, 0, 30 * time.Minute},
		{"60 days", 60 * day, day, true, 0, day + time.Minute, 30 * day},
		{"60 days, the most jitter", 60 * day, day, true, uint64(6 * day), day + time.Minute, 24 * day},
		{"60 days, of a login", 60 * day, day, false, 0, day + time.Minute, 30 * day},
		{"60 days, no age", 60 * day, 0, true, 0, time.Minute, 30 * day},
		{"26 hours", 26 * time.Hour, day, true, 0, day + time.Minute, day + time.Minute},
		{"no end", 0, day, true, 0, -1, -1},
	} {
		tok := ahead.Token{Obtained: start, Refreshed: tt.refreshed}
		if tt.life > 0 {
			tok.Expiry = start.Add(tt.life)
		}
		tok.Trade = ahead.TradeFrom(tok.Obtained, tok.Expiry, tt.age)
		at := tok.Refresh(-1, tt.jitter)
		if tt.from < 0 {
			if !tok.Trade.IsZero() || !at.IsZero() {
				t.Errorf("%s: TradeFrom = %v, Refresh = %v, want never", tt.name, tok.Trade, at)
			}
			continue
		}
		if from := tok.Trade.Sub(start); from != tt.from || at.Sub(start) != tt.at {
			t.Errorf("%s: TradeFrom = %v, Refresh = %v, want %v and %v", tt.name, from, at.Sub(start), tt.from, tt.at)
		}
	}
}

func TestRefreshOfATokenThatCannotBeReplaced(t *testing.T) {
	tok := ahead.Token{Obtained: start, Expiry: start.Add(time.Hour)}
	if at := tok.Refresh(time.Minute, 1); !at.IsZero() {
		t.Errorf("Refresh() of a token without a refresh token = %v, want never", at)
	}
	tok.Refreshable = true
	if at := tok.Refresh(-1, 1); !at.IsZero() {
		t.Errorf("Refresh(-1) = %v, want never", at)
	}
}
