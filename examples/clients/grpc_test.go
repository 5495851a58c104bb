package clients_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/authtrip/authtrip/examples/clients"
)

// TestGRPC: a server of gRPC that rejects the token is asked again with a new
// one, once.
func TestGRPC(t *testing.T) {
	w := newWorld(t, hello)
	client := dialHealth(t, w)
	for range 2 {
		if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
			t.Errorf("Check = %v, want an answer", err)
		}
	}
	w.wantOneRefresh(t)
}

// TestGRPCAfterAWithdrawal: the error says that the user must log in.
func TestGRPCAfterAWithdrawal(t *testing.T) {
	w := newWorld(t, hello)
	w.withdraw(t)
	if _, err := dialHealth(t, w).Check(t.Context(), &healthpb.HealthCheckRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("Check = %v, want Unauthenticated", err)
	}
}

func dialHealth(t *testing.T, w *world) healthpb.HealthClient {
	t.Helper()
	address := serveHealth(t, w)
	roots := x509.NewCertPool()
	roots.AddCert(w.api.Certificate())
	conn, err := grpc.NewClient(address, append(clients.GRPC(w.source()),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "example.com"})))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return healthpb.NewHealthClient(conn)
}

// TestGRPCWithoutTLS: no token travels without TLS.
func TestGRPCWithoutTLS(t *testing.T) {
	w := newWorld(t, hello)
	conn, err := grpc.NewClient("127.0.0.1:1", append(clients.GRPC(w.source()), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err == nil {
		_ = conn.Close()
		t.Error("NewClient without TLS = nil, want an error")
	}
}

// serveHealth starts a gRPC server that wants a good token for each call.
func serveHealth(t *testing.T, w *world) (address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	check := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		if auth := md.Get("authorization"); len(auth) != 1 || !w.good(auth[0]) {
			return nil, status.Error(codes.Unauthenticated, "the token is not good")
		}
		return handle(ctx, req)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&w.api.TLS.Certificates[0])), grpc.UnaryInterceptor(check))
	healthpb.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}
