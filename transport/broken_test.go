package transport_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/transport"
)

// A gateway repeats the token in bytes that are no HTTP. Package net/http
// quotes them, and the error does not.
func TestMalformedAnswersAreNotQuoted(t *testing.T) {
	for name, format := range map[string]string{
		"a status line":       "%s\r\n\r\n",
		"a status":            "HTTP/1.1 %s x\r\n\r\n",
		"a version":           "HTTP/%s 200 OK\r\n\r\n",
		"a header line":       "HTTP/1.1 200 OK\r\nbad %s\r\n\r\n",
		"a first header line": "HTTP/1.1 200 OK\r\n %s: x\r\n\r\n",
		"a header name":       "HTTP/1.1 200 OK\r\n%s\x01: x\r\n\r\n",
		"a Content-Length":    "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
		"a transfer encoding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
	} {
		server := gateway(t, format)
		rt := newTransport(t, newSource().set(&oauth2.Token{AccessToken: canary}), new(http.Transport), transport.Options{Origins: []string{server}})
		resp, err := rt.RoundTrip(newRequest(t, "GET", server, nil))
		if err == nil {
			resp.Body.Close()
			t.Errorf("%s: RoundTrip() = %d, want an error", name, resp.StatusCode)
			continue
		}
		if !strings.Contains(err.Error(), "not valid HTTP") {
			t.Errorf("%s: RoundTrip() = %v, want the kind of failure", name, err)
		}
		exposure.Check(t, "the error about "+name, err, canary)
	}
}

// Only a Location that cannot be followed and has the token in it is removed.
func TestABadLocationIsNotQuoted(t *testing.T) {
	for _, tt := range []struct {
		location string
		kept     bool
	}{
		{"http://%zz/" + canary, false}, {"://" + canary, false}, {"://x", true}, {"/next?" + canary, true}, {"/next", true},
	} {
		base := &script{answers: []answer{{status: 302, header: http.Header{"Location": {tt.location}}}}}
		rt := newTransport(t, newSource().set(&oauth2.Token{AccessToken: canary}), base, transport.Options{})
		resp, err := rt.RoundTrip(newRequest(t, "GET", api, nil))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if kept := resp.Header.Get("Location") == tt.location; kept != tt.kept {
			t.Errorf("Location %q is kept: %v, want %v", tt.location, kept, tt.kept)
		}
	}
}

// gateway starts a server that answers with format and the Authorization
// header, and returns its origin.
func gateway(t *testing.T, format string) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				fmt.Fprintf(conn, format, strings.ReplaceAll(req.Header.Get("Authorization"), " ", ""))
			}
			conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// The text of a base that quotes the request is not shown either. Its causes
// are still found.
func TestAnErrorOfTheBaseThatQuotesTheToken(t *testing.T) {
	cause := fmt.Errorf("sent Bearer %s: %w", canary, context.DeadlineExceeded)
	rt := newTransport(t, newSource().set(&oauth2.Token{AccessToken: canary}), &script{answers: []answer{{err: cause}}}, transport.Options{})
	resp, err := rt.RoundTrip(newRequest(t, "GET", api, nil))
	if err == nil {
		resp.Body.Close()
	}
	var timeout net.Error
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("RoundTrip() = %v, want the deadline as its cause", err)
	}
	exposure.Check(t, "the error", err, canary)

	other := errors.New("the network is down")
	rt = newTransport(t, newSource(), &script{answers: []answer{{err: other}}}, transport.Options{})
	resp, err = rt.RoundTrip(newRequest(t, "GET", api, nil))
	if err == nil {
		resp.Body.Close()
	}
	if err != other { //nolint:errorlint // it is passed on as it is
		t.Errorf("RoundTrip() = %v, want the error of the base", err)
	}
}
