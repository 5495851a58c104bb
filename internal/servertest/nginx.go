package servertest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Nginx returns a private nginx with default settings, which speaks HTTP/2 over
// TLS with a certificate of its own. The text in server goes into its server
// block, such as "location / { proxy_pass http://127.0.0.1:8080; }". The text
// PORT in it stands for the port of nginx.
func Nginx(t testing.TB, server string) *Server {
	t.Helper()
	bin := find(t, "nginx", "/usr/sbin/nginx", "install nginx (Debian: nginx-light)")
	dir := tempDir(t)
	s := &Server{name: "nginx", ready: nginxReady, stop: syscall.SIGTERM}
	certificate, key := selfSigned(t)
	s.command = func(port string) *exec.Cmd {
		conf := strings.ReplaceAll(fmt.Sprintf(nginxConf, dir, server), "PORT", port)
		for name, text := range map[string][]byte{"nginx.conf": []byte(conf), "cert.pem": certificate, "key.pem": key} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil { //nolint:gosec // the server's user reads it, and the key is of this test alone
				t.Errorf("servertest: %v", err)
			}
		}
		cmd := exec.Command(bin, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr") //nolint:noctx // lives until Stop
		asServerUser(cmd)
		diesWithUs(cmd, syscall.SIGKILL)
		cmd.Dir = dir
		return cmd
	}
	return s.begin(t, "https://", "")
}

// nginxConf keeps everything in the directory. It is one process, so that it
// ends with the test.
const nginxConf = `
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen 127.0.0.1:PORT ssl http2;
		ssl_certificate %[1]s/cert.pem;
		ssl_certificate_key %[1]s/key.pem;
		proxy_set_header Host $http_host;
		%[2]s
	}
}
`

// nginxReady sends a request without TLS, which nginx answers with a page.
func nginxReady(ctx context.Context, addr string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if !strings.HasPrefix(resp.Header.Get("Server"), "nginx") {
		return errors.New("this is no nginx")
	}
	return nil
}

// selfSigned returns a certificate for 127.0.0.1 and its key.
func selfSigned(t testing.TB) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}
