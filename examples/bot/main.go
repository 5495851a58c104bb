// The program bot posts for one account on a timer, and stays logged in. The
// page docs/bots.md shows it.
//
//	bot login   a person logs in as the account of the bot, once
//	bot         posts at once, and then every hour
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	login := len(os.Args) == 2 && os.Args[1] == "login"
	err := run(ctx, provider.X(), login, "https://api.x.com/2/tweets", time.Hour)
	stop()
	if err != nil {
		log.Fatal(err) // run has closed the store by now
	}
}

// run logs a person in, or posts until ctx ends.
func run(
	ctx context.Context, server *provider.Provider, login bool, page string, every time.Duration,
) (err error) {
	client, err := oauth.New(server, oauth.Registration{
		ClientID:    os.Getenv("X_CLIENT_ID"),
		Credential:  oauth.Secret(os.Getenv("X_CLIENT_SECRET")), // empty for a public client
		RedirectURL: "http://127.0.0.1:8080/callback",           // as it is registered
		Scopes:      []string{"tweet.read", "tweet.write", "users.read", "offline.access"},
	}, nil)
	if err != nil {
		return err
	}
	keys, err := seal.ParseKeys(os.Getenv("APP_KEYS")) // head -c 32 /dev/urandom | base64
	if err != nil {
		return err
	}
	files, err := filestore.Open("grants", nil) // or a database, for several machines
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	store, err := storage.Sealed(files, keys)
	if err != nil {
		return err
	}
	grants, err := grant.New(client, store, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, grants.Close()) }() // before the store is closed
	app, err := nativeapp.New(grants, &nativeapp.Options{Name: "the bot"})
	if err != nil {
		return err
	}
	if login {
		user, err := app.Login(ctx, nil)
		if err == nil {
			const who = "The bot acts as %s. The subject of its grant is %s.\n"
			fmt.Printf(who, user.Username, user.Subject)
		}
		return err
	}
	work(ctx, app.Client(), page, every)
	return nil
}

// work posts at once, and then at each tick, until ctx ends.
func work(ctx context.Context, client *http.Client, page string, every time.Duration) {
	for tick := time.Tick(every); ctx.Err() == nil; {
		switch err := post(ctx, client, page); {
		case errors.Is(err, tokensource.ErrReauthorize):
			log.Print("a person has to log in: bot login") // the next round sees it
		case err != nil && ctx.Err() == nil:
			log.Print(err) // the next round tries again
		}
		select {
		case <-tick:
		case <-ctx.Done():
		}
	}
}

// post posts the time.
func post(ctx context.Context, client *http.Client, page string) error {
	text := fmt.Sprintf(`{"text":"It is %s."}`, time.Now().Format(time.RFC1123))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page, strings.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	log.Print("X answers ", resp.Status)
	return nil
}
