package discovery_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/discovery"
)

func TestGuardCheck(t *testing.T) {
	var (
		public   = strings.Fields("1.1.1.1 8.8.8.8 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 169.253.0.1 192.167.1.1 11.0.0.1 2606:4700::1111 2001:4860::8888 64:ff9b::8.8.8.8 2002:808:808::1")
		loopback = strings.Fields("127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 64:ff9b::127.0.0.1 2002:7f00:1::1")
		private  = strings.Fields("10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.127.255.255 fc00::1 fd12:3456::1 ::ffff:10.0.0.1 64:ff9b::10.0.0.1 2002:a00:1::1")
		never    = strings.Fields("0.0.0.0 0.1.2.3 :: 169.254.1.1 169.254.169.254 169.254.170.2 fe80::1 fe80::1%eth0 2606:4700::1%eth0 fec0::1 224.0.0.1 ff02::1 255.255.255.255 240.0.0.1 " +
			"fd00:ec2::254 fd20:ce::254 100.100.100.200 168.63.129.16 192.0.0.192 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 " +
			"::ffff:169.254.169.254 ::ffff:0.0.0.0 64:ff9b::169.254.169.254 2002:a9fe:a9fe::1 64:ff9b::0.0.0.0 ::127.0.0.1 ::10.0.0.1 ::ffff:0:127.0.0.1 64:ff9b:1::10.0.0.1 " +
			"2001:0:1::1 2001:db8::1 3fff::1 100::1 5f00::1 2001:2::1 2001:10::1 2001:20::1 2606::5efe:169.254.169.254 2606::200:5efe:169.254.169.254")
	)
	check := func(list []string, zero, loop, priv bool) {
		t.Helper()
		for _, text := range list {
			a := netip.MustParseAddr(text)
			for _, tt := range []struct {
				g    discovery.Guard
				want bool
			}{
				{discovery.Guard{}, zero}, {discovery.Guard{InsecureLoopback: true}, loop}, {discovery.Guard{InsecurePrivate: true}, priv},
				{discovery.Guard{InsecureLoopback: true, InsecurePrivate: true}, loop || priv},
			} {
				if err := tt.g.Check(a); (err == nil) != tt.want || err != nil && !errors.Is(err, discovery.ErrAddress) {
					t.Errorf("%+v.Check(%s) = %v, want allowed %t", tt.g, text, err, tt.want)
				}
			}
		}
	}
	check(public, true, true, true)
	check(loopback, false, true, false)
	check(private, false, false, true)
	check(never, false, false, false)
	if err := (discovery.Guard{}).Check(netip.Addr{}); !errors.Is(err, discovery.ErrAddress) {
		t.Errorf("Check(the zero address) = %v, want ErrAddress", err)
	}
}

func TestGuardControl(t *testing.T) {
	for _, tt := range []struct {
		network, address string
		want             bool
	}{
		{"tcp4", "1.1.1.1:443", true}, {"tcp6", "[2606:4700::1111]:443", true}, {"tcp4", "10.0.0.1:443", false}, {"tcp6", "[::1]:443", false},
		{"tcp6", "[fe80::1%eth0]:443", false}, {"udp4", "1.1.1.1:443", false}, {"unix", "/run/x.sock", false}, {"tcp4", "as.example:443", false}, {"tcp4", "", false},
	} {
		if err := (discovery.Guard{}).Control(tt.network, tt.address, nil); (err == nil) != tt.want {
			t.Errorf("Control(%s, %s) = %v, want allowed %t", tt.network, tt.address, err, tt.want)
		}
	}
}

// The name of this machine resolves to loopback: the check comes after that,
// and holds for every connection of the transport.
func TestGuardAfterNameResolution(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.invalid:1")
	t.Setenv("HTTPS_PROXY", "http://proxy.invalid:1")
	reached := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached = true
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
	}))
	defer server.Close()
	for _, at := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1), strings.Replace(server.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1)} {
		if _, err := get(t, discovery.Guard{}, at); !errors.Is(err, discovery.ErrAddress) || reached {
			t.Errorf("GET %s = %v, want ErrAddress before any request", at, err)
		}
	}
	if status, err := get(t, discovery.Guard{InsecureLoopback: true}, server.URL); err != nil || status != http.StatusFound {
		t.Errorf("GET %s with InsecureLoopback = %d, %v, want 302, not followed", server.URL, status, err)
	}
}

func get(t *testing.T, g discovery.Guard, at string) (int, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := g.Client()
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// Without options, a Client reaches no server of this machine.
func TestClientIsGuarded(t *testing.T) {
	reached := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer server.Close()
	c, err := discovery.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Server(t.Context(), server.URL); !errors.Is(err, discovery.ErrAddress) || reached || !strings.Contains(err.Error(), "InsecurePrivate") {
		t.Errorf("Server(%s) = %v, want ErrAddress that says what to set", server.URL, err)
	}
}

// A certificate that nobody trusts ends the connection.
func TestClientVerifiesCertificates(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	server.Config.ErrorLog = nil
	if _, err := discovery.Provider(t.Context(), server.URL, &discovery.Options{InsecureLoopback: true}); err == nil || errors.Is(err, discovery.ErrNotFound) {
		t.Errorf("Provider(%s) = %v, want an error of the connection", server.URL, err)
	}
}
