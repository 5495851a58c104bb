package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/sqlitestore"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// The worker is this program once more, as another process on the same store.
// These variables make it one.
const (
	workerDir  = "AUTHTRIP_QUICKSTART_WORKER"      // the folder with the store
	workerFake = "AUTHTRIP_QUICKSTART_WORKER_FAKE" // the address of the fake X
	workerUser = "AUTHTRIP_QUICKSTART_WORKER_USER" // whose token it refreshes
)

// startWorker runs a worker until it dies.
func (a *app) startWorker(ctx context.Context, subject string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), workerDir+"="+a.dir, workerFake+"="+a.upstream.fake.url, workerUser+"="+subject)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		return err
	}
	if len(text) > 0 || err == nil {
		return errors.New("the worker did not get as far as it should: " + string(text))
	}
	return nil // it is dead, as it should be
}

// work is the worker: it refreshes the token of a user, and dies when the new
// tokens have arrived and are not stored yet.
func work(ctx context.Context, dir, fake, user string) error {
	keys, err := loadKeys(filepath.Join(dir, "key"))
	if err != nil {
		return err
	}
	database, err := sqlitestore.Open(ctx, filepath.Join(dir, "grants.db"), nil)
	if err != nil {
		return err
	}
	store, err := storage.Sealed(database, keys)
	if err != nil {
		return err
	}
	at, err := url.Parse(fake)
	if err != nil {
		return err
	}
	app := oauthtest.ConfidentialApp()
	client, err := oauth.New(provider.X(), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: "http://127.0.0.1/callback",
		Scopes: []string{"tweet.read", "tweet.write", "users.read", "offline.access"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: dying{at}}, Timeout: 2 * time.Second})
	if err != nil {
		return err
	}
	grants, err := grant.New(client, store, &grant.Options{RenewSpacing: time.Millisecond})
	if err != nil {
		return err
	}
	ctx = grants.WithSubject(ctx, user)
	tok, err := grants.Token(ctx)
	if err == nil {
		_, err = grants.Renew(ctx, tok)
	}
	return errors.Join(err, errors.New("the worker has survived"))
}

// dying sends requests to the fake, and ends the process when the answer to a
// refresh is there.
type dying struct{ fake *url.URL }

func (d dying) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := r.Clone(r.Context())
	sent.URL.Scheme, sent.URL.Host, sent.Host = d.fake.Scheme, d.fake.Host, d.fake.Host
	resp, err := http.DefaultTransport.RoundTrip(sent)
	if err == nil && r.URL.Path == xapi.PathToken {
		if p, lost := os.FindProcess(os.Getpid()); lost == nil {
			_ = p.Kill() // nothing is cleaned up, as in a crash
		}
		select {}
	}
	return resp, err
}
