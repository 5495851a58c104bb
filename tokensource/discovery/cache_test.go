package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/bubble"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/discovery"
)

const place = issuer + rfc8414

// world runs a test of time with one issuer.
func world(t *testing.T, p page, o discovery.Options, test func(t *testing.T, w *web, c *discovery.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &web{pages: map[string]page{place: p}}
		test(t, w, w.client(t, o))
	})
}

func serve(t *testing.T, c *discovery.Client) string {
	t.Helper()
	s, err := c.Server(t.Context(), issuer)
	if err != nil {
		t.Fatalf("Server() = %v", err)
	}
	return s.TokenEndpoint
}

// moved is the document after the token endpoint has moved.
func moved(to string) page {
	return page{body: `{"issuer":"` + issuer + `","authorization_endpoint":"` + issuer + `/authorize","token_endpoint":"` + to + `"}`}
}

func TestLifetimeOfADocument(t *testing.T) {
	for name, tt := range map[string]struct {
		cache string
		max   time.Duration
		fresh time.Duration
	}{
		"no Cache-Control":             {"", 0, 24 * time.Hour},
		"an hour":                      {"public, max-age=3600", 0, time.Hour},
		"a year":                       {"max-age=31536000", 0, 24 * time.Hour},
		"an hour, at most ten minutes": {"max-age=3600", 10 * time.Minute, 10 * time.Minute},
		"zero":                         {"max-age=0", 0, time.Minute},
		"no-store":                     {"no-store, max-age=3600", 0, time.Minute},
		"no-cache":                     {"no-cache", 0, time.Minute},
		"malformed":                    {"max-age=soon", 0, time.Minute},
		"quoted":                       {`Max-Age="3600"`, 0, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			world(t, page{body: metadata(issuer, ""), cache: tt.cache}, discovery.Options{MaxAge: tt.max}, func(t *testing.T, w *web, c *discovery.Client) {
				serve(t, c)
				time.Sleep(tt.fresh*3/4 - time.Second)
				serve(t, c)
				synctest.Wait()
				if w.requests() != 1 {
					t.Errorf("%d requests while the document is fresh, want 1", w.requests())
				}
				time.Sleep(tt.fresh)
				serve(t, c)
				synctest.Wait()
				if w.requests() != 2 {
					t.Errorf("%d requests after its time, want 2", w.requests())
				}
			})
		})
	}
}

// In the last quarter of its time, a document is read in the background.
func TestDocumentIsReadAgainInTheBackground(t *testing.T) {
	world(t, page{body: metadata(issuer, "")}, discovery.Options{}, func(t *testing.T, w *web, c *discovery.Client) {
		serve(t, c)
		time.Sleep(20 * time.Hour)
		w.set(place, moved("https://new.example/token"))
		w.hold = make(chan struct{})
		if got := serve(t, c); got != issuer+"/token" {
			t.Errorf("the token endpoint is %s while the document is read again, want the one before", got)
		}
		close(w.hold)
		synctest.Wait()
		if got := serve(t, c); got != "https://new.example/token" {
			t.Errorf("the token endpoint is %s afterwards, want the new one", got)
		}
	})
}

// A server that is down, or that publishes rubbish, replaces nothing. It is
// asked once a minute at most.
func TestLastGoodDocumentStays(t *testing.T) {
	for name, broken := range map[string]page{
		"503": {status: 503}, "404": {status: 404}, "no connection": {err: errors.New("refused")}, "another issuer": {body: metadata("https://evil.example", "")},
		"rubbish": {kind: "text/html", body: "<html>"}, "an endpoint that is http": {body: `{"issuer":"` + issuer + `","token_endpoint":"http://as.example/t"}`},
	} {
		t.Run(name, func(t *testing.T) {
			world(t, page{body: metadata(issuer, "")}, discovery.Options{}, func(t *testing.T, w *web, c *discovery.Client) {
				serve(t, c)
				w.set(place, broken)
				time.Sleep(25 * time.Hour)
				before := w.requests()
				for range 600 { // an hour
					serve(t, c)
					time.Sleep(6 * time.Second)
				}
				if tries := w.requests() - before; tries > 2*61 || tries < 30 {
					t.Errorf("%d requests in an hour, want about one a minute for each place", tries)
				}
				w.set(place, moved("https://new.example/token"))
				time.Sleep(time.Minute)
				if got := serve(t, c); got != "https://new.example/token" {
					t.Errorf("the token endpoint is %s after the outage, want the new one", got)
				}
			})
		})
	}
}

