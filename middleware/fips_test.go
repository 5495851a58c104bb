package middleware_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestFIPS140 runs logins, cookies and the rotation of keys once more in a
// process whose cryptography refuses everything that FIPS 140-3 does not
// approve (GODEBUG=fips140=only).
func TestFIPS140(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.count=1", "-test.run=^(TestM2_Login|TestM7_KeysRotate)$")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("under fips140=only: %v\n%s", err, out)
	}
	for _, name := range []string{"TestM2_Login", "TestM7_KeysRotate"} {
		if !strings.Contains(string(out), "--- PASS: "+name) {
			t.Errorf("%s has not run", name)
		}
	}
}
