package middleware

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The cookies of flows have a fixed set of names. So their number and size are
// bounded also when many tabs begin a login before the first answer arrives,
// and one request costs the same however many cookies somebody has planted.
// Servers and proxies take 8 KiB of cookies, the app's included.
//
// The names are in classes, by the length of what differs between flows: the
// return path and the scopes. A class has fewer names if the keys add much to
// each value, as those of a key service do.
type flowClass struct {
	name  string
	most  int // names
	text  int // length of the return path, the scopes and acr_values
	bytes int // of all cookies together
}

var flowClasses = []flowClass{
	{"", 10, 60, 2400},
	{"m", 4, 190, 1700},
	{"l", 1, maxReturnPath, 2300},
}

// maxAnswer is the size of a redirect with its cookie. Proxies take 4 KiB for
// all headers of an answer.
const maxAnswer = 3500

// names returns the ends of the names that cookies of a size can have.
func (c flowClass) names(size int) (list []string) {
	for i := range max(1, min(c.most, c.bytes/size)) {
		list = append(list, c.name+strconv.Itoa(i))
	}
	return list
}

// flowNames are the ends of all names.
var flowNames = func() (list []string) {
	for _, c := range flowClasses {
		list = append(list, c.names(1)...)
	}
	return list
}()

// The label is in front of the sealed flow. With it, the flow of a state and
// the oldest flow are found without opening each one. It tells nothing about
// the state. A browser that changes it loses a flow and gains nothing.
const (
	labelHash = 12
	labelSize = labelHash + 6 // 4 bytes of the expiry in base64
)

func flowLabel(state string, expires time.Time) string {
	seconds := binary.BigEndian.AppendUint32(nil, uint32(expires.Unix()))
	return fingerprint("cookie", state)[:labelHash] + base64.RawURLEncoding.EncodeToString(seconds)
}

// labelled returns the expiry in the label of a value, or zero.
func labelled(value string) uint32 {
	if len(value) < labelSize {
		return 0
	}
	seconds, err := base64.RawURLEncoding.DecodeString(value[labelHash:labelSize])
	if err != nil {
		return 0
	}
	return binary.BigEndian.Uint32(seconds)
}

func (c cookies) flow(number string) string { return c.prefix + "flow-" + number }

// flows returns the values of the cookies of r whose names are those of flows,
// by the part of the name that differs.
func (c cookies) flows(r *http.Request) map[string][]string {
	found := map[string][]string{}
	for _, cookie := range r.Cookies() {
		if number, ok := strings.CutPrefix(cookie.Name, c.flow("")); ok && slices.Contains(flowNames, number) {
			found[number] = append(found[number], cookie.Value)
		}
	}
	return found
}

// flowOf returns name and value of the cookie whose label is that of state, or
// nothing. A name with two cookies counts as none, as in get.
func (c cookies) flowOf(r *http.Request, state string) (name, value string) {
	label := fingerprint("cookie", state)[:labelHash]
	for number, values := range c.flows(r) {
		if len(values) == 1 && len(values[0]) > labelSize && values[0][:labelHash] == label {
			return c.flow(number), values[0]
		}
	}
	return "", ""
}

// setFlow sets the cookie of f. It leaves out a return path that would make the
// answer too large.
func (l *login) setFlow(w http.ResponseWriter, r *http.Request, f flow) error {
	for {
		value, err := l.sealFlow(r.Context(), f)
		if err != nil {
			return err
		}
		class := f.class()
		size := len(l.cookies.flow("m0")) + len(value)
		plain := f.returnTo == l.options.AfterLogin
		switch {
		case size <= class.bytes && size+len(f.target) <= maxAnswer, plain && size <= maxCookie:
			name := l.cookies.flow(freeName(l.cookies.flows(r), class.names(size)))
			l.cookies.set(w, name, value, l.options.FlowLifetime)
			return nil
		case plain:
			return errors.New("middleware: the flow does not fit into a cookie: too much of it is what the keys or the scopes add")
		}
		f.returnTo = l.options.AfterLogin
	}
}

// class returns the first class that f fits into, or the last one.
func (f flow) class() flowClass {
	text := len(f.returnTo) + len(strings.Join(f.scopes, " ")) + len(strings.Join(f.openID.acr, " ")) + len(f.subject)
	for _, c := range flowClasses {
		if text <= c.text {
			return c
		}
	}
	return flowClasses[len(flowClasses)-1]
}

// freeName returns one of the names. It is one that is not in use, by chance,
// so that tabs which begin at once get different ones. If all are in use, it is
// the one of the oldest flow. A name with two cookies comes last: one of them
// was planted, and a new cookie would not replace it.
func freeName(used map[string][]string, names []string) string {
	best, rank := "", uint64(0)
	for i, name := range names {
		var mine uint64
		switch values := used[name]; len(values) {
		case 0:
			mine = uint64(chance())
		case 1:
			mine = 1<<32 + uint64(labelled(values[0]))
		default:
			mine = 1 << 40
		}
		if i == 0 || mine < rank {
			best, rank = name, mine
		}
	}
	return best
}

// chance returns a random number.
func chance() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint32(b[:])
}
