package lease_test

import (
	"testing"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// Where the server keeps many grants of a user, a login that is repeated may
// have been stored, replaced and revoked. So it does not replace what is stored
// (G6). A login that was never tried before does.
func TestRepeatedLoginYieldsToItsSuccessor(t *testing.T) {
	for repeated, want := range map[bool]lease.Reason{false: "", true: lease.Overtaken} {
		w := newWorld(t)
		p := w.process("p")
		p.loggedIn()
		login := p.login()
		login.Repeated = repeated
		if out := p.begin(login).run(); out.Reason() != want {
			t.Errorf("repeated: %t: the login ended with %q, want %q", repeated, out.Reason(), want)
		}
		if got := w.record().Login == login.ID; got == repeated {
			t.Errorf("repeated: %t: the login is stored: %t", repeated, got)
		}
	}
}
