package jose_test

import (
	"encoding/json"
	"fmt"
	"log"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/tokensource/jose"
)

// The thumbprint of a public key is what a token that is bound to the key
// contains.
func ExampleThumbprint() {
	var key gojose.JSONWebKey
	err := json.Unmarshal([]byte(`{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}`), &key)
	if err != nil {
		log.Fatal(err)
	}
	name, err := jose.Thumbprint(key.Key)
	fmt.Println(name, err)
	// Output: 0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I <nil>
}
