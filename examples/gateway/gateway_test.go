package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtrip/authtrip/examples/internal/fakeuser"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/transport"
)

// world is a gateway before an API that wants the token of a user of the fake.
type world struct {
	fake    *xapi.Server
	grants  *grant.Keeper
	api     *httptest.Server
	gate    *httptest.Server
	allowed *capabilities
	terms   terms
	asked   func() *http.Request // the latest request that reached the API
	audit   *lockedBuffer
}

func newWorld(tb testing.TB, serve http.HandlerFunc) *world {
	tb.Helper()
	w := &world{fake: xapi.New(tb, nil), audit: &lockedBuffer{}}
	grants, subject, err := fakeuser.Authorize(tb.Context(), w.fake)
	if err != nil {
		tb.Fatal(err)
	}
	w.grants = grants
	var mu sync.Mutex // guards last
	var last *http.Request
	w.asked = func() *http.Request { mu.Lock(); defer mu.Unlock(); return last }
	w.api = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		last = r.Clone(context.Background())
		mu.Unlock()
		raw, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if tok := w.fake.Token(raw); tok.Kind != "access_token" || tok.Dead != "" {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		serve(rw, r)
	}))
	w.allowed = newCapabilities(time.Now)
	gate, err := newGateway(grants, w.allowed, slog.New(slog.NewJSONHandler(w.audit, nil)),
		&transport.Options{Origins: []string{w.api.URL}, Base: w.api.Client().Transport})
	if err != nil {
		tb.Fatal(err)
	}
	w.gate = httptest.NewServer(gate)
	w.terms = terms{Subject: subject, Origin: w.api.URL, Methods: []string{"GET", "POST"}, Calls: 100, Expires: time.Now().Add(time.Hour)}
	tb.Cleanup(func() {
		w.gate.Close()
		w.api.Close()
		if err := grants.Close(); err != nil {
			tb.Error(err)
		}
	})
	return w
}

// issue returns the secret of a capability whose terms change has changed.
func (w *world) issue(tb testing.TB, change func(*terms)) (id, secret string) {
	tb.Helper()
	t := w.terms
	if change != nil {
		change(&t)
	}
	id, secret, err := w.allowed.issue(t)
	if err != nil {
		tb.Fatal(err)
	}
	return id, secret
}

// do sends a request to the gateway and returns its answer.
func (w *world) do(tb testing.TB, secret, method, path, body string) (*http.Response, string) {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, w.gate.URL+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Cookie", "of=the-caller")
	return send(tb, r)
}

func send(tb testing.TB, r *http.Request) (*http.Response, string) {
	tb.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp, string(answer)
}

