package nativeapp

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// byAddress logs the user in by an address that the user pastes. It listens at
// the redirect URL as well, if that is possible: the browser may be on this
// machine after all, or ssh may forward the port.
func (a *App) byAddress(ctx context.Context, o *LoginOptions) (provider.Identity, error) {
	at, err := listen(ctx, a.client.RedirectURL(), a.anyPort())
	if err != nil {
		at = &place{url: a.client.RedirectURL()}
	}
	defer at.close()
	l, err := a.begin(ctx, at.url, o)
	if err != nil {
		return provider.Identity{}, err
	}
	f := newFlow(l, at)
	target, err := f.target(ctx)
	if err != nil {
		return provider.Identity{}, err
	}
	return f.run(ctx, target, f.askForAddress)
}

// newFlow returns a login whose answer comes to a place.
func newFlow(l *login, at *place) *flow {
	return &flow{
		login: l, at: at, state: random(), verifier: oauth2.GenerateVerifier(),
		answers: make(chan *answer, 1), outcome: make(chan struct{}), ended: make(chan error, 2), // by the opener and by the reader
	}
}

// askForAddress tells the user what to do, and begins to read.
func (f *flow) askForAddress(ctx context.Context, target string) error {
	f.say("To log in to %s, open this page in a browser on any machine:\n\n%s\n\n"+
		"At the end the browser goes to an address that begins with %s\n"+
		"and probably shows that it cannot be reached. Copy that whole address from the browser, and paste it here.\n"+
		"Paste only the address of a login that you have started yourself.\n\nAddress: ", f.title(), target, f.at.url)
	go f.readAddresses(ctx)
	return nil
}

// readAddresses reads lines until one is the answer to this login. It may go on
// after the login, until the next line.
func (f *flow) readAddresses(ctx context.Context) {
	for {
		line, err := readLine(f.options.In)
		select {
		case <-f.outcome: // the browser was faster, and the line is lost: see Options.In
			return
		default:
		}
		if text := strings.TrimSpace(line); text != "" {
			if a := f.receive(ctx, queryOf(text)); a != nil {
				select {
				case f.answers <- a:
				default: // the browser was faster
				}
				return
			}
			f.say("This is not the address at the end of this login, or a part of it is missing.\n\nAddress: ")
		}
		if err != nil {
			f.say("\n")
			f.ended <- fmt.Errorf("%w, and the input has ended before the address was pasted", ErrNoBrowser)
			return
		}
	}
}

// queryOf returns the query of an address that a person has copied.
func queryOf(text string) string {
	text = strings.Trim(text, `"'<>`)
	if u, err := url.Parse(text); err == nil && u.RawQuery != "" {
		return u.RawQuery
	}
	_, query, found := strings.Cut(text, "?")
	if !found {
		query = text
	}
	query, _, _ = strings.Cut(query, "#")
	return query
}

// readLine reads a line, and no byte behind it: the rest of the input is for
// the program. Of a line that is too long it returns the beginning.
func readLine(r io.Reader) (string, error) {
	var line strings.Builder
	b := make([]byte, 1)
	for {
		n, err := r.Read(b)
		switch {
		case n == 1 && (b[0] == '\n' || b[0] == '\r'):
			return line.String(), nil
		case n == 1 && line.Len() <= maxQuery:
			line.WriteByte(b[0])
		}
		if err != nil {
			return line.String(), err
		}
	}
}
