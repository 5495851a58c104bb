package oauthtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// TestUnsentRequestsLeaveNoTrace refuses a connection in two ways.
func TestUnsentRequestsLeaveNoTrace(t *testing.T) {
	refused := errors.New("no route to host")
	tests := []struct {
		name   string
		refuse func(*peer)
		want   error
	}{
		{"Unsent", func(c *peer) {
			c.Inject(oauthtest.Match{Op: "token", Skip: 1}, oauthtest.Fault{Unsent: true, Required: true}, 1)
		}, syscall.ECONNREFUSED},
		{"Dial", func(c *peer) {
			c.Set(func(k *oauthtest.Knobs) {
				k.Dial = func(_ context.Context, r oauthtest.Request) error {
					if r.Op != "token" || r.Method != http.MethodPost || r.Path != "/token" || r.Count != 2 {
						return nil
					}
					return refused
				}
			})
		}, refused},
	}
	for _, tt := range tests {
		c := play(t, nil)
		tt.refuse(c)
		tok := c.parse(c.refresh(c.issue().Refresh)) // the first one passes
		body := &tracked{Reader: strings.NewReader("grant_type=refresh_token&refresh_token=" + tok.Refresh)}
		req := c.form(c.p.TokenURL)
		req.Body = body
		if _, err := c.try(req); !errors.Is(err, tt.want) {
			t.Errorf("%s: RoundTrip = %v, want %v", tt.name, err, tt.want)
		}
		if body.read != 0 || body.closed != 1 {
			t.Errorf("%s: %d bytes of the body were read, closed %d times, want 0 and 1", tt.name, body.read, body.closed)
		}
		if n := len(c.Requests()); n != 1 || c.TokenCalls("refresh_token") != 1 {
			t.Errorf("%s: %d requests recorded, %d refreshes, want 1 and 1", tt.name, n, c.TokenCalls("refresh_token"))
		}
		c.parse(c.refresh(tok.Refresh))
	}
}

func TestUnsentOnAListener(t *testing.T) {
	c := play(t, nil).onListener()
	c.Inject(oauthtest.Match{Op: "token"}, oauthtest.Fault{Unsent: true}, 1)
	token := c.issue().Refresh
	if _, err := c.tryRefresh(t.Context(), token); err == nil {
		t.Error("RoundTrip = nil, want an error")
	}
	if n := len(c.Requests()); n != 0 {
		t.Errorf("%d requests recorded, want none", n)
	}
}

