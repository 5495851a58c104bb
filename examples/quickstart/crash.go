package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

const (
	graceWindow = 10 * time.Minute // in which the fake answers a refresh token again, if it has such a window
	crashTime   = 3 * time.Minute  // bounds the wait for the end of the dead worker's intent
)

// crash kills another process between redeeming the refresh token and storing
// the new one, and shows what this process does: it waits until the other one
// cannot write any more, and sends the refresh token once more.
func (a *app) crash(ctx context.Context, r *http.Request) (result, error) {
	grace := r.PostFormValue("grace") != ""
	window := time.Duration(0)
	if grace {
		window = graceWindow
	}
	a.upstream.fake.Set(func(k *xapi.Knobs) { k.Token.GraceWindow = window })
	subject, _ := a.grants.Subject(ctx)
	a.killToken(ctx) // otherwise the next call would need no refresh
	if err := a.startWorker(ctx, subject); err != nil {
		return result{}, err
	}
	if err := a.upstream.fake.save(); err != nil {
		return result{}, err
	}
	at := "crash"
	if grace {
		at = "crashgrace"
	}
	begun := time.Now()
	status, err := a.callUntilKnown(ctx)
	if err != nil {
		return result{}, err
	}
	return result{
		Title: fmt.Sprintf("A process died. %d seconds later, the next one goes on", time.Since(begun)/time.Second),
		Text: "The worker had redeemed the refresh token and could not store the new one. The next process found its intent in the store, " +
			"waited until the worker could not write any more, and sent the refresh token once more. X answers it within its grace window. " +
			fmt.Sprintf("The call was answered with %d.", status),
		Proof: true, At: at,
	}, nil
}

// callUntilKnown calls the API until it is known what has become of the refresh
// token. Each call waits for the outcome, and may have to try again.
func (a *app) callUntilKnown(ctx context.Context) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, crashTime)
	defer cancel()
	for {
		status, _, err = a.call(ctx, http.MethodGet, "/2/users/me", nil)
		if err == nil || !errors.Is(err, tokensource.ErrTemporary) {
			return status, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return 0, err
		}
	}
}

// ended says which notice fits the end of a grant.
func ended(err error) string {
	if e, ok := errors.AsType[*tokensource.Error](err); ok && e.Reason == tokensource.ReasonInDoubt {
		return "doubt"
	}
	return "ended"
}
