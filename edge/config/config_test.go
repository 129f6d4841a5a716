package config

import (
	"flag"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	keyA = "test-key-a-0123456789abcdefghijklmnopqr"
	keyB = "test-key-b-0123456789abcdefghijklmnopqr"
)

// valid is the smallest good file.
const valid = "auth: {keys: [{name: primary, value: " + keyA + "}]}\n"

// withKey is Default with one key: what valid says.
func withKey() *Config {
	c := Default()
	c.Auth.Keys = []Key{{Name: "primary", Value: keyA}}
	return c
}

// full is what testdata/full.yaml says.
func full() *Config {
	return &Config{
		ConfigVersion: 1,
		Node:          "chat-edge-0",
		Listen: Listen{
			Client: ":8888", Admin: ":8889",
			TLS: &TLS{CertFile: "/etc/signalr/tls/tls.crt", KeyFile: "/etc/signalr/tls/tls.key"},
		},
		ServiceMode: ServiceModeDefault,
		Tier:        TierStandard,
		Units:       2,
		Quota: Quota{
			Connections: 2000, MessagesPerDay: 2_000_000, Carried: Carried{Day: "2026-11-22", Messages: 150_000},
		},
		Auth: Auth{
			Keys: []Key{
				{Name: "primary", Value: "example-primary-key-0123456789abcdefghijklmno="},
				{Name: "secondary", Value: "example-secondary-key-0123456789abcdefghijklm="},
				{
					Name: "previous", Value: "example-previous-key-0123456789abcdefghijklmn=",
					NotAfter: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
				},
			},
			ConnectionTokenKey: "example-connection-token-key-0123456789=",
			AudienceHosts:      []string{"chat.example.com", "chat.default.svc"},
			ClockSkewSeconds:   60,
			AdminToken:         "example-admin-token-0123456789",
		},
		CORS: CORS{AllowedOrigins: []string{"https://chat.example.com", "http://localhost:3000"}},
		Limits: Limits{
			MessagePolicy: MessagePolicyHard, MaxMessageBytes: 1048576, MaxServiceFrameBytes: 16777216,
			SendQueueBytes: 1048576, ServerQueueBytes: 8388608, SlowPeerSeconds: 10,
		},
		Timeouts: Timeouts{
			HandshakeSeconds: 15, IdleSeconds: 1800, ServerPingSeconds: 5, ServerSilenceSeconds: 30,
			NoServerWaitSeconds: 5, ConnectSeconds: 15, ReadHeaderSeconds: 10,
		},
		TrustedProxies: []string{"10.0.0.0/8", "fd00::/8", "192.0.2.7"},
		Drain:          Drain{ReadinessDelaySeconds: 5, Seconds: 60},
		Log:            Log{Level: LogLevelInfo, Format: LogFormatJSON},
	}
}

