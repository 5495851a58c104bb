package tokensource_test

import (
	"context"
	"testing"

	"github.com/authtrip/authtrip/tokensource"
)

func TestSubjectsBelongToTheirOwner(t *testing.T) {
	x := tokensource.Owner{Authority: "https://x.example", ClientID: "app"}
	acme := tokensource.Owner{Authority: "https://acme.example", ClientID: "app"}
	second := tokensource.Owner{Authority: "https://x.example", ClientID: "another app"}
	ctx := t.Context()
	atX := tokensource.WithSubject(ctx, x, "7")
	both := tokensource.WithSubject(atX, acme, "8")
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		owner tokensource.Owner
		want  string
		any   bool // a subject of any owner
	}{
		{"no subject", ctx, x, "", false},
		{"its own subject", atX, x, "7", true},
		{"the subject of another server", atX, acme, "", true},
		{"the subject of another client of the server", atX, second, "", true},
		{"two servers, the outer subject", both, x, "7", true},
		{"two servers, the inner subject", both, acme, "8", true},
		{"another subject of the same owner", tokensource.WithSubject(both, x, "9"), x, "9", true},
		{"the other one of two after a change", tokensource.WithSubject(both, x, "9"), acme, "8", true},
		{"a context from which others were made", atX, acme, "", true},
		{"an empty subject takes the first one away", tokensource.WithSubject(atX, x, ""), x, "", false},
		{"an empty subject leaves the other one", tokensource.WithSubject(both, x, ""), acme, "8", true},
	} {
		got, ok := tokensource.SubjectFrom(tt.ctx, tt.owner)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: SubjectFrom() = %q, %t, want %q", tt.name, got, ok, tt.want)
		}
		if got := tokensource.HasSubject(tt.ctx); got != tt.any {
			t.Errorf("%s: HasSubject() = %t, want %t", tt.name, got, tt.any)
		}
	}
}

// Requests ask for the subject all the time.
func TestReadingASubjectCostsNoAllocation(t *testing.T) {
	x, acme := tokensource.Owner{Authority: "https://x.example"}, tokensource.Owner{Authority: "https://acme.example"}
	ctx := tokensource.WithSubject(tokensource.WithSubject(t.Context(), x, "7"), acme, "8")
	if n := testing.AllocsPerRun(100, func() { _, _ = tokensource.SubjectFrom(ctx, x) }); n != 0 {
		t.Errorf("SubjectFrom() allocates %v times, want none", n)
	}
}

// A loop that names a subject in each turn must not make the list longer.
func TestNamingASubjectAgainReplacesIt(t *testing.T) {
	x, acme := tokensource.Owner{Authority: "https://x.example"}, tokensource.Owner{Authority: "https://acme.example"}
	ctx := t.Context()
	for range 3 {
		ctx = tokensource.WithSubject(tokensource.WithSubject(ctx, x, "7"), acme, "8") //nolint:fatcontext // this is what is tested
	}
	for _, owner := range []tokensource.Owner{x, acme} {
		ctx = tokensource.WithSubject(ctx, owner, "") //nolint:fatcontext // this is what is tested
	}
	if tokensource.HasSubject(ctx) {
		t.Error("HasSubject() = true after each subject was taken away, want false")
	}
}
