package oauth_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

const someAccess = "an-access-t0ken-that-nobody-issued"

const someTokens = `{"access_token":"a","token_type":"Bearer","refresh_token":"r"}`

// elsewhere returns a client whose endpoints are all at base.
func elsewhere(t *testing.T, base string, hc *http.Client) *oauth.Client {
	t.Helper()
	return elsewhereWith(t, base, &oauth.Options{HTTPClient: hc})
}

func elsewhereWith(t *testing.T, base string, o *oauth.Options) *oauth.Client {
	t.Helper()
	s := confidential()
	s.p.InsecureLoopback = true
	s.p.TokenURL, s.p.RevocationURL, s.p.ClientCredentialsURL, s.p.IdentityURL = base+"/token", base+"/revoke", base+"/app", base+"/me"
	s.o = o
	client, err := s.client()
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// Each request travels on a connection of its own, over HTTP/1 and HTTP/2.
func TestG3_RequestsTravelOnNewConnections(t *testing.T) {
	for name, start := range protocols {
		var mu sync.Mutex
		connections := map[string]int{}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			connections[r.RemoteAddr]++
			mu.Unlock()
			_, _ = io.WriteString(w, someTokens)
		}))
		start(server)
		client := elsewhere(t, server.URL, server.Client())
		for range 3 {
			if _, err := client.ClientCredentials(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Refresh(t.Context(), someRefresh); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Exchange(t.Context(), someCode, rfcVerifier); err != nil {
				t.Fatal(err)
			}
		}
		for key, n := range connections {
			if n != 1 {
				t.Errorf("%s: the connection %s has carried %d requests, want 1", name, key, n)
			}
		}
		if len(connections) != 9 {
			t.Errorf("%s: connections = %v, want 9", name, connections)
		}
		server.Close()
	}
}

// newServer starts a server that answers on raw connections, and returns its
// URL. The function gets what the client sent. It returns false to close the
// connection.
func newServer(t *testing.T, answer func(conn net.Conn, served int, request string) bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, answer)
		}
	}()
	return "http://" + l.Addr().String()
}

// serve reads requests with a body and answers them until answer says no.
func serve(conn net.Conn, answer func(conn net.Conn, served int, request string) bool) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for served := 0; ; served++ {
		req, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		echo := strings.ReplaceAll(req.Header.Get("Authorization")+" "+string(body), "\n", " ")
		if !answer(conn, served, echo) {
			return
		}
	}
}

// A server closes idle connections without a word. A refresh token that was
// sent on one would be in doubt.
func TestG3_ADeadConnectionIsNotUsed(t *testing.T) {
	base := newServer(t, func(conn net.Conn, served int, _ string) bool {
		if served > 0 {
			return false // it was idle: the server is gone
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(someTokens), someTokens)
		return true
	})
	for name, hc := range map[string]*http.Client{"default": nil, "own": {Transport: &http.Transport{}}} {
		client := elsewhere(t, base, hc)
		for range 3 {
			if _, err := client.Refresh(t.Context(), someRefresh); err != nil {
				t.Errorf("%s: Refresh() = %v, want none beside a dead connection", name, err)
			}
		}
	}
}

// The proxy of the environment is for https only: it would read what is sent by
// http. A program that brings a transport decides itself.
func TestTheProxyOfTheEnvironment(t *testing.T) {
	answer := func(conn net.Conn, _ int, _ string) bool {
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(someTokens), someTokens)
		return false
	}
	base := newServer(t, answer)
	proxied := 0
	proxy, err := url.Parse(newServer(t, answer))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { proxied++; return proxy, nil }}
	old := http.DefaultTransport
	defer func() { http.DefaultTransport = old }()
	http.DefaultTransport = transport
	if _, err := elsewhere(t, base, nil).Refresh(t.Context(), someRefresh); err != nil || proxied != 0 {
		t.Errorf("Refresh() by http = %v, with %d looks for a proxy, want none", err, proxied)
	}
	if _, err := elsewhere(t, "https://127.0.0.1:1", nil).Refresh(t.Context(), someRefresh); err == nil || proxied != 1 {
		t.Errorf("Refresh() by https = %v, with %d looks for a proxy, want 1", err, proxied)
	}
	if _, err := elsewhere(t, base, &http.Client{Transport: transport}).Refresh(t.Context(), someRefresh); err != nil || proxied != 2 {
		t.Errorf("Refresh() with a transport of the program = %v, with %d looks for a proxy, want 2", err, proxied)
	}
}

// A program may replace http.DefaultTransport after the Client was made.
func TestTheDefaultTransportIsLookedUpForEachRequest(t *testing.T) {
	old := http.DefaultTransport
	defer func() { http.DefaultTransport = old }()
	client := elsewhere(t, "http://127.0.0.1:1", nil)
	http.DefaultTransport = canned{status: 200, body: []byte(someTokens)}
	if _, err := client.Refresh(t.Context(), someRefresh); err != nil {
		t.Errorf("Refresh() = %v, want the answer of the new transport", err)
	}
}

// recording reads the body before it sends anything, as a transport that
// records requests does.
type recording struct{ base http.RoundTripper }

func (r recording) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	return r.base.RoundTrip(req)
}

func TestABodyThatWasReadBeforeThereWasAConnection(t *testing.T) {
	dropped := newServer(t, func(net.Conn, int, string) bool { return false })
	broken := unreachable{errors.New("no network")}
	for _, tt := range []struct {
		name, base string
		hc         http.RoundTripper
		inDoubt    bool
	}{
		{"connection refused", "http://127.0.0.1:1", recording{&http.Transport{}}, false},
		{"connection lost behind the request", dropped, recording{&http.Transport{}}, true},
		{"nobody says whether there was a connection", "http://127.0.0.1:1", recording{broken}, true},
		{"the body was not read", "http://127.0.0.1:1", broken, false},
	} {
		client := elsewhere(t, tt.base, &http.Client{Transport: tt.hc})
		_, err := client.Refresh(t.Context(), someRefresh)
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || e.Kind != tokensource.ErrTemporary || e.InDoubt != tt.inDoubt {
			t.Errorf("%s: Refresh() = %v, want ErrTemporary, in doubt %v", tt.name, err, tt.inDoubt)
		}
	}
}

