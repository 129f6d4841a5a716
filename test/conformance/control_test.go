package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
)

// Folders of the programs under test, and what the conformance hub is called.
const (
	edgeFolder       = "./edge/cmd/edge"
	echoserverFolder = "./test/appserver/cmd/echoserver"

	hubPath = "/conformance"
	hubName = "conformance"

	// accessKey is the dev service's default, the published key of the vendor's emulator.
	accessKey = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
)

// node is an edge process with an app server of its own. Its addresses stay the same over restarts.
type node struct {
	Name     string `json:"name"`
	Endpoint string `json:"endpoint"`
	// App is the address of the hub at the app server.
	App string `json:"app"`

	w         *world
	listen    string
	admin     string
	appListen string

	mu sync.Mutex
	// edge and app are guarded by mu: the processes that run, or ran last.
	edge *process
	app  *process
}

// world is every process of a test run, and the server through which the suite starts and stops them.
type world struct {
	t   *testing.T
	bin string

	mu sync.Mutex
	// nodes is guarded by mu.
	nodes map[string]*node
}

// newNode starts an edge and its app server and returns when clients may come.
func (w *world) newNode() (*node, error) {
	n := &node{w: w}
	for _, address := range []*string{&n.listen, &n.admin, &n.appListen} {
		var err error
		if *address, err = freeAddress(w.t.Context()); err != nil {
			return nil, err
		}
	}
	n.Endpoint = "http://" + n.listen
	n.App = "http://" + n.appListen + hubPath
	w.mu.Lock()
	n.Name = fmt.Sprintf("node%d", len(w.nodes)+1)
	w.nodes[n.Name] = n
	w.mu.Unlock()
	if err := n.startEdge(); err != nil {
		return nil, err
	}
	return n, n.startApp()
}

func (n *node) startEdge() error {
	p, err := start(n.w.t, n.Name+" edge", filepath.Join(n.w.bin, "signalr-edge"),
		"dev", "--listen", n.listen, "--admin", n.admin, "--mode", "Default")
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.edge = p
	n.mu.Unlock()
	return p.ready(n.w.t.Context(), answers(http.MethodGet, n.Endpoint+"/api/health"))
}

func (n *node) startApp() error {
	p, err := start(n.w.t, n.Name+" app server", filepath.Join(n.w.bin, "echoserver"),
		"--listen", n.appListen,
		"--connection-string", fmt.Sprintf("Endpoint=%s;AccessKey=%s;Version=1.0;", n.Endpoint, accessKey))
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.app = p
	n.mu.Unlock()
	// Negotiate answers 500 until a server connection is up.
	return p.ready(n.w.t.Context(), answers(http.MethodPost, n.App+"/negotiate?negotiateVersion=1"))
}

// processes returns the node's edge and app server.
func (n *node) processes() (edge, app *process) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.edge, n.app
}

// handler is the control server: POST only, JSON answers, one path per thing that can be done to a process.
func (w *world) handler(main *node) http.Handler {
	mux := http.NewServeMux()
	do := func(pattern string, f func(*http.Request) (any, error)) {
		mux.HandleFunc("POST "+pattern, func(res http.ResponseWriter, req *http.Request) {
			answer, err := f(req)
			if err != nil {
				http.Error(res, err.Error(), http.StatusInternalServerError)
				return
			}
			res.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(res).Encode(answer)
		})
	}
	onNode := func(f func(*http.Request, *node) (any, error)) func(*http.Request) (any, error) {
		return func(req *http.Request) (any, error) {
			w.mu.Lock()
			n := w.nodes[req.PathValue("name")]
			w.mu.Unlock()
			if n == nil {
				return nil, fmt.Errorf("no node %q", req.PathValue("name"))
			}
			return f(req, n)
		}
	}

	do("/appserver/kill", func(*http.Request) (any, error) {
		_, app := main.processes()
		app.kill()
		return main, nil
	})
	do("/appserver/start", func(*http.Request) (any, error) {
		return main, main.startApp()
	})
	do("/nodes/start", func(*http.Request) (any, error) {
		return w.newNode()
	})
	do("/nodes/{name}/terminate", onNode(func(_ *http.Request, n *node) (any, error) {
		edge, _ := n.processes()
		edge.terminate()
		return n, nil
	}))
	do("/nodes/{name}/exit", onNode(func(req *http.Request, n *node) (any, error) {
		edge, _ := n.processes()
		select {
		case <-edge.done:
			return map[string]int{"code": edge.code}, nil
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}))
	do("/nodes/{name}/again", onNode(func(_ *http.Request, n *node) (any, error) {
		return n, n.startEdge()
	}))
	do("/nodes/{name}/stop", onNode(func(_ *http.Request, n *node) (any, error) {
		edge, app := n.processes()
		app.stop()
		edge.stop()
		return n, nil
	}))
	return mux
}

// control serves handler until the test ends and returns its address.
func (w *world) control(main *node) string {
	s := httptest.NewServer(w.handler(main))
	w.t.Cleanup(s.Close)
	return s.URL
}
