package clients_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/authtrip/authtrip/examples/clients"
	"github.com/authtrip/authtrip/transport"
)

// TestEvents: each event arrives before the next one is sent, so nothing holds
// the stream back.
func TestEvents(t *testing.T) {
	got := make(chan string)
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream")
		for _, event := range []string{"data: one\n\n", ": a comment\n\ndata:two\ndata: lines\n\n"} {
			_, _ = io.WriteString(rw, event)
			_ = http.NewResponseController(rw).Flush()
			<-got
		}
	})
	rt, err := transport.New(w.source(), w.options)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: rt}
	var events []string
	err = clients.Events(t.Context(), client, w.api.URL, func(data string) error {
		events = append(events, data)
		got <- data
		return nil
	})
	if all := strings.Join(events, "; "); err != nil || all != "one; two\nlines" {
		t.Errorf("Events = %q, %v, want two events", all, err)
	}
	w.wantOneRefresh(t)
}

func TestWebSocket(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(rw, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		kind, message, err := conn.Read(r.Context())
		if err == nil {
			err = conn.Write(r.Context(), kind, message)
		}
		if err != nil {
			t.Error(err)
		}
		_ = conn.Close(websocket.StatusNormalClosure, "")
	})
	address := "wss" + strings.TrimPrefix(w.api.URL, "https")
	conn, err := clients.WebSocket(t.Context(), w.source(), address, w.options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, message, err := conn.Read(t.Context()); err != nil || string(message) != "hello" {
		t.Errorf("Read = %q, %v, want the echo", message, err)
	}
	w.wantOneRefresh(t)
}
