package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/upkeep"
)

// played returns a world that has lived through all that it plays, and the
// spans that it made.
func played(t *testing.T) (*world, *tracetest.InMemoryExporter) {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	tele, err := newTelemetry(t.Context(), sdktrace.NewSimpleSpanProcessor(spans))
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWorld(t.Context(), tele)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close(context.WithoutCancel(t.Context())) })
	for range 20 {
		time.Sleep(11 * time.Second) // longer than the access tokens live
		if err := w.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return w, spans
}

func get(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	r := httptest.NewRecorder()
	h.ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	if r.Code != http.StatusOK {
		t.Fatalf("GET %s = %d %s, want 200", path, r.Code, r.Body)
	}
	return r.Body.String()
}

// named returns what matches in the dashboard and in the rules.
func named(t *testing.T, pattern string) []string {
	t.Helper()
	found := map[string]bool{}
	for _, file := range []string{"dashboard.json", "rules.yml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if file == "dashboard.json" && !json.Valid(text) {
			t.Errorf("%s is no JSON", file)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(strings.ReplaceAll(string(text), `\"`, `"`), -1) {
			found[m[len(m)-1]] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Every metric that the dashboard and the rules name is produced, with the
// labels that they select.
func TestEveryMetricOfTheDashboardIsProduced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := played(t)
		h, err := w.handler()
		if err != nil {
			t.Fatal(err)
		}
		metrics := get(t, h, "/metrics")
		names := named(t, `\b((?:authtrip|http)_[a-z_]+)\b`)
		if len(names) < 3 {
			t.Fatalf("the dashboard and the rules name the metrics %q, want three at least", names)
		}
		for _, name := range names {
			if !strings.Contains(metrics, "\n"+name+"{") {
				t.Errorf("the metric %s is not produced", name)
			}
		}
		for _, label := range []string{"kind", "provider", "reason", "state", "server_address", "le"} {
			if !strings.Contains(metrics, label+`="`) {
				t.Errorf("no metric has the label %s", label)
			}
		}
		if !strings.Contains(metrics, `authtrip_grants{`) || strings.Contains(metrics, "user1") || strings.Contains(metrics, `"1001"`) {
			t.Errorf("the metrics name a user:\n%s", metrics)
		}
		for _, kind := range []tokensource.EventKind{
			grant.EventRefreshed, grant.EventRefreshFailed, grant.EventDied, grant.EventLoggedOut, upkeep.EventFailing, upkeep.EventRecovered,
		} {
			if !strings.Contains(metrics, `kind="`+string(kind)+`"`) {
				t.Errorf("the world has played no event %q", kind)
			}
		}
	})
}

// Every kind of event and every state that the dashboard and the rules name
// exists.
func TestEveryKindOfTheDashboardExists(t *testing.T) {
	known := map[string]bool{}
	for _, kind := range []tokensource.EventKind{
		grant.EventAuthorized, grant.EventRefreshed, grant.EventScopes, grant.EventRefreshFailed, grant.EventDied, grant.EventUnsaved,
		grant.EventSaved, grant.EventSuperseded, grant.EventLoggedOut, grant.EventUnrevoked, upkeep.EventFailing, upkeep.EventRecovered, upkeep.EventEnding,
	} {
		known[string(kind)] = true
	}
	for _, state := range []upkeep.State{
		upkeep.Alive, upkeep.Expiring, upkeep.Failing, upkeep.InDoubt, upkeep.Unsaved, upkeep.Dead, upkeep.Ended,
	} {
		known[string(state)] = true
	}
	list := named(t, `(?:kind|state)[!=~]+"([^"]+)"`)
	if len(list) < 5 {
		t.Fatalf("the dashboard and the rules select %q, want five at least", list)
	}
	for _, names := range list {
		for name := range strings.SplitSeq(names, "|") {
			if !known[name] {
				t.Errorf("the dashboard or the rules select %q, which is no kind of event and no state", name)
			}
		}
	}
}

// No span and no metric has a token in it, and events belong to the trace of
// the call.
func TestSpansHaveNoSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, spans := played(t)
		all := spans.GetSpans()
		if len(all) == 0 {
			t.Fatal("there are no spans")
		}
		var text bytes.Buffer
		if err := json.NewEncoder(&text).Encode(all); err != nil {
			t.Fatal(err)
		}
		child := false
		for _, s := range all {
			child = child || s.Name == string(grant.EventRefreshed) && s.Parent.IsValid()
		}
		if !child {
			t.Error("no span of a refresh belongs to the call that began it")
		}
		for _, user := range w.users {
			tok, err := w.keeper.Source(user).Token(t.Context())
			if err == nil && strings.Contains(text.String(), tok.AccessToken) {
				t.Fatal("a span has a token in it")
			}
		}
		if strings.Contains(text.String(), "Bearer ") {
			t.Error("a span has an Authorization header in it")
		}
	})
}

func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := played(t)
		h, err := w.handler()
		if err != nil {
			t.Fatal(err)
		}
		if got := get(t, h, "/ready"); !strings.Contains(got, `"ready":true`) {
			t.Errorf("GET /ready = %s, want it ready", got)
		}
		get(t, h, "/live")
	})
}

// The command runs until it is told to stop.
func TestRun(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, "127.0.0.1:0", time.Millisecond, out) }()
	line := make([]byte, 100)
	n, err := r.Read(line)
	if err != nil || !strings.Contains(string(line[:n]), "/metrics") {
		t.Errorf("the command prints %q, %v, want where the metrics are", line[:n], err)
	}
	stop()
	go func() { _, _ = io.Copy(io.Discard, r) }()
	if err := <-done; err != nil {
		t.Errorf("run() = %v, want nil", err)
	}
}

// Prometheus accepts the rules, where it is installed.
func TestRulesAreValid(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", filepath.Join(".", "rules.yml")).CombinedOutput(); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
}
