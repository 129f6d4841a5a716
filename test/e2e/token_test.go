package e2e

import (
	"context"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// tokenFor makes a client token for the hub of the suite at an endpoint, with a key.
func tokenFor(endpoint, key string) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"aud": endpoint + "/client/?hub=conformance", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}).SignedString([]byte(key))
}

// negotiate asks the service for a connection with a client token made with the key, and returns the answer's status.
func negotiate(ctx context.Context, service, key string) (int, error) {
	token, err := tokenFor(service, key)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost,
		service+"/client/negotiate?hub=conformance&negotiateVersion=1", http.NoBody)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := web.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}
