package auth

import "errors"

// Reason is why a token was refused: a stable label for metrics and logs.
type Reason string

// The reasons for which an access token is refused.
const (
	ReasonMissing     Reason = "token_missing"
	ReasonTooLong     Reason = "token_too_long"
	ReasonMalformed   Reason = "token_malformed"
	ReasonAlgorithm   Reason = "token_algorithm"
	ReasonSignature   Reason = "token_signature"
	ReasonNoExpiry    Reason = "token_no_expiry"
	ReasonExpired     Reason = "token_expired"
	ReasonNotYetValid Reason = "token_not_yet_valid"
	ReasonNoAudience  Reason = "token_no_audience"
	ReasonPath        Reason = "token_audience_path"
	ReasonHub         Reason = "token_audience_hub"
	ReasonHost        Reason = "token_audience_host"
)

// The reasons for which a connection token is refused.
const (
	ReasonConnectionMalformed Reason = "connection_token_malformed"
	ReasonConnectionForged    Reason = "connection_token_forged"
	ReasonConnectionExpired   Reason = "connection_token_expired"
)

// Reasons returns every Reason, for whoever registers a metric for each at zero.
func Reasons() []Reason {
	return []Reason{
		ReasonMissing, ReasonTooLong, ReasonMalformed, ReasonAlgorithm, ReasonSignature, ReasonNoExpiry, ReasonExpired,
		ReasonNotYetValid, ReasonNoAudience, ReasonPath, ReasonHub, ReasonHost, ReasonConnectionMalformed,
		ReasonConnectionForged, ReasonConnectionExpired,
	}
}

// Error is a refused token. Its text is fit for the body of the answer: it says what is wrong, and holds nothing of
// the token or a key.
type Error struct {
	// Reason is the stable label.
	Reason Reason
	// Text is one English sentence for the caller.
	Text string
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// ReasonOf returns the Reason of an error of this package, or "" for any other.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// malformed returns an Error for a token that is not a JSON Web Token as it should be.
func malformed(what string) *Error {
	return &Error{ReasonMalformed, "The access token is malformed: " + what + "."}
}

// The errors whose text never varies.
var (
	errMissing = &Error{ReasonMissing, "No access token: send one in the Authorization header (Bearer) or in the " +
		"access_token query parameter."}
	errTooLong   = &Error{ReasonTooLong, "The access token is longer than 16 KiB."}
	errAlgorithm = &Error{ReasonAlgorithm, "The signing algorithm of the access token is not allowed: HS256 or HS512."}
	errSignature = &Error{ReasonSignature, "The signature of the access token does not match any access key."}
	errNoExpiry  = &Error{ReasonNoExpiry, "The access token has no exp claim."}
	errNoAud     = &Error{ReasonNoAudience, "The access token has no audience."}
	errHub       = &Error{ReasonHub, "The audience of the access token is for another hub."}
	errHost      = &Error{ReasonHost, "The host in the audience of the access token is not accepted here."}

	errConnectionMalformed = &Error{ReasonConnectionMalformed, "The connection id is malformed."}
	errConnectionForged    = &Error{ReasonConnectionForged, "The connection id is unknown."}
	errConnectionExpired   = &Error{ReasonConnectionExpired, "The connection id has expired."}
)
