package mcp_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/mcp"
)

// claimant returns a process that may claim a login.
func claimant(t *testing.T, store storage.Store) *mcp.Handler {
	t.Helper()
	h, err := mcp.New("https://mcp.example", store, &mcp.Options{Timeout: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// claimed waits for the turn of a process, and returns how long that took.
func claimed(t *testing.T, h *mcp.Handler) (release, crash func(), waited time.Duration, err error) {
	t.Helper()
	begun := time.Now()
	release, crash, err = h.Claim(t.Context())
	return release, crash, time.Since(begun), err
}

func TestAProcessWaitsForTheLoginOfAnotherOne(t *testing.T) {
	for name, tt := range map[string]struct {
		end      func(release, crash func())
		min, max time.Duration // of the wait
	}{
		"that ends after three minutes":        {func(release, _ func()) { time.Sleep(3 * time.Minute); release() }, 3 * time.Minute, 3*time.Minute + time.Second},
		"that crashes after three minutes":     {func(_, crash func()) { time.Sleep(3 * time.Minute); crash() }, 3*time.Minute + 10*time.Second, 3*time.Minute + 31*time.Second},
		"that crashes directly after it began": {func(_, crash func()) { crash() }, 29 * time.Second, 31 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := storage.NewMemory()
				release, crash, _, err := claimed(t, claimant(t, store))
				if err != nil {
					t.Fatal(err)
				}
				go tt.end(release, crash)
				release, _, waited, err := claimed(t, claimant(t, store))
				if err != nil || waited < tt.min || waited > tt.max {
					t.Fatalf("Claim() = %v after %v, want its turn after %v to %v", err, waited, tt.min, tt.max)
				}
				release()
				if release, _, waited, err = claimed(t, claimant(t, store)); err != nil || waited != 0 {
					t.Fatalf("Claim() = %v after %v, want its turn at once: nobody logs in", err, waited)
				}
				release()
			})
		})
	}
}

func TestAProcessGivesUpWhereAnotherOneLogsInWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storage.NewMemory()
		release, _, _, err := claimed(t, claimant(t, store))
		if err != nil {
			t.Fatal(err)
		}
		_, _, waited, err := claimed(t, claimant(t, store))
		if !errors.Is(err, tokensource.ErrTemporary) || waited != 5*time.Minute+30*time.Second {
			t.Errorf("Claim() = %v after %v, want ErrTemporary after the time of a login and a lease", err, waited)
		}
		release()
	})
}

func TestAStoreThatFailsWhenALoginIsClaimed(t *testing.T) {
	store := &testworld.HookedStore{Store: storage.NewMemory()}
	h := claimant(t, store)
	store.On(testworld.Failing("put"))
	if _, _, err := h.Claim(t.Context()); !errors.Is(err, tokensource.ErrTemporary) {
		t.Errorf("Claim() = %v, want ErrTemporary", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	store.On(testworld.Hanging)
	if _, _, err := h.Claim(ctx); err == nil {
		t.Error("Claim() = nil with a context that has ended, want an error")
	}
}

func TestAClaimOfAProcessWhoseClockIsADayAhead(t *testing.T) {
	store := storage.NewMemory()
	key, err := storage.Name(t.Context(), store, "mcp.login.", "https://mcp.example", redirectURL, "")
	if err != nil {
		t.Fatal(err)
	}
	value := fmt.Sprintf(`{"by":"other","end":%d}`, time.Now().Add(24*time.Hour).UnixMilli())
	if _, err := store.Put(t.Context(), key, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
	release, _, waited, err := claimed(t, claimant(t, store))
	if err != nil {
		t.Fatalf("Claim() = %v after %v, want its turn", err, waited)
	}
	release()
}
