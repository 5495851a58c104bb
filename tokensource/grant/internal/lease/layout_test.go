package lease_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// The explorer stores a state as a few bytes. A layout lists the fields of a
// type of package lease, whether they are exported or not, so that the machines
// themselves can be stored without a word from their author.

// tick is the unit of time in the model.
const tick = 10 * time.Second

// origin and monoOrigin are "now" of every state that is read back from its
// bytes.
var origin = time.Unix(originUnix, 0).UTC()

const (
	originUnix = 1_000_000_000
	monoOrigin = 1000 * time.Hour
)

// cell says how a field is stored.
type cell uint8

const (
	cellBool cell = iota
	cellByte
	cellInt
	cellUint64
	cellBits // of at most 16 things
	cellVersion
	cellText
	cellWall
	cellMono
	cellMillis
	cellSpan
	cellRecord
	cellClaim
	cellQueue
	cellWrite
	cellDrain
	cellExpiry    // follows from the access token
	cellKey       // follows from the access token
	cellExchanged // follows from the login
	cellSince     // follows from the end of the intent
)

// field is one field of a layout.
type field struct {
	off    uintptr
	cell   cell
	lo, hi int64   // cellWall, cellMono: the range of ticks that is told apart
	past   bool    // cellWall: a time in the past is as good as none
	most   uint64  // cellUint64: larger numbers are not told apart; 0: all are
	aux    uintptr // offset of the field from which this one follows
}

type layout struct {
	phase  uintptr // offset of the field of this name
	fields []field
}

// span is a range of ticks relative to now.
type span struct {
	lo, hi int64
	past   bool
}

// layouts holds the layout of each type, for one configuration.
type layouts struct {
	spans          map[string]span
	versions, skip []string
	most           map[string]int64 // a counter at which it changes nothing any more
	all            bool             // also the fields that an operation does not read any more

	record, claim, revocation, event, effect, watch *layout
	operations                                      [4][16]*layout // by kind and phase
	write, drain                                    [8]*layout     // by phase
}

func newLayouts(c *config, all bool) *layouts {
	off := c.maxOffset()
	wall := func(lo, hi int64) span { return span{lo: -lo - off, hi: hi + off} }
	since, ended := c.giveUp, c.keep
	if c.logins > 0 {
		ended = max(ended+1, 2*c.skew+2) // it is compared with the time of a login
	}
	if c.single && c.logins > 0 {
		since = max(since, 2*c.skew+2) // it is compared with the time of a login
	}
	y := &layouts{
		all: all,
		spans: map[string]span{
			"intent.Until":     wall(c.skew, c.lease),
			"watch.First":      {lo: -c.lease, hi: 0},
			"watch.Calm":       {lo: -c.quiet, hi: 0},
			"watch.Last":       {lo: -c.quiet - 1, hi: 0},
			"Clock.Wall":       wall(1, c.lease),
			"Clock.Mono":       {lo: -1, hi: c.lease},
			"Token.Obtained":   wall(c.spacing, 0),
			"Record.RetryAt":   {lo: -off, hi: 7, past: true},
			"claim.retryAt":    {lo: -off, hi: 7, past: true},
			"Record.Ended":     wall(ended, 0),
			"tomb.ended":       wall(ended, 0),
			"revocation.Since": wall(since, 0),
			"revocation.Next":  wall(0, max(c.hold, c.lastPause)),
			"effect.Due":       wall(0, max(c.hold, c.lastPause, c.keep, c.skew+1)),
		},
		most: map[string]int64{
			"revocation.Attempts": 1, // then the pause is lastPause
			"Record.Failures":     7, // then the pause is the longest
		},
		versions: []string{
			"effect.Version", "Event.Version", "write.version", "Renewal.version", "Login.version", "Login.over",
			"Logout.version", "drain.version", "claim.over",
		},
		skip: []string{
			"Record.Issuer", "Record.ClientID", "Record.Subject", "Record.Endpoint", "Record.Epoch", "Login.Epoch", "Token.Type", "Token.Scope", "Token.Members", "Token.Trade", "Record.Asked", "Login.Asked", "Record.User", "Login.User", "Event.Now",
			"Event.ID", "Event.Jitter", "Login.Issuer", "Login.ClientID", "Login.Subject", "Login.Endpoint",
		},
	}
	y.record, y.claim, y.revocation = compile[lease.Record](y), compile[lease.Claim](y), compile[lease.Revocation](y)
	y.event, y.effect, y.watch = compile[lease.Event](y), compile[effect](y), compile[lease.Watch](y)
	for i := range y.operations[0] {
		phase := uint8(i)
		y.operations[opRenewal][i] = compile[lease.Renewal](y, lease.DeadRenewal[phase]...)
		y.operations[opChore][i] = compile[lease.Chore](y, lease.DeadChore[phase]...)
		y.operations[opLogin][i] = compile[lease.Login](y, lease.DeadLogin[phase]...)
		y.operations[opLogout][i] = compile[lease.Logout](y, lease.DeadLogout[phase]...)
	}
	for i := range y.write {
		y.write[i] = compile[lease.Write](y, lease.DeadWrite[uint8(i)]...)
		y.drain[i] = compile[lease.Drain](y, lease.DeadDrain[uint8(i)]...)
	}
	return y
}

// compile returns the layout of T without the fields that are named. A field
// named phase comes first, because the layout depends on it.
func compile[T any](y *layouts, without ...string) *layout {
	t := reflect.TypeFor[T]()
	l := &layout{}
	if f, ok := t.FieldByName("phase"); ok {
		l.phase = f.Offset
	}
	if y.all {
		without = nil
	}
	y.flatten(l, t, 0, without)
	return l
}

