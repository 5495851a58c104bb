package tokensource

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"
)

// Event is one thing that happened to a login, a session or a grant. Packages
// grant, middleware and transport report it to the hook OnEvent of their
// options, for audit, logs and metrics. It contains no token, code, secret or
// cookie. A field that the reporter does not know is empty.
type Event struct {
	Time     time.Time // when it happened, by the clock of this machine
	Kind     EventKind
	Provider string // the name of the provider
	ClientID string
	Subject  string // the user, as the authorization server names the user

	// Account is the user of the app, where the app has users of its own and
	// package connect connects accounts to them.
	Account string

	// Session is the public name of a session of package middleware. It cannot be
	// used to act as the user.
	Session string

	RemoteAddr string // of the request, as net/http reports it
	UserAgent  string // of the request: printable ASCII of limited length
	Origin     string // of a request to an API, such as "https://api.x.com"
	Scopes     []string

	// Failures counts attempts in a row that failed, over all processes. If the
	// event is a failed attempt, it is one of them: 1 means that the attempt before
	// it did not fail. If the event is a success, they came before it.
	Failures uint64

	// Ends is when what the event is about ends, such as a refresh token.
	Ends time.Time

	// Reason says why, in a few words, where a kind of event has several reasons.
	Reason string

	// Err is the cause of a failure or of a refusal. Nil means success.
	Err error

	// CorrelationID is shared by the events of one login, or of one request of a
	// user. See [WithCorrelationID].
	CorrelationID string
}

// EventKind says what happened.
type EventKind string

// Result is "ok", or "failed" if the event has an error.
func (e Event) Result() string {
	if e.Err != nil {
		return "failed"
	}
	return "ok"
}

// LogEvents returns a hook that writes each event to log. Failures have the
// level Warn, other events the level Info. Fields that are empty are left out.
// A nil log means slog.Default.
func LogEvents(log *slog.Logger) func(context.Context, Event) {
	if log == nil {
		log = slog.Default()
	}
	return func(ctx context.Context, e Event) {
		level := slog.LevelInfo
		if e.Err != nil {
			level = slog.LevelWarn
		}
		log.LogAttrs(ctx, level, string(e.Kind), e.attrs()...)
	}
}

// attrs returns the fields that are not empty. The text of a foreign error can
// contain anything, and the handlers of log/slog quote it.
func (e Event) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("result", e.Result())}
	for _, f := range [...]struct{ name, value string }{
		{"provider", e.Provider},
		{"client_id", e.ClientID},
		{"subject", e.Subject},
		{"account", e.Account},
		{"session", e.Session},
		{"remote_addr", e.RemoteAddr},
		{"user_agent", e.UserAgent},
		{"origin", e.Origin},
		{"reason", e.Reason},
		{"correlation_id", e.CorrelationID},
	} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.name, f.value))
		}
	}
	if e.Failures > 0 {
		attrs = append(attrs, slog.Uint64("failures", e.Failures))
	}
	if !e.Ends.IsZero() {
		attrs = append(attrs, slog.Time("ends", e.Ends))
	}
	if len(e.Scopes) > 0 {
		attrs = append(attrs, slog.Any("scopes", e.Scopes))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	return attrs
}

type correlationKey struct{}

// WithCorrelationID returns a context whose events have the given ID. Package
// middleware uses it for each request that it handles. A program that has a
// request ID of its own sets it before. An empty id means a random one.
func WithCorrelationID(ctx context.Context, id string) context.Context {
	if id == "" {
		id = rand.Text()
	}
	return context.WithValue(ctx, correlationKey{}, id)
}

// CorrelationID returns the ID that [WithCorrelationID] put into ctx, or "".
func CorrelationID(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}