func TestRefreshFindsAMovedEndpoint(t *testing.T) {
	var reported []string
	o := discovery.Options{OnChange: func(old, now *discovery.Server) {
		reported = append(reported, old.TokenEndpoint+" → "+now.TokenEndpoint)
	}}
	world(t, page{body: metadata(issuer, "")}, o, func(t *testing.T, w *web, c *discovery.Client) {
		refresh := func(want string) {
			t.Helper()
			if s, err := c.Refresh(t.Context(), issuer); err != nil || s.TokenEndpoint != want {
				t.Errorf("Refresh() = %+v, %v, want the token endpoint %s", s, err, want)
			}
		}
		serve(t, c)
		w.set(place, moved("https://new.example/token"))
		refresh(issuer + "/token") // less than a minute after the last attempt
		time.Sleep(time.Minute)
		refresh("https://new.example/token")
		w.set(place, moved("https://new.example/token/v2"))
		time.Sleep(time.Minute)
		refresh("https://new.example/token/v2")
		w.set(place, page{status: 500})
		time.Sleep(time.Minute)
		refresh("https://new.example/token/v2")
		if want := []string{issuer + "/token → https://new.example/token"}; fmt.Sprint(reported) != fmt.Sprint(want) {
			t.Errorf("reported %q, want %q: other origins only", reported, want)
		}
	})
}

func TestCallersShareOneRequest(t *testing.T) {
	world(t, page{body: metadata(issuer, "")}, discovery.Options{}, func(t *testing.T, w *web, c *discovery.Client) {
		w.hold = make(chan struct{})
		early, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				ctx := t.Context()
				if i == 0 {
					ctx = early
				}
				_, err := c.Server(ctx, issuer)
				if (err == nil) == (i == 0) {
					t.Errorf("caller %d: Server() = %v", i, err)
				}
			})
		}
		synctest.Wait()
		cancel() // one gives up, and the others still get the document
		synctest.Wait()
		close(w.hold)
		wg.Wait()
		if w.requests() != 1 {
			t.Errorf("%d requests of 50 callers, want 1", w.requests())
		}
	})
}

// A failure is remembered for a moment, so that many callers do not ask a
// server that is down.
func TestFailureIsRemembered(t *testing.T) {
	world(t, page{err: errors.New("refused")}, discovery.Options{}, func(t *testing.T, w *web, c *discovery.Client) {
		for range 10 {
			if _, err := c.Server(t.Context(), issuer); !errors.Is(err, tokensource.ErrTemporary) {
				t.Errorf("Server() = %v, want ErrTemporary", err)
			}
		}
		if w.requests() != 1 {
			t.Errorf("%d requests at once, want 1", w.requests())
		}
		w.set(place, page{body: metadata(issuer, "")})
		time.Sleep(5 * time.Second)
		serve(t, c)
	})
}

func TestTimeout(t *testing.T) {
	world(t, page{}, discovery.Options{Timeout: 3 * time.Second}, func(t *testing.T, w *web, c *discovery.Client) {
		w.hold = make(chan struct{})
		begun := time.Now()
		if _, err := c.Server(t.Context(), issuer); !errors.Is(err, tokensource.ErrTemporary) || time.Since(begun) != 3*time.Second {
			t.Errorf("Server() = %v after %v, want ErrTemporary after 3s", err, time.Since(begun))
		}
	})
}

