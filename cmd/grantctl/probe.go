package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/discovery"
)

// secretVariable is the environment variable with the client secret. A flag
// would show it in the list of processes.
const secretVariable = "AUTHTRIP_CLIENT_SECRET"

const probeHelp = `
Probe finds out how an authorization server behaves: use an account that is for tests only. It prints a page to open in a
browser, and asks for the address that the browser ends at after the login, which it never prints again.

Before the login it sends refresh tokens that never were one, with the right client secret and with a wrong one, in each way
of authentication: a server may count that. It asks before it redeems a refresh token twice and before it revokes, because
both can end the grant, and other grants of the account too. What it did not establish is unknown, or null in JSON.

` + secretVariable + ` holds the client secret; a public client has none.

Examples:
  grantctl probe -client my-app -redirect https://app.example/callback https://as.example
  grantctl probe -client my-app -redirect http://127.0.0.1:9/callback -authorize https://as.example/authorize \
    -token https://as.example/token -api https://api.example/me -file as.json https://as.example
`

// probing is the command line of probe.
type probing struct {
	target
	format, file, name string
	yes                bool
	in                 io.Reader
}

func probeCommand() *command {
	return &command{
		name: "probe", args: []string{"ISSUER"}, about: "find out how an authorization server behaves", help: probeHelp,
		setup: func(f *flag.FlagSet) action {
			p := &probing{}
			f.StringVar(&p.clientID, "client", "", "the client `ID`")
			f.StringVar(&p.redirect, "redirect", "", "a redirect `URL` of the client; nobody needs to listen there")
			f.StringVar(&p.scope, "scope", "", "the `scopes` to ask for, with spaces between them")
			f.StringVar(&p.authorize, "authorize", "", "the authorization endpoint's `URL`, if the server publishes no metadata")
			f.StringVar(&p.token, "token", "", "the token endpoint's `URL`, if the server publishes no metadata")
			f.StringVar(&p.revoke, "revoke", "", "the revocation endpoint's `URL` (RFC 7009), if the metadata have none")
			f.StringVar(&p.api, "api", "", "a `URL` that a GET with the token can read")
			f.StringVar(&p.file, "file", "", "write the facts to this new `file`, for provider.Load")
			f.StringVar(&p.name, "name", "probed", "the `name` of the entry in that file")
			f.StringVar(&p.format, "o", "text", "the `format` of the report: text or json")
			f.BoolVar(&p.yes, "yes", false, "do not ask before what can end the grant")
			return func(ctx context.Context, c *console, args []string) error {
				p.issuer, p.in = args[0], bufio.NewReader(c.stdin)
				secret := os.Getenv(secretVariable)
				p.secret, p.http = func() string { return secret }, plainClient()
				return p.run(ctx, c)
			}
		},
	}
}

// run asks the server and reports, also if it did not get to the end.
func (p *probing) run(ctx context.Context, c *console) error {
	if err := p.check(); err != nil {
		return err
	}
	f := &findings{}
	if err := p.discover(ctx, f); err != nil {
		return err
	}
	failed := p.ask(ctx, c, f)
	if err := p.report(c.stdout, f); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("the report has only what was established before: %w", failed)
	}
	if p.file == "" {
		return nil
	}
	text, err := f.providerFile(&p.target, p.name, time.Now().UTC().Format(time.DateOnly))
	if err != nil {
		return err
	}
	return writeNew(p.file, append(text, '\n'))
}

// writeNew writes a file that was not there before.
func writeNew(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // the operator names it; it holds no secret
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

func (p *probing) check() error {
	if p.clientID == "" || p.redirect == "" {
		return usageError("probe: -client and -redirect are needed")
	}
	if p.format != "text" && p.format != "json" {
		return usageError("probe: -o is text or json")
	}
	for what, text := range map[string]string{"-authorize": p.authorize, "-token": p.token, "-revoke": p.revoke, "-api": p.api} {
		if text == "" {
			continue
		}
		if err := checkURL(what, text); err != nil {
			return err
		}
	}
	return checkURL("ISSUER", p.issuer)
}

// discover reads the metadata. Endpoints of the command line win.
func (p *probing) discover(ctx context.Context, f *findings) error {
	u, err := url.Parse(p.issuer)
	if err != nil {
		return usageError("probe: ISSUER is no URL")
	}
	found, err := discovery.Provider(ctx, p.issuer, &discovery.Options{InsecureLoopback: loopback(u), InsecurePrivate: true})
	switch {
	case err == nil:
		f.Metadata = new(true)
		for to, value := range map[*string]string{&p.authorize: found.AuthorizationURL, &p.token: found.TokenURL, &p.revoke: found.RevocationURL} {
			if *to == "" {
				*to = value
			}
		}
	case errors.Is(err, discovery.ErrNotFound):
		f.Metadata = new(false)
	case p.authorize == "" || p.token == "":
		return err
	}
	if p.authorize == "" || p.token == "" {
		return errors.New("the server publishes no metadata with its endpoints: name -authorize and -token")
	}
	return nil
}

// ask makes all requests, in an order in which what can end the grant comes
// last.
func (p *probing) ask(ctx context.Context, c *console, f *findings) error {
	auth, err := f.clientAuth(ctx, &p.target)
	if err != nil {
		return err
	}
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	page := p.page(state, oauth2.S256ChallengeFromVerifier(verifier))
	if err := f.pkce(ctx, &p.target, page, p.page(state, "")); err != nil {
		return err
	}
	code, err := p.login(ctx, c, f, page, state)
	if err != nil {
		return err
	}
	r, err := p.post(ctx, p.token, auth, p.secret(), url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.redirect}, "code_verifier": {verifier},
	})
	if err != nil {
		return err
	}
	if !r.good() {
		return fmt.Errorf("the code got no token: status %d, error %q", r.Status, withoutControls(r.Code))
	}
	f.works(auth)
	return p.tokens(ctx, c, f, auth, f.tokensOf(r))
}

