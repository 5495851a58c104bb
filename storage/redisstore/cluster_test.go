package redisstore_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/redisstore"
	"github.com/authtrip/authtrip/storage/storagetest"
)

const slots = 16384

// startCluster returns the addresses of a Cluster of three masters.
func startCluster(t *testing.T) []string {
	t.Helper()
	var addrs []string
	var nodes []*redis.Client
	const masters = 3
	for i := range masters {
		bus := servertest.FreePort(t) // the default is the port and 10,000, which may be no port at all
		server := servertest.Redis(t, "--appendonly", "no", "--cluster-enabled", "yes", "--cluster-port", bus)
		if !server.Own() {
			t.Skip("needs servers of its own")
		}
		u, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		node := connect(t, server.URL)
		if err := node.ClusterAddSlotsRange(t.Context(), i*slots/masters, (i+1)*slots/masters-1).Err(); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			if err := nodes[0].Do(t.Context(), "cluster", "meet", u.Hostname(), u.Port(), bus).Err(); err != nil {
				t.Fatal(err)
			}
		}
		addrs, nodes = append(addrs, u.Host), append(nodes, node)
	}
	for _, node := range nodes {
		eventually(t, "the Cluster is ready", func() bool {
			info := node.ClusterInfo(context.Background()).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_size:%d", masters))
		})
	}
	return addrs
}

func TestCluster(t *testing.T) {
	addrs := startCluster(t)
	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs, ContextTimeoutEnabled: true})
	other := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs[1:]})
	t.Cleanup(func() {
		_ = client.Close()
		_ = other.Close()
	})
	var prefix string
	storagetest.Run(t, func(t *testing.T) storage.Store {
		prefix = newPrefix()
		return onClient(t, client, prefix)
	}, &storagetest.Options{
		Reopen: func(t *testing.T) storage.Store { return onClient(t, other, prefix) },
		Swaps:  500,
	})
	t.Run("AllMasters", func(t *testing.T) { allMasters(t, client, addrs) })
	t.Run("HashTag", func(t *testing.T) { hashTag(t, client, addrs) })
	t.Run("URLOfANode", func(t *testing.T) { urlOfANode(t, client, addrs) })
}

// allMasters looks that records are spread over all masters, so that the lists
// of the suite have come from all.
func allMasters(t *testing.T, client redis.UniversalClient, addrs []string) {
	s := onClient(t, client, newPrefix())
	for i := range 100 {
		put(t, s, fmt.Sprintf("k%d", i), "value", 0)
	}
	for _, addr := range addrs {
		if n, err := connect(t, "redis://"+addr).DBSize(t.Context()).Result(); err != nil || n == 0 {
			t.Errorf("%s has %d keys, %v, want some", addr, n, err)
		}
	}
	if n := len(strings.Fields(list(t, s))); n != 100 {
		t.Errorf("Keys() yields %d keys, want 100", n)
	}
}

// urlOfANode opens the Cluster by one of its nodes, and looks that a client of
// one node is not taken for the Cluster.
func urlOfANode(t *testing.T, client redis.UniversalClient, addrs []string) {
	prefix := newPrefix()
	s := onClient(t, client, prefix)
	for i := range 100 {
		put(t, s, fmt.Sprintf("k%d", i), "value", 0)
	}
	for _, query := range []string{"", "?protocol=2"} {
		url := "redis://" + addrs[0] + query
		opened, err := redisstore.Open(t.Context(), url, &redisstore.Options{Prefix: prefix})
		if err != nil {
			t.Fatalf("Open(%s) = %v", url, err)
		}
		if n := len(strings.Fields(list(t, opened))); n != 100 {
			t.Errorf("Open(%s): Keys() yields %d keys, want 100", url, n)
		}
		if err := opened.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
		for key, err := range onClient(t, connect(t, url), prefix).Keys(t.Context()) {
			if err == nil || !strings.Contains(err.Error(), "ClusterClient") {
				t.Errorf("Keys() of the client of one node yields %q, %v, want an error that names the right client", key, err)
			}
		}
	}
	_, err := redisstore.Open(t.Context(), "redis://"+addrs[0]+"?db=0", nil)
	if err == nil || !strings.Contains(err.Error(), "belongs to a Cluster") {
		t.Errorf("Open() with the number of a database = %v, want an error that names the Cluster", err)
	}
}

// hashTag keeps all records of a store in one slot.
func hashTag(t *testing.T, client redis.UniversalClient, addrs []string) {
	s, err := redisstore.New(client, &redisstore.Options{Prefix: "{tag}:"})
	if err != nil {
		t.Fatal(err)
	}
	slot := int(client.ClusterKeySlot(t.Context(), "{tag}:anything").Val())
	before := countInSlot(t, addrs, slot) // records of the suite may have come there by chance
	for i := range 20 {
		put(t, s, fmt.Sprintf("k%d", i), "value", 0)
	}
	if n := len(strings.Fields(list(t, s))); n != 20 {
		t.Errorf("Keys() yields %d keys, want 20", n)
	}
	if n := countInSlot(t, addrs, slot) - before; n != 20 {
		t.Errorf("slot %d has %d keys more, want 20", slot, n)
	}
}

// countInSlot returns how many keys a slot has.
func countInSlot(t *testing.T, addrs []string, slot int) int64 {
	t.Helper()
	var n int64
	for _, addr := range addrs {
		n += connect(t, "redis://"+addr).ClusterCountKeysInSlot(t.Context(), slot).Val()
	}
	return n
}
