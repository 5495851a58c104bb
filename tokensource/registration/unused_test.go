package registration_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/registration"
)

// kept returns the IDs that All returns.
func kept(t *testing.T, r *registration.Registrar) string {
	t.Helper()
	all, err := r.All(t.Context(), as())
	if err != nil {
		t.Fatal(err)
	}
	var ids strings.Builder
	for _, c := range all {
		ids.WriteString(c.Registration.ClientID + " ")
	}
	return ids.String()
}

// used notes a use of a registration once a day, for a number of days.
func used(t *testing.T, r *registration.Registrar, id string, days int) {
	t.Helper()
	for range days {
		if err := r.Used(t.Context(), as(), id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
	}
}

func TestAReplacedRegistrationIsKeptUntilHalfAYearAfterItsLastGrantWasRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		r := s.process(t, sealed(t, storage.NewMemory()), registration.Metadata{}, registration.Options{})
		id(t, r)
		time.Sleep(time.Hour)
		if _, err := r.Replace(t.Context(), as(), "id-1"); err != nil {
			t.Fatal(err)
		}
		used(t, r, "id-1", 400)
		if got := kept(t, r); got != "id-1 id-2 " {
			t.Errorf("All() = %q while grants use the old one, want both", got)
		}
		time.Sleep(registration.Unused - 25*time.Hour)
		if got := kept(t, r); got != "id-1 id-2 " {
			t.Errorf("All() = %q an hour before the end, want both", got)
		}
		time.Sleep(2 * time.Hour)
		if got := kept(t, r); got != "id-2 " {
			t.Errorf("All() = %q after the end, want the one of new logins", got)
		}
		if got := id(t, r); got != "id-2" || s.requests() != 2 {
			t.Errorf("Current() = %s after %d registrations, want id-2 after 2", got, s.requests())
		}
	})
}

func TestAServerThatForgotAClientWithGrantsGetsAnotherOneAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		r := s.process(t, sealed(t, storage.NewMemory()), registration.Metadata{}, registration.Options{})
		for n := 1; n < 6; n++ {
			last := id(t, r)
			if err := r.Used(t.Context(), as(), last); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Replace(t.Context(), as(), last); err != nil || s.requests() != n+1 {
				t.Fatalf("Replace(%s) = %v with %d registrations, want %d", last, err, s.requests(), n+1)
			}
		}
	})
}

func TestUsedWithAnIDThatIsNotRegisteredAndTwiceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store, writes := new(server), &testworld.HookedStore{Store: storage.NewMemory()}, 0
		r := s.process(t, sealed(t, store), registration.Metadata{}, registration.Options{})
		first := id(t, r)
		store.On(func(_ context.Context, op string) error {
			if op == "put" {
				writes++
			}
			return nil
		})
		for _, name := range []string{"nobody", first, first} {
			if err := r.Used(t.Context(), as(), name); err != nil {
				t.Errorf("Used(%s) = %v, want nil", name, err)
			}
		}
		if writes != 1 {
			t.Errorf("%d writes for one client in a day, want 1", writes)
		}
	})
}
