package oauthtest

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// device is a device authorization that waits for a person.
type device struct {
	client   string
	scopes   []string
	expires  time.Time
	interval time.Duration
	polled   time.Time // the last time that a client asked
	polls    int       // that were not too early
	used     bool
}

// deviceCode is the device authorization endpoint (RFC 8628 section 3.1).
func (c *call) deviceCode() *reply {
	app, refusal := c.client()
	if refusal != nil {
		return refusal
	}
	scopes := strings.Fields(c.form.Get("scope"))
	if len(scopes) == 0 {
		scopes = c.s.defaultScopes()
	}
	if slices.ContainsFunc(scopes, c.unknownScope) {
		return c.say("scope", "")
	}
	k := &c.k.Device
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	now, ttl := c.s.now(), cmp.Or(k.TTL, 10*time.Minute)
	raw, userCode := c.s.mint("dc", now), strings.ToUpper(c.s.randomText(8))
	c.s.devices[digestOf(raw)] = &device{
		client: app.ClientID, scopes: scopes, expires: now.Add(ttl), interval: cmp.Or(k.Interval, 5*time.Second), polled: now,
	}
	c.noteLocked("device code issued")
	page := originOf(c.s.provider.AuthorizationURL) + "/device"
	var b members
	b.add("device_code", raw)
	b.add("user_code", cmp.Or(k.UserCode, userCode))
	b.add("verification_uri", cmp.Or(k.VerificationURI, page))
	b.add("verification_uri_complete", cmp.Or(k.VerificationURI, page)+"?user_code="+userCode)
	b.add("expires_in", int(ttl/time.Second))
	if k.Interval > 0 {
		b.add("interval", int(k.Interval/time.Second))
	}
	return newReply(http.StatusOK, typeJSON, b.String()+"}")
}

// polled answers a client that asks whether the user has finished (RFC 8628
// section 3.4). A client that asks too early has to wait longer from then on.
func (c *call) polled(app *App) *reply {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	now := c.s.now()
	d := c.s.devices[digestOf(c.form.Get("device_code"))]
	switch {
	case d == nil || d.client != app.ClientID || d.used:
		return c.say("device_code", "")
	case !now.Before(d.expires):
		return refused(http.StatusBadRequest, "expired_token", "the device code has expired")
	case now.Sub(d.polled) < d.interval:
		d.interval += 5 * time.Second
		d.polled = now
		c.noteLocked("asked too early")
		return refused(http.StatusBadRequest, "slow_down", "asked too early")
	}
	d.polled = now
	d.polls++
	if d.polls <= c.k.Device.SlowDown {
		d.interval += 5 * time.Second
		return refused(http.StatusBadRequest, "slow_down", "the server is busy")
	}
	if d.polls <= c.k.Device.SlowDown+c.k.Device.Pending {
		return refused(http.StatusBadRequest, "authorization_pending", "the user has not finished")
	}
	return c.devicePerson(d, now)
}

// devicePerson answers as the person at the verification page has decided. The
// lock must be held.
func (c *call) devicePerson(d *device, now time.Time) *reply {
	user := c.k.Authorize.User
	if user == "" && len(c.s.userOrder) > 0 {
		user = c.s.userOrder[0]
	}
	if c.k.Authorize.Deny || c.s.users[user] == nil {
		return refused(http.StatusBadRequest, "access_denied", "the user refused")
	}
	d.used = true
	g := c.s.openGrant(&c.k, d.client, user, d.scopes, now)
	accessToken, refreshToken, p := c.s.issue(&c.k, g, 0, now)
	c.issued(p, "device code exchanged")
	return c.withIDToken(c.granted(accessToken, refreshToken, d.scopes, c.accessTTL()), g, accessToken, "", now)
}
