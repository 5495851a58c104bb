// Command observability shows how an app with authtrip is operated: metrics and
// traces by OpenTelemetry, a dashboard, alerts, and the probes of a cluster.
//
//	go run ./examples/observability
//
// starts an app with twenty users at a fake of X. Access tokens live for ten
// seconds, the server fails now and then, a user withdraws the access, and
// another one logs out. Prometheus reads the metrics at
//
//	http://127.0.0.1:9464/metrics
//
// and the probes are /ready and /live. With OTEL_EXPORTER_OTLP_ENDPOINT set,
// metrics and spans also go to a collector. The file dashboard.json is for
// Grafana, and rules.yml for Prometheus. In a program of your own, telemetry.go
// is what turns events into metrics and spans.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"
)

func main() {
	address := flag.String("listen", "127.0.0.1:9464", "the address of /metrics, /ready and /live")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *address, 2*time.Second, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "observability:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, with a round of calls after each pause.
func run(ctx context.Context, address string, pause time.Duration, out io.Writer) (err error) {
	t, err := newTelemetry(ctx)
	if err != nil {
		return err
	}
	w, err := newWorld(ctx, t)
	if err != nil {
		return err
	}
	defer func() {
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer stop()
		err = errors.Join(err, w.Close(last))
	}()
	h, err := w.handler()
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "http://%[1]s/metrics is for Prometheus, http://%[1]s/ready and /live are for probes.\n", l.Addr())
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stopped()
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	err = w.live(ctx, pause)
	_ = server.Close()
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}
