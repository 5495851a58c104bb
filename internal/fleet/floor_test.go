//go:build linux

package fleet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// floor is the least that processes can do to refresh once: they hold the lock
// of a file during one request and one durable write of the new tokens.
// docs/performance.md compares the time of a Keeper with it. A process that is
// killed meanwhile loses the login of its user.
type floor struct {
	dir, server string
	api         *http.Client
}

// Token implements tokensource.Source.
func (f *floor) Token(context.Context) (*oauth2.Token, error) {
	data, err := os.ReadFile(filepath.Join(f.dir, "token"))
	if err != nil {
		return nil, err
	}
	tok := new(oauth2.Token)
	return tok, json.Unmarshal(data, tok)
}

// Renew implements tokensource.Renewer.
func (f *floor) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	lock, err := os.OpenFile(filepath.Join(f.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer lock.Close() //nolint:errcheck // nothing was written
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, err
	}
	tok, err := f.Token(ctx)
	if err != nil || tok.AccessToken != rejected.AccessToken {
		return tok, err
	}
	if tok, err = f.redeem(ctx, tok.RefreshToken); err != nil {
		return nil, err
	}
	return tok, f.save(tok)
}

func (f *floor) redeem(ctx context.Context, refresh string) (*oauth2.Token, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.server+xapi.PathToken, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	app := oauthtest.ConfidentialApp()
	req.SetBasicAuth(app.ClientID, app.Secret())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := f.api.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the token request was answered by %s", resp.Status)
	}
	tok := new(oauth2.Token)
	return tok, json.NewDecoder(resp.Body).Decode(tok)
}

// save replaces the file and waits for the disk, as filestore.Store does.
func (f *floor) save(tok *oauth2.Token) error {
	data, err := json.Marshal(tok)
	if err != nil {
		return err
	}
	temp, err := os.Create(filepath.Join(f.dir, "temp"))
	if err != nil {
		return err
	}
	defer temp.Close() //nolint:errcheck // synced before
	if _, err := temp.Write(data); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), filepath.Join(f.dir, "token")); err != nil {
		return err
	}
	dir, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // only synced
	return dir.Sync()
}