type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}
func (b *lockedBuffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

func echo(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }

// TestACallIsPassedOn: with the user's token, renewed if need be, and without
// anything that the caller showed. The audit has the call and no secret.
func TestACallIsPassedOn(t *testing.T) {
	w := newWorld(t, echo)
	id, secret := w.issue(t, nil)
	w.fake.ExpireAccess(w.terms.Subject)
	resp, body := w.do(t, secret, http.MethodPost, "/2/tweets?q=a%2Fb", "text")
	if resp.StatusCode != http.StatusOK || body != "text" {
		t.Errorf("answer = %d %q, want the echo after a renewal", resp.StatusCode, body)
	}
	got := w.asked()
	if got.URL.RequestURI() != "/2/tweets?q=a%2Fb" || got.Header.Get("Cookie") != "" || strings.Contains(got.Header.Get("Authorization"), secret) {
		t.Errorf("the API was asked for %s with the cookie %q, want the caller's path and no secret of the caller", got.URL, got.Header.Get("Cookie"))
	}
	audit := w.audit.String()
	for _, want := range []string{id, w.terms.Subject, `"method":"POST"`, `"path":"/2/tweets"`, `"status":200`, `"bytes":4`} {
		if !strings.Contains(audit, want) {
			t.Errorf("the audit lacks %s: %s", want, audit)
		}
	}
	token := strings.TrimPrefix(got.Header.Get("Authorization"), "Bearer ")
	if strings.Contains(audit, secret) || strings.Contains(audit, token) || strings.Contains(audit, "a%2Fb") {
		t.Errorf("the audit holds a secret: %s", audit)
	}
}

func TestRefusedCalls(t *testing.T) {
	w := newWorld(t, echo)
	revoked, secret := w.issue(t, nil)
	w.allowed.revoke(revoked)
	_, spent := w.issue(t, func(t *terms) { t.Calls = 1 })
	w.do(t, spent, http.MethodGet, "/", "")
	_, reading := w.issue(t, func(t *terms) { t.Methods = []string{"GET"} })
	_, nobody := w.issue(t, func(t *terms) { t.Subject = "nobody" })
	_, elsewhere := w.issue(t, func(t *terms) { t.Origin = "https://evil.example" })
	_, expired := w.issue(t, nil)
	for _, held := range w.allowed.good {
		if held.ID != "" && held.Calls == 100 && held.Subject == w.terms.Subject && held.Origin == w.api.URL && len(held.Methods) == 2 {
			held.Expires = time.Now() // the only one that is still as issued
		}
	}
	tests := []struct {
		name, secret, method string
		status               int
		code                 string
	}{
		{"no capability", "", "GET", 401, "invalid_capability"},
		{"an unknown one", "rubbish", "GET", 401, "invalid_capability"},
		{"a revoked one", secret, "GET", 401, "invalid_capability"},
		{"an expired one", expired, "GET", 401, "invalid_capability"},
		{"a spent one", spent, "GET", 429, "budget_spent"},
		{"another method", reading, "POST", 403, "method_not_allowed"},
		{"a user without a grant", nobody, "GET", 403, "login_required"},
		{"an origin that gets no tokens", elsewhere, "GET", 502, "no_answer"},
	}
	for _, tt := range tests {
		asked := w.asked()
		resp, body := w.do(t, tt.secret, tt.method, "/", "")
		if resp.StatusCode != tt.status || !strings.Contains(body, tt.code) {
			t.Errorf("%s: answer = %d %q, want %d %s", tt.name, resp.StatusCode, body, tt.status, tt.code)
		}
		if w.asked() != asked {
			t.Errorf("%s: the API was asked", tt.name)
		}
	}
	if lines := strings.Count(w.audit.String(), "\n"); lines != len(tests)+1 {
		t.Errorf("%d lines in the audit, want one for each of %d calls", lines, len(tests)+1)
	}
}

// TestStreams: each part arrives before the next one is sent.
func TestStreams(t *testing.T) {
	next := make(chan struct{})
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		for range 3 {
			_, _ = io.WriteString(rw, "part\n")
			_ = http.NewResponseController(rw).Flush()
			<-next
		}
	})
	_, secret := w.issue(t, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.gate.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for range 3 {
		if !lines.Scan() || lines.Text() != "part" {
			t.Fatalf("stream = %q, %v, want a part", lines.Text(), lines.Err())
		}
		next <- struct{}{}
	}
}

// TestTheCallerLeaves: such a call is in the audit too.
func TestTheCallerLeaves(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, "part")
		_ = http.NewResponseController(rw).Flush()
		<-r.Context().Done()
	})
	_, secret := w.issue(t, nil)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.gate.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	leave()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("ReadAll = %v, want the cancellation", err)
	}
	resp.Body.Close()
	w.gate.Close() // waits for the call
	if audit := w.audit.String(); strings.Count(audit, "\n") != 1 {
		t.Errorf("audit = %q, want one line", audit)
	}
}

// TestStreamOfACapabilityThatEnds: the stream ends with it, also if the API
// would send for ever.
func TestStreamOfACapabilityThatEnds(t *testing.T) {
	for name, end := range map[string]func(w *world, id string){
		"revoked": func(w *world, id string) { w.allowed.revoke(id) },
		"expired": func(*world, string) {}, // it lives for 300 ms
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(rw, "part")
				_ = http.NewResponseController(rw).Flush()
				<-r.Context().Done()
				panic(http.ErrAbortHandler) // it would go on
			})
			issued := time.Now()
			w.allowed.now = func() time.Time { return issued } // a slow machine begins the call in time
			id, secret := w.issue(t, func(t *terms) {
				if t.Expires = issued.Add(time.Hour); name == "expired" {
					t.Expires = issued.Add(300 * time.Millisecond)
				}
			})
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.gate.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "bearer "+secret)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			end(w, id)
			body, err := io.ReadAll(resp.Body)
			if refused := resp.StatusCode == http.StatusUnauthorized; err == nil && !refused || ctx.Err() != nil {
				t.Errorf("answer = %d %q, %v, want a stream that breaks off", resp.StatusCode, body, err)
			}
		})
	}
}