func TestATraceOfTheCallerDoesNotTravel(t *testing.T) {
	base := newServer(t, func(conn net.Conn, _ int, _ string) bool {
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(someTokens), someTokens)
		return true
	})
	var seen []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GetConn:          func(hostPort string) { seen = append(seen, hostPort) },
		WroteHeaderField: func(key string, value []string) { seen = append(seen, key+fmt.Sprint(value)) },
		DNSStart:         func(i httptrace.DNSStartInfo) { seen = append(seen, i.Host) },
		ConnectStart:     func(_, address string) { seen = append(seen, address) },
	})
	client := elsewhere(t, base, nil)
	for _, op := range operations {
		if err := op.run(ctx, client); err != nil {
			t.Errorf("%s = %v", op.name, err)
		}
	}
	_, _ = client.Identity(ctx, &oauth2.Token{AccessToken: "a"})
	if len(seen) != 0 {
		t.Errorf("the trace of the caller saw %q", seen)
	}
}

// A gateway repeats what it was sent in places that net/http cannot parse, and
// quotes in its errors.
func TestMalformedHTTPIsNotQuoted(t *testing.T) {
	for name, answer := range map[string]string{
		"status line":            "%s\r\n\r\n",
		"status code":            "HTTP/1.1 %s\r\n\r\n",
		"version":                "HTTP/%s 200 OK\r\n\r\n",
		"header line":            "HTTP/1.1 200 OK\r\n%s\r\n\r\n",
		"header name":            "HTTP/1.1 200 OK\r\n%s: x\r\n\r\n",
		"continuation":           "HTTP/1.1 200 OK\r\n %s\r\n\r\n",
		"Content-Length":         "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
		"two lengths":            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: %s\r\n\r\n",
		"Transfer-Encoding":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
		"chunk":                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
		"trailer":                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: %s\r\n\r\n0\r\n%[1]s\r\n\r\n",
		"trailer line":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n%s\r\n\r\n",
		"Location":               "HTTP/1.1 302 Found\r\nLocation: http://%%zz%s\r\nContent-Length: 0\r\n\r\n",
		"Location with a port":   "HTTP/1.1 307 Found\r\nLocation: http://host:%s\r\nContent-Length: 0\r\n\r\n",
		"Retry-After":            "HTTP/1.1 503 Busy\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
		"Content-Type":           "HTTP/1.1 400 Bad\r\nContent-Type: %s\r\nContent-Length: 0\r\n\r\n",
		"Content-Encoding":       "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n%s",
		"upgrade":                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: upgrade\r\n\r\n",
		"interim answer":         "HTTP/1.1 103 Early\r\nLink: %s\r\n\r\n%[1]s",
		"a body without a frame": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{\"a%s",
	} {
		base := newServer(t, func(conn net.Conn, _ int, echo string) bool {
			fmt.Fprintf(conn, answer, echo)
			return false
		})
		client := elsewhere(t, base, nil)
		for _, op := range append(slices.Clone(bounded), operations[1]) {
			err := op.run(t.Context(), client)
			if op.name != "revoke" && err == nil {
				t.Errorf("%s, %s = nil, want an error", name, op.name)
			}
			exposure.Check(t, name+", "+op.name, err, secret, someRefresh, someCode, rfcVerifier, someAccess)
		}
	}
}

// What an http.RoundTripper returns is not passed on as text, and can be looked
// for all the same.
func TestErrorsOfATransport(t *testing.T) {
	own := errors.New("reading " + someRefresh + " failed")
	client := elsewhere(t, "http://127.0.0.1:1", &http.Client{Transport: unreachable{fmt.Errorf("wrapped: %w", own)}})
	_, err := client.Refresh(t.Context(), someRefresh)
	testworld.WantIs(t, err, own)
	if strings.Contains(err.Error(), someRefresh) {
		t.Errorf("Refresh() = %v: it quotes the transport", err)
	}
	for name, rt := range map[string]http.RoundTripper{"neither": nothing{}, "an answer without a body": nothing{new(http.Response)}} {
		client := elsewhere(t, "http://127.0.0.1:1", &http.Client{Transport: rt})
		if _, err := client.Refresh(t.Context(), someRefresh); !errors.Is(err, tokensource.ErrTemporary) {
			t.Errorf("%s: Refresh() = %v, want ErrTemporary", name, err)
		}
	}
}

// nothing breaks the contract of http.RoundTripper.
type nothing struct{ resp *http.Response }

func (n nothing) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Body.Close()
	return n.resp, nil
}

func TestEndpointsInAPrivateNetwork(t *testing.T) {
	s := generic()
	s.p.AuthorizationURL, s.p.TokenURL, s.p.RevocationURL = "http://keycloak:8080/auth", "http://keycloak:8080/token", "http://keycloak:8080/revoke"
	s.o = &oauth.Options{HTTPClient: &http.Client{Transport: canned{status: 200, body: []byte(someTokens)}}}
	if _, err := s.client(); err == nil || !strings.Contains(err.Error(), "must be https") {
		t.Errorf("New() = %v, want a refusal of http", err)
	}
	s.p.InsecureHTTP = true
	client, err := s.client()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Refresh(t.Context(), someRefresh); err != nil {
		t.Errorf("Refresh() = %v, want none", err)
	}
}
