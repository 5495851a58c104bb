package redisstore_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/servertest"
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

// TestClusterNodesOfOtherMachinesAreRefused has a Cluster of this machine whose
// node names an address that others can reach. That address gets the password
// by choice only.
func TestClusterNodesOfOtherMachinesAreRefused(t *testing.T) {
	address := ownAddress(t)
	for _, insecure := range []bool{false, true} {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			t.Fatal(err)
		}
		received := make(chan string, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			received <- firstLines(l)
			cancel() // the other node answers nothing
		}()
		s, err := redisstore.Open(ctx, startNodeThatNames(t, l.Addr()), &redisstore.Options{InsecureNoTLS: insecure})
		if err == nil {
			_, err = s.Get(ctx, "a")
			_ = s.Close()
		}
		cancel()
		_ = l.Close()
		if got := <-received; strings.Contains(got, secret) != insecure {
			t.Errorf("with InsecureNoTLS %t the other node received %q; Open() = %v", insecure, got, err)
		}
		if !insecure && (err == nil || !strings.Contains(err.Error(), "InsecureNoTLS")) {
			t.Errorf("Open() = %v, want an error with the advice", err)
		}
	}
}

// startNodeThatNames returns the URL of a node of a Cluster. It has all slots,
// and tells clients that it is reached at another address.
func startNodeThatNames(t *testing.T, other net.Addr) string {
	t.Helper()
	host, port, err := net.SplitHostPort(other.String())
	if err != nil {
		t.Fatal(err)
	}
	server := servertest.Redis(t, "--appendonly", "no", "--cluster-enabled", "yes", "--cluster-port", servertest.FreePort(t),
		"--cluster-announce-ip", host, "--cluster-announce-port", port)
	if !server.Own() {
		t.Skip("needs servers of its own")
	}
	node := connect(t, server.URL)
	if err := node.ClusterAddSlotsRange(t.Context(), 0, slots-1).Err(); err != nil {
		t.Fatal(err)
	}
	if err := node.ConfigSet(t.Context(), "requirepass", secret).Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(server.URL, "redis://", "redis://:"+secret+"@", 1)
}

// TestNameBelowLocalhostOfAnotherMachine has a name server that gives the
// address of another machine to a name of this machine.
func TestNameBelowLocalhostOfAnotherMachine(t *testing.T) {
	before := net.DefaultResolver
	defer func() { net.DefaultResolver = before }()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answerName(theirs, [4]byte{192, 0, 2, 7})
		return ours, nil
	}}
	_, err := redisstore.Open(t.Context(), "redis://:"+secret+"@cache.localhost:6379/0?max_retries=-1", nil)
	if err == nil || !strings.Contains(err.Error(), "InsecureNoTLS") || strings.Contains(err.Error(), secret) {
		t.Errorf("Open() = %v, want an error with the advice", err)
	}
}

// answerName answers a question of DNS ([RFC 1035], section 4) over a stream.
// The answer to a question for an address of IPv4 is address.
//
// [RFC 1035]: https://www.rfc-editor.org/rfc/rfc1035
func answerName(conn net.Conn, address [4]byte) {
	defer conn.Close()
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return
	}
	m := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, m); err != nil {
		return
	}
	end := 12 + bytes.IndexByte(m[12:], 0) + 5 // the header, the name, its type and its class
	kind := m[end-3]
	m = m[:end]
	m[2], m[3] = 0x81, 0x80
	copy(m[6:12], []byte{0, 0, 0, 0, 0, 0})
	if kind == 1 {
		m[7] = 1
		m = append(m, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
		m = append(m, address[:]...)
	}
	_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...))
}
