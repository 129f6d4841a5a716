package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// AccessKeyRequest asks for a key to sign client tokens with, by an app server that signed in with Entra
// (section 2.8).
//
//	[28, token str, kid str or null, ext]
type AccessKeyRequest struct {
	Token string // the app server's Entra token: a secret, never to be logged
	KeyID string // the key it has; null if empty
}

// Type returns [TypeAccessKeyRequest].
func (*AccessKeyRequest) Type() Type { return TypeAccessKeyRequest }

func (m *AccessKeyRequest) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeAccessKeyRequest)
	dst = msgpack.AppendString(dst, m.Token)
	dst = appendNullable(dst, m.KeyID)
	return appendNoExt(dst)
}

func (m *AccessKeyRequest) decode(d *decoder) {
	m.Token = d.str("token")
	m.KeyID = d.str("kid")
	d.ext()
}

// AccessKeyResponse answers an [AccessKeyRequest], either with a key or with an error; empty fields are null.
//
//	[29, kid str or null, accessKey str or null, errorType str or null, errorMessage str or null, ext]
type AccessKeyResponse struct {
	KeyID        string
	AccessKey    string // a secret, never to be logged
	ErrorType    string // not empty: refused, and the SDK keeps the key it has
	ErrorMessage string
}

// Type returns [TypeAccessKeyResponse].
func (*AccessKeyResponse) Type() Type { return TypeAccessKeyResponse }

func (m *AccessKeyResponse) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 6, TypeAccessKeyResponse)
	dst = appendNullable(dst, m.KeyID)
	dst = appendNullable(dst, m.AccessKey)
	dst = appendNullable(dst, m.ErrorType)
	dst = appendNullable(dst, m.ErrorMessage)
	return appendNoExt(dst)
}

func (m *AccessKeyResponse) decode(d *decoder) {
	m.KeyID = d.str("kid")
	m.AccessKey = d.str("accessKey")
	m.ErrorType = d.str("errorType")
	m.ErrorMessage = d.str("errorMessage")
	d.ext()
}