// TestUpgradeOfACapabilityThatIsRevoked: a connection that was upgraded, as for
// a WebSocket, carries bytes both ways until then.
func TestUpgradeOfACapabilityThatIsRevoked(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Connection", "Upgrade")
		rw.Header().Set("Upgrade", "echo")
		rw.WriteHeader(http.StatusSwitchingProtocols)
		c, buffered, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.Copy(c, buffered)
	})
	id, secret := w.issue(t, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.gate.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	both, ok := resp.Body.(io.ReadWriter)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		t.Fatalf("answer = %d, want 101", resp.StatusCode)
	}
	word := make([]byte, 4)
	_, _ = both.Write([]byte("text"))
	if _, err := io.ReadFull(both, word); err != nil || string(word) != "text" {
		t.Fatalf("echo = %q, %v, want text", word, err)
	}
	w.allowed.revoke(id)
	if n, err := both.Read(word); err == nil {
		t.Errorf("Read after the revocation = %q, want the end of the connection", word[:n])
	}
}

// TestCallOfACapabilityThatIsRevoked: the API has not answered yet.
func TestCallOfACapabilityThatIsRevoked(t *testing.T) {
	asked := make(chan struct{})
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // it never answers
	})
	id, secret := w.issue(t, nil)
	go func() {
		<-asked
		w.allowed.revoke(id)
	}()
	resp, body := w.do(t, secret, http.MethodGet, "/", "")
	if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "invalid_capability") {
		t.Errorf("answer = %d %q, want 401 invalid_capability", resp.StatusCode, body)
	}
}

func TestTermsThatAreRefused(t *testing.T) {
	now := time.Now()
	good := terms{Subject: "1", Origin: "https://api.x.com", Methods: []string{"GET"}, Calls: 1, Expires: now.Add(time.Minute)}
	allowed := newCapabilities(func() time.Time { return now })
	if _, _, err := allowed.issue(good); err != nil {
		t.Errorf("issue = %v, want a capability", err)
	}
	for name, change := range map[string]func(*terms){
		"no subject": func(t *terms) { t.Subject = "" }, "no method": func(t *terms) { t.Methods = nil },
		"a method in small letters": func(t *terms) { t.Methods = []string{"get"} }, "no calls": func(t *terms) { t.Calls = 0 },
		"a method whose answer has the token": func(t *terms) { t.Methods = []string{"GET", "TRACE"} },
		"a method for proxies":                func(t *terms) { t.Methods = []string{"CONNECT"} },
		"expired":                             func(t *terms) { t.Expires = now }, "too long": func(t *terms) { t.Expires = now.Add(25 * time.Hour) },
	} {
		bad := good
		change(&bad)
		if _, _, err := allowed.issue(bad); err == nil {
			t.Errorf("issue with %s = nil, want an error", name)
		}
	}
}

