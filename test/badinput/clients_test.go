package badinput

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

// Texts of hub messages that end a connection.
const (
	textHandshake = `{"error":"An unexpected error occurred during connection handshake."}`
	textCanceled  = `{"error":"Handshake was canceled."}`
	textClosed    = `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`
)

// conduct is what a bad client does after its upgrade, and how that must end.
type conduct struct {
	do     func(c *peer.Client)
	want   ended
	reason string // of signalr_edge_connections_closed_total
}

func text(s string) func(*peer.Client) { return func(c *peer.Client) { c.Text(s) } }
func raw(b ...byte) func(*peer.Client) { return func(c *peer.Client) { c.Raw(b) } }
func binary(s string) func(*peer.Client) {
	return func(c *peer.Client) { c.Frame(websocket.OpBinary, []byte(s)) }
}

func (w *world) handshakes(t *testing.T) {
	invalid := func(do func(*peer.Client)) conduct {
		return conduct{do, ended{last: textHandshake, code: 1000}, "handshake-invalid"}
	}
	for name, c := range map[string]conduct{
		"garbage as handshake":           invalid(text("garbage" + peer.Separator)),
		"an empty handshake":             invalid(text(peer.Separator)),
		"a handshake that is a list":     invalid(text("[]" + peer.Separator)),
		"a handshake that is a number":   invalid(text("1" + peer.Separator)),
		"a handshake without anything":   invalid(text("{}" + peer.Separator)),
		"a handshake without a protocol": invalid(text(`{"version":1}` + peer.Separator)),
		"a handshake without a version":  invalid(text(`{"protocol":"json"}` + peer.Separator)),
		"a version that is a text":       invalid(text(`{"protocol":"json","version":"1"}` + peer.Separator)),
		"a version and a half":           invalid(text(`{"protocol":"json","version":1.5}` + peer.Separator)),
		"a version that is null":         invalid(text(`{"protocol":"json","version":null}` + peer.Separator)),
		"a version beyond all bounds": invalid(
			text(`{"protocol":"json","version":99999999999999999999}` + peer.Separator),
		),
		"a protocol that is a number":       invalid(text(`{"protocol":1,"version":1}` + peer.Separator)),
		"a protocol that is null":           invalid(text(`{"protocol":null,"version":1}` + peer.Separator)),
		"a handshake that is cut":           invalid(text(`{"protocol":"json","version":1` + peer.Separator)),
		"a handshake with something behind": invalid(text(`{"protocol":"json","version":1}x` + peer.Separator)),
		"a handshake of broken UTF-8":       invalid(binary("{\"protocol\":\"j\xffson\",\"version\":1" + peer.Separator)),
		"a handshake in MessagePack": invalid(
			binary("\x82\xa8protocol\xabmessagepack\xa7version\x01" + peer.Separator),
		),
		"a handshake in nested lists":          invalid(text(strings.Repeat("[", 2000) + peer.Separator)),
		"an invocation instead of a handshake": invalid(text(`{"type":1,"target":"Echo","arguments":[]}` + peer.Separator)),
		"a handshake without an end": {
			text(`{"protocol":"` + strings.Repeat("x", 5000)), ended{last: textCanceled, code: 1000}, "handshake-timeout",
		},
		"a handshake of 100 KiB": {
			text(strings.Repeat(" ", 100<<10)), ended{last: textCanceled, code: 1000}, "handshake-timeout",
		},
		"no handshake at all": {text(""), ended{last: textCanceled, code: 1000}, "handshake-timeout"},
		"half a handshake": {
			text(`{"protocol":"json"`), ended{last: textCanceled, code: 1000}, "handshake-timeout",
		},
		"a ping before a handshake": {
			func(c *peer.Client) { c.Frame(websocket.OpPing, nil) },
			ended{last: textCanceled, code: 1000},
			"handshake-timeout",
		},
		"a close before a handshake": {
			func(c *peer.Client) { c.Frame(websocket.OpClose, []byte{3, 232}) }, ended{code: 1000}, "client-closed",
		},
		"a version of the hub protocol that nobody has": {
			text(`{"protocol":"json","version":9}` + peer.Separator),
			ended{last: `{"error":"The server does not support version 9 of the 'json' protocol."}`, code: 1000},
			"handshake-refused",
		},
		"an unframed frame before a handshake": {raw('G', 'E', 'T', ' ', '/'), ended{code: 1002}, "websocket-protocol"},
	} {
		w.step(t, name, closed("client", c.reason), func(t trial) {
			client := w.Open(t, "chat", peer.Sign(peer.ClientClaims("chat").With("asrs.s.cht", "1")))
			c.do(client)
			c.want.check(t, client)
		})
	}
	w.step(t, "a protocol that the app server does not have", closed("client", "server-closed"), func(t trial) {
		client := w.Open(t, "chat", peer.ClientToken("chat", ""))
		client.Text(`{"protocol":"morse","version":1}` + peer.Separator)
		ended{code: 1000}.check(t, client)
	})
	w.step(t, "a hub without an app server", closed("client", "no-server"), func(t trial) {
		client := w.Open(t, "empty", peer.ClientToken("empty", ""))
		client.Text(peer.HandshakeJSON)
		const text = "is in Default mode, where client traffic is routed to app servers, and no app server is connected."
		ended{last: text, code: 1000}.check(t, client)
	})
	w.step(t, "a bond with an app server that is not there", closed("client", "sticky-server-missing"), func(t trial) {
		claims := peer.ClientClaims("chat").With("asrs.s.sn", "gone").With("asrs.s.ssticky", "Required")
		client := w.Open(t, "chat", peer.Sign(claims))
		client.Text(peer.HandshakeJSON)
		ended{last: `{"error":"The app server that this client is bound to`, code: 1000}.check(t, client)
	})
}

