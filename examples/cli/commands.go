package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/authtrip/authtrip/storage/keyring"
	"github.com/authtrip/authtrip/storage/userstore"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
)

// login logs the user in, in the way that works here.
func (c *command) login(ctx context.Context) error {
	user, err := c.app.Login(ctx, &nativeapp.LoginOptions{NoBrowser: c.off})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Logged in as %q.\n", user.Username)
	return nil
}

// whoami asks X who the user is.
func (c *command) whoami(ctx context.Context) error {
	var answer struct {
		Data struct{ ID, Username string }
	}
	if err := c.call(ctx, http.MethodGet, "/2/users/me", nil, &answer); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s %q\n", answer.Data.ID, answer.Data.Username)
	return nil
}

// post posts a text.
func (c *command) post(ctx context.Context, text string) error {
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return err
	}
	var answer struct {
		Data struct{ ID string }
	}
	if err := c.call(ctx, http.MethodPost, "/2/tweets", body, &answer); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Posted %s.\n", answer.Data.ID)
	return nil
}

// status says who is logged in. It asks nobody.
func (c *command) status(ctx context.Context) error {
	s, err := c.app.Status(ctx)
	fmt.Fprint(c.out, s)
	return err
}

// key moves the key that seals the logins: this machine has a keychain now, or
// the program is to run where its keychain cannot be reached.
func (c *command) key(ctx context.Context, place string) error {
	var to userstore.KeySource
	switch place {
	case "keychain":
		to = keyring.New()
	case "file":
	default:
		return errUsage
	}
	folder, err := userstore.Open(ctx, program, &userstore.Options{Keys: keyring.New()})
	if err != nil {
		return err
	}
	err = folder.MoveKey(ctx, to)
	fmt.Fprintf(c.out, "The key is %s.\n", folder.Key())
	return errors.Join(err, folder.Close())
}

func (c *command) logout(ctx context.Context) error {
	if err := c.app.Logout(ctx); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "Logged out.")
	return nil
}

// call makes one request to the API. The client attaches the token, renews it,
// and repeats a request that was rate-limited.
func (c *command) call(ctx context.Context, method, path string, body []byte, answer any) error {
	origins := c.app.Keeper().APIOrigins(nil)
	if len(origins) == 0 {
		return errors.New("the server has no API")
	}
	req, err := http.NewRequestWithContext(ctx, method, origins[0]+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.app.Client().Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // the URL says nothing to the user
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the API answers %s", resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