func TestLoadSample(t *testing.T) {
	got, err := Load(filepath.Join("testdata", "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got); diff != "" {
		t.Errorf("full.yaml (-want +got):\n%s", diff)
	}
}

// TestSampleShowsEveryField fails when a field is added and the sample is not: a field that is zero there is missing.
func TestSampleShowsEveryField(t *testing.T) {
	var check func(path string, v reflect.Value)
	check = func(path string, v reflect.Value) {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[time.Time]() {
			if !v.IsValid() || v.IsZero() {
				t.Errorf("%s is not in the sample", path)
			}
			return
		}
		for i := range v.NumField() {
			check(path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	}
	c := full()
	check("Config", reflect.ValueOf(*c))
	check("Key", reflect.ValueOf(c.Auth.Keys[2]))
}

func TestMarshalGolden(t *testing.T) {
	for name, c := range map[string]*Config{"full": full(), "default": withKey()} {
		t.Run(name, func(t *testing.T) {
			got, err := Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".golden.yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("Marshal (-want +got):\n%s", diff)
			}
			back, err := Parse(got)
			if err != nil {
				t.Fatalf("Parse of what Marshal wrote: %v", err)
			}
			if diff := cmp.Diff(c, back); diff != "" {
				t.Errorf("round trip (-want +got):\n%s", diff)
			}
			if c.Hash() != back.Hash() {
				t.Error("the round trip changed the hash")
			}
		})
	}
}

func TestMarshalRefusesAuto(t *testing.T) {
	if b, err := Marshal(Dev()); err == nil {
		t.Errorf("Marshal of a configuration without a mode: want an error, got\n%s", b)
	}
}

func TestDefaultsFillWhatIsLeftOut(t *testing.T) {
	got, err := Parse([]byte(valid + "timeouts: {idleSeconds: 0}\nlimits:\nlog: {level: debug}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := withKey()
	want.Timeouts.IdleSeconds = 0
	want.Log.Level = LogLevelDebug
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

func TestDev(t *testing.T) {
	c := Dev()
	if err := c.Validate(); err != nil {
		t.Errorf("Validate: %v", err)
	}
	if c.ConnectionLimit() != Unlimited || c.MessageLimit() != Unlimited || c.HardMessages() {
		t.Errorf("quota: want none, got %d and %d", c.ConnectionLimit(), c.MessageLimit())
	}
	if got := c.Auth.Keys[0].Value.Reveal(); got != "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH" {
		t.Errorf("key: want the emulator's, got %s", got)
	}
	if c.Listen.Client != "127.0.0.1:8888" || c.Listen.Admin != "127.0.0.1:8889" || c.ServiceMode != ServiceModeAuto {
		t.Errorf("dev: got %+v, mode %q", c.Listen, c.ServiceMode)
	}
}

func TestQuotas(t *testing.T) {
	tests := map[string]struct {
		change                func(*Config)
		connections, messages int64
		hard                  bool
	}{
		"one standard unit": {func(*Config) {}, 1000, 1_000_000, false},
		"a hundred units":   {func(c *Config) { c.Units = 100 }, 100_000, 100_000_000, false},
		"a thousand units":  {func(c *Config) { c.Tier, c.Units = TierPremium, 1000 }, 1_000_000, 1_000_000_000, false},
		"free":              {func(c *Config) { c.Tier = TierFree }, 20, 20_000, true},
		"a share of a quota": {
			func(c *Config) { c.Units, c.Quota = 10, Quota{Connections: 334, MessagesPerDay: 5} }, 334, 5, false,
		},
		"none": {
			func(c *Config) { c.Quota = Quota{Connections: -1, MessagesPerDay: -1} }, Unlimited, Unlimited, false,
		},
		"a hard policy": {func(c *Config) { c.Limits.MessagePolicy = MessagePolicyHard }, 1000, 1_000_000, true},
		"more units than a number holds, unvalidated": {
			func(c *Config) { c.Units = math.MaxInt }, math.MaxInt64, math.MaxInt64, false,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := withKey()
			tt.change(c)
			if got := c.ConnectionLimit(); got != tt.connections {
				t.Errorf("ConnectionLimit: want %d, got %d", tt.connections, got)
			}
			if got := c.MessageLimit(); got != tt.messages {
				t.Errorf("MessageLimit: want %d, got %d", tt.messages, got)
			}
			if got := c.HardMessages(); got != tt.hard {
				t.Errorf("HardMessages: want %v, got %v", tt.hard, got)
			}
		})
	}
}

func TestProxies(t *testing.T) {
	c := withKey()
	c.TrustedProxies = []string{"10.0.0.0/8", "192.0.2.7", "::1", "nonsense", "fe80::1%eth0"}
	want := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("::1/128"),
	}
	got := c.Proxies()
	if !reflect.DeepEqual(want, got) {
		t.Errorf("Proxies: want %v, got %v", want, got)
	}
}

func TestLogLevels(t *testing.T) {
	for level, want := range map[LogLevel]slog.Level{
		LogLevelDebug: slog.LevelDebug, LogLevelInfo: slog.LevelInfo, LogLevelWarn: slog.LevelWarn,
		LogLevelError: slog.LevelError, "x": slog.LevelInfo,
	} {
		if got := level.Slog(); got != want {
			t.Errorf("Slog of %q: want %v, got %v", level, want, got)
		}
	}
}

func TestCloneSharesNothing(t *testing.T) {
	c := full()
	d := c.Clone()
	if diff := cmp.Diff(c, d); diff != "" {
		t.Fatalf("Clone (-want +got):\n%s", diff)
	}
	d.Listen.TLS.CertFile = "x"
	d.Auth.Keys[0].Name = "x"
	d.Auth.AudienceHosts[0] = "x"
	d.CORS.AllowedOrigins[0] = "x"
	d.TrustedProxies[0] = "x"
	if diff := cmp.Diff(full(), c); diff != "" {
		t.Errorf("a change of the clone changed the original (-want +got):\n%s", diff)
	}
}

func TestHash(t *testing.T) {
	a := withKey()
	if got := a.Hash(); len(got) != 64 || got != withKey().Hash() {
		t.Errorf("Hash: want 64 digits, the same each time, got %s", got)
	}
	for name, change := range map[string]func(*Config){
		"another key":   func(c *Config) { c.Auth.Keys[0].Value = keyB },
		"another token": func(c *Config) { c.Auth.AdminToken = "0123456789abcdef" },
		"another limit": func(c *Config) { c.Limits.MaxMessageBytes++ },
		"another node":  func(c *Config) { c.Node = "x" },
	} {
		b := withKey()
		change(b)
		if a.Hash() == b.Hash() {
			t.Errorf("%s does not change the hash", name)
		}
	}
}

func TestLiveReloadable(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   []string
	}{
		"nothing": {func(*Config) {}, nil},
		"everything that is live": {func(c *Config) {
			c.Auth = Auth{Keys: []Key{{Name: "x", Value: keyB}}, AdminToken: "0123456789abcdef", ClockSkewSeconds: 5}
			c.Quota = Quota{Connections: 5, MessagesPerDay: 5}
			c.Limits = Limits{MessagePolicy: MessagePolicySoft}
			c.CORS = CORS{AllowedOrigins: []string{"https://x"}}
			c.Log = Log{Level: LogLevelDebug, Format: LogFormatText}
			c.Tier, c.Units = TierPremium, 7
		}, nil},
		"everything that is not": {func(c *Config) {
			*c = Config{
				Auth: c.Auth, Quota: c.Quota, Limits: c.Limits, CORS: c.CORS, Log: c.Log,
				Tier: c.Tier, Units: c.Units, Node: "other",
			}
		}, []string{
			"configVersion", "node", "listen", "serviceMode", "timeouts", "trustedProxies", "drain",
		}},
		"a certificate":             {func(c *Config) { c.Listen.TLS.CertFile = "x" }, []string{"listen"}},
		"the same in another place": {func(c *Config) { *c = *full() }, nil},
		"a node that is not named":  {func(c *Config) { c.Node = "" }, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			next := full()
			tt.change(next)
			if diff := cmp.Diff(tt.want, LiveReloadable(full(), next)); diff != "" {
				t.Errorf("LiveReloadable (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("an empty list is no list", func(t *testing.T) {
		a, b := withKey(), withKey()
		b.TrustedProxies = []string{}
		if got := LiveReloadable(a, b); got != nil {
			t.Errorf("LiveReloadable: want nothing, got %v", got)
		}
	})
}