func (y *layouts) flatten(l *layout, t reflect.Type, base uintptr, without []string) {
	for f := range t.Fields() {
		if name := t.Name() + "." + f.Name; !slices.Contains(y.skip, name) && !slices.Contains(without, f.Name) && f.Name != "phase" {
			y.add(l, t, f, name, base)
		}
	}
	for _, name := range without {
		must(t.FieldByName(name))
	}
}

func (y *layouts) add(l *layout, t reflect.Type, f reflect.StructField, name string, base uintptr) {
	n := field{off: base + f.Offset}
	s, known := y.spans[name]
	n.lo, n.hi, n.past = s.lo, s.hi, s.past
	if !y.all && y.most[name] > 0 {
		n.most = uint64(y.most[name])
	}
	from := func(other string) uintptr { return base + must(t.FieldByName(other)).Offset }
	switch {
	case name == "Token.Expiry":
		n.cell, n.aux = cellExpiry, from("Access")
	case name == "Token.Key":
		n.cell, n.aux = cellKey, from("Access")
	case name == "Record.Exchanged":
		n.cell, n.aux = cellExchanged, from("Login")
	case name == "Login.Exchanged":
		n.cell, n.aux = cellExchanged, from("ID")
	case name == "intent.Since":
		n.cell, n.aux = cellSince, from("Until")
		y.add(l, t, must(t.FieldByName("Until")), "intent.Until", base)
	case name == "intent.Until" && len(l.fields) > 0 && l.fields[len(l.fields)-1].cell == cellSince:
		return // it stands before Since
	case name == "drain.gone", name == "drain.given":
		n.cell = cellBits
	case slices.Contains(y.versions, name):
		n.cell = cellVersion
	case f.Type.Kind() == reflect.Struct && f.Type.Name() == "write":
		n.cell = cellWrite
	case f.Type.Kind() == reflect.Struct && f.Type.Name() == "drain":
		n.cell = cellDrain
	case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]():
		y.flatten(l, f.Type, n.off, nil)
		return
	default:
		n.cell = plain(f.Type, name, known)
	}
	l.fields = append(l.fields, n)
}

func plain(t reflect.Type, name string, timed bool) cell {
	switch t {
	case reflect.TypeFor[*lease.Record]():
		return cellRecord
	case reflect.TypeFor[*lease.Claim]():
		return cellClaim
	case reflect.TypeFor[[]lease.Revocation]():
		return cellQueue
	case reflect.TypeFor[time.Duration]():
		if timed {
			return cellMono
		}
		return cellSpan
	}
	switch {
	case timed && t == reflect.TypeFor[time.Time]():
		return cellWall
	case timed && t.Kind() == reflect.Int64:
		return cellMillis
	case t.Kind() == reflect.Bool:
		return cellBool
	case t.Kind() == reflect.Uint8:
		return cellByte
	case t.Kind() == reflect.Int:
		return cellInt
	case t.Kind() == reflect.Uint64:
		return cellUint64
	case t.Kind() == reflect.String:
		return cellText
	}
	panic(fmt.Sprintf("the explorer does not know how to store %s (%s): see layouts", name, t))
}

func must[T any](v T, ok bool) T {
	if !ok {
		panic("a field is gone")
	}
	return v
}

// Texts. Every name in the model is a text of one byte, its code. The range of
// the code says what it names. Names that have no meaning of their own are
// numbered again in every state, in the order in which they occur.
const (
	codeReason  = 1   // reasons of package lease, and the code of an error
	codeProcess = 20  // processes
	codeID      = 30  // intents, epochs
	codeAccess  = 120 // access token of pair n
	codeRefresh = 150 // refresh token of pair n
	codeLogin   = 200 // login n, in the order of the exchanges
	codeEnd     = 210
)

var texts = func() (t [256]string) {
	for i := range t {
		t[i] = string([]byte{byte(i)})
	}
	t[0] = ""
	for i, s := range reasons {
		t[codeReason+i] = s
	}
	return t
}()

var reasons = []lease.Reason{
	lease.NoGrant, lease.Denied, lease.InDoubt, lease.NoRefreshToken, lease.JustRenewed, lease.Spaced, lease.LostAnswer,
	lease.Overtaken, lease.StoreFailed, lease.Unconfirmed, "invalid_grant",
}

func code(s string) byte {
	switch len(s) {
	case 0:
		return 0
	case 1:
		return s[0]
	}
	i := slices.Index(reasons, s)
	if i < 0 {
		panic("an unknown text in a state: " + s)
	}
	return byte(codeReason + i)
}

// name is a text of the model that can be printed. It is a byte, so that
// passing it on costs nothing.
type name byte

func word(s string) name { return name(code(s)) }

func (n name) String() string {
	switch c := int(n); {
	case c == 0:
		return "none"
	case c >= codeLogin:
		return fmt.Sprint("login", c-codeLogin)
	case c >= codeRefresh:
		return fmt.Sprint("r", c-codeRefresh)
	case c >= codeAccess:
		return fmt.Sprint("a", c-codeAccess)
	case c >= codeID:
		return fmt.Sprint("#", c-codeID)
	case c >= codeProcess:
		return strings.ToUpper(string(rune('a' + c - codeProcess)))
	}
	return texts[n]
}

func offset[T any](p unsafe.Pointer, off uintptr) *T { return (*T)(unsafe.Add(p, off)) }
