package tokensource_test

import (
	"bytes"
	"errors"
	"log"
	"log/slog"
	"testing"

	"github.com/authtrip/authtrip/tokensource"
)

func TestLogEvents(t *testing.T) {
	ctx := tokensource.WithCorrelationID(t.Context(), "r-1")
	for _, test := range []struct {
		name  string
		event tokensource.Event
		want  string
	}{
		{
			"success",
			tokensource.Event{Kind: "refreshed", Provider: "x", Subject: "42", CorrelationID: tokensource.CorrelationID(ctx)},
			"level=INFO msg=refreshed result=ok provider=x subject=42 correlation_id=r-1\n",
		},
		{
			"failure with a line break",
			tokensource.Event{Kind: "refused", Err: errors.New("a\nb"), Scopes: []string{"a", "b"}},
			"level=WARN msg=refused result=failed scopes=\"[a b]\" error=\"a\\nb\"\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
			tokensource.LogEvents(log)(ctx, test.event)
			if out.String() != test.want {
				t.Errorf("LogEvents() wrote %q, want %q", out.String(), test.want)
			}
		})
	}
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func TestCorrelationID(t *testing.T) {
	if got := tokensource.CorrelationID(t.Context()); got != "" {
		t.Errorf("CorrelationID(no ID) = %q, want none", got)
	}
	a := tokensource.CorrelationID(tokensource.WithCorrelationID(t.Context(), ""))
	b := tokensource.CorrelationID(tokensource.WithCorrelationID(t.Context(), ""))
	if a == b || len(a) < 26 {
		t.Errorf("two random IDs = %q and %q", a, b)
	}
}

func TestLogEventsWithoutALogger(t *testing.T) {
	var out bytes.Buffer
	before, writer, flags := slog.Default(), log.Writer(), log.Flags()
	defer func() {
		slog.SetDefault(before)
		log.SetOutput(writer) // SetDefault has changed package log too
		log.SetFlags(flags)
	}()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime})))
	tokensource.LogEvents(nil)(t.Context(), tokensource.Event{Kind: "refreshed"})
	if want := "level=INFO msg=refreshed result=ok\n"; out.String() != want {
		t.Errorf("LogEvents(nil) wrote %q to the default logger, want %q", out.String(), want)
	}
}
