package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/upkeep"
)

const scope = "github.com/authtrip/authtrip/examples/observability"

// telemetry makes metrics and spans of events. Copy it into your program. No
// attribute of a metric names a user, so that the number of series is small.
type telemetry struct {
	meters *sdkmetric.MeterProvider
	traces *sdktrace.TracerProvider
	scrape http.Handler // for Prometheus

	tracer trace.Tracer
	events metric.Int64Counter

	mu     sync.Mutex // guards states; never held across I/O
	states map[upkeep.State]int64
}

// newTelemetry serves metrics to Prometheus. If OTEL_EXPORTER_OTLP_ENDPOINT is
// set, it sends metrics and spans there as well. More processors can be given
// for spans.
func newTelemetry(ctx context.Context, processors ...sdktrace.SpanProcessor) (*telemetry, error) {
	registry := prometheus.NewRegistry()
	reader, err := otelprom.New(otelprom.WithRegisterer(registry))
	if err != nil {
		return nil, err
	}
	meters := []sdkmetric.Option{sdkmetric.WithReader(reader)}
	var traces []sdktrace.TracerProviderOption
	for _, p := range processors {
		traces = append(traces, sdktrace.WithSpanProcessor(p))
	}
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" {
		toMetrics, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return nil, err
		}
		toTraces, err := otlptracehttp.New(ctx)
		if err != nil {
			return nil, err
		}
		meters = append(meters, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(toMetrics)))
		traces = append(traces, sdktrace.WithBatcher(toTraces))
	}
	t := &telemetry{
		meters: sdkmetric.NewMeterProvider(meters...), traces: sdktrace.NewTracerProvider(traces...),
		scrape: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), states: map[upkeep.State]int64{},
	}
	t.tracer = t.traces.Tracer(scope)
	return t, t.instruments(t.meters.Meter(scope))
}

// instruments makes the two metrics of this program. Package otelhttp makes
// those of the calls.
func (t *telemetry) instruments(m metric.Meter) (err error) {
	t.events, err = m.Int64Counter("authtrip.events",
		metric.WithDescription("What happened to grants, by kind, provider, result and reason."))
	if err != nil {
		return err
	}
	_, err = m.Int64ObservableGauge("authtrip.grants",
		metric.WithDescription("Grants in the store, by state."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			t.mu.Lock()
			defer t.mu.Unlock()
			for state, n := range t.states {
				o.Observe(n, metric.WithAttributes(attribute.String("state", string(state))))
			}
			return nil
		}))
	return err
}

// Event is a hook for OnEvent: it counts the event and makes a span of it,
// which belongs to the trace of the call that began the work. No event has a
// secret in it. The subject is left out.
func (t *telemetry) Event(ctx context.Context, e tokensource.Event) {
	about := []attribute.KeyValue{
		attribute.String("kind", string(e.Kind)),
		attribute.String("provider", e.Provider),
		attribute.String("result", e.Result()),
		attribute.String("reason", e.Reason),
	}
	t.events.Add(ctx, 1, metric.WithAttributes(about...))
	_, span := t.tracer.Start(ctx, string(e.Kind), trace.WithTimestamp(e.Time), trace.WithAttributes(about...),
		trace.WithAttributes(attribute.String("correlation_id", e.CorrelationID)))
	if e.Err != nil {
		span.RecordError(e.Err)
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// Count counts the grants by state. It reads all of them: one process does it,
// every few minutes.
func (t *telemetry) Count(ctx context.Context, keepers ...*grant.Keeper) error {
	states := map[upkeep.State]int64{}
	for _, s := range []upkeep.State{
		upkeep.Alive, upkeep.Expiring, upkeep.Failing, upkeep.InDoubt, upkeep.Unsaved, upkeep.Dead, upkeep.Ended,
	} {
		states[s] = 0 // a state that no grant has any more must not keep its last number
	}
	for e, err := range upkeep.Grants(ctx, nil, keepers...) {
		if err != nil {
			return err
		}
		states[e.State]++
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.states = states
	return nil
}

// Close sends what was not sent yet.
func (t *telemetry) Close(ctx context.Context) error {
	return errors.Join(t.meters.Shutdown(ctx), t.traces.Shutdown(ctx))
}
