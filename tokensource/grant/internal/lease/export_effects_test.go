package lease

// The tests look at effects, events and outcomes as single values.

// Do is what the shell must do, as one value.
type Do uint8

const (
	Read Do = iota + 1
	Swap
	Redeem
	Revoke
	Probe
	Wait
	Return
)

func (e Effect) Do() Do {
	set := [...]bool{Read: e.Read, Swap: e.Swap, Redeem: e.Redeem, Revoke: e.Revoke, Probe: e.Probe, Wait: e.Wait}
	do := Return
	for i, is := range set {
		switch {
		case is && do != Return:
			panic("an effect that is two effects")
		case is:
			do = Do(i)
		}
	}
	return do
}

// Notes are what happened in one step.
type Notes = notes

func (e Effect) Notes() Notes { return e.notes }

// Result is how an effect ended, as one value.
type Result uint8

const (
	OK Result = iota + 1
	Conflict
	Refused
	Failed
	Unknown
)

func (ev Event) Result() Result {
	switch {
	case ev.OK:
		return OK
	case ev.Conflict:
		return Conflict
	case ev.Refused:
		return Refused
	case ev.Unknown:
		return Unknown
	}
	return Failed
}

// With returns ev as the event of an effect that ended with r.
func (r Result) With(ev Event) Event {
	ev.OK, ev.Conflict, ev.Refused, ev.Unknown = r == OK, r == Conflict, r == Refused, r == Unknown
	return ev
}

// Reason says why an operation did not achieve what it was for, as one text.
type Reason = string

const (
	JustRenewed Reason = "just renewed"
	Spaced      Reason = "spaced"
	LostAnswer  Reason = "answer lost"
	Overtaken   Reason = "overtaken"
	StoreFailed Reason = "store failed"
	Unconfirmed Reason = "not confirmed"
)

func (o Outcome) Reason() Reason {
	reason := o.Over
	for _, r := range [...]struct {
		is   bool
		text Reason
	}{
		{o.JustRenewed, JustRenewed}, {o.Spaced, Spaced}, {o.LostAnswer, LostAnswer},
		{o.Overtaken, Overtaken}, {o.StoreFailed, StoreFailed}, {o.Unconfirmed, Unconfirmed},
	} {
		switch {
		case r.is && reason != "":
			panic("an outcome with two reasons: " + reason + ", " + r.text)
		case r.is:
			reason = r.text
		}
	}
	return reason
}
