package auth

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClaimTypesAreThoseOfTheSpecification(t *testing.T) {
	b, err := os.ReadFile("testdata/claim-type-map.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ Inbound map[string]string }
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Inbound) != 73 {
		t.Errorf("entries: want 73, got %d", len(want.Inbound))
	}
	if diff := cmp.Diff(want.Inbound, claimTypes); diff != "" {
		t.Errorf("claim types (-want +got):\n%s", diff)
	}
}

func TestMappedClaims(t *testing.T) {
	const (
		role   = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
		name   = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
		nameID = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
	)
	tests := map[string]struct {
		payload string
		want    []Claim
	}{
		"lengthens short names": {
			`{"nameid":"u","unique_name":"Ann","role":"admin"}`, []Claim{{nameID, "u"}, {name, "Ann"}, {role, "admin"}},
		},
		"keeps every role": {
			`{"role":["a","b","c"],"roles":"d"}`, []Claim{{role, "a"}, {role, "b"}, {role, "c"}, {role, "d"}},
		},
		"maps sub and nameid to one type": {`{"sub":"s","nameid":"n"}`, []Claim{{nameID, "s"}, {nameID, "n"}}},
		"leaves out aud exp iat nbf and nothing else": {
			`{"aud":"x","exp":1,"iat":2,"nbf":3,"iss":"azure-signalr","jti":"j"}`,
			[]Claim{{"iss", "azure-signalr"}, {"jti", "j"}},
		},
		"forwards asrs claims as they are": {
			`{"asrs.s.uid":"u","asrs.s.aut":"Cookies","asrs.u.iss":"me","asrs.u.sub":"x"}`,
			[]Claim{{"asrs.s.uid", "u"}, {"asrs.s.aut", "Cookies"}, {"asrs.u.iss", "me"}, {"asrs.u.sub", "x"}},
		},
		"leaves the token's own role type alone": {
			`{"role":"a","roles":"b","asrs.s.rt":"role"}`, []Claim{{"role", "a"}, {role, "b"}, {"asrs.s.rt", "role"}},
		},
		"leaves the token's own name type alone": {
			`{"asrs.s.nt":"unique_name","unique_name":"Ann"}`, []Claim{{"asrs.s.nt", "unique_name"}, {"unique_name", "Ann"}},
		},
		"knows names in their case alone": {`{"Role":"a","custom":"b"}`, []Claim{{"Role", "a"}, {"custom", "b"}}},
		"gives nothing for nothing":       {`{"exp":1}`, []Claim{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tok := parse(t, tt.payload)
			before := append([]Claim(nil), tok.Claims...)
			if diff := cmp.Diff(tt.want, MappedClaims(tok)); diff != "" {
				t.Errorf("mapped claims (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tok.Claims); diff != "" {
				t.Errorf("MappedClaims changed the token (-want +got):\n%s", diff)
			}
		})
	}
}