func TestCloseReportsUnsentFaultsThatCannotHappen(t *testing.T) {
	for _, m := range []oauthtest.Match{{GrantType: "refresh_token"}, {ClientID: "c"}, {UserID: "u"}} {
		s, err := oauthtest.NewServer(nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Inject(m, oauthtest.Fault{Unsent: true}, 1)
		if err := s.Close(); err == nil || !strings.Contains(err.Error(), "only the body says") {
			t.Errorf("Close() with %+v = %v, want an error", m, err)
		}
	}
}

// TestABodyThatBreaksOffNeverArrives sends half a form, and half an upload.
func TestABodyThatBreaksOffNeverArrives(t *testing.T) {
	broken := errors.New("the deadline has passed")
	half := func(text string) io.ReadCloser {
		return io.NopCloser(io.MultiReader(strings.NewReader(text), failing{broken}))
	}
	c := play(t, nil)
	tok := c.issue()
	req := c.form(c.p.TokenURL)
	req.Body = half("grant_type=refresh_token&refresh_token=" + tok.Refresh)
	if _, err := c.try(req); !errors.Is(err, broken) {
		t.Errorf("RoundTrip of half a form = %v, want the body's error", err)
	}
	if len(c.Requests()) != 0 || c.TokenCalls("refresh_token") != 0 || c.Token(tok.Refresh).Dead != "" {
		t.Errorf("the server knows of half a form: %v", c.Requests())
	}
	handled := false
	c = play(t, &oauthtest.Options{Handle: func(*http.Request, oauthtest.Request, oauthtest.Token) *oauthtest.Answer {
		handled = true
		return nil
	}})
	req = c.request(http.MethodPost, "https://api.example/things", "")
	req.Header.Set("Authorization", "Bearer "+c.issue().Access)
	req.Body = half("{")
	if _, err := c.try(req); !errors.Is(err, broken) || handled {
		t.Errorf("RoundTrip of half an upload = %v, handled %v, want the body's error and false", err, handled)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestLateRequestsHaveTheirEffect has a client that gives up after a second,
// and one that waits.
func TestLateRequestsHaveTheirEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []oauthtest.Request
		c := play(t, &oauthtest.Options{OnRequest: func(r oauthtest.Request) { seen = append(seen, r) }})
		tok := c.issue()
		c.Inject(onRefresh, oauthtest.Fault{Late: true, Delay: time.Minute}, 2)
		began := time.Now()
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := c.tryRefresh(ctx, tok.Refresh); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("refresh = %v after %v, want the deadline after a second", err, time.Since(began))
		}
		if err := c.Close(); err != nil {
			t.Errorf("Close() = %v: a request whose client left is not in flight", err)
		}
		if got := c.Token(tok.Refresh).Dead; got != "" {
			t.Errorf("before its time the refresh token is %q, want it live", got)
		}
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if got := c.Token(tok.Refresh); got.Dead != oauthtest.Redeemed || !got.DeadAt.Equal(began.Add(time.Minute)) {
			t.Errorf("after its time the refresh token is %q since %v, want it redeemed after a minute", got.Dead, got.DeadAt)
		}
		if len(seen) != 2 || seen[1].Pair != 2 || seen[0].Pair != 0 {
			t.Errorf("observed %v, want the request twice, with its pair the second time", seen)
		}

		began = time.Now()
		next := c.parse(c.refresh(c.issue().Refresh))
		if time.Since(began) != time.Minute || !c.works(next.Access) {
			t.Errorf("a client that waits is answered after %v, want a minute", time.Since(began))
		}
	})
}

func TestLateUploads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got string
		c := play(t, &oauthtest.Options{Handle: func(r *http.Request, _ oauthtest.Request, _ oauthtest.Token) *oauthtest.Answer {
			body, err := io.ReadAll(r.Body)
			got = string(body)
			if err != nil || r.Context().Err() != nil {
				t.Errorf("a late upload = %v, context %v, want neither", err, r.Context().Err())
			}
			return nil
		}})
		c.Inject(oauthtest.Match{}, oauthtest.Fault{Late: true, Delay: time.Minute}, 1)
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		req := c.request(http.MethodPost, "https://api.example/things", "hello").WithContext(ctx)
		if _, err := c.try(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("upload = %v, want the deadline", err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got != "hello" {
			t.Errorf("the API received %q, want hello", got)
		}
	})
}

// TestLateAndDropped loses the answer of a request that arrives late.
func TestLateAndDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, nil)
		tok := c.issue()
		c.Inject(onRefresh, oauthtest.Fault{Late: true, Delay: time.Minute, Drop: true}, 1)
		if _, err := c.tryRefresh(t.Context(), tok.Refresh); !errors.Is(err, io.EOF) || c.Token(tok.Refresh).Dead != oauthtest.Redeemed {
			t.Errorf("refresh = %v, token %q, want EOF and a redeemed one", err, c.Token(tok.Refresh).Dead)
		}
	})
}

