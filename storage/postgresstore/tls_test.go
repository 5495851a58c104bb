package postgresstore_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage/postgresstore"
)

// TestHowAURLIsConnectedTo says for each spelling whether a connection uses
// TLS.
func TestHowAURLIsConnectedTo(t *testing.T) {
	for _, name := range []string{"PGSSLMODE", "PGPASSWORD", "PGHOST", "PGSERVICE", "PGSSLROOTCERT"} {
		t.Setenv(name, "")
	}
	t.Setenv("PGPASSFILE", "/nonexistent")
	for url, want := range map[string]string{
		"postgres://app:pw@db.example/app":                                      "db.example:5432 verified",
		"postgresql://app:pw@db.example/app":                                    "db.example:5432 verified",
		"postgres://app@db.example/app":                                         "db.example:5432 verified",
		"postgres://app:pw@db.example/app?sslmode=prefer":                       "db.example:5432 verified",
		"postgres://app:pw@db.example/app?sslmode=allow":                        "db.example:5432 verified",
		"postgres://app:pw@db.example/app?sslmode=require":                      "db.example:5432 any",
		"postgres://app:pw@db.example/app?sslmode=verify-ca":                    "db.example:5432 authority",
		"postgres://app:pw@db.example/app?sslmode=verify-full":                  "db.example:5432 verified",
		"postgres://app:pw@db.example/app?sslmode=disable":                      "db.example:5432 plain",
		"postgres://app:pw@192.0.2.7/app":                                       "192.0.2.7:5432 verified",
		"postgres://app:pw@[2001:db8::7]/app":                                   "2001:db8::7:5432 verified",
		"postgres://app:pw@127.0.0.1.example/app":                               "127.0.0.1.example:5432 verified",
		"postgres://app:pw@localhost.example/app":                               "localhost.example:5432 verified",
		"postgres://app:pw@127.0.0.1/app":                                       "127.0.0.1:5432 any",
		"postgres://app:pw@localhost/app":                                       "localhost:5432 any",
		"postgres://app:pw@LOCALHOST/app":                                       "LOCALHOST:5432 any",
		"postgres://app:pw@db.localhost/app":                                    "db.localhost:5432 any",
		"postgres://app:pw@[::1]/app":                                           "::1:5432 any",
		"postgres://app:pw@127.0.0.1/app?sslmode=disable":                       "127.0.0.1:5432 plain",
		"postgres://app@127.0.0.1/app":                                          "127.0.0.1:5432 any, 127.0.0.1:5432 plain",
		"postgres:///app?host=/run/postgresql&user=app&password=pw":             "/run/postgresql:5432 plain",
		"host=db.example user=app password=pw":                                  "db.example:5432 verified",
		"host=db.example user=app password=pw sslmode=disable":                  "db.example:5432 plain",
		"postgres://app:pw@one.example:1,two.example:2/app":                     "one.example:1 verified, two.example:2 verified",
		"postgres://app:pw@one.example:1,127.0.0.1:2/app":                       "one.example:1 verified, 127.0.0.1:2 any",
		"postgres://app:pw@one.example:1,two.example:2/app?sslmode=disable":     "one.example:1 plain, two.example:2 plain",
		"postgres://db.example/app?user=app&password=pw&sslnegotiation=direct":  "db.example:5432 verified",
		"postgres://app:pw@db.example/app?sslnegotiation=direct&sslmode=prefer": "db.example:5432 verified",
		"host=db.example user=app password=pw sslnegotiation=direct":            "db.example:5432 verified",
		"host=db.example password=pw sslnegotiation=direct sslmode = 'require'": "db.example:5432 any",
		"postgres://a:pw@db.example/app?sslmode=require&sslnegotiation=direct":  "db.example:5432 any",
		"postgres://app:pw@localhost/app?sslnegotiation=direct":                 "localhost:5432 any",
		"postgres://app:pw@db.example/app?sslmode=verify-full&pool_max_conns=3": "db.example:5432 verified",
	} {
		got, err := postgresstore.Attempts(url)
		if err != nil || strings.Join(got, ", ") != want {
			t.Errorf("%s is connected to as %q, %v, want %q", url, strings.Join(got, ", "), err, want)
		}
	}
}

// TestNameBelowLocalhostOfAnotherMachine has a name server that gives the
// address of another machine to names of this machine.
func TestNameBelowLocalhostOfAnotherMachine(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	for url, refused := range map[string]bool{
		"postgres://app:pw@db.localhost/app":                 true,
		"postgres://app:pw@localhost/app":                    true,
		"postgres://app@db.localhost/app":                    true,
		"postgres://app:pw@db.localhost/app?sslmode=disable": false,
		"postgres://app:pw@db.example/app":                   false,
	} {
		for _, addr := range []string{"192.0.2.7", "127.0.0.1"} {
			err := postgresstore.Lookup(t.Context(), url, addr)
			if want := refused && addr != "127.0.0.1"; (err != nil) != want {
				t.Errorf("the host of %s with address %s: %v, want an error: %t", url, addr, err, want)
			}
		}
	}
}

// TestPasswordIsNotSentToAServerThatRefusesTLS has a server that refuses TLS
// and asks for the password in clear, at a loopback address, and at one that
// other machines can reach.
func TestPasswordIsNotSentToAServerThatRefusesTLS(t *testing.T) {
	for _, address := range append(ownAddresses(t), "127.0.0.1") {
		for query, sent := range map[string]bool{
			"": false, "?sslmode=prefer": false, "?sslmode=allow": false, "?sslmode=require": false, "?sslmode=verify-full": false,
			"?sslmode=disable": true,
		} {
			server := newPasswordThief(t, address)
			_, err := postgresstore.Open(t.Context(), "postgres://app:"+secret+"@"+server.addr+"/app"+query, nil)
			if err == nil {
				t.Errorf("Open(%s%s) = nil, want an error", address, query)
			}
			got := server.end()
			if strings.Contains(got, secret) != sent {
				t.Errorf("with %q the server at %s received the password: %t, want %t", query, address, !sent, sent)
			}
			if !sent {
				wantText(t, "Open("+query+")", err, "sslmode=disable", "TLS")
			}
		}
	}
}

// ownAddresses returns an address of this machine that is no loopback address,
// or none.
func ownAddresses(t *testing.T) []string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return []string{n.IP.String()}
		}
	}
	return nil
}

// passwordThief is a server that speaks no TLS and wants the password in clear.
type passwordThief struct {
	listener net.Listener
	addr     string
	received chan string // everything, when the listener is closed
}

func newPasswordThief(t *testing.T, address string) *passwordThief {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := &passwordThief{l, l.Addr().String(), make(chan string, 1)}
	go func() {
		var all strings.Builder
		for {
			conn, err := l.Accept()
			if err != nil {
				s.received <- all.String()
				return
			}
			steal(conn, &all)
		}
	}()
	return s
}

func (s *passwordThief) end() string {
	_ = s.listener.Close()
	return <-s.received
}

// steal answers one connection until the client ends it.
func steal(conn net.Conn, all *strings.Builder) {
	defer conn.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(size[:])-4)
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		if binary.BigEndian.Uint32(body) == 80877103 { // it asks for TLS
			_, _ = conn.Write([]byte("N"))
			continue
		}
		_, _ = conn.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3}) // the password in clear
		answer := make([]byte, 5+len(secret)+1)                // 'p', the size, the password and a zero byte
		n, _ := io.ReadFull(conn, answer)
		all.Write(answer[:n])
		return
	}
}
