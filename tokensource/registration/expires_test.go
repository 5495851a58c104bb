package registration_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/registration"
)

// A time that cannot be the end of a new secret does not make the app register
// again for each login.
func TestSecretWithAnEndThatCannotBe(t *testing.T) {
	for name, end := range map[string]string{
		"a number of seconds, not a time": "3600",
		"a moment before the answer":      "946684799",
		"the largest integer":             "9223372036854775807",
		"milliseconds":                    "4102444800000",
		"a text":                          `"9223372036854775807"`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{answer: func(n int) (int, string) {
					return 201, fmt.Sprintf(`{"client_id":"id-%d","client_secret":"s","client_secret_expires_at":%s}`, n, end)
				}}
				r := s.process(t, sealed(t, storage.NewMemory()), registration.Metadata{}, registration.Options{})
				for range 5 {
					id(t, r)
					time.Sleep(time.Minute)
				}
				if n := s.requests(); n != 1 {
					t.Errorf("%d registrations, want 1", n)
				}
			})
		})
	}
}

// A process whose clock was wrong stops the others for no longer than others
// do.
func TestProcessWithAClockThatWasWrong(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		end  time.Duration
		want bool
	}{{-time.Second, false}, {time.Second, true}, {time.Minute, true}, {time.Hour, false}, {24 * time.Hour, false}} {
		if got := registration.Live(now.Add(tt.end), now); got != tt.want {
			t.Errorf("Live() of an announcement that ends in %v = %t, want %t", tt.end, got, tt.want)
		}
	}
	if got := registration.Wait(now.Add(24*time.Hour), now); got != 0 {
		t.Errorf("Wait() after a registration of tomorrow = %v, want 0", got)
	}
	if got := registration.Wait(now.Add(-time.Minute), now); got < 8*time.Minute {
		t.Errorf("Wait() after a registration a minute ago = %v, want about 9 minutes", got)
	}
}
