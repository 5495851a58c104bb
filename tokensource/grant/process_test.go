package grant_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// The variables that make a run of this test binary one worker of TestG1_FourProcessesOnOneFileStore.
const (
	workerServer = "AUTHTRIP_TEST_WORKER_SERVER"
	workerStore  = "AUTHTRIP_TEST_WORKER_STORE"
)

// TestG1_FourProcessesOnOneFileStore has four real processes share one grant. Each time the access token has died, all of
// them call the API at once.
func TestG1_FourProcessesOnOneFileStore(t *testing.T) {
	const processes, expiries = 4, 30
	fake := xapi.New(t, nil)
	fake.Set(func(k *xapi.Knobs) { k.Latency = 2 * time.Millisecond })
	server, dir := httptest.NewServer(fake), t.TempDir()
	t.Cleanup(server.Close)
	g, client := openWorker(t, server.URL, dir)
	access, refresh, err := fake.IssueToken("", client.ClientID())
	if err != nil {
		t.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, Expiry: time.Now().Add(2 * time.Hour)}
	if _, err := g.Save(t.Context(), oauthtest.DefaultUser().ID, tok); err != nil {
		t.Fatal(err)
	}
	workers := make([]*worker, processes)
	for i := range workers {
		workers[i] = startWorker(t, server.URL, dir)
	}
	for range expiries {
		fake.ExpireAccess("")
		var wg sync.WaitGroup
		for i, w := range workers {
			wg.Go(func() {
				if answer := w.call(); answer != "200" {
					t.Errorf("process %d: call = %q, want 200", i, answer)
				}
			})
		}
		wg.Wait()
	}
	if n := fake.TokenCalls("refresh_token"); n != expiries {
		t.Errorf("refresh requests = %d, want %d", n, expiries)
	}
	if slices.ContainsFunc(fake.Grants(), func(g oauthtest.Grant) bool { return g.Ended == oauthtest.Reused }) {
		t.Error("a refresh token was used twice")
	}
}

// TestWorkerProcess is a worker: for every line on standard input it makes one call and prints its outcome.
func TestWorkerProcess(t *testing.T) {
	url, dir := os.Getenv(workerServer), os.Getenv(workerStore)
	if url == "" {
		t.Skip("runs as a process of TestG1_FourProcessesOnOneFileStore")
	}
	g, _ := openWorker(t, url, dir)
	source := g.Source(oauthtest.DefaultUser().ID)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		status, err := callAPI(t.Context(), source, url)
		if err != nil {
			fmt.Println("worker:", err)
			continue
		}
		fmt.Println("worker:", status)
	}
}

// callAPI makes one call, and after a 401 another one with a renewed token.
func callAPI(ctx context.Context, source *grant.Source, url string) (int, error) {
	tok, err := source.Token(ctx)
	for try := 1; err == nil; try++ {
		var status int
		if status, err = getEcho(ctx, url, tok); err != nil {
			return 0, err
		}
		if status != http.StatusUnauthorized || try == 2 {
			return status, nil
		}
		tok, err = source.Renew(ctx, tok)
	}
	return 0, err
}

func getEcho(ctx context.Context, url string, tok *oauth2.Token) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+xapi.PathEcho, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// openWorker opens the engine of one process on the shared directory.
func openWorker(t *testing.T, url, dir string) (*grant.Keeper, *oauth.Client) {
	t.Helper()
	fake, err := xapi.NewServer(nil) // only to describe the real one
	if err != nil {
		t.Fatal(err)
	}
	app := oauthtest.ConfidentialApp()
	client, err := oauth.New(fake.Provider(url), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: testworld.Scopes,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	store, err := filestore.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := grant.New(client, store, &grant.Options{RenewSpacing: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(g.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return g, client
}

// worker is a process that makes a call when it is told to.
type worker struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

func startWorker(t *testing.T, url, dir string) *worker {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWorkerProcess$")
	cmd.Env = append(os.Environ(), workerServer+"="+url, workerStore+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // the worker ends at the end of its input
		_ = cmd.Wait()
	})
	return &worker{in, bufio.NewScanner(out)}
}

// call has the worker make one call and returns what it says.
func (w *worker) call() string {
	if _, err := io.WriteString(w.in, "call\n"); err != nil {
		return err.Error()
	}
	for w.out.Scan() {
		if answer, ok := strings.CutPrefix(w.out.Text(), "worker: "); ok {
			return answer
		}
	}
	return "the worker has ended"
}