// works notes that a client got tokens in the given way.
func (f *findings) works(auth string) {
	switch auth {
	case authBasic:
		f.Basic = new(true)
	case authRaw:
		f.BasicRaw = new(true)
	case authPost:
		f.Post = new(true)
	}
}

// tokens finds out what becomes of the tokens.
func (p *probing) tokens(ctx context.Context, c *console, f *findings, auth string, first tokens) error {
	if p.api != "" {
		if err := f.apiAnswers(ctx, &p.target, first); err != nil {
			return err
		}
	}
	if first.refresh() == "" {
		return nil
	}
	now, err := f.rotation(ctx, &p.target, auth, first)
	if err != nil || f.Rotates == nil {
		return err
	}
	if *f.Rotates && p.agreed(ctx, c, "Redeem a refresh token twice?") {
		if now, err = f.reuse(ctx, &p.target, auth, first, now); err != nil {
			return err
		}
	}
	ended := f.ReuseEnds != nil && *f.ReuseEnds
	if p.revoke != "" && !ended && p.agreed(ctx, c, "Revoke the refresh token?") {
		return f.revocation(ctx, &p.target, auth, now)
	}
	return nil
}

// agreed asks before something that can end the grant.
func (p *probing) agreed(ctx context.Context, c *console, question string) bool {
	if p.yes {
		return true
	}
	fmt.Fprint(c.stderr, question, " That can end the grant. Type yes: ")
	line, _ := readLine(ctx, p.in) // what is no yes is a no
	return strings.TrimSpace(line) == "yes"
}

// page returns the authorization request, without PKCE if there is no
// challenge.
func (p *probing) page(state, challenge string) string {
	q := url.Values{"response_type": {"code"}, "client_id": {p.clientID}, "redirect_uri": {p.redirect}, "state": {state}}
	if p.scope != "" {
		q.Set("scope", p.scope)
	}
	if challenge != "" {
		q.Set("code_challenge", challenge)
		q.Set("code_challenge_method", "S256")
	}
	if strings.Contains(p.authorize, "?") {
		return p.authorize + "&" + q.Encode()
	}
	return p.authorize + "?" + q.Encode()
}

// login shows the page and reads the address that the browser ended at.
func (p *probing) login(ctx context.Context, c *console, f *findings, page, state string) (string, error) {
	fmt.Fprintf(c.stderr, "Open this page and log in with a test account:\n\n%s\n\nThen paste the address that the browser ends at: ", page)
	line, err := readLine(ctx, p.in)
	if cause := context.Cause(ctx); cause != nil {
		return "", cause
	}
	line = strings.TrimSpace(line)
	back, bad := url.Parse(line)
	if bad != nil || line == "" {
		return "", errors.Join(errors.New("that is no address of a login"), err)
	}
	q := back.Query()
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
		return "", errors.New("that is the address of another login: the state differs")
	}
	if q.Has("iss") && q.Get("iss") != p.issuer {
		return "", errors.New("the answer comes from another issuer than ISSUER")
	}
	if q.Get("code") == "" {
		return "", errors.New("the server sent no code: the login was refused")
	}
	f.IssInAnswer = new(q.Has("iss"))
	return q.Get("code"), nil
}

// report prints all findings, in the order of the struct.
func (p *probing) report(w io.Writer, f *findings) error {
	if p.format == "json" {
		return writeJSON(w, f)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	v := reflect.ValueOf(*f)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		text := "unknown"
		if !v.Field(i).IsNil() {
			b, err := json.Marshal(v.Field(i).Interface())
			if err != nil {
				return err
			}
			text = string(b)
		}
		fmt.Fprintf(t, "%s\t%s\n", strings.ReplaceAll(name, "_", " "), printable(text))
	}
	return t.Flush()
}
