package format

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Duration is a length of time. Its text is a number of days, such as "90d", or
// what package time reads, such as "8h".
type Duration time.Duration

// UnmarshalJSON reads a text.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if count, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(count, 10, 16)
		*d = Duration(time.Duration(n) * day)
		return err
	}
	long, err := time.ParseDuration(s)
	if err == nil && long <= 0 {
		err = fmt.Errorf("%q is not longer than zero", s)
	}
	*d = Duration(long)
	return err
}

// String returns whole days as days.
func (d Duration) String() string {
	if t := time.Duration(d); t >= 2*day && t%day == 0 {
		return strconv.FormatInt(int64(t/day), 10) + " days"
	}
	return strings.TrimSuffix(strings.TrimSuffix(time.Duration(d).String(), "0s"), "0m")
}
