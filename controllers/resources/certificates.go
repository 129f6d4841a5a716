package resources

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Certificates are those of a managed backplane, in PEM: what its nodes show to edges and to each other, and what all
// of them trust.
type Certificates struct {
	// CA is the certificate that signed Certificate. Its key is thrown away: a new pair is a new CA.
	CA []byte
	// Certificate and Key are those of every node and edge.
	Certificate, Key []byte
}

const (
	// certificateLife is how long certificates are good.
	certificateLife = 365 * 24 * time.Hour
	// certificateRenewal is how long before their end they are to be replaced.
	certificateRenewal = 90 * 24 * time.Hour
	serialBits         = 127
)

// NewCertificates makes the certificates of an instance's managed backplane. It is the one function here that is not
// pure: keys come from the system's random numbers.
func NewCertificates(instance, namespace string, now time.Time) (Certificates, error) {
	ca, caKey, err := newAuthority(instance, now)
	if err != nil {
		return Certificates{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Certificates{}, fmt.Errorf("make backplane key: %w", err)
	}
	service, nodes := BackplaneName(instance)+"."+namespace+".svc", BackplaneNodesName(instance)+"."+namespace+".svc"
	leaf, err := certificate(BackplaneName(instance), now)
	if err != nil {
		return Certificates{}, err
	}
	leaf.DNSNames = []string{service, service + ".cluster.local", "*." + nodes, "*." + nodes + ".cluster.local"}
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return Certificates{}, fmt.Errorf("sign backplane certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Certificates{}, fmt.Errorf("encode backplane key: %w", err)
	}
	return Certificates{
		CA:          encode("CERTIFICATE", ca.Raw),
		Certificate: encode("CERTIFICATE", der),
		Key:         encode("PRIVATE KEY", keyDER),
	}, nil
}

// newAuthority makes a certificate that signs others, and its key.
func newAuthority(instance string, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make backplane CA key: %w", err)
	}
	template, err := certificate(BackplaneName(instance)+"-ca", now)
	if err != nil {
		return nil, nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, fmt.Errorf("sign backplane CA: %w", err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("read backplane CA: %w", err)
	}
	return ca, key, nil
}

func certificate(name string, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife), // clocks differ
	}, nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// Due reports whether certificates have to be made: there are none, they cannot be read, or their end is near.
func (c Certificates) Due(now time.Time) bool {
	leaf, err := c.leaf()
	return err != nil || !now.Before(leaf.NotAfter.Add(-certificateRenewal))
}

func (c Certificates) leaf() (*x509.Certificate, error) {
	block, _ := pem.Decode(c.Certificate)
	if block == nil || len(c.CA) == 0 || len(c.Key) == 0 {
		return nil, errors.New("backplane certificate: no PEM")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read backplane certificate: %w", err)
	}
	return leaf, nil
}
