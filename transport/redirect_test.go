package transport_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/transport"
)

// hop is what a server saw of one request.
type hop struct {
	auths []string
	body  string
}

// recorder keeps what reaches a server that must get no token.
type recorder struct {
	mu   sync.Mutex // guards hops
	hops []hop
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hops = append(r.hops, hop{req.Header.Values("Authorization"), string(body)})
	fmt.Fprint(w, "landed")
}

// dialAll returns a client that reaches each host:port at the address given
// for it, and trusts the test certificates.
func dialAll(t *testing.T, addresses map[string]string) *http.Transport {
	base := httptest.NewTLSServer(nil)
	base.Close()
	rt := base.Client().Transport.(*http.Transport).Clone()
	rt.TLSClientConfig.InsecureSkipVerify = true // the names in this test are not in the certificate
	dialer := &net.Dialer{}
	rt.DialContext = nil
	rt.Dial = func(network, address string) (net.Conn, error) { //nolint:staticcheck // no context is needed here
		to, ok := addresses[address]
		if !ok {
			return nil, fmt.Errorf("no server for %s", address)
		}
		return dialer.DialContext(t.Context(), network, to)
	}
	t.Cleanup(rt.CloseIdleConnections)
	return rt
}

func TestT2_RedirectsElsewhereGetNoToken(t *testing.T) {
	var target recorder
	tlsTarget, plainTarget := httptest.NewTLSServer(&target), httptest.NewServer(&target)
	defer tlsTarget.Close()
	defer plainTarget.Close()
	var location string
	var status int
	var apiAuth []string
	apiServer := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		apiAuth = req.Header.Values("Authorization")
		w.Header().Set("Location", location)
		w.WriteHeader(status)
	}))
	defer apiServer.Close()
	base := dialAll(t, map[string]string{
		"api.example:443":     apiServer.Listener.Addr().String(),
		"sub.api.example:443": tlsTarget.Listener.Addr().String(),
		"api.example:8443":    tlsTarget.Listener.Addr().String(),
		"other.example:443":   tlsTarget.Listener.Addr().String(),
		"api.example:80":      plainTarget.Listener.Addr().String(),
	})
	for _, status = range []int{301, 302, 303, 307, 308} {
		for _, location = range []string{"https://sub.api.example/", "https://api.example:8443/", "https://other.example/", "http://api.example/", "//other.example/"} {
			for _, retry := range []*transport.RetryOptions{nil, {}} {
				target.hops, apiAuth = nil, nil
				client := &http.Client{Transport: newTransport(t, newSource(), base, transport.Options{Retry: retry})}
				resp, err := client.Do(newRequest(t, "POST", "https://api.example/", strings.NewReader("body")))
				if err != nil {
					t.Fatalf("%d to %s: %v", status, location, err)
				}
				resp.Body.Close()
				if len(apiAuth) != 1 || apiAuth[0] != "Bearer tok-1" {
					t.Errorf("%d to %s: the API got Authorization %q, want the token", status, location, apiAuth)
				}
				wantBody := ""
				if status >= 307 {
					wantBody = "body"
				}
				if len(target.hops) != 1 || len(target.hops[0].auths) != 0 || target.hops[0].body != wantBody {
					t.Errorf("%d to %s: the target got %+v, want one request with body %q and no Authorization", status, location, target.hops, wantBody)
				}
			}
		}
	}
}

func TestT2_RedirectsWithinTheOriginGetTheToken(t *testing.T) {
	var auths []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		auths = append(auths, req.Header.Values("Authorization")...)
		if req.URL.Path == "/a" {
			http.Redirect(w, req, "/b", http.StatusFound)
		}
	}))
	defer server.Close()
	client := &http.Client{Transport: newTransport(t, newSource(), server.Client().Transport, transport.Options{Origins: []string{server.URL}})}
	resp, err := client.Do(newRequest(t, "GET", server.URL+"/a", nil))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got, want := strings.Join(auths, ", "), "Bearer tok-1, Bearer tok-1"; got != want {
		t.Errorf("Authorization on both hops = %q, want %q", got, want)
	}
}

// A Location that cannot be parsed is the caller's to see, also below the
// retries.
func TestT6_RedirectsAreNotInterpretedByTheRetries(t *testing.T) {
	for _, location := range []string{"://bad", "https://other.example/", ""} {
		redirect := answer{status: 302, header: http.Header{"Location": {location}}, body: "see there"}
		for _, answers := range [][]answer{{redirect}, {{status: 503}, redirect}} {
			base := &script{answers: answers}
			rt := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{FirstWait: 1}})
			status, body := roundTrip(t, rt, newRequest(t, "GET", api, nil))
			if status != 302 || body != "see there" || len(base.sent) != len(answers) {
				t.Errorf("RoundTrip with Location %q = %d %q after %d requests, want the redirect itself after %d", location, status, body, len(base.sent), len(answers))
			}
		}
	}
}
