package edge

import (
	"crypto/tls"
	"os"
	"sync"
	"time"
)

// certificate is the server's key pair, read again when its files change, so that a renewed one is served without a
// restart.
type certificate struct {
	certFile, keyFile string

	mu sync.Mutex
	// The fields below are guarded by mu.
	pair    *tls.Certificate
	changed time.Time // newest modification of the two files
	looked  time.Time
}

// lookAgain is how often the files are looked at, at most.
const lookAgain = 10 * time.Second

func newCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	return c, c.read()
}

func (c *certificate) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"http/1.1"}}
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookAgain {
		c.looked = now
		_ = c.read() // a half-written pair is no reason to drop the good one
	}
	return c.pair, nil
}

// read loads the pair if its files have changed.
func (c *certificate) read() error {
	var newest time.Time
	for _, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	if c.pair != nil && newest.Equal(c.changed) {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.changed = &pair, newest
	return nil
}