// Close ends what is under way and leaves no goroutine.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{hold: make(chan struct{})}
		c := w.client(t, discovery.Options{})
		before := bubble.Goroutines()
		done := make(chan error, 1)
		go func() {
			_, err := c.Server(t.Context(), issuer)
			done <- err
		}()
		synctest.Wait()
		c.Close()
		c.Close()
		if err := <-done; !errors.Is(err, tokensource.ErrClosed) {
			t.Errorf("Server() during Close = %v, want ErrClosed", err)
		}
		if _, err := c.Server(t.Context(), issuer); !errors.Is(err, tokensource.ErrClosed) {
			t.Errorf("Server() after Close = %v, want ErrClosed", err)
		}
		synctest.Wait()
		if left := bubble.Goroutines() - before; left != 0 {
			t.Errorf("%d goroutines are left", left)
		}
	})
}

// What strangers can make the Client remember is bounded.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{pages: map[string]page{place: {body: metadata(issuer, "")}}}
		c := w.client(t, discovery.Options{})
		serve(t, c)
		for i := range 1100 {
			time.Sleep(time.Millisecond)
			if _, err := c.Server(t.Context(), fmt.Sprintf("https://as-%d.example", i)); !errors.Is(err, discovery.ErrNotFound) {
				t.Fatalf("Server() = %v", err)
			}
		}
		before := w.requests()
		serve(t, c)
		if w.requests() != before+1 {
			t.Error("the oldest document is still in memory after 1100 others, want it dropped")
		}
	})
}

// The bound also holds while no document can be dropped, because all are being
// read.
func TestMemoryIsBoundedWhileAllDocumentsAreBeingRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{hold: make(chan struct{})}
		c := w.client(t, discovery.Options{})
		var slow sync.WaitGroup
		for i := range 1024 {
			slow.Go(func() {
				if _, err := c.Server(t.Context(), fmt.Sprintf("https://as-%d.example", i)); !errors.Is(err, discovery.ErrNotFound) {
					t.Errorf("Server(%d) = %v, want ErrNotFound", i, err)
				}
			})
		}
		synctest.Wait()
		if _, err := c.Server(t.Context(), issuer); !errors.Is(err, tokensource.ErrTemporary) || w.requests() != 1024 {
			t.Errorf("Server(one more) = %v with %d requests, want ErrTemporary with 1024", err, w.requests())
		}
		close(w.hold)
		slow.Wait()
		if _, err := c.Server(t.Context(), issuer); !errors.Is(err, discovery.ErrNotFound) {
			t.Errorf("Server(after the others) = %v, want ErrNotFound", err)
		}
	})
}

// An endpoint for clients with a certificate is an endpoint too.
func TestMovedEndpointForClientsWithACertificate(t *testing.T) {
	alias := func(at string) page {
		return page{body: metadata(issuer, `"mtls_endpoint_aliases":{"token_endpoint":"`+at+`"}`)}
	}
	reported := 0
	o := discovery.Options{OnChange: func(_, _ *discovery.Server) { reported++ }}
	world(t, alias("https://mtls.as.example/token"), o, func(t *testing.T, w *web, c *discovery.Client) {
		serve(t, c)
		for _, at := range []string{"https://mtls.as.example/token/v2", "https://evil.example/token"} {
			w.set(place, alias(at))
			time.Sleep(time.Minute)
			if _, err := c.Refresh(t.Context(), issuer); err != nil {
				t.Error(err)
			}
		}
		if reported != 1 {
			t.Errorf("%d changes were reported, want that of the origin", reported)
		}
	})
}

// A lifetime beyond the range of the header is the longest one (RFC 9111
// section 1.2.2).
func TestMaxAgeBeyondTheRange(t *testing.T) {
	world(t, page{body: metadata(issuer, ""), cache: "max-age=99999999999"}, discovery.Options{}, func(t *testing.T, w *web, c *discovery.Client) {
		serve(t, c)
		time.Sleep(12 * time.Hour)
		serve(t, c)
		if n := w.requests(); n != 1 {
			t.Errorf("%d requests in half a day, want 1", n)
		}
	})
}
