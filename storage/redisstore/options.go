package redisstore

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/redis/go-redis/v9"
)

const (
	defaultPrefix = "authtrip:"
	maxName       = 128
)

// nameForm is the form of prefixes and channels. None of its characters has a
// meaning in MATCH. A prefix ends with a colon and no key contains one, so no
// prefix and key together look like another prefix.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9:._-]*(\{[A-Za-z0-9:._-]+\})?[A-Za-z0-9:._-]*$`)

// names returns the prefix and the channel, checked.
func (o *Options) names() (prefix, channel string, err error) {
	prefix, channel = o.Prefix, o.Channel
	if prefix == "" {
		prefix = defaultPrefix
	}
	if channel == "" {
		channel = prefix + "changes"
	} else if err := checkName("Channel", channel); err != nil {
		return "", "", err
	}
	if err := checkName("Prefix", prefix); err != nil {
		return "", "", err
	}
	if !strings.HasSuffix(prefix, ":") {
		return "", "", fmt.Errorf("redisstore: the Prefix %q does not end with a colon, which keeps it apart from longer ones: add it", prefix)
	}
	return prefix, channel, nil
}

func checkName(option, name string) error {
	if len(name) > maxName || !nameForm.MatchString(name) {
		return fmt.Errorf("redisstore: the %s is not at most %d of [A-Za-z0-9:._-] with at most one {hash tag}: %.*q", option, maxName, maxName, name)
	}
	return nil
}

// errURL says nothing about the URL, not even what the parser says. There may
// be a password in every part of it.
var errURL = errors.New("redisstore: not a URL of Redis: want redis://user:password@host:6379/0 (rediss:// for TLS), the " +
	"password percent-encoded, and as its query only what redis.ParseURL knows")

// errSlashes is for a URL that would otherwise mean the default, localhost.
var errSlashes = errors.New("redisstore: the URL of Redis has no // before the host: write redis://host:6379, not redis:host:6379")

// parse reads a URL. A password that is not percent-encoded must not become a
// part of the host, the path or the query, which errors may show.
func parse(text string) (*redis.Options, error) {
	u, err := url.Parse(text)
	if err != nil || u.Fragment != "" || strings.Contains(u.Path+u.RawQuery, "@") {
		return nil, errURL
	}
	if u.Opaque != "" {
		return nil, errSlashes
	}
	o, err := redis.ParseURL(text)
	if err != nil {
		return nil, errURL
	}
	return o, nil
}