func (w *world) hubMessages(t *testing.T) {
	big := strings.Repeat("x", maxMessage)
	tooLarge := func(do func(*peer.Client)) conduct {
		return conduct{do, ended{last: textClosed, code: 1000}, "message-too-large"}
	}
	byApp := func(do func(*peer.Client)) conduct { // the edge passes it on, the app server ends the connection
		return conduct{do, ended{last: `{"type":7,"error":"Connection closed with an error.`, code: 1000}, "server-closed"}
	}
	for name, c := range map[string]conduct{
		"a JSON message over the limit": tooLarge(
			text(`{"type":1,"target":"` + big + `","arguments":[]}` + peer.Separator),
		),
		"a JSON message one byte over the limit": tooLarge(text(big + "x" + peer.Separator)),
		"a JSON message that never ends": tooLarge(func(c *peer.Client) {
			for range 40 {
				c.Text(big[:4096])
			}
		}),
		"a JSON message over the limit in small frames": tooLarge(func(c *peer.Client) {
			for range 40 {
				c.Part(websocket.OpText, []byte(big[:4096]))
				c.Frame(websocket.OpContinuation, nil)
			}
		}),
		"garbage in JSON":            byApp(text("garbage" + peer.Separator)),
		"an empty record":            byApp(text(peer.Separator)),
		"a JSON message cut short":   byApp(text(`{"type":1,` + peer.Separator)),
		"a JSON message, no type":    byApp(text(`{}` + peer.Separator)),
		"a type that is a text":      byApp(text(`{"type":"1"}` + peer.Separator)),
		"an invocation of nothing":   byApp(text(`{"type":1}` + peer.Separator)),
		"MessagePack on a JSON line": byApp(binary("\x02\x91\x06" + peer.Separator)),
	} {
		w.message(t, name, "json", c)
	}
	closePack := string(hub.AppendClose(nil, hub.MessagePack, "Connection closed with an error.", true))
	pack := func(reason string, b string) conduct {
		return conduct{binary(b), ended{last: closePack, code: 1000}, reason}
	}
	for name, c := range map[string]conduct{
		"a MessagePack length over the limit":  pack("message-too-large", "\xff\xff\xff\x7f"),
		"a MessagePack length of 2 GiB":        pack("message-too-large", "\xff\xff\xff\xff\x07"),
		"a MessagePack length of six bytes":    pack("message-invalid", "\xff\xff\xff\xff\xff\x01"),
		"a fifth byte above 7":                 pack("message-invalid", "\x80\x80\x80\x80\x08"),
		"an invocation over the limit":         pack("message-too-large", "\x81\x80\x04"+big),
		"a good message in front of a bad one": pack("message-invalid", "\x02\x91\x06\xff\xff\xff\xff\xff"),
		"garbage in MessagePack":               pack("server-closed", "\x03\xc1\xc1\xc1"),
		"a list of 2^32 items in 5 bytes":      pack("server-closed", "\x05\xdd\xff\xff\xff\xff"),
		"a map of 2^32 entries":                pack("server-closed", "\x07\x92\x01\xdf\xff\xff\xff\xff"),
		"JSON on a MessagePack line":           pack("server-closed", `{"type":6}`+strings.Repeat(" ", 114)),
	} {
		w.message(t, name, "messagepack", c)
	}
}

// message runs a conduct after a good handshake.
func (w *world) message(t *testing.T, name, protocol string, c conduct) {
	t.Helper()
	w.step(t, name, closed("client", c.reason), func(t trial) {
		client := w.Join(t, "chat", peer.ClientToken("chat", ""), protocol)
		c.do(client)
		c.want.check(t, client)
	})
}

