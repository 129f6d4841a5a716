//go:build linux

package load

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// state is how far a client has come.
type state uint8

const (
	stateConnecting state = iota
	stateNegotiating
	stateUpgrading
	stateHandshaking
	stateReady
	stateStalled
	stateGone
)

// client is one connection of a worker. It is kept small: the worker has one for each of up to 20,000.
type client struct {
	fd       int32
	index    int32
	state    state
	protocol Protocol
	// sender and last are where the latest stamp came from; seq is what this client has sent itself.
	sender, last, seq uint32
	started           int64
	// part is the head of a unit that is not complete yet; nil nearly always.
	part []byte
}

// userAgent is what the stock JS client of that version sends from Node (client-protocol.md 1.5).
const userAgent = "Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; v20.20.2)"

// webSocketKey is the sample key of RFC 6455 and webSocketAccept its answer.
const (
	webSocketKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	webSocketAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// clientQuery is the query that an app server with the stock SDK puts into the URL it hands out (service-protocol.md
// 2.4).
func clientQuery(hub string, index int) string {
	id := base64.RawStdEncoding.EncodeToString([]byte(fmt.Sprintf("%08d", index)))
	return "hub=" + hub + "&asrs.op=%2F" + hub + "&negotiateVersion=1&asrs_request_id=" + id + "%3D"
}

// negotiateRequest is the JS client's POST (Node's fetch).
func negotiateRequest(host, query, token string) []byte {
	return []byte("POST /client/negotiate?" + query + " HTTP/1.1\r\nHost: " + host +
		"\r\nConnection: keep-alive\r\nAuthorization: Bearer " + token +
		"\r\nContent-Type: text/plain;charset=UTF-8\r\nUser-Agent: " + userAgent +
		"\r\nX-Requested-With: XMLHttpRequest\r\nAccept: */*\r\nAccept-Language: *\r\nSec-Fetch-Mode: cors" +
		"\r\nAccept-Encoding: gzip, deflate\r\nContent-Length: 0\r\n\r\n")
}

// upgradeRequest is the JS client's WebSocket request from Node (package ws).
func upgradeRequest(host, query, token, connectionToken string) []byte {
	if connectionToken != "" {
		query += "&id=" + connectionToken
	}
	return []byte("GET /client/?" + query + " HTTP/1.1" +
		"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + webSocketKey +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer " + token +
		"\r\nUser-Agent: " + userAgent +
		"\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nHost: " + host + "\r\n\r\n")
}

// nextResponse cuts an HTTP response with a Content-Length (or none) from the head of b.
func nextResponse(b []byte) (status int, head, body, rest []byte, ok bool) {
	head, rest, ok = bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return 0, nil, nil, b, false
	}
	if f := bytes.Fields(head[:min(len(head), 32)]); len(f) > 1 {
		status, _ = strconv.Atoi(string(f[1]))
	}
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			continue
		}
		n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
		if err != nil || n < 0 || len(rest) < n {
			return 0, nil, nil, b, false
		}
		return status, head, rest[:n], rest[n:], true
	}
	return status, head, nil, rest, true
}

// begin sends what a fresh TCP connection starts with.
func (l *loop) begin(c *client) {
	query := clientQuery(l.cfg.Hub, int(c.index))
	if l.cfg.Negotiate {
		c.state = stateNegotiating
		l.send(c, negotiateRequest(l.cfg.Endpoint.Address, query, l.token(c)))
		return
	}
	c.state = stateUpgrading
	l.send(c, upgradeRequest(l.cfg.Endpoint.Address, query, l.token(c), ""))
}

