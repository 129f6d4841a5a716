package shard

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// tlsPair is two ends of a TLS connection over loopback.
func tlsPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"edge"},
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	server, client := tcpPair(t)
	a := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	b := tls.Client(client, &tls.Config{RootCAs: roots, ServerName: "edge"})
	done := make(chan error, 1)
	go func() { done <- a.HandshakeContext(t.Context()) }()
	if err := b.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return a, b
}

func pipePair(testing.TB) (near, far net.Conn) { return net.Pipe() }

// TestOtherWires holds one conversation over connections that are no plain TCP sockets.
func TestOtherWires(t *testing.T) {
	for _, d := range []driver{
		{name: "TLS", pair: tlsPair, bind: bindStream},
		{name: "pipe", pair: pipePair, bind: bindStream},
	} {
		t.Run(d.name, func(t *testing.T) {
			e := newStage(t, d)
			l := e.server("chat", "s1")
			c, d, f := e.client(l, "json"), e.client(l, "messagepack"), e.client(l, "json")
			big := strings.Repeat("x", 500<<10)
			for range 20 {
				c.send(c.message("hello"))
				l.wantData(e, c, c.message("hello"))
				e.says(l, c.data(c.message("welcome")), &service.BroadcastData{Payloads: both("all")})
				c.wantCalls("welcome", "all")
				d.wantCalls("all")
				f.wantCalls("all")
			}
			e.says(l, d.data(d.message(big)))
			d.wantCalls(big)
			c.frame(9, []byte("ping"))
			c.wantFrame(10, []byte("ping"))
			e.says(l, &service.CloseConnection{ConnectionID: d.id})
			d.wantHubClose("", false)
			d.wantFrame(8, []byte{0x03, 0xe8})
			d.frame(8, []byte{0x03, 0xe8})
			d.wantCut()
			_ = f.conn.Close()
			l.wantClosed(e, f)
			for range 10 { // one that does not read
				e.says(l, c.data(text(big)))
			}
			e.until("cut", func() bool { e.tick(time.Second); return c.gone.Load() == 1 })
			l.wantClosed(e, c)
		})
	}
}

// TestStreamBuffers: the two buffers of a stream are never the same one.
func TestStreamBuffers(t *testing.T) {
	e := newStage(t, driver{name: "pipe", pair: pipePair, bind: bindStream})
	l := e.server("chat", "s1")
	c := e.client(l, "json")
	for range 3 {
		e.says(l, c.data(text("first")))
		e.until("the writer waits for the client", func() (yes bool) {
			e.session(c, func(_ *shard, s *session) {
				s.stream.mu.Lock()
				defer s.stream.mu.Unlock()
				yes = s.stream.inFlight > 0
			})
			return yes
		})
		e.says(l, c.data(text("other")))
		e.sync()
		c.wantCalls("first", "other")
	}
}
