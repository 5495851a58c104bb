//go:build linux || freebsd || netbsd || openbsd || dragonfly

package keyring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	busName     = "org.freedesktop.DBus"
	secretsName = "org.freedesktop.secrets"
	secretsPath = "/org/freedesktop/secrets"
	loginPath   = secretsPath + "/collection/login" // go-keyring prefers it to the default
	answerTime  = 10 * time.Second                  // a service may have to start first
)

// systemAvailable asks the session for a Secret Service with a collection that
// can be used or unlocked.
func systemAvailable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	bus, err := connect(ctx)
	if err != nil {
		return fmt.Errorf("keyring: no D-Bus session of a desktop: %w", err)
	}
	defer func() { _ = bus.Close() }() // nothing was written
	if err := named(ctx, bus); err != nil {
		return err
	}
	path, err := collection(ctx, bus)
	if err != nil {
		return err
	}
	locked, err := property[bool](ctx, bus, path, "org.freedesktop.Secret.Collection", "Locked")
	switch {
	case err != nil:
		return fmt.Errorf("keyring: the Secret Service does not answer: %w", err)
	case locked && os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return errors.New("keyring: the keychain is locked, and there is no screen to unlock it at")
	}
	return nil
}

// connect returns a connection to the session bus. It starts none.
func connect(ctx context.Context) (*dbus.Conn, error) {
	bus, err := dbus.SessionBusPrivateNoAutoStartup(dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if err = bus.Auth(nil); err == nil {
		err = bus.Hello()
	}
	if err != nil {
		return nil, errors.Join(err, bus.Close())
	}
	return bus, nil
}

// named returns nil if the session has a Secret Service, or can start one.
func named(ctx context.Context, bus *dbus.Conn) error {
	for _, method := range []string{"ListNames", "ListActivatableNames"} {
		var names []string
		if err := bus.BusObject().CallWithContext(ctx, busName+"."+method, 0).Store(&names); err != nil {
			return fmt.Errorf("keyring: the D-Bus session does not answer: %w", err)
		}
		if slices.Contains(names, secretsName) {
			return nil
		}
	}
	return errors.New("keyring: the session has no Secret Service, such as gnome-keyring or KWallet")
}

// collection returns the collection that keys are kept in.
func collection(ctx context.Context, bus *dbus.Conn) (dbus.ObjectPath, error) {
	all, err := property[[]dbus.ObjectPath](ctx, bus, secretsPath, "org.freedesktop.Secret.Service", "Collections")
	if err != nil {
		return "", fmt.Errorf("keyring: the Secret Service does not answer: %w", err)
	}
	if slices.Contains(all, loginPath) {
		return loginPath, nil
	}
	var path dbus.ObjectPath
	err = bus.Object(secretsName, secretsPath).CallWithContext(ctx, "org.freedesktop.Secret.Service.ReadAlias", 0, "default").Store(&path)
	switch {
	case err != nil:
		return "", fmt.Errorf("keyring: the Secret Service does not answer: %w", err)
	case path == "/":
		return "", errors.New("keyring: the Secret Service has no default keychain: make one in its settings")
	}
	return path, nil
}

// property returns a property of an object of the Secret Service.
func property[T any](ctx context.Context, bus *dbus.Conn, path dbus.ObjectPath, of, name string) (T, error) {
	var value T
	err := bus.Object(secretsName, path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, of, name).Store(&value)
	return value, err
}
