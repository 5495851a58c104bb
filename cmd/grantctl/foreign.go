package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/oauth2"
	"gopkg.in/ini.v1"
)

// No error of this file repeats its input, because that holds tokens.

// objects decodes one JSON object after another and calls each with it.
func objects[T any](text []byte, each func(T) error) error {
	for d, n := json.NewDecoder(bytes.NewReader(text)), 1; ; n++ {
		var value T
		if err := d.Decode(&value); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("object %d is not the JSON that is expected", n)
		}
		if err := each(value); err != nil {
			return fmt.Errorf("object %d: %w", n, err)
		}
	}
}

var errNoToken = errors.New("it has neither an access token nor a refresh token")

// fromOAuth2 reads tokens of golang.org/x/oauth2 as encoding/json writes them,
// or answers of a token endpoint.
func fromOAuth2(text []byte, _ string) ([]foreign, error) {
	var list []foreign
	err := objects(text, func(t struct {
		oauth2.Token
		Scope string `json:"scope"`
	},
	) error {
		tok, err := adoptable(&t.Token, t.Scope)
		list = append(list, foreign{token: tok})
		return err
	})
	return list, err
}

// adoptable returns a token as it came from a server now. One without an expiry
// may be dead, and the first call shows it.
func adoptable(t *oauth2.Token, scope string) (*oauth2.Token, error) {
	if t.AccessToken == "" && t.RefreshToken == "" {
		return nil, errNoToken
	}
	tok := &oauth2.Token{AccessToken: t.AccessToken, RefreshToken: t.RefreshToken, TokenType: "Bearer", Expiry: t.Expiry}
	if tok.Expiry.IsZero() && t.ExpiresIn > 0 && t.ExpiresIn < 1<<31 {
		tok.Expiry = time.Now().Add(time.Duration(t.ExpiresIn) * time.Second)
	}
	if scope != "" {
		tok = tok.WithExtra(map[string]any{"scope": scope})
	}
	return tok, nil
}

// fromGoth reads goth.User as encoding/json writes it. A session of goth has
// the same names, but no user.
func fromGoth(text []byte, _ string) ([]foreign, error) {
	var list []foreign
	err := objects(text, func(u struct {
		UserID, AccessToken, RefreshToken, AccessTokenSecret string
		ExpiresAt                                            time.Time
	},
	) error {
		if u.AccessTokenSecret != "" {
			return errors.New("it is a token of OAuth 1.0")
		}
		tok, err := adoptable(&oauth2.Token{AccessToken: u.AccessToken, RefreshToken: u.RefreshToken, Expiry: u.ExpiresAt}, "")
		list = append(list, foreign{u.UserID, tok})
		return err
	})
	return list, err
}

// fromRclone reads the token of a remote in rclone.conf.
func fromRclone(text []byte, remote string) ([]foreign, error) {
	if bytes.Contains(text, []byte("RCLONE_ENCRYPT_V0:")) {
		return nil, errors.New("it is encrypted: rclone config show prints it, with its password")
	}
	file, err := ini.LoadSources(ini.LoadOptions{IgnoreInlineComment: true, SpaceBeforeInlineComment: true}, text)
	if err != nil {
		return nil, errors.New("it is no rclone.conf")
	}
	var names []string
	for _, section := range file.Sections() {
		if section.HasKey("token") && (remote == "" || section.Name() == remote) {
			names = append(names, section.Name())
		}
	}
	switch {
	case len(names) == 0:
		return nil, nil
	case len(names) > 1:
		return nil, fmt.Errorf("several remotes have tokens, and -remote names one: %s", strings.Join(names, ", "))
	}
	return fromOAuth2([]byte(file.Section(names[0]).Key("token").Value()), "")
}

// fromGH reads hosts.yml of gh. It returns no subject: gh knows only the names
// of users, and users can change their names.
func fromGH(text []byte, host string) ([]foreign, error) {
	type account struct {
		Token string `yaml:"oauth_token"`
	}
	var hosts map[string]struct {
		account `yaml:",inline"`
		Users   map[string]account `yaml:"users"`
	}
	if err := yaml.Unmarshal(text, &hosts); err != nil {
		return nil, errors.New("it is no hosts.yml")
	}
	if host == "" {
		host = "github.com"
	}
	there, ok := hosts[host]
	if !ok {
		return nil, fmt.Errorf("it has no host %q; -remote names another", host)
	}
	tokens := []string{there.Token}
	for _, user := range there.Users {
		tokens = append(tokens, user.Token)
	}
	slices.Sort(tokens)
	var list []foreign
	for _, token := range slices.Compact(tokens) {
		if token != "" {
			list = append(list, foreign{token: &oauth2.Token{AccessToken: token, TokenType: "Bearer"}})
		}
	}
	if list == nil {
		return nil, errors.New("gh keeps its token in the keychain: gh auth token | grantctl adopt -from token")
	}
	return list, nil
}

// fromKubelogin reads a file of kubelogin's cache. The API server of Kubernetes
// takes ID tokens, so that no access token is kept.
func fromKubelogin(text []byte, _ string) ([]foreign, error) {
	var list []foreign
	err := objects(text, func(t struct {
		IDToken      string `json:"id_token"`
		RefreshToken string `json:"refresh_token"`
	},
	) error {
		if t.RefreshToken == "" {
			return errors.New("it has no refresh token: ask for the scope offline_access")
		}
		list = append(list, foreign{subjectOf(t.IDToken), &oauth2.Token{RefreshToken: t.RefreshToken}})
		return nil
	})
	return list, err
}

// subjectOf reads the subject of an ID token of the user's own file, without
// looking at its signature. It is only a name for the grant. The server decides
// what the grant may do.
func subjectOf(idToken string) string {
	parts := strings.Split(idToken, ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	_ = json.Unmarshal(text, &claims)
	return claims.Subject
}

// fromToken reads an access token as it is.
func fromToken(text []byte, _ string) ([]foreign, error) {
	token := strings.TrimSpace(string(text))
	if token == "" {
		return nil, nil
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("a token has no spaces, and ASCII only")
	}
	return []foreign{{token: &oauth2.Token{AccessToken: token, TokenType: "Bearer"}}}, nil
}
