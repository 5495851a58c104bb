package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// who asks the API who the user is.
func (a *app) who(ctx context.Context, _ *http.Request) (result, error) {
	status, body, err := a.call(ctx, http.MethodGet, "/2/users/me", nil)
	return answered("GET /2/users/me", status, body), err
}

// post posts what the form says.
func (a *app) post(ctx context.Context, r *http.Request) (result, error) {
	text := cmp.Or(strings.TrimSpace(r.PostFormValue("text")), "Posted with authtrip at "+time.Now().Format(time.TimeOnly))
	payload, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return result{}, err
	}
	status, body, err := a.call(ctx, http.MethodPost, "/2/tweets", payload)
	return answered("POST /2/tweets", status, body), err
}

// call makes one call as the user whom ctx names: login.Require has put the
// user there, and the transport adds the token.
func (a *app) call(ctx context.Context, method, path string, payload []byte) (status int, body []byte, err error) {
	return send(ctx, a.api, method, a.upstream.provider.APIOrigins[0]+path, payload)
}

// send makes one request and reads the answer.
func send(ctx context.Context, client *http.Client, method, target string, payload []byte) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(payload))
	if err != nil {
		return 0, nil, err
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, body, err
}

func answered(request string, status int, body []byte) result {
	r := result{Title: fmt.Sprintf("%s answered %d %s", request, status, http.StatusText(status)), Bad: status >= 400}
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, "", "  ") == nil {
		r.Body = pretty.String()
	}
	return r
}

const manyCalls = 200

// many makes two hundred calls at the same moment, on request with a token that
// X has just stopped accepting.
func (a *app) many(ctx context.Context, r *http.Request) (result, error) {
	button := "many"
	if r.PostFormValue("kill") != "" {
		button = "killmany"
		a.killToken(ctx)
	}
	ctx, tally := withTally(ctx)
	begun := time.Now()
	failed, err := a.atOnce(ctx, manyCalls)
	if failed == manyCalls {
		return result{}, err
	}
	took := time.Since(begun).Milliseconds()
	last := result{
		Title: fmt.Sprintf("%d calls, %s", manyCalls, plural(tally.refreshes.Load(), "refresh", "refreshes")),
		Text:  fmt.Sprintf("All of them succeeded, in %d ms. 401s met on the way: %d.", took, tally.rejected.Load()),
		Proof: true,
		At:    button,
	}
	if failed > 0 {
		last.Text, last.Bad = fmt.Sprintf("%d of them failed: %v", failed, err), true
	}
	return last, nil
}

// atOnce makes n calls in parallel and returns how many failed, and one of the
// errors if there was any.
func (a *app) atOnce(ctx context.Context, n int) (failed int, err error) {
	var (
		wg    sync.WaitGroup
		bad   atomic.Int64
		cause atomic.Pointer[error]
	)
	for range n {
		wg.Go(func() {
			status, _, err := a.call(ctx, http.MethodGet, "/2/users/me", nil)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("the API answered %d", status)
			}
			if err != nil {
				bad.Add(1)
				cause.Store(&err)
			}
		})
	}
	wg.Wait()
	if first := cause.Load(); first != nil {
		err = *first
	}
	return int(bad.Load()), err
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
