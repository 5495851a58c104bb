package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// listen opens addr, which must be on loopback: the demo is for who sits at
// this machine. Port 0 picks a free one.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || strconv.FormatUint(n, 10) != port {
		return nil, fmt.Errorf("-addr %q is not an address: write it like 127.0.0.1:8080", addr)
	}
	if host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("-addr %q is not on this machine's loopback interface: write it like 127.0.0.1:8080", addr)
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // the rest would repeat the address
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w: choose another port, such as -addr 127.0.0.1:0 for any that is free", addr, err)
	}
	return l, nil
}

// origin is the address of a listener as a browser writes it.
func origin(l net.Listener) string { return "http://" + l.Addr().String() }
