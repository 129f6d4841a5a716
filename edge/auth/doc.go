// Package auth checks what a caller brings: access tokens (JSON Web Tokens made with an access key by the vendor's SDKs
// or by anybody who has the key), and the connection tokens by which a client that negotiated comes back.
//
// It knows no HTTP: a caller takes the token from header or query, and answers a failure with 401 (access token) or
// 404 (connection token). It issues no access tokens, and it has no clock: the time is an argument.
//
// The rules are those of the service protocol, sections 2.3 and 2.5 to 2.7, and of design.md section 10.
//
// Concurrency: Keys, Token and ConnectionTokens do not change after they were made and may be shared. A Verifier may
// be used and changed by several goroutines at once.
package auth