// TestFaultDecidesByRequest loses the answer to every second refresh of a user.
func TestFaultDecidesByRequest(t *testing.T) {
	type key struct{}
	c := play(t, nil)
	c.Set(func(k *oauthtest.Knobs) {
		k.Fault = func(ctx context.Context, r oauthtest.Request) oauthtest.Fault {
			if ctx.Value(key{}) != "process 1" || r.GrantType != "refresh_token" || r.UserID != userID || r.ClientID != ci.ClientID || r.Grant == 0 {
				return oauthtest.Fault{}
			}
			return oauthtest.Fault{Commit: true, Drop: r.Count%2 == 0}
		}
	})
	ctx := context.WithValue(t.Context(), key{}, "process 1")
	for i, want := range []bool{true, false, true, false} {
		token := c.issue().Refresh
		if _, err := c.tryRefresh(ctx, token); (err == nil) != want || c.Token(token).Dead != oauthtest.Redeemed {
			t.Errorf("refresh %d = %v, want ok %v and a redeemed token", i+1, err, want)
		}
	}
	if _, err := c.tryRefresh(t.Context(), c.issue().Refresh); err != nil {
		t.Errorf("refresh of another process = %v, want nil", err)
	}
	c.Inject(onRefresh, oauthtest.Fault{Status: 503}, 1)
	if got, err := c.tryRefresh(ctx, c.issue().Refresh); err != nil || got.status != 503 {
		t.Errorf("an injected fault = %d, %v, want it to come first", got.status, err)
	}
	var notes []string
	for _, r := range c.Requests(onRefresh) {
		notes = append(notes, strings.Join(r.Notes, ","))
	}
	if want := "fault,refreshed"; notes[0] != want {
		t.Errorf("notes = %q, want %q first", notes, want)
	}
}

func TestGatherLetsExactlyOneWin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		c := play(t, nil)
		token := c.issue().Refresh
		c.Inject(onRefresh, oauthtest.Fault{Gather: n}, n)
		var wins, losses atomic.Int64
		var wg sync.WaitGroup
		race := func() {
			if c.refresh(token).status == http.StatusOK {
				wins.Add(1)
			} else {
				losses.Add(1)
			}
		}
		for range n - 1 {
			wg.Go(race)
		}
		synctest.Wait()
		if got := wins.Load() + losses.Load(); got != 0 {
			t.Errorf("%d refreshes passed, want none before all have come", got)
		}
		wg.Go(race)
		wg.Wait()
		if wins.Load() != 1 || losses.Load() != n-1 {
			t.Errorf("%d won and %d lost, want 1 and %d", wins.Load(), losses.Load(), n-1)
		}
	})
}

func TestGatherHonoursTheContextAndClearFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, nil)
		token := c.issue().Refresh
		c.Inject(onRefresh, oauthtest.Fault{Gather: 3}, -1)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if _, err := c.tryRefresh(ctx, token); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("refresh = %v, want the deadline", err)
		}
		var got answered
		var wg sync.WaitGroup
		wg.Go(func() { got = c.refresh(token) })
		synctest.Wait()
		c.ClearFaults()
		wg.Wait()
		c.parse(got)
	})
}

// TestASeedRepeats runs the same requests twice, and compares every answer.
func TestASeedRepeats(t *testing.T) {
	run := func(t *testing.T, seed uint64) (log string) {
		synctest.Test(t, func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, seed)
			c := play(t, nil)
			c.Set(func(k *oauthtest.Knobs) {
				k.Authorize.ExtraParams = map[string][]string{"a": {"1"}, "b": {"2"}, "c": {"3"}}
			})
			c.Inject(oauthtest.Match{Probability: 0.5, Seed: seed}, oauthtest.Fault{Delay: time.Second, Jitter: time.Minute}, -1)
			for range 20 {
				back, err := c.Authorize(t.Context(), "", c.authorizeURL())
				if err != nil {
					t.Fatal(err)
				}
				tok := c.login()
				log += back + tok.Access + c.refresh(tok.Refresh).body + time.Now().String()
			}
		})
		return log
	}
	first := run(t, 1)
	if run(t, 1) != first {
		t.Error("the same seed gave other answers")
	}
	if run(t, 2) == first {
		t.Error("another seed gave the same answers")
	}
}
