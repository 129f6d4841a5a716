//go:build linux

package load

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/signalr-operator/signalr-operator/edge/config"
)

func TestConnectionStrings(t *testing.T) {
	cases := map[string]struct {
		text string
		want Endpoint
		err  string
	}{
		"port in the endpoint": {
			"Endpoint=http://127.0.0.1:8888;AccessKey=a=b=;Version=1.0;",
			Endpoint{"127.0.0.1:8888", "http://127.0.0.1/", "a=b="},
			"",
		},
		"port of its own, keys without case": {
			"endpoint=http://h/;accesskey=k;PORT=8080", Endpoint{"h:8080", "http://h/", "k"}, "",
		},
		"no key":           {"Endpoint=http://h;Version=1.0", Endpoint{}, "AccessKey are required"},
		"a key seen twice": {"Endpoint=http://h;AccessKey=a;accesskey=b", Endpoint{}, "twice"},
		"TLS":              {"Endpoint=https://h;AccessKey=a", Endpoint{}, "only http"},
		"port too large":   {"Endpoint=http://h;AccessKey=a;Port=70000", Endpoint{}, "1 to 65535"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseConnectionString(c.text)
			if (c.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("want error %q, got %v", c.err, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestClientTokenHasFiveClaimsAndTheReservedOnes(t *testing.T) {
	e := Endpoint{Audience: "http://h/", AccessKey: "key"}
	text, err := e.ClientToken("chat", 7, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	got := jwt.MapClaims{}
	_, err = jwt.ParseWithClaims(text, got, func(*jwt.Token) (any, error) { return []byte("key"), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithAudience("http://h/client/?hub=chat"), jwt.WithExpirationRequired())
	if err != nil {
		t.Fatal(err)
	}
	for _, reserved := range []string{"aud", "iss", "nbf", "iat", "exp"} {
		if _, ok := got[reserved]; !ok {
			t.Errorf("want claim %q", reserved)
		}
		delete(got, reserved)
	}
	want := jwt.MapClaims{
		"asrs.s.uid": "bench-000007", "nameid": "bench-000007", "unique_name": "Bench Client 7",
		"role": "member", "email": "bench-000007@bench.example",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if i, ok := ClientIndex("bench-000007"); !ok || i != 7 {
		t.Errorf("want index 7, got %d %v", i, ok)
	}
	if _, ok := ClientIndex("somebody"); ok {
		t.Error("want no index for a user that the bench did not make")
	}
}

func TestStampsAreFoundAmongOtherBytes(t *testing.T) {
	one, two := []byte(emptyDatum(60)), []byte(emptyDatum(0))
	putStamp(one, 1234567890123456789, 42, 7)
	putStamp(two, 5, publisherSender, 4294967295)
	if len(one) != 60 || len(two) != StampSize {
		t.Errorf("want data of 60 and %d bytes, got %d and %d", StampSize, len(one), len(two))
	}
	b := bytes.Join([][]byte{
		[]byte("T=T=1234 T="), one, []byte(" T=no stamp at all, really, none here "), two, []byte("T=12"),
	}, nil)
	var got []stamp
	for {
		s, rest, ok := nextStamp(b)
		if !ok {
			break
		}
		got, b = append(got, s), rest
	}
	want := []stamp{{1234567890123456789, 42, 7}, {5, publisherSender, 4294967295}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(stamp{})); diff != "" {
		t.Error(diff)
	}
}

func TestPercentilesNeverFlatter(t *testing.T) {
	var h, other Histogram
	for i := range 1000 {
		h.Add(int64(i+1) * int64(time.Millisecond))
	}
	other.Add(-5)
	d := Summarize(&h, &other)
	for name, c := range map[string]struct{ exact, got float64 }{
		"p50": {500, d.P50}, "p90": {900, d.P90}, "p99": {990, d.P99}, "p99.9": {999, d.P999},
	} {
		if c.got < c.exact-1 || c.got > c.exact*1.02 {
			t.Errorf("%s: want %v to 2 %% above it, got %v", name, c.exact, c.got)
		}
	}
	if d.Count != 1001 || d.Max != 1000 {
		t.Errorf("want 1001 values, the largest 1000 ms, got %+v", d)
	}
	h.Reset()
	if d := Summarize(&h); d != (Distribution{}) {
		t.Errorf("want an empty distribution after Reset, got %+v", d)
	}
	for _, v := range []uint64{0, 63, 64, 65, 127, 128, 1 << 40, 1<<63 - 1} {
		if i := bucketOf(v); bucketLow(i) > v || bucketLow(i+1) <= v {
			t.Errorf("%d is not within bucket %d: %d to %d", v, i, bucketLow(i), bucketLow(i+1))
		}
	}
}

func TestClientFramesComeApart(t *testing.T) {
	for _, n := range []int{0, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte("x"), n)
		masked := clientFrame(opText, payload)
		if masked[0] != 0x81 || masked[1]&0x80 == 0 {
			t.Fatalf("want a final masked text frame, got % x", masked[:2])
		}
		// A server's frame is the same without mask bit and key.
		key := len(masked) - n - 4
		frame := append(bytes.Clone(masked[:key]), payload...)
		frame[1] &= 0x7f
		for cut := range min(len(frame), 20) {
			if _, _, _, ok := nextFrame(frame[:cut]); ok && cut < len(frame) {
				t.Errorf("%d bytes: want incomplete after %d", n, cut)
			}
		}
		op, got, rest, ok := nextFrame(append(frame, "rest"...))
		if !ok || op != opText || len(got) != n || string(rest) != "rest" {
			t.Errorf("%d bytes: got opcode %d, %d bytes, rest %q, %v", n, op, len(got), rest, ok)
		}
	}
}

func TestCallsAreReadAsTheyAreWritten(t *testing.T) {
	long := strings.Repeat("x", 70000)
	for _, p := range []Protocol{JSON, MessagePack} {
		for name, c := range map[string]struct {
			id   string
			args []string
			want call
		}{
			"a send": {
				"", []string{"datum"}, call{target: []byte("echo"), datum: []byte("datum")},
			},
			"an invocation with two": {
				"1", []string{"key", "datum"}, call{[]byte("1"), []byte("echo"), []byte("key"), []byte("datum")},
			},
			"a datum above every header": {
				"1", []string{long}, call{[]byte("1"), []byte("echo"), nil, []byte(long)},
			},
		} {
			msg, rest, ok := p.nextMessage(append(p.invocation(c.id, "echo", c.args...), "rest"...))
			if !ok || string(rest) != "rest" {
				t.Fatalf("%v, %s: want a whole message and the rest, got %q %v", p, name, rest, ok)
			}
			got, ok, err := p.parseCall(msg)
			if err != nil || !ok {
				t.Fatalf("%v, %s: %v %v", p, name, ok, err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(call{})); diff != "" {
				t.Errorf("%v, %s: %s", p, name, diff)
			}
		}
		if _, ok, err := p.parseCall(p.ping()); ok || err != nil {
			t.Errorf("%v: want a ping to be no call and no error, got %v %v", p, ok, err)
		}
	}
}

func TestMessagesAreTheHubProtocols(t *testing.T) {
	if got, want := string(JSON.invocation("1", "echo", "a", "b")),
		`{"type":1,"invocationId":"1","target":"echo","arguments":["a","b"]}`+"\x1e"; got != want {
		t.Errorf("want %q, got %q", want, got)
	}
	if got, want := string(JSON.clientCall([]byte("d"))), string(JSON.invocation("", "m", "d")); got != want {
		t.Errorf("want %q, got %q", want, got)
	}
	if got, want := string(JSON.completion([]byte("1"), []byte("d"))),
		`{"type":3,"invocationId":"1","result":"d"}`+"\x1e"; got != want {
		t.Errorf("want %q, got %q", want, got)
	}
	for name, c := range map[string]struct {
		msg  []byte
		want []any
	}{
		"invocation": {
			MessagePack.clientCall([]byte("d")),
			[]any{int8(1), map[string]any{}, nil, "m", []any{"d"}, []any{}},
		},
		"completion": {
			MessagePack.completion([]byte("1"), []byte("d")),
			[]any{int8(3), map[string]any{}, "1", int8(3), "d"},
		},
	} {
		var got []any
		if err := msgpack.Unmarshal(c.msg[1:], &got); err != nil || int(c.msg[0]) != len(c.msg)-1 {
			t.Fatalf("%s: %v, prefix %d of %d bytes", name, err, c.msg[0], len(c.msg))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if got := len(JSON.clientCall([]byte(datumFor(100)))); got != 100 {
		t.Errorf("want a record of 100 bytes, got %d", got)
	}
	for p, msg := range map[Protocol]string{JSON: "{\"type\":7,\"error\":\"x\"}\x1e", MessagePack: "\x03\x92\x07\xc0"} {
		if !p.isClose([]byte(msg)) || p.isClose(p.ping()) {
			t.Errorf("%v: want Close to be told from Ping", p)
		}
	}
}

func TestTemplatesArePatchedInPlace(t *testing.T) {
	for _, p := range []Protocol{JSON, MessagePack} {
		tpl := Traffic{Method: methodGroup, Size: 200}.template(p)
		copy(tpl.frame[tpl.key:], GroupName(12))
		putStamp(tpl.frame[tpl.stamp:], 99, 3, 4)
		header := len(appendClientHeader(nil, 0, 200)) // 126 to 65535 bytes have one length of header
		c, ok, err := p.parseCall(tpl.frame[header:])
		if err != nil || !ok || string(c.key) != "g00012" {
			t.Fatalf("%v: got key %q, %v %v", p, c.key, ok, err)
		}
		if s, _, ok := nextStamp(c.datum); !ok || s != (stamp{99, 3, 4}) {
			t.Errorf("%v: got stamp %+v %v", p, s, ok)
		}
	}
}

func TestGroupsHoldEveryClientOnce(t *testing.T) {
	for _, c := range []struct{ clients, groups int }{{100, 10}, {103, 10}, {7, 7}} {
		sum := 0
		for g := range c.groups {
			sum += groupSize(g, c.clients, c.groups)
		}
		if sum != c.clients {
			t.Errorf("%d clients in %d groups: sizes add up to %d", c.clients, c.groups, sum)
		}
	}
}

func TestFloorCountsItsCalls(t *testing.T) {
	f, err := StartFloor(t.Context(), 10, 2, 102)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	for range 2 {
		r, err := f.Run(t.Context(), 5, 50)
		if err != nil {
			t.Fatal(err)
		}
		if r.Calls != 50 || r.Refused != 0 || r.CPUMicrosPerCall <= 0 || r.Seconds < 0.079 {
			t.Errorf("want 50 calls over 80 ms, got %+v", r)
		}
	}
}

func TestEdgeConfigIsOneTheEdgeReads(t *testing.T) {
	name := filepath.Join(t.TempDir(), "edge.yaml")
	if err := os.WriteFile(name, edgeConfig("127.0.0.1:1", "127.0.0.1:2"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.ConnectionLimit(); got != 100_000 {
		t.Errorf("want the connections of 100 units, got %d", got)
	}
}

func TestDocumentsKeepWhatIsAroundTheMarkers(t *testing.T) {
	name := filepath.Join(t.TempDir(), "performance.md")
	for _, text := range []string{"first", "second\n"} {
		if err := WriteDocs(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if want := docsHead + docsBegin + "\nsecond\n" + docsEnd + "\n"; string(got) != want {
		t.Errorf("want %q, got %q", want, got)
	}
	around := func(text string) string { return "a\n" + docsBegin + "\n" + text + "\n" + docsEnd + "\nb\n" }
	if got, want := splice(around("old"), "new"), around("new"); got != want {
		t.Errorf("want %q, got %q", want, got)
	}
}

func TestBarsAreJudged(t *testing.T) {
	ratio := func(edge, floor float64) Pair {
		return Pair{Edge: Result{EdgeCPU: edge}, Floor: FloorRun{CPUMicrosPerCall: floor}, Ratio: edge / floor}
	}
	s := SuiteResult{
		Idle:  Result{Memory: &Memory{PerConnection: 1500}},
		Pairs: []Pair{ratio(6, 5), ratio(10, 5), ratio(7, 5)},
		Slow:  Result{Slow: &Slow{Stalled: 10, Cut: 9, P99Ratio: 1}},
	}
	s.Bars = s.judge()
	got := map[string]string{}
	for _, b := range s.Bars {
		verdict := "none"
		if b.Met != nil {
			verdict = map[bool]string{true: "met", false: "missed"}[*b.Met]
		}
		got[strings.SplitN(b.Name, " ", 3)[0]+" "+strings.SplitN(b.Name, " ", 3)[1]] += verdict
	}
	want := map[string]string{
		"RSS per": "met", "edge CPU": "missednone", "echo through": "none", "`signalr-edge dev`": "none",
		"10 clients": "missed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s.Missed() != 5 {
		t.Errorf("want 5 bars not met, got %d", s.Missed())
	}
	if text := string(s.Markdown("make bench")); !strings.Contains(text, "1.40 × (1.20 to 2.00, 3 pairs)") {
		t.Errorf("want median and range of the ratio, got:\n%s", text)
	}
}

func TestReasonsAreReadFromMetrics(t *testing.T) {
	before := countedReasons([]byte(`# HELP signalr_edge_closed_total Connections that ended.
signalr_edge_closed_total{category="x",endpoint="client",reason="slow_peer"} 2
signalr_edge_closed_total{category="y",endpoint="client",reason="normal"} 7
signalr_edge_deliveries_total 12
`))
	after := countedReasons([]byte(`signalr_edge_closed_total{category="x",endpoint="client",reason="slow_peer"} 1002
signalr_edge_closed_total{category="y",endpoint="client",reason="normal"} 7
signalr_edge_dropped_total{reason="no_payload"} 1e+06
`))
	want := map[string]int{"closed: slow_peer": 1000, "dropped: no_payload": 1_000_000}
	if diff := cmp.Diff(want, since(before, after)); diff != "" {
		t.Error(diff)
	}
}
