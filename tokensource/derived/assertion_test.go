package derived_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// All callers share the token of an assertion, so it cannot depend on them.
func TestAnAssertionCannotReadAUserFromTheContext(t *testing.T) {
	type user struct{}
	w := newPlain(t)
	w.fake.Set(func(k *oauthtest.Knobs) { k.Token.Believe = func(string) bool { return true } })
	workload := func(context.Context) (string, error) { return "workload", nil }
	var seen []any
	assertion := func(ctx context.Context) (string, error) {
		seen = append(seen, ctx.Value(user{}))
		if _, ok := ctx.Deadline(); !ok || ctx.Err() != nil {
			t.Errorf("the context of an assertion has the deadline %t, %v, want one", ok, ctx.Err())
		}
		return "about-somebody", nil
	}
	bearer, err := derived.NewAssertionSource(w.fake.Provider(""), w.app(), assertion, &w.options)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithValue(t.Context(), user{}, "ann")
	w.token(bearer, ctx)
	w.token(w.exchange(w.app(), derived.Exchange{Subject: derived.Traded{Assertion: assertion}}), ctx)
	w.token(w.exchange(w.app(), derived.Exchange{Subject: derived.Traded{Assertion: workload}, Actor: derived.Traded{Assertion: assertion}}), ctx)
	if len(seen) != 3 || seen[0] != nil || seen[1] != nil || seen[2] != nil {
		t.Errorf("assertions saw %v in their contexts, want three times nothing", seen)
	}
}

// An assertion that waits ends with the request that it is for.
func TestAnAssertionEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPlain(t)
		ended := make(chan error, 1)
		s, err := derived.NewAssertionSource(w.fake.Provider(""), w.app(), func(ctx context.Context) (string, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return "", context.Cause(ctx)
		}, &w.options)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Token(t.Context()); err == nil || <-ended == nil {
			t.Errorf("Token(with an assertion that waits) = %v, want an error", err)
		}
	})
}
