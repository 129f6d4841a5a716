// Package service is the codec of the service protocol, which app servers speak with the edge: every message of the
// table in section 3.6 of the service protocol's specification (types 1 to 43) and the framing of section 3.1.
//
// It turns bytes into values and back and knows nothing of connections, state or order. It is written for both ends:
// the edge decodes what app servers send and encodes what they read; test peers do the opposite.
//
//	frame: length of the body as unsigned LEB128, 1 to 5 bytes; the body
//	body:  MessagePack array of the type (int) and the items of the message
//
// The layout of the items stands beside each message as [type, item, ...]; an item in parentheses may be absent in
// older forms, "ext" is the extension map of section 3.3. What is written is byte for byte what the SDK would write.
//
// Decoding: strings are copies, byte slices are views into the body and live as long as it does. Items and extension
// keys that are not known are skipped; an unknown type becomes [Unknown]. Null reads as "" where the protocol knows no
// difference; a missing item, or a null where a map, an array, a number or a boolean belongs, is [ErrMalformed].
//
// Messages are plain values without locks; the functions keep no state and may run at the same time.
package service
