package main

import (
	"context"
	"net"
	"net/http"
	"time"
)

// serve answers until ctx ends, and then lets what was begun come to its end.
func (a *app) serve(ctx context.Context, listener net.Listener) error {
	server := newServer(a.handler())
	server.RegisterOnShutdown(func() { close(a.stopped) })
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	return shutdown(server)
}

const shutdownTime = 2 * time.Second

func shutdown(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return server.Close()
	}
	return nil
}

// newServer returns a server with the bounds that every server should have.
func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
}