// frames breaks RFC 6455.
func (w *world) frames(t *testing.T) {
	table := map[string]conduct{}
	bad := func(name string, code websocket.Code, do func(*peer.Client)) {
		reason := map[websocket.Code]string{
			1002: "websocket-protocol", 1007: "websocket-utf8", 1009: "websocket-too-big",
		}[code]
		table[name] = conduct{do, ended{code: code}, reason}
	}
	bad("an unmasked text", 1002, raw(0x81, 2, 'h', 'i'))
	bad("an unmasked ping", 1002, raw(0x89, 0))
	for bit := range 3 {
		bad(fmt.Sprintf("reserved bit %d", bit+1), 1002, raw(0x81|0x40>>bit, 0x80, 1, 2, 3, 4))
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		bad(fmt.Sprintf("reserved opcode %d", op), 1002, raw(0x80|op, 0x80, 1, 2, 3, 4))
	}
	for op, name := range map[websocket.Opcode]string{8: "close", 9: "ping", 10: "pong"} {
		bad("a "+name+" in parts", 1002, func(c *peer.Client) { c.Part(op, nil) })
		bad("a "+name+" of 126 bytes", 1002, func(c *peer.Client) { c.Frame(op, bytes.Repeat([]byte{3}, 126)) })
	}
	bad("a continuation of nothing", 1002, func(c *peer.Client) { c.Frame(websocket.OpContinuation, []byte("x")) })
	bad("a message inside another", 1002, func(c *peer.Client) {
		c.Part(websocket.OpText, []byte("{"))
		c.Text("}")
	})
	bad("a length of 16 bits for 5 bytes", 1002, raw(0x82, 0xfe, 0, 5, 1, 2, 3, 4))
	bad("a length of 64 bits for 300 bytes", 1002, raw(0x82, 0xff, 0, 0, 0, 0, 0, 0, 1, 44, 1, 2, 3, 4))
	bad("a length over 63 bits", 1002, raw(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4))
	bad("a close of one byte", 1002, func(c *peer.Client) { c.Frame(websocket.OpClose, []byte{3}) })
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65535} {
		bad(fmt.Sprintf("close code %d", code), 1002, func(c *peer.Client) {
			c.Frame(websocket.OpClose, []byte{byte(code >> 8), byte(code)})
		})
	}
	bad("a close reason of broken UTF-8", 1007, func(c *peer.Client) {
		c.Frame(websocket.OpClose, []byte{3, 232, 0xff, 0xfe})
	})
	for name, b := range map[string]string{
		"a byte that UTF-8 has not": "\xff", "a lone continuation byte": "\x80", "an overlong slash": "\xc0\xaf",
		"an overlong null": "\xe0\x80\x80", "a surrogate": "\xed\xa0\x80", "a character beyond Unicode": "\xf4\x90\x80\x80",
		"UTF-8 cut at the end": "\xe2\x82", "UTF-8 cut in the middle": "\xe2\x82x",
		"five bytes of UTF-8": "\xf8\x88\x80\x80\x80",
	} {
		bad(name, 1007, text(`{"a":"`+b))
		bad(name+", in the second part", 1007, func(c *peer.Client) {
			c.Part(websocket.OpText, []byte(`{"a":"`))
			c.Frame(websocket.OpContinuation, []byte(b))
		})
		bad(name+", byte by byte", 1007, func(c *peer.Client) {
			c.Part(websocket.OpText, []byte(`{"a":"`))
			for i := range len(b) {
				c.Part(websocket.OpContinuation, []byte{b[i]})
			}
			c.Frame(websocket.OpContinuation, nil)
		})
	}
	bad("a message of more than 16 MiB", 1009, raw(0x82, 0xff, 0, 0, 0, 0, 1, 0, 0, 1, 1, 2, 3, 4))
	bad("a message of 2^62 bytes", 1009, raw(0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4))
	bad("parts of more than 16 MiB", 1009, func(c *peer.Client) {
		c.Part(websocket.OpBinary, []byte("x"))
		c.Raw([]byte{0x80, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4})
	})
	for name, b := range map[string][]byte{
		"half a header":          {0x81},
		"half a length":          {0x82, 0xff, 0, 0, 0},
		"half a masking key":     {0x81, 0x85, 1, 2},
		"half a payload":         {0x81, 0x85, 1, 2, 3, 4, 'h'},
		"half a ping":            {0x89, 0x85, 1, 2, 3, 4, 'h'},
		"nothing, then silence":  {},
		"half a fragmented text": {0x01, 0x81, 1, 2, 3, 4, 'h'},
	} {
		table[name+", then the end"] = conduct{func(c *peer.Client) {
			c.Raw(b)
			_ = c.Conn.(*net.TCPConn).CloseWrite()
		}, ended{gone: true}, "client-gone"}
	}
	table["a TCP connection that is reset"] = conduct{func(c *peer.Client) {
		_ = c.Conn.(*net.TCPConn).SetLinger(0)
		_ = c.Conn.Close()
	}, ended{gone: true}, "client-gone"}
	for name, c := range table {
		w.message(t, name, "json", c)
	}
}
