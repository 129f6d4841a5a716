package config

import (
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	long := func(n int) string { return strings.Repeat("a", n) }
	tests := map[string]struct {
		change func(*Config)
		want   string // the error's text, "" for none
	}{
		"a good one":     {func(*Config) {}, ""},
		"the largest":    {func(c *Config) { c.Tier, c.Units = TierPremium, 1000 }, ""},
		"free":           {func(c *Config) { c.Tier = TierFree }, ""},
		"free and Hard":  {func(c *Config) { c.Tier, c.Limits.MessagePolicy = TierFree, MessagePolicyHard }, ""},
		"any free port":  {func(c *Config) { c.Listen = Listen{Client: "127.0.0.1:0", Admin: "127.0.0.1:0"} }, ""},
		"IPv6":           {func(c *Config) { c.Listen.Client = "[::]:8888" }, ""},
		"a named host":   {func(c *Config) { c.Listen.Client = "Edge.example.com:80" }, ""},
		"no quota":       {func(c *Config) { c.Quota = Quota{Connections: -1, MessagesPerDay: -1} }, ""},
		"secrets":        {func(c *Config) { c.Auth.ConnectionTokenKey, c.Auth.AdminToken = keyA, "0123456789abcdef" }, ""},
		"no waiting":     {func(c *Config) { c.Timeouts.NoServerWaitSeconds, c.Drain = 0, Drain{} }, ""},
		"an IPv6 origin": {func(c *Config) { c.CORS.AllowedOrigins = []string{"http://[::1]:3000"} }, ""},
		"an app's origin": {func(c *Config) {
			c.CORS.AllowedOrigins = []string{"capacitor://localhost", "https://a.example.com:8443"}
		}, ""},

		"another version": {
			func(c *Config) { c.ConfigVersion = 2 }, "configVersion: 2 is not allowed: 1..1",
		},
		"a node with a space": {
			func(c *Config) { c.Node = "a b" },
			`node: "a b" is not allowed: up to 253 letters, digits, '.', '_' and '-', with a letter or digit at both ends`,
		},
		"an address without port": {
			func(c *Config) { c.Listen.Client = "127.0.0.1" },
			`listen.client: "127.0.0.1" is not allowed: host:port, with an IP address, a name or nothing as host and ` +
				`0..65535 as port`,
		},
		"a port too high": {
			func(c *Config) { c.Listen.Admin = ":65536" },
			`listen.admin: ":65536" is not allowed: host:port, with an IP address, a name or nothing as host and ` +
				`0..65535 as port`,
		},
		"a host that is none": {
			func(c *Config) { c.Listen.Admin = "a/b:1" },
			`listen.admin: "a/b:1" is not allowed: host:port, with an IP address, a name or nothing as host and ` +
				`0..65535 as port`,
		},
		"one address for both": {
			func(c *Config) { c.Listen.Admin = ":8888" },
			`listen.admin: ":8888" is not allowed: another address than listen.client`,
		},
		"half of TLS": {
			func(c *Config) { c.Listen.TLS = &TLS{CertFile: "x"} },
			"listen.tls.keyFile: is missing: the path of a PEM file",
		},
		"the other half of TLS": {
			func(c *Config) { c.Listen.TLS = &TLS{KeyFile: "x"} },
			"listen.tls.certFile: is missing: the path of a PEM file",
		},
		"a mode in lower case": {
			func(c *Config) { c.ServiceMode = "default" },
			`serviceMode: "default" is not allowed: Default, Serverless, Classic`,
		},
		"an unknown tier": {
			func(c *Config) { c.Tier = "Basic" }, `tier: "Basic" is not allowed: Free, Standard, Premium`,
		},
		"no units": {
			func(c *Config) { c.Units = 0 }, "units: 0 is not allowed: 1..100 for the tier Standard",
		},
		"more units than free": {
			func(c *Config) { c.Tier, c.Units = TierFree, 2 }, "units: 2 is not allowed: 1..1 for the tier Free",
		},
		"more units than standard": {
			func(c *Config) { c.Units = 101 }, "units: 101 is not allowed: 1..100 for the tier Standard",
		},
		"more units than premium": {
			func(c *Config) { c.Tier, c.Units = TierPremium, 1001 },
			"units: 1001 is not allowed: 1..1000 for the tier Premium",
		},
		"a negative quota": {
			func(c *Config) { c.Quota.Connections = -2 },
			"quota.connections: -2 is not allowed: 1..1000000000000, 0 to derive it from tier and units, -1 for none",
		},
		"an endless quota": {
			func(c *Config) { c.Quota.MessagesPerDay = 1e12 + 1 },
			"quota.messagesPerDay: 1000000000001 is not allowed: 1..1000000000000, 0 to derive it from tier and units, " +
				"-1 for none",
		},
		"carried messages without a day": {
			func(c *Config) { c.Quota.Carried.Messages = 5 },
			`quota.carried.day: "" is not allowed: a day as 2026-11-22`,
		},
		"carried messages of a day that is none": {
			func(c *Config) { c.Quota.Carried = Carried{Day: "2026-02-30", Messages: 5} },
			`quota.carried.day: "2026-02-30" is not allowed: a day as 2026-11-22`,
		},
		"carried messages below nothing": {
			func(c *Config) { c.Quota.Carried = Carried{Day: "2026-11-22", Messages: -1} },
			"quota.carried.messages: -1 is not allowed: 0..1000000000000",
		},
		"a policy that is none": {
			func(c *Config) { c.Limits.MessagePolicy = "soft" },
			`limits.messagePolicy: "soft" is not allowed: Soft, Hard`,
		},
		"free and Soft": {
			func(c *Config) { c.Tier, c.Limits.MessagePolicy = TierFree, MessagePolicySoft },
			`limits.messagePolicy: "Soft" is not allowed: Hard for the tier Free`,
		},
		"no keys": {
			func(c *Config) { c.Auth.Keys = nil }, "auth.keys: 0 keys are not allowed: 1..8",
		},
		"nine keys": {
			func(c *Config) {
				c.Auth.Keys = nil
				for i := range 9 {
					c.Auth.Keys = append(c.Auth.Keys, Key{Name: string(rune('a' + i)), Value: keyA})
				}
			}, "auth.keys: 9 keys are not allowed: 1..8",
		},
		"a key without a name": {
			func(c *Config) { c.Auth.Keys[0].Name = "" },
			`auth.keys[0].name: "" is not allowed: 1..64 letters, digits, '.', '_' and '-'`,
		},
		"two keys of one name": {
			func(c *Config) { c.Auth.Keys = append(c.Auth.Keys, Key{Name: "primary", Value: keyB}) },
			`auth.keys[1].name: "primary" is not allowed: auth.keys[0] has this name`,
		},
		"a short key": {
			func(c *Config) { c.Auth.Keys[0].Value = "short-and-secret" },
			"auth.keys[0].value: 16 characters are not allowed: 32..1024",
		},
		"a long key": {
			func(c *Config) { c.Auth.Keys[0].Value = Secret(long(1025)) },
			"auth.keys[0].value: 1025 characters are not allowed: 32..1024",
		},
		"a key that breaks connection strings": {
			func(c *Config) { c.Auth.Keys[0].Value = keyA + ";x" },
			"auth.keys[0].value: a character in it is not allowed: printable ASCII without space and semicolon",
		},
		"a key with a line end": {
			func(c *Config) { c.Auth.Keys[0].Value = keyA + "\n" },
			"auth.keys[0].value: a character in it is not allowed: printable ASCII without space and semicolon",
		},
		"the emulator's key on all addresses": {
			func(c *Config) { c.Auth.Keys[0].Value = EmulatorKey },
			"auth.keys[0].value: the emulator's published key is not allowed: a key of your own, as listen.client " +
				`":8888" is not a loopback address`,
		},
		"a short connection-token key": {
			func(c *Config) { c.Auth.ConnectionTokenKey = "x" },
			"auth.connectionTokenKey: 1 characters are not allowed: 32..1024",
		},
		"a short admin token": {
			func(c *Config) { c.Auth.AdminToken = "x" }, "auth.adminToken: 1 characters are not allowed: 16..1024",
		},
		"an audience host with a scheme": {
			func(c *Config) { c.Auth.AudienceHosts = []string{"ok", "https://x"} },
			`auth.audienceHosts[1]: "https://x" is not allowed: a host name or IP address, without scheme, port and path`,
		},
		"an endless skew": {
			func(c *Config) { c.Auth.ClockSkewSeconds = 601 }, "auth.clockSkewSeconds: 601 is not allowed: 0..600",
		},
		"no origins": {
			func(c *Config) { c.CORS.AllowedOrigins = nil },
			`cors.allowedOrigins: 0 entries are not allowed: 1..100: "*" alone, or origins as https://example.com`,
		},
		"every origin and one": {
			func(c *Config) { c.CORS.AllowedOrigins = []string{"https://x", "*"} },
			`cors.allowedOrigins[1]: "*" is not allowed: "*" alone, or origins as https://example.com`,
		},
		"an origin with a path": {
			func(c *Config) { c.CORS.AllowedOrigins = []string{"https://x/"} },
			`cors.allowedOrigins[0]: "https://x/" is not allowed: "*" alone, or origins as https://example.com`,
		},
		"no message size": {
			func(c *Config) { c.Limits.MaxMessageBytes = 0 },
			"limits.maxMessageBytes: 0 is not allowed: 1024..16777216",
		},
		"frames smaller than messages": {
			func(c *Config) { c.Limits.MaxServiceFrameBytes = 1 << 20 },
			"limits.maxServiceFrameBytes: 1048576 is not allowed: more than limits.maxMessageBytes (1048576)",
		},
		"silence shorter than pings": {
			func(c *Config) { c.Timeouts.ServerSilenceSeconds = 5 },
			"timeouts.serverSilenceSeconds: 5 is not allowed: more than timeouts.serverPingSeconds (5)",
		},
		"a negative wait": {
			func(c *Config) { c.Timeouts.IdleSeconds = -1 }, "timeouts.idleSeconds: -1 is not allowed: 0..604800",
		},
		"a proxy by name": {
			func(c *Config) { c.TrustedProxies = []string{"10.0.0.1", "proxy"} },
			`trustedProxies[1]: "proxy" is not allowed: an IP address or a network as 10.0.0.0/8`,
		},
		"an unknown level": {
			func(c *Config) { c.Log.Level = "trace" }, `log.level: "trace" is not allowed: debug, info, warn, error`,
		},
		"an unknown format": {
			func(c *Config) { c.Log.Format = "" }, `log.format: "" is not allowed: json, text`,
		},
		"several faults at once": {
			func(c *Config) { c.Units, c.Log.Level = -1, "x" },
			"units: -1 is not allowed: 1..100 for the tier Standard\n" +
				`log.level: "x" is not allowed: debug, info, warn, error`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := withKey()
			tt.change(c)
			got := ""
			if err := c.Validate(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("Validate:\nwant %s\ngot  %s", tt.want, got)
			}
		})
	}
}

func TestEmulatorKeyIsForLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:8888":           true,
		"127.9.9.9:1":              true,
		"[::1]:8888":               true,
		"[::ffff:127.0.0.1]:80":    true,
		"localhost:80":             true,
		"LOCALHOST:80":             true,
		":8888":                    false,
		"0.0.0.0:8888":             false,
		"[::]:8888":                false,
		"10.0.0.1:8888":            false,
		"example.com:80":           false,
		"localhost.example.com:80": false,
		"nonsense":                 false,
	} {
		c := Dev()
		c.Listen.Client = address
		if err := c.Validate(); (err == nil) != want {
			t.Errorf("the emulator's key on %s: want allowed %v, got %v", address, want, err)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	c := withKey()
	for range 10_000 {
		c.TrustedProxies = append(c.TrustedProxies, "x")
	}
	for name, err := range map[string]error{
		"of values": c.Validate(),
		"of shape":  func() error { _, err := Parse([]byte(strings.Repeat("a: b\n", 10_000))); return err }(),
	} {
		if err == nil || strings.Count(err.Error(), "\n") != maxProblems-1 {
			t.Errorf("faults %s: want %d, got %d", name, maxProblems, strings.Count(err.Error(), "\n")+1)
		}
	}
}
