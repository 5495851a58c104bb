package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/internal/servertest"
)

// TestSentinel has Sentinel make the replica the master. The store must follow,
// and its watch must be notified.
func TestSentinel(t *testing.T) {
	master := servertest.Redis(t)
	if !master.Own() {
		t.Skip("needs servers of its own")
	}
	u, err := url.Parse(master.URL)
	if err != nil {
		t.Fatal(err)
	}
	replica := connect(t, servertest.Redis(t, "--replicaof", u.Hostname(), u.Port()).URL)
	addr := startSentinel(t, u.Hostname(), u.Port())
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "grants", SentinelAddrs: []string{addr}})
	t.Cleanup(func() { _ = client.Close() })
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = sentinel.Close() })

	prefix := newPrefix()
	s := onClient(t, client, prefix)
	w := watch(t, s)
	w.wantNews(t, "")
	put(t, s, "k", "before", 0)
	w.wantNews(t, "k")
	if n := connect(t, master.URL).Wait(t.Context(), 1, 0).Val(); n != 1 {
		t.Fatalf("%d replicas have the record, want 1", n)
	}
	eventually(t, "Sentinel knows the replica, and promotes it", func() bool {
		_ = sentinel.Failover(context.Background(), "grants").Err() // refused until it knows, and while it is at it
		return isMaster(replica)
	})
	eventually(t, "the store writes to the new master", func() bool {
		r, err := s.Get(context.Background(), "k") // until the old master knows, it takes writes that are lost
		if err == nil {
			_, err = s.Put(context.Background(), "k", []byte("after"), r.Version)
		}
		return err == nil && strings.HasSuffix(replica.Get(context.Background(), prefix+"k").Val(), "after")
	})
	w.wantNews(t, "k")
	want(t, s, "k", "after")
}

func isMaster(c *redis.Client) bool {
	role, err := c.Do(context.Background(), "role").Slice()
	return err == nil && len(role) > 0 && role[0] == "master"
}

// startSentinel returns the address of a Sentinel that watches over a master.
func startSentinel(t *testing.T, host, port string) string {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("no redis-server in PATH")
	}
	own, dir := servertest.FreePort(t), t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	conf := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor grants %s %s 1\n", own, dir, host, port)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, file, "--sentinel") // t.Context ends before the files are removed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	addr := net.JoinHostPort("127.0.0.1", own)
	eventually(t, "Sentinel answers", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return addr
}
