package servertest_test

import (
	"context"
	"net"
	"net/url"
	"testing"

	"github.com/authtrip/authtrip/internal/servertest"
)

var kinds = map[string]func(testing.TB) *servertest.Server{
	"PostgreSQL": servertest.Postgres,
	"PgBouncer":  func(t testing.TB) *servertest.Server { return servertest.PgBouncer(t, servertest.Postgres(t)) },
	"Redis":      func(t testing.TB) *servertest.Server { return servertest.Redis(t) },
	"nginx":      func(t testing.TB) *servertest.Server { return servertest.Nginx(t, "") },
}

func TestServers(t *testing.T) {
	for name, start := range kinds {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			if !answers(t, s) {
				t.Errorf("%s does not answer after its start", s.URL)
			}
			s.Stop(t)
			if answers(t, s) {
				t.Errorf("%s answers after Stop", s.URL)
			}
			s.Start(t)
			s.Kill(t)
			if answers(t, s) {
				t.Errorf("%s answers after Kill", s.URL)
			}
			s.Start(t)
			if !answers(t, s) {
				t.Errorf("%s does not answer after another start", s.URL)
			}
		})
	}
}

// answers reports whether something listens at the server's address.
func answers(t *testing.T, s *servertest.Server) bool {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", u.Host)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
