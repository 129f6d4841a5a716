package appserver

import (
	"slices"
	"strings"
)

func addStreams(h *Hub) {
	h.Stream("Counter", counter)
	h.Stream("FailingStream", failingStream)
	h.Upload("Sum", sum)
	h.Stream("EchoStream", echoStream)
}

// counter streams 0 to n-1, delay milliseconds apart.
func counter(c *Context, args Args, send func(any) error) error {
	var n int
	var delay int64
	if err := args.Decode(&n, &delay); err != nil {
		return err
	}
	for i := range n {
		if i > 0 && delay > 0 {
			if err := wait(c, delay); err != nil {
				return err
			}
		}
		if err := send(i); err != nil {
			return err
		}
	}
	return nil
}

// failingStream streams one item and then an error.
func failingStream(_ *Context, args Args, send func(any) error) error {
	var text string
	if err := args.Decode(&text); err != nil {
		return err
	}
	if err := send(0); err != nil {
		return err
	}
	return &HubError{Text: text}
}

// sum adds the items of an upload.
func sum(c *Context, args Args) (any, error) {
	total := 0.0
	up := args.Stream(0)
	if up == nil {
		return nil, ErrArgument
	}
	for {
		item, ok, err := up.Next(c.Context())
		if err != nil {
			return nil, err
		}
		if !ok {
			return number(total), nil
		}
		var v float64
		if err := item.Decode(&v); err != nil {
			return nil, err
		}
		total += v
	}
}

// echoStream streams back what is uploaded.
func echoStream(c *Context, args Args, send func(any) error) error {
	up := args.Stream(0)
	if up == nil {
		return ErrArgument
	}
	for {
		item, ok, err := up.Next(c.Context())
		if err != nil || !ok {
			return err
		}
		if err := send(item); err != nil {
			return err
		}
	}
}

// whoAmI is the result of WhoAmI.
type whoAmI struct {
	ConnectionID string              `json:"connectionId"`
	UserID       string              `json:"userId"`
	Name         string              `json:"name"`
	Claims       [][2]string         `json:"claims"`
	RawClaims    [][2]string         `json:"rawClaims"`
	Headers      map[string][]string `json:"headers"`
	Query        string              `json:"query"`
	Path         string              `json:"path"`
	RemoteIP     string              `json:"remoteIp"`
	Protocol     string              `json:"protocol"`
	MigratedFrom string              `json:"migratedFrom"`
}

// serverInfo is the result of ServerInfo.
type serverInfo struct {
	ServerID string `json:"serverId"`
	CID      string `json:"cid"`
}

func addInfo(h *Hub) {
	h.Method("WhoAmI", func(c *Context, _ Args) (any, error) {
		me := whoAmI{
			ConnectionID: c.ConnectionID(), UserID: c.UserID(), Name: c.User().Name(),
			Claims: pairs(c.User().Claims), RawClaims: pairs(c.RawClaims()), Headers: map[string][]string{},
			Query: c.QueryString(), Path: c.Path(), Protocol: c.Protocol(), MigratedFrom: c.MigratedFrom(),
		}
		for name, values := range c.Headers() {
			// Lower case: HTTP names have no case and scripts compare with one.
			me.Headers[strings.ToLower(name)] = slices.Clone(values)
		}
		if ip := c.RemoteIP(); ip.IsValid() {
			me.RemoteIP = ip.String()
		}
		return me, nil
	})
	h.Method("IsInRole", func(c *Context, args Args) (any, error) {
		var role string
		if err := args.Decode(&role); err != nil {
			return nil, err
		}
		return c.User().IsInRole(role), nil
	})
	h.Method("ServerInfo", func(c *Context, _ Args) (any, error) {
		return serverInfo{ServerID: c.Hub().Server().ID(), CID: c.ServerConnectionID()}, nil
	})
}

func pairs(claims []Claim) [][2]string {
	p := make([][2]string, len(claims))
	for i, c := range claims {
		p[i] = [2]string{c.Type, c.Value}
	}
	return p
}
