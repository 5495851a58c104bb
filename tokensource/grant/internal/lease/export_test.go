package lease

// Dead names the fields of a machine that it does not read any more before it
// sets them again, by phase. The explorer does not tell states apart that
// differ in them alone. A test shows that this changes nothing.
type Dead map[uint8][]string

// Write and Drain are parts of operations.
type (
	Write = write
	Drain = drain
)

var (
	DeadRenewal = Dead{
		uint8(renewalFlushing):   {"version", "was", "next", "by", "tries", "pause"},
		uint8(renewalReading):    {"version", "was", "next", "by", "write", "tries", "pause"},
		uint8(renewalWaiting):    {"version", "was", "next", "by", "write", "tries", "pause"},
		uint8(renewalAnnouncing): {"write", "tries", "pause"},
		uint8(renewalForfeiting): {"version", "was", "by", "write", "tries", "pause"},
		uint8(renewalRedeeming):  {"by", "write", "tries", "pause"},
		uint8(renewalWriting):    {"version", "was", "next", "by"},
		uint8(renewalPausing):    {"version", "was", "next", "by"},
	}
	DeadWrite = Dead{
		uint8(writeReading):  {"next", "verdict", "current"},
		uint8(writeSwapping): {"unsure", "current"},
	}
	DeadChore = Dead{
		uint8(choreReading):  {"closing", "pause", "write", "drain"},
		uint8(choreWriting):  {"drain"},
		uint8(chorePausing):  {"closing", "write", "drain"},
		uint8(choreDraining): {"closing", "pause", "write"},
		uint8(choreSweeping): {"closing", "pause", "write", "drain"},
	}
	DeadDrain = Dead{
		uint8(drainAnnouncing): {"at", "gone", "given", "unsure"},
		uint8(drainRevoking):   {"next", "unsure"},
		uint8(drainRemoving):   {"at", "unsure"},
		uint8(drainReading):    {"at", "next"},
	}
	DeadLogin = Dead{
		uint8(loginStart):   {"tries", "current", "version", "next", "pending", "yields"},
		uint8(loginReading): {"current", "version", "next", "pending", "yields"},
		uint8(loginProbing): {"next", "pending", "yields", "unsure"},
		uint8(loginWriting): {"unsure"},
		uint8(loginPausing): {"current", "version", "next", "pending", "yields", "unsure"},
	}
	DeadLogout = Dead{
		uint8(logoutReading):  {"current", "next", "pending", "drain"},
		uint8(logoutWriting):  {"current", "drain", "unsure"},
		uint8(logoutPausing):  {"current", "next", "pending", "drain", "unsure"},
		uint8(logoutDraining): {"current", "version", "next", "pending", "tries", "unsure", "seen", "login", "ended"},
	}
)
