package nativeapp_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

func silent(context.Context, nativeapp.DeviceCode) error { return nil }

// polls returns the times between the requests for tokens.
func (w *world) polls() (pauses []time.Duration) {
	var last time.Time
	for _, r := range w.fake.Requests() {
		if r.Op == "device" || r.GrantType == deviceGrant {
			if !last.IsZero() {
				pauses = append(pauses, r.Time.Sub(last))
			}
			last = r.Time
		}
	}
	return pauses
}

func seconds(list ...int) (pauses []time.Duration) {
	for _, s := range list {
		pauses = append(pauses, time.Duration(s)*time.Second)
	}
	return pauses
}

func equal(a, b []time.Duration) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestDevicePace(t *testing.T) {
	temporary := oauthtest.Fault{Status: 503}
	for name, tt := range map[string]struct {
		knobs  func(*oauthtest.Knobs)
		faults []oauthtest.Fault
		want   []time.Duration
	}{
		"approved at once, no interval": {func(*oauthtest.Knobs) {}, nil, seconds(5)},
		"an interval of 2 s":            {func(k *oauthtest.Knobs) { k.Device.Interval, k.Device.Pending = 2*time.Second, 2 }, nil, seconds(2, 2, 2)},
		"pending":                       {func(k *oauthtest.Knobs) { k.Device.Pending = 3 }, nil, seconds(5, 5, 5, 5)},
		"slow_down twice, then pending": {func(k *oauthtest.Knobs) { k.Device.SlowDown, k.Device.Pending = 2, 2 }, nil, seconds(5, 10, 15, 15, 15)},
		"503 three times":               {func(k *oauthtest.Knobs) { k.Device.Pending = 1 }, []oauthtest.Fault{temporary, temporary, temporary}, seconds(5, 10, 20, 40, 5)},
		"dropped connections":           {func(*oauthtest.Knobs) {}, []oauthtest.Fault{{Drop: true}, {Drop: true}}, seconds(5, 10, 20)},
		"429 with Retry-After":          {func(*oauthtest.Knobs) {}, []oauthtest.Fault{{Status: 429, Header: http.Header{"Retry-After": {"90"}}}}, seconds(5, 90)},
		"a page of a gateway":           {func(*oauthtest.Knobs) {}, []oauthtest.Fault{{Status: 502, Body: "<html>"}}, seconds(5, 10)},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			app := w.app(nil)
			w.fake.Set(tt.knobs)
			for _, f := range tt.faults {
				w.fake.Inject(oauthtest.Match{GrantType: deviceGrant}, f, 1)
			}
			id, err := app.Device(t.Context(), silent, nil)
			if err != nil || id.Subject != user || !w.stored(user) {
				t.Errorf("%s: Device() = %+v, %v, want the user, with a grant", name, id, err)
			}
			if got := w.polls(); !equal(got, tt.want) {
				t.Errorf("%s: pauses = %v, want %v", name, got, tt.want)
			}
			time.Sleep(time.Hour)
			if got := w.polls(); !equal(got, tt.want) {
				t.Errorf("%s: asked again after the tokens had come: %v", name, got) // R110
			}
		})
	}
}

func TestDeviceEnds(t *testing.T) {
	left := errors.New("the user pressed Ctrl-C")
	for name, tt := range map[string]struct {
		knobs  func(*oauthtest.Knobs)
		fault  *oauthtest.Fault
		cancel time.Duration
		want   error
	}{
		"the user refuses":            {func(k *oauthtest.Knobs) { k.Authorize.Deny, k.Device.Pending = true, 2 }, nil, 0, nativeapp.ErrDenied},
		"the code expires":            {func(k *oauthtest.Knobs) { k.Device.Pending = 1e6 }, nil, 0, nativeapp.ErrExpired},
		"the server says expired":     {func(*oauthtest.Knobs) {}, new(wire.JSON(400, `{"error":"expired_token"}`)), 0, nativeapp.ErrExpired},
		"an outage until the end":     {func(*oauthtest.Knobs) {}, &oauthtest.Fault{Status: 503}, 0, nativeapp.ErrExpired},
		"the program ends":            {func(k *oauthtest.Knobs) { k.Device.Pending = 1e6 }, nil, time.Minute, left},
		"the program ends in a poll":  {func(*oauthtest.Knobs) {}, &oauthtest.Fault{Hang: true}, 7 * time.Second, left},
		"the client is refused":       {func(*oauthtest.Knobs) {}, new(wire.JSON(401, `{"error":"invalid_client"}`)), 0, tokensource.ErrClient},
		"the code was used elsewhere": {func(*oauthtest.Knobs) {}, new(wire.JSON(400, `{"error":"invalid_grant"}`)), 0, tokensource.ErrReauthorize},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			app := w.app(nil)
			w.fake.Set(tt.knobs)
			if tt.fault != nil {
				w.fake.Inject(oauthtest.Match{GrantType: deviceGrant}, *tt.fault, -1)
			}
			ctx := t.Context()
			if tt.cancel > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, tt.cancel, left)
				defer cancel()
			}
			if _, err := app.Device(ctx, silent, nil); !errors.Is(err, tt.want) {
				t.Errorf("%s: Device() = %v, want %v", name, err, tt.want)
			}
			if w.stored(user) {
				t.Errorf("%s: there is a grant", name)
			}
			w.fake.ClearFaults()
		})
	}
}

