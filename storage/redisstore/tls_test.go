package redisstore_test

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage/redisstore"
)

const secret = "Tr0ub4dor"

// TestNoTLSToAnotherMachine opens servers of other machines without TLS.
// Nothing may be sent, and no name may be looked up.
func TestNoTLSToAnotherMachine(t *testing.T) {
	for _, host := range []string{
		"redis.example", "redis.example:6380", "192.0.2.7:6379", "[2001:db8::7]:6379", "redis", "localhost.example", "127.0.0.1.example:1", "0.0.0.0:1",
	} {
		for _, user := range []string{"", "user:" + secret + "@", ":" + secret + "@"} {
			_, err := redisstore.Open(t.Context(), "redis://"+user+host+"/0", nil)
			if err == nil || !strings.Contains(err.Error(), "rediss://") || !strings.Contains(err.Error(), "InsecureNoTLS") || strings.Contains(err.Error(), secret) {
				t.Errorf("Open(redis:// to %s) = %v, want an error with the advice", host, err)
			}
		}
	}
}

// TestNoTLSToThisMachine opens addresses that never leave the machine. The
// error must be that of the connection.
func TestNoTLSToThisMachine(t *testing.T) {
	for _, host := range []string{"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "LOCALHOST:1", "[::1]:1"} {
		_, err := redisstore.Open(t.Context(), "redis://"+host+"/0?max_retries=-1", nil)
		if err == nil || strings.Contains(err.Error(), "rediss://") {
			t.Errorf("Open(redis:// to %s) = %v, want the error of the connection", host, err)
		}
	}
	_, err := redisstore.Open(t.Context(), "unix://user:"+secret+"@"+t.TempDir()+"/none.sock", nil)
	if err == nil || strings.Contains(err.Error(), "rediss://") {
		t.Errorf("Open(unix://) = %v, want the error of the connection", err)
	}
}

// TestNoTLSByChoice opens a server at an address of this machine that others
// can reach. It gets the password by choice only.
func TestNoTLSByChoice(t *testing.T) {
	address := ownAddress(t)
	for _, insecure := range []bool{false, true} {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			t.Fatal(err)
		}
		received := make(chan string, 1)
		go func() { received <- firstLines(l) }()
		ctx, cancel := context.WithCancel(t.Context())
		_, err = redisstore.Open(ctx, "redis://:"+secret+"@"+l.Addr().String()+"/0?max_retries=-1", &redisstore.Options{InsecureNoTLS: insecure})
		cancel()
		_ = l.Close()
		if got := <-received; strings.Contains(got, secret) != insecure {
			t.Errorf("with InsecureNoTLS %t the server received %q; Open() = %v", insecure, got, err)
		}
	}
}

// firstLines returns the beginning of what the first client of l sends.
func firstLines(l net.Listener) string {
	conn, err := l.Accept()
	if err != nil {
		return ""
	}
	defer conn.Close()
	text := make([]byte, 200)
	n, _ := bufio.NewReader(conn).Read(text)
	return string(text[:n])
}

// ownAddress returns an address of this machine that is no loopback address. It
// skips the test if there is none.
func ownAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no network")
	return ""
}

// TestClusterNodesOfOtherMachinesAreRefused has a server of this machine that
// names a node elsewhere.
func TestClusterNodesOfOtherMachinesAreRefused(t *testing.T) {
	dial := redisstore.LocalDialer()
	for _, addr := range []string{"192.0.2.7:6379", "redis.example:6379", "[2001:db8::7]:6379"} {
		if conn, err := dial(t.Context(), "tcp", addr); err == nil || conn != nil || !strings.Contains(err.Error(), "InsecureNoTLS") {
			t.Errorf("dial(%s) = %v, %v, want an error with the advice", addr, conn, err)
		}
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("dial(%s) = %v, want no error", l.Addr(), err)
	}
	_ = conn.Close()
}