// response handles the answer to negotiate or to the upgrade; it returns what follows, or nil with the client dropped.
func (l *loop) response(c *client, b []byte) (rest []byte, ok bool) {
	status, head, body, rest, complete := nextResponse(b)
	if !complete {
		return b, false
	}
	if c.state == stateNegotiating {
		var answer struct{ ConnectionID, ConnectionToken, Error string }
		if err := json.Unmarshal(body, &answer); status != 200 || err != nil || answer.Error != "" {
			l.drop(c, fmt.Sprintf("negotiate: status %d, %.200s", status, body))
			return nil, false
		}
		if answer.ConnectionToken == "" {
			answer.ConnectionToken = answer.ConnectionID
		}
		c.state = stateUpgrading
		query := clientQuery(l.cfg.Hub, int(c.index))
		l.send(c, upgradeRequest(l.cfg.Endpoint.Address, query, l.token(c), answer.ConnectionToken))
		return rest, true
	}
	if status != 101 || !bytes.Contains(head, []byte(webSocketAccept)) {
		l.drop(c, fmt.Sprintf("upgrade: status %d, %.200s", status, body))
		return nil, false
	}
	c.state = stateHandshaking
	l.send(c, clientFrame(c.protocol.opcode(), c.protocol.handshake()))
	return rest, true
}

// consume handles the complete units at the head of b, which arrived at time at, and returns what is left.
func (l *loop) consume(c *client, b []byte, at int64) []byte {
	for len(b) > 0 && (c.state == stateNegotiating || c.state == stateUpgrading) {
		var ok bool
		if b, ok = l.response(c, b); !ok {
			return b
		}
	}
	for len(b) > 0 && c.state != stateGone {
		op, payload, rest, ok := nextFrame(b)
		if !ok {
			return b
		}
		b = rest
		switch op {
		case opClose:
			l.drop(c, fmt.Sprintf("close frame %.100q", payload))
		case opPing:
			l.send(c, clientFrame(opPong, payload))
		case opPong:
		default:
			l.message(c, payload, at)
		}
	}
	return nil
}

// message handles the payload of one data frame.
func (l *loop) message(c *client, payload []byte, at int64) {
	if c.state == stateHandshaking {
		i := bytes.IndexByte(payload, recordSeparator)
		if i < 0 || bytes.Contains(payload[:i], []byte(`"error"`)) {
			l.drop(c, fmt.Sprintf("handshake: %.200q", payload))
			return
		}
		c.state = stateReady
		l.board.Connect.Add(at - c.started)
		l.board.Ready.Add(1)
		payload = payload[i+1:]
	}
	stamped := false
	for {
		s, rest, ok := nextStamp(payload)
		if !ok {
			break
		}
		stamped = true
		l.count(c, s, at)
		payload = rest
	}
	if !stamped && c.protocol.isClose(payload) {
		l.complain(c, fmt.Sprintf("hub close %.200q", payload))
	}
}

// count books one delivery. Every scenario gives a receiver one sender per phase, so one sequence per client is enough
// to see what came out of order or twice.
func (l *loop) count(c *client, s stamp, at int64) {
	if s.at < l.since {
		return
	}
	l.delivered++
	l.board.Latency.Add(at - s.at)
	if s.sender != c.sender {
		c.sender, c.last = s.sender, 0
	}
	switch {
	case s.seq > c.last:
		c.last = s.seq
	case s.seq == c.last:
		l.board.Duplicated.Add(1)
	default:
		l.board.Reordered.Add(1)
	}
}

// send writes all of b, waiting up to a second for a full socket; it is for connect steps, pings and messages already
// begun.
func (l *loop) send(c *client, b []byte) {
	for len(b) > 0 && c.state != stateGone {
		n, err := unix.Write(int(c.fd), b)
		switch {
		case n > 0:
			b = b[n:]
		case err == unix.EAGAIN:
			fds := []unix.PollFd{{Fd: c.fd, Events: unix.POLLOUT}}
			if ready, _ := unix.Poll(fds, 1000); ready == 0 {
				l.drop(c, "write: the service does not read")
			}
		case err == unix.EINTR:
		default:
			l.drop(c, "write: "+err.Error())
		}
	}
}
