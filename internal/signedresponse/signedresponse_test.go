package signedresponse_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/authtrip/authtrip/internal/signedresponse"
)

func TestSigned(t *testing.T) {
	const (
		rest = "code=0907a61c0c8d55e99db179b68161bc00&shop=some-shop.myshopify.com&timestamp=1337178173"
		hmac = "4712bf92ffc2917d15a2f5a273e39f0116667419aa4b6ac0b3baaf26fa3c4d20"
	)
	for _, tt := range []struct {
		name, query, secret string
		ok                  bool
	}{
		{"the example of Shopify", rest + "&hmac=" + hmac, "hush", true},
		{"in another order", "hmac=" + hmac + "&timestamp=1337178173&shop=some-shop.myshopify.com&code=0907a61c0c8d55e99db179b68161bc00", "hush", true},
		{"in capitals", rest + "&hmac=4712BF92FFC2917D15A2F5A273E39F0116667419AA4B6AC0B3BAAF26FA3C4D20", "hush", true},
		{"another secret", rest + "&hmac=" + hmac, "hush2", false},
		{"another shop", "code=0907a61c0c8d55e99db179b68161bc00&shop=other.myshopify.com&timestamp=1337178173&hmac=" + hmac, "hush", false},
		{"another time", "code=0907a61c0c8d55e99db179b68161bc00&shop=some-shop.myshopify.com&timestamp=1337178174&hmac=" + hmac, "hush", false},
		{"one more parameter", rest + "&extra=1&hmac=" + hmac, "hush", false},
		{"one parameter less", "code=0907a61c0c8d55e99db179b68161bc00&shop=some-shop.myshopify.com&hmac=" + hmac, "hush", false},
		{"a parameter twice", rest + "&timestamp=1337178173&hmac=" + hmac, "hush", false},
		{"two signatures", rest + "&hmac=" + hmac + "&hmac=" + hmac, "hush", false},
		{"no signature", rest, "hush", false},
		{"an empty signature", rest + "&hmac=", "hush", false},
		{"the beginning of a signature", rest + "&hmac=" + hmac[:32], "hush", false},
		{"a signature in another encoding", rest + "&hmac=RxK_kv_CkX0VovWic-OfARZmdBmqS2rAs7qvJvo8TSA", "hush", false},
	} {
		query, err := url.ParseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		if err := signedresponse.Signed(query, "hmac", tt.secret); (err == nil) != tt.ok || !tt.ok && !errors.Is(err, signedresponse.ErrRefused) {
			t.Errorf("%s: Signed(%q) = %v, want success = %t", tt.name, tt.query, err, tt.ok)
		}
	}
}

func TestValues(t *testing.T) {
	for query, ok := range map[string]bool{
		"shop=a.example": true, "shop=a.example&x=1": true, "": false, "shop=": false, "shop=b.example": false, "shop=A.example": false,
		"shop=a.example&shop=b.example": false, "shop=b.example&shop=a.example": false,
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if err := signedresponse.Values(values, map[string]string{"shop": "a.example"}); (err == nil) != ok {
			t.Errorf("Values(%q) = %v, want success = %t", query, err, ok)
		}
	}
}