// The loop that waits for the user ends, whatever the server says (G10).
func TestDeviceCodeLivesHalfAnHourAtMost(t *testing.T) {
	for expires, want := range map[string]time.Duration{
		`600`: 10 * time.Minute, `1800`: 30 * time.Minute, `"1800"`: 30 * time.Minute, `1801`: 30 * time.Minute, `86400`: 30 * time.Minute,
		`1e300`: 30 * time.Minute, `9223372036854775807`: 30 * time.Minute, `0`: 30 * time.Minute, `-1`: 30 * time.Minute, `null`: 30 * time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			app := w.app(nil)
			w.fake.Inject(oauthtest.Match{Op: "device"}, wire.JSON(200,
				`{"device_code":"d-123456","user_code":"A","verification_uri":"https://a.example/","interval":60,"expires_in":`+expires+`}`), 1)
			w.fake.Inject(oauthtest.Match{GrantType: deviceGrant}, wire.JSON(400, `{"error":"authorization_pending"}`), -1)
			begun := time.Now()
			var shown time.Duration
			_, err := app.Device(t.Context(), func(_ context.Context, d nativeapp.DeviceCode) error {
				shown = d.Expires.Sub(begun)
				return nil
			}, nil)
			took := time.Since(begun) // of the bubble's own clock
			if !errors.Is(err, nativeapp.ErrExpired) || shown != want || took < want || took > want+time.Minute {
				t.Errorf("expires_in %s: Device() = %v after %v, shown %v, want ErrExpired after %v", expires, err, took, shown, want)
			}
		})
	}
}

// R111: what is printed on a terminal cannot act upon it.
func TestDeviceRefusesWhatMustNotBeShown(t *testing.T) {
	good := `"device_code":"d-123456","user_code":"ABCD","verification_uri":"https://auth.example/device"`
	for name, tt := range map[string]struct {
		answer string
		fine   bool
	}{
		"a good answer":                    {good, true},
		"a URI on this machine":            {strings.Replace(good, "https://auth.example", "http://127.0.0.1:8080", 1), true},
		"verification_url":                 {strings.Replace(good, "verification_uri", "verification_url", 1), true},
		"http":                             {strings.Replace(good, "https:", "http:", 1), false},
		"javascript":                       {strings.Replace(good, "https://auth.example/device", "javascript:alert(1)", 1), false},
		"a user name in the URI":           {strings.Replace(good, "https://", "https://bank.example@", 1), false},
		"an escape sequence in the URI":    {strings.Replace(good, "/device", `/\u001b[2J`, 1), false},
		"a very long URI":                  {strings.Replace(good, "/device", "/"+strings.Repeat("a", 4000), 1), false},
		"an escape sequence in the code":   {strings.Replace(good, "ABCD", `\u001b]0;x\u0007`, 1), false},
		"a line break in the code":         {strings.Replace(good, "ABCD", `A\nB`, 1), false},
		"a right-to-left mark in the code": {strings.Replace(good, "ABCD", `A\u202eB`, 1), false},
		"a very long code":                 {strings.Replace(good, "ABCD", strings.Repeat("A", 100), 1), false},
		"no code":                          {strings.Replace(good, "ABCD", "", 1), false},
		"no URI":                           {`"device_code":"d-123456","user_code":"ABCD"`, false},
		"no device code":                   {`"user_code":"ABCD","verification_uri":"https://auth.example/device"`, false},
		"a bad complete URI":               {good + `,"verification_uri_complete":"http://elsewhere.example/\u001b[0m"`, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			app := w.app(nil)
			w.fake.Inject(oauthtest.Match{Op: "device"}, wire.JSON(200, "{"+tt.answer+"}"), 1)
			enough, shown := errors.New("seen enough"), false
			_, err := app.Device(t.Context(), func(_ context.Context, d nativeapp.DeviceCode) error {
				shown = true
				if d.VerificationURIComplete != "" || strings.ContainsAny(d.String(), "\x1b\x07") || !strings.Contains(d.String(), "only if you have started") {
					t.Errorf("%s: shown: %q", name, d)
				}
				return enough
			}, nil)
			if shown != tt.fine || tt.fine != errors.Is(err, enough) {
				t.Errorf("%s: Device() = %v, shown: %t, want %t", name, err, shown, tt.fine)
			}
		})
	}
}

func TestDeviceCodeSaysWhatToDo(t *testing.T) {
	d := nativeapp.DeviceCode{UserCode: "ABCD", VerificationURI: "https://a.example/d", VerificationURIComplete: "https://a.example/d?c=ABCD"}
	for _, want := range []string{"open https://a.example/d and enter the code ABCD", "open https://a.example/d?c=ABCD and compare the code", "Never enter one that somebody sent you"} {
		if !strings.Contains(d.String(), want) {
			t.Errorf("String() = %q, want %q in it", d, want)
		}
	}
}

func TestDeviceWithoutAnEndpoint(t *testing.T) {
	w := newWorld(t)
	w.changed = func(p *provider.Provider) { p.DeviceAuthorizationURL = "" }
	app := w.app(nil)
	if _, err := app.Device(t.Context(), silent, nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Device(no endpoint) = %v, want errors.ErrUnsupported", err)
	}
	if _, err := app.Device(t.Context(), nil, nil); err == nil {
		t.Error("Device(nobody to show the code) = nil, want an error")
	}
}

// The server repeats whatever it was sent.
func TestDeviceErrorsShowNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const code = "the-device-code-that-nobody-may-see"
		w := newWorld(t)
		app := w.app(nil)
		var errs []error
		for _, fault := range wire.Echoes(code) {
			w.fake.Inject(oauthtest.Match{Op: "device"}, wire.JSON(200, `{"device_code":"`+code+`","user_code":"A","verification_uri":"https://a.example/","expires_in":60}`), 1)
			w.fake.Inject(oauthtest.Match{GrantType: deviceGrant}, fault, -1)
			_, err := app.Device(t.Context(), silent, nil)
			errs = append(errs, err)
			w.fake.ClearFaults()
		}
		exposure.Check(t, "device", errs, code)
	})
}
