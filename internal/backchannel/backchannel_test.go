package backchannel_test

import (
	"context"
	"net"
	"net/http/httptrace"
	"testing"

	"github.com/authtrip/authtrip/internal/backchannel"
)

func TestIs(t *testing.T) {
	marked := backchannel.With(t.Context())
	inner, cancel := context.WithCancel(context.WithoutCancel(marked))
	defer cancel()
	for name, tt := range map[string]struct {
		ctx  context.Context
		want bool
	}{"not marked": {t.Context(), false}, "marked": {marked, true}, "made from a marked one": {inner, true}} {
		if got := backchannel.Is(tt.ctx); got != tt.want {
			t.Errorf("Is(%s) = %v, want %v", name, got, tt.want)
		}
	}
}

func TestTracesAreHidden(t *testing.T) {
	type key struct{}
	seen := 0
	ctx := context.WithValue(t.Context(), key{}, "kept")
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { seen++ }, DNSStart: func(httptrace.DNSStartInfo) { seen++ }, ConnectStart: func(string, string) { seen++ },
	})
	marked := backchannel.With(ctx)
	if httptrace.ContextClientTrace(marked) != nil {
		t.Error("a marked context has the trace of the caller")
	}
	if got := marked.Value(key{}); got != "kept" {
		t.Errorf("Value() = %v, want the caller's value", got)
	}
	var dialer net.Dialer
	if conn, err := dialer.DialContext(marked, "tcp", "localhost:1"); err == nil {
		conn.Close()
	}
	if seen != 0 {
		t.Errorf("the trace of the caller saw %d events", seen)
	}
	own := httptrace.WithClientTrace(marked, new(httptrace.ClientTrace))
	if httptrace.ContextClientTrace(own) == nil || !backchannel.Is(own) {
		t.Error("a marked context cannot have a trace of its own")
	}
}
