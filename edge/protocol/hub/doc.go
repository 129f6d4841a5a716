// Package hub reads and writes the hub protocol that clients speak, versions 1 and 2, in JSON and MessagePack: the
// handshake, the framing of messages in a byte stream, and the envelope of each message. Section numbers in comments
// are those of the project's specification of the client protocol.
//
// It is not a serializer: arguments, items and results stay the raw bytes that came, checked for being well-formed and
// nothing more. It knows no connections, timeouts or hub methods.
//
// Decoding returns views into the caller's bytes where a field is []byte, and copies where it is a string. Encoding
// appends to the caller's buffer.
//
// Concurrency: all is functions over the caller's memory; nothing is kept.
package hub
