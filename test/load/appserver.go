//go:build linux

package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// AppServerConfig is what the app server needs to know before it connects.
type AppServerConfig struct {
	Endpoint Endpoint
	Hub      string
	// Connections is the number of server connections; the stock SDK opens 5 per hub.
	Connections int
	// MigrationLevel goes into the handshake: 0 none, 1 on shutdown, 2 always (service-protocol.md 4.1).
	MigrationLevel int32
	// Protocols are those of the clients: multicasts carry one payload for each.
	Protocols []Protocol
}

// Requests that the app server answers. configure is shared with the worker.
const (
	opPublish = "publish" // Publish; returns PublishResult when all is sent
	opJoin    = "join"    // int: groups; client i joins group i modulo groups; returns when all are acknowledged
)

// appServer is the server side of the service protocol, with the bench's three hub methods.
type appServer struct {
	board  *Board
	errors io.Writer
	cfg    AppServerConfig
	conns  []*serverConn
	seq    uint32 // of the last message published
	// closing says that connections end because the app server wants it.
	closing atomic.Bool

	mu      sync.RWMutex // guards what follows: readers of all connections and the requests use it
	byIndex map[int]*appClient
}

// appClient is a client as the app server sees it. It belongs to the reader of its connection but for id, index and
// conn, which never change.
type appClient struct {
	id         string
	index      int
	conn       *serverConn
	protocol   Protocol
	handshaken bool
	part       []byte
}

// ServeAppServer is the main function of the app server process: it answers the parent's requests until in ends.
func ServeAppServer(in io.Reader, out, errors io.Writer) error {
	board, err := MapBoard(os.NewFile(boardFD, "board"))
	if err != nil {
		return err
	}
	s := newAppServer(board, errors)
	defer s.close()
	return serve(in, out, s.handle)
}

func newAppServer(board *Board, errors io.Writer) *appServer {
	return &appServer{board: board, errors: errors, byIndex: map[int]*appClient{}}
}

func (s *appServer) handle(op string, args json.RawMessage) (any, error) {
	switch op {
	case opConfigure:
		if err := json.Unmarshal(args, &s.cfg); err != nil {
			return nil, fmt.Errorf("read arguments: %w", err)
		}
		return nil, s.connect()
	case opPublish:
		var p Publish
		if err := json.Unmarshal(args, &p); err != nil {
			return nil, fmt.Errorf("read arguments: %w", err)
		}
		return s.publish(p)
	case opJoin:
		var groups int
		if err := json.Unmarshal(args, &groups); err != nil {
			return nil, fmt.Errorf("read arguments: %w", err)
		}
		return nil, s.join(groups)
	}
	return nil, fmt.Errorf("unknown request %q", op)
}

// connectTime bounds opening all server connections.
const connectTime = 15 * time.Second

func (s *appServer) connect() error {
	ctx, cancel := context.WithTimeout(context.Background(), connectTime)
	defer cancel()
	for i := range s.cfg.Connections {
		id := fmt.Sprintf("bench-%d-%d", os.Getpid(), i)
		serverID := fmt.Sprintf("bench_%032x", os.Getpid())
		c, err := dialServer(ctx, s.cfg.Endpoint, s.cfg.Hub, id, serverID, s.cfg.MigrationLevel)
		if err != nil {
			return err
		}
		s.conns = append(s.conns, c)
		go s.serve(c)
	}
	return nil
}

func (s *appServer) close() {
	s.closing.Store(true)
	for _, c := range s.conns {
		_ = c.control(opClose, []byte{1000 >> 8, 1000 & 0xff}) // the SDK's normal stop
		_ = c.conn.Close()
	}
}

// serve handles one server connection until it ends. Answers to what came together go out together.
func (s *appServer) serve(c *serverConn) {
	clients := map[string]*appClient{}
	for {
		bodies, err := c.read()
		if err != nil {
			if !s.closing.Load() && !errors.Is(err, net.ErrClosed) {
				s.board.Server.Lost.Add(1)
				fmt.Fprintln(s.errors, "app server: server connection:", err)
			}
			_ = c.conn.Close()
			return
		}
		for _, body := range bodies {
			if err := s.message(c, clients, body); err != nil {
				fmt.Fprintln(s.errors, "app server:", err)
			}
		}
		c.ping(time.Now(), len(clients))
		if err := c.flush(); err != nil {
			fmt.Fprintln(s.errors, "app server:", err)
		}
	}
}

