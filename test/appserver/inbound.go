package appserver

import (
	"bytes"
	"errors"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// receive takes bytes that the client sent: a stream in any chunks, or gathered by IsPartial (5.3). It runs on the
// reader of a server connection.
func (c *client) receive(m *service.ConnectionData) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	if m.IsPartial {
		c.partial = append(c.partial, m.Payload...)
		return
	}
	data := m.Payload
	if len(c.partial) > 0 {
		c.partial = append(c.partial, m.Payload...)
		data, c.partial = c.partial, nil
	}
	if len(c.in) > 0 {
		c.in = append(c.in, data...)
		data = c.in
	}
	rest, err := c.parse(data)
	if err != nil {
		c.fail("InvalidDataException: " + err.Error())
		return
	}
	// What is left is a view of memory that the reader uses again.
	c.in = append(c.in[:0], rest...)
	if len(c.in) == 0 {
		c.in = nil
	}
}

// parse acts on every complete message and returns the rest.
func (c *client) parse(data []byte) ([]byte, error) {
	limit := c.h.srv.opts.MaxMessageSize
	if limit <= 0 {
		limit = maxFrame
	}
	if !c.shaken {
		var ok bool
		if data, ok = c.greet(data); !ok {
			return data, nil
		}
	}
	for {
		msg, rest, err := hub.NextMessage(c.wire.Framing(), data, limit)
		if err != nil {
			return nil, err
		}
		if msg == nil {
			return rest, nil
		}
		m, err := hub.Decode(c.wire, msg)
		if err != nil {
			return nil, err
		}
		c.handle(m)
		data = rest
	}
}

// greet takes the client's handshake request off data; ok is false while it is not complete, or when it is refused.
func (c *client) greet(data []byte) (rest []byte, ok bool) {
	request, n, err := hub.ParseHandshake(data)
	if err != nil {
		c.refuse(hub.TextHandshakeFailed)
		return nil, false
	}
	if n == 0 {
		return data, false
	}
	return data[n:], c.shake(request)
}

// shake answers the client's handshake request and starts OnConnected. The answer of a migrated client is swallowed:
// the client has had one (4.8).
func (c *client) shake(request hub.Handshake) bool {
	switch {
	case !equalFold(request.Protocol, c.protocol):
		c.refuse(hub.TextProtocolNotSupported(request.Protocol))
		return false
	case request.Version > hub.MaxVersion:
		c.refuse(hub.TextVersionNotSupported(request.Version, request.Protocol))
		return false
	}
	c.shaken = true
	c.mu.Lock()
	c.greeted = true
	c.mu.Unlock()
	if !c.migratedIn {
		_ = c.writeNow(hub.AppendHandshakeOK(nil), service.DataHandshake) // a dead connection ends the client by itself
	}
	c.enqueue(c.connect)
	return true
}

func (c *client) refuse(text string) {
	_ = c.writeNow(hub.AppendHandshakeError(nil, text), service.DataHandshake)
	c.end(ending{tellService: true, silent: true})
}

// connect runs OnConnected. What the client sent meanwhile waits behind it.
func (c *client) connect() {
	c.mu.Lock()
	c.opened = true
	c.mu.Unlock()
	if f := c.h.hub.onConnected; f != nil {
		if err := f(c.context(c.ctx)); err != nil {
			text := "Connection closed with an error."
			if c.h.srv.opts.DetailedErrors {
				text += " " + exceptionText(err)
			}
			c.end(ending{closeFrame: true, closeError: text, tellService: true, silent: true})
			return
		}
	}
	c.mu.Lock()
	early := c.early
	c.ready, c.early = true, nil
	c.mu.Unlock()
	for _, work := range early {
		c.h.srv.goTask(work)
	}
}

// handle acts on one message of the client.
func (c *client) handle(m hub.Message) {
	c.mu.Lock()
	c.received = time.Now()
	if m.Type == hub.TypePing {
		c.pinged = true
	}
	upload, call := c.uploads[m.InvocationID], c.calls[m.InvocationID]
	c.mu.Unlock()
	switch m.Type {
	case hub.TypeInvocation, hub.TypeStreamInvocation:
		c.invoke(m)
	case hub.TypeStreamItem:
		if upload != nil {
			upload.push(RawValue{protocol: c.protocol, data: bytes.Clone(m.Item)})
		}
	case hub.TypeCompletion:
		if upload == nil {
			c.h.srv.results.answered(c, m)
			return
		}
		var err error
		if m.HasError {
			err = errors.New(m.Error)
		}
		upload.finish(err)
	case hub.TypeCancelInvocation:
		if call != nil {
			call()
		}
	case hub.TypeClose:
		c.end(ending{closeFrame: true, tellService: true, err: m.Error})
	case hub.TypePing, hub.TypeAck, hub.TypeSequence, hub.TypeUnknown:
	}
}
