package nativeapp_test

import (
	"fmt"
	"testing"

	"github.com/authtrip/authtrip/tokensource/nativeapp"
)

func TestCommands(t *testing.T) {
	const interop = "/proc/sys/fs/binfmt_misc/WSLInterop"
	for name, tt := range map[string]struct {
		goos string
		env  map[string]string
		file string
		want string
	}{
		"macOS":                        {"darwin", nil, "", "[[open]]"},
		"Windows":                      {"windows", nil, "", "[[rundll32 url.dll,FileProtocolHandler]]"},
		"Linux without a screen":       {"linux", nil, "", "[]"},
		"Linux with X11":               {"linux", map[string]string{"DISPLAY": ":0"}, "", "[[xdg-open] [x-www-browser]]"},
		"FreeBSD with Wayland":         {"freebsd", map[string]string{"WAYLAND_DISPLAY": "w"}, "", "[[xdg-open] [x-www-browser]]"},
		"WSL by its name":              {"linux", map[string]string{"WSL_DISTRO_NAME": "Debian"}, "", "[[wslview] [rundll32.exe url.dll,FileProtocolHandler]]"},
		"WSL by its file":              {"linux", nil, interop, "[[wslview] [rundll32.exe url.dll,FileProtocolHandler]]"},
		"BROWSER is a program":         {"linux", map[string]string{"BROWSER": "/opt/b"}, "", "[[/opt/b]]"},
		"BROWSER is a shell command":   {"linux", map[string]string{"BROWSER": "b %s"}, "", "[]"},
		"BROWSER is a list of several": {"linux", map[string]string{"BROWSER": "a:b"}, "", "[]"},
	} {
		env := func(key string) string { return tt.env[key] }
		exists := func(file string) bool { return file == tt.file }
		if got := fmt.Sprint(nativeapp.Commands(tt.goos, env, exists)); got != tt.want {
			t.Errorf("commands(%s) = %s, want %s", name, got, tt.want)
		}
	}
}