func TestCapabilitiesAreBounded(t *testing.T) {
	now := time.Now()
	allowed := newCapabilities(func() time.Time { return now })
	t1 := terms{Subject: "1", Methods: []string{"GET"}, Calls: 1, Expires: now.Add(time.Minute)}
	for range maxCapabilities {
		if _, _, err := allowed.issue(t1); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := allowed.issue(t1); err == nil {
		t.Error("one more capability = nil, want an error")
	}
	now = now.Add(2 * time.Minute)
	t1.Expires = now.Add(time.Minute)
	if _, _, err := allowed.issue(t1); err != nil {
		t.Errorf("a capability after the others have expired = %v", err)
	}
	if n := len(allowed.list()); n != 1 {
		t.Errorf("%d capabilities are listed, want 1", n)
	}
}

// TestProgram drives the program by the commands that it prints.
func TestProgram(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := demo(ctx, func(u *users) error { return run(ctx, u, "127.0.0.1:0", "127.0.0.1:0", w) })
		_ = w.Close()
		done <- err
	}()
	lines := bufio.NewScanner(r)
	var said strings.Builder
	for lines.Scan() && lines.Text() != "The audit follows." {
		said.WriteString(lines.Text() + "\n")
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	words := strings.FieldsFunc(said.String(), func(c rune) bool { return strings.ContainsRune(" \n\"'", c) })
	var key, admin, gate, terms string
	for i, word := range words {
		switch {
		case word == "Bearer" && key == "":
			key = words[i+1]
		case strings.HasSuffix(word, "/capabilities"):
			admin = word
		case strings.HasSuffix(word, "/2/users/me"):
			gate = word
		}
	}
	if i := strings.IndexByte(said.String(), '{'); i >= 0 {
		terms, _, _ = strings.Cut(said.String()[i:], "'")
	}
	type answer struct{ ID, Capability string }
	ask := func(method, address, credential, body string, into any) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+credential)
		resp, text := send(t, r)
		if into != nil {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				t.Errorf("%s %s: %v in %q", method, address, err, text)
			}
		}
		return resp.StatusCode
	}
	var got answer
	if status := ask("POST", admin, key, terms, &got); status != http.StatusCreated {
		t.Fatalf("POST %s = %d after: %s", admin, status, said.String())
	}
	var me struct{ Data struct{ ID string } }
	if status := ask("GET", gate, got.Capability, "", &me); status != http.StatusOK || me.Data.ID != oauthtest.DefaultUser().ID {
		t.Errorf("GET %s = %d %+v, want the user", gate, status, me)
	}
	for _, tt := range []struct {
		what, method, address, key, body string
		want                             int
	}{
		{"a wrong key", "POST", admin, "wrong", terms, 401},
		{"a foreign origin", "POST", admin, key, `{"subject":"1","origin":"https://evil.example","methods":["GET"],"calls":1,"seconds":60}`, 400},
		{"an unknown member", "POST", admin, key, `{"user":"1"}`, 400},
		{"no JSON", "POST", admin, key, `subject=1`, 400},
		{"the list", "GET", admin, key, "", 200},
		{"the revocation", "DELETE", admin + "/" + got.ID, key, "", 204},
		{"a second revocation", "DELETE", admin + "/" + got.ID, key, "", 404},
		{"a call after it", "GET", gate, got.Capability, "", 401},
	} {
		if status := ask(tt.method, tt.address, tt.key, tt.body, nil); status != tt.want {
			t.Errorf("%s = %d, want %d", tt.what, status, tt.want)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("run = %v", err)
	}
}

// TestServe_WhichIsStoppedDuringACall: the call is finished first.
func TestServe_WhichIsStoppedDuringACall(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	l, err := listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var finished atomic.Bool
	served := make(chan error, 1)
	go func() {
		served <- serve(ctx, l, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			stop()
			for range 1000 { // gives way to serve, which must not return
				runtime.Gosched()
			}
			finished.Store(true)
			_, _ = io.WriteString(rw, "done")
		}))
	}()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, body := send(t, r)
	if err := <-served; err != nil || !finished.Load() || body != "done" {
		t.Errorf("serve = %v, and the call ended with %q, want nil after the whole call", err, body)
	}
}

// BenchmarkPairedGateway compares calls through the gateway with calls through
// a bare httputil.ReverseProxy to the same API, in turns. The ratio is the time
// of the gateway divided by that of the proxy.
func BenchmarkPairedGateway(b *testing.B) {
	w := newWorld(b, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(make([]byte, 1024)) })
	target, err := url.Parse(w.api.URL)
	if err != nil {
		b.Fatal(err)
	}
	tok, err := w.grants.Source(w.terms.Subject).Token(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	bare := httptest.NewServer(&httputil.ReverseProxy{Transport: w.api.Client().Transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Set("Authorization", "Bearer "+tok.AccessToken)
	}})
	defer bare.Close()
	_, secret := w.issue(b, func(t *terms) { t.Calls = 1 << 40 })
	const batch = 50
	run := func(address string) time.Duration {
		begin := time.Now()
		for range batch {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, address, nil)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+secret)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != 1024 {
				b.Fatalf("a body of %d bytes, %v", n, err)
			}
			resp.Body.Close()
		}
		return time.Since(begin)
	}
	run(bare.URL)
	run(w.gate.URL)
	var proxy, gate time.Duration
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 {
			proxy += run(bare.URL)
			gate += run(w.gate.URL)
		} else {
			gate += run(w.gate.URL)
			proxy += run(bare.URL)
		}
	}
	b.ReportMetric(gate.Seconds()/proxy.Seconds(), "ratio")
}