func (s *appServer) message(c *serverConn, clients map[string]*appClient, body []byte) error {
	decoded, err := service.Decode(body)
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	switch m := decoded.(type) {
	case *service.ConnectionData:
		if client := clients[m.ConnectionID]; client != nil {
			return s.data(client, m.Payload)
		}
	case *service.OpenConnection:
		s.opened(c, clients, m)
	case *service.CloseConnection:
		s.closed(clients, m)
	case *service.Ping:
		if _, probe := m.Get(service.PingEcho); probe {
			c.append(m)
		}
	case *service.Ack:
		if m.Status == service.AckOK {
			s.board.Server.Joined.Add(1)
		} else {
			return fmt.Errorf("join refused with status %d %s", m.Status, m.Message)
		}
	case *service.ServiceError:
		return fmt.Errorf("the service says: %s", m.ErrorMessage)
	}
	return nil
}

func (s *appServer) opened(c *serverConn, clients map[string]*appClient, m *service.OpenConnection) {
	client := &appClient{id: m.ConnectionID, index: -1, conn: c}
	if m.Protocol == MessagePack.String() {
		client.protocol = MessagePack
	}
	clients[m.ConnectionID] = client
	for _, claim := range m.Claims {
		if claim.Type == "asrs.s.uid" {
			if i, ok := ClientIndex(claim.Value); ok {
				client.index = i
			}
		}
	}
	s.mu.Lock()
	s.byIndex[client.index] = client
	s.mu.Unlock()
	s.board.Server.Opened.Add(1)
}

func (s *appServer) closed(clients map[string]*appClient, m *service.CloseConnection) {
	client := clients[m.ConnectionID]
	if client == nil {
		return
	}
	delete(clients, m.ConnectionID)
	s.board.Server.CloseAfter.Add(now() - s.board.Since.Load())
	s.board.Server.Closed.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byIndex[client.index] == client {
		delete(s.byIndex, client.index)
	}
}

// data handles bytes of a client; hub messages may come in any pieces.
func (s *appServer) data(client *appClient, payload []byte) error {
	if len(client.part) > 0 {
		payload = append(client.part, payload...)
	}
	if !client.handshaken {
		// The handshake request is JSON in every protocol.
		_, rest, ok := JSON.nextMessage(payload)
		if !ok {
			client.part = append([]byte(nil), payload...)
			return nil
		}
		client.handshaken = true
		client.conn.append(&service.ConnectionData{
			ConnectionID: client.id, Payload: []byte("{}\x1e"), DataType: service.DataHandshake,
		})
		s.board.Server.Handshaken.Add(1)
		payload = rest
	}
	for {
		msg, rest, ok := client.protocol.nextMessage(payload)
		if !ok {
			break
		}
		payload = rest
		if err := s.hubMessage(client, msg); err != nil {
			return err
		}
	}
	client.part = append(client.part[:0], payload...)
	if len(payload) == 0 {
		client.part = nil
	}
	return nil
}

// hubMessage answers a client's invocation over the server connection that carries the client, as the SDK does.
func (s *appServer) hubMessage(client *appClient, msg []byte) error {
	c, ok, err := client.protocol.parseCall(msg)
	if err != nil || !ok {
		return err
	}
	switch string(c.target) {
	case methodEcho:
		answer := &service.ConnectionData{ConnectionID: client.id, DataType: service.DataInvocation}
		if c.id != nil {
			answer.Payload = client.protocol.completion(c.id, c.datum)
		} else {
			answer.Payload = client.protocol.clientCall(c.datum)
		}
		client.conn.append(answer)
	case methodGroup:
		client.conn.append(&service.GroupBroadcastData{Group: string(c.key), Payloads: s.payloads(c.datum)})
	case methodConnection:
		index, _ := digits(c.key)
		s.mu.RLock()
		target := s.byIndex[int(index)]
		s.mu.RUnlock()
		if target == nil {
			return fmt.Errorf("no client %d to send to", index)
		}
		client.conn.append(&service.MultiConnectionData{
			ConnectionIDs: []string{target.id},
			Payloads: service.Payloads{{
				Protocol: target.protocol.String(), Data: target.protocol.clientCall(c.datum),
			}},
		})
	default:
		return fmt.Errorf("no hub method %q", c.target)
	}
	return nil
}

// payloads encodes a call of clientMethod for every protocol in use.
func (s *appServer) payloads(datum []byte) service.Payloads {
	var all service.Payloads
	for _, p := range s.cfg.Protocols {
		all = append(all, service.Payload{Protocol: p.String(), Data: p.clientCall(datum)})
	}
	return all
}
