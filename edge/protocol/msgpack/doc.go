// Package msgpack reads MessagePack from a byte slice whose content an attacker chooses, and appends it to a buffer.
//
// It is not a general codec: there is no reflection, no struct mapping and no stream. The protocols of the edge know
// their layouts, so they ask for one value after the other and leave what they do not know to [Reader.Skip].
//
// Bounds: a declared length or count is compared with the bytes that are left before anything is allocated or sliced
// (an array of n items needs at least n bytes, a map of n pairs at least 2n), and values that are skipped may nest at
// most [MaxDepth] levels. A [Reader] allocates nothing but the strings it copies out.
//
// A Reader is a plain value and is not safe for concurrent use; the append functions keep no state.
package msgpack
