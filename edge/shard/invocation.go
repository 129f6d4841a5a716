package shard

import (
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// invocationLife is how long a client result may take, in seconds (spec 5.7).
const invocationLife = 600

// invocation is a client result that another app server waits for than the one that carries the client.
type invocation struct {
	caller   Link
	serverID string
	session  *session
	expires  uint32
}

// dispatchInvocation takes the messages of client results (spec 5.7). They are handled where the client lives.
func (x *Shards) dispatchInvocation(from Link, m service.Message) {
	switch m := m.(type) {
	case *service.ClientInvocation:
		payloads, size := encode(m.Payloads)
		x.metrics.ClientInvocations.Inc()
		x.toOne(m.ConnectionID, size, func(sh *shard) { sh.invoke(from, m, payloads) })
	case *service.ClientCompletion:
		done := *m
		done.Payload = append([]byte(nil), m.Payload...)
		x.toOne(m.ConnectionID, len(done.Payload), func(sh *shard) { sh.completed(from, &done) })
	case *service.ErrorCompletion:
		x.toOne(m.ConnectionID, 0, func(sh *shard) {
			v, ok := sh.invocations[m.InvocationID]
			if !ok {
				return
			}
			sh.forgetInvocation(m.InvocationID)
			if v.caller.ServerID() != from.ServerID() {
				sh.send(v.caller, m)
			}
		})
	}
}

// invoke passes an invocation on to the client. Its answer reaches the caller by way of the app server that carries
// the client.
func (sh *shard) invoke(from Link, m *service.ClientInvocation, payloads []encoded) {
	s := sh.connection(from.Hub(), m.ConnectionID)
	if s == nil {
		sh.failInvocation(from, m.InvocationID, m.ConnectionID, m.CallerServerID)
		return
	}
	f := frameFor(payloads, s.list)
	if f == nil {
		sh.send(from, &service.ErrorCompletion{
			InvocationID: m.InvocationID, ConnectionID: m.ConnectionID, CallerServerID: m.CallerServerID,
			Error: "The invocation has no payload in the client's hub protocol.",
		})
		return
	}
	if s.link.ServerID() != from.ServerID() {
		// The router must know the id before the answer comes; an empty map says there is nothing to send.
		sh.send(s.link, &service.ClientInvocation{
			InvocationID: m.InvocationID, ConnectionID: m.ConnectionID, CallerServerID: m.CallerServerID,
		})
		sh.send(from, &service.ServiceMapping{
			InvocationID: m.InvocationID, ConnectionID: m.ConnectionID, InstanceID: sh.owner.node,
		})
		sh.invocations[m.InvocationID] = invocation{
			caller: from, serverID: m.CallerServerID, session: s, expires: sh.now + invocationLife,
		}
		x := s.rare()
		x.invocations = append(x.invocations, m.InvocationID)
	}
	if hold := from.InvocationHold(); hold > 0 {
		x := s.rare()
		x.holds++
		sh.keep(s, holdInvocation)
		sh.owner.after(hold, sh, func(sh *shard) {
			if x.holds--; x.holds == 0 {
				sh.release(s, holdInvocation)
			}
		})
	}
	sh.deliverFrame(s, f)
}

// completed takes the result from the app server that carries the client. From the caller itself it only says that
// the invocation is over (spec trap 25).
func (sh *shard) completed(from Link, m *service.ClientCompletion) {
	v, ok := sh.invocations[m.InvocationID]
	if !ok {
		return
	}
	sh.forgetInvocation(m.InvocationID)
	if v.caller.ServerID() == from.ServerID() {
		return
	}
	sh.send(v.caller, &service.ClientCompletion{
		InvocationID: m.InvocationID, ConnectionID: m.ConnectionID, CallerServerID: v.serverID,
		Protocol: m.Protocol, Payload: m.Payload,
	})
}

func (sh *shard) failInvocation(to Sender, id, connectionID, serverID string) {
	sh.send(to, &service.ErrorCompletion{
		InvocationID: id, ConnectionID: connectionID, CallerServerID: serverID,
		Error: "Connection '" + connectionID + "' is disconnected.",
	})
}

func (sh *shard) forgetInvocation(id string) {
	v, ok := sh.invocations[id]
	if !ok {
		return
	}
	delete(sh.invocations, id)
	if x := v.session.extra; x != nil {
		for i, other := range x.invocations {
			if other == id {
				x.invocations = append(x.invocations[:i], x.invocations[i+1:]...)
				break
			}
		}
	}
}

// dropInvocations fails the client results that others wait for from s.
func (sh *shard) dropInvocations(s *session) {
	for _, id := range s.extra.invocations {
		if v, ok := sh.invocations[id]; ok {
			delete(sh.invocations, id)
			sh.failInvocation(v.caller, id, s.id, v.serverID)
		}
	}
	s.extra.invocations = nil
}

// forgetCaller drops what a lost server connection waits for.
func (sh *shard) forgetCaller(link Link) {
	for id, v := range sh.invocations {
		if v.caller == link {
			sh.forgetInvocation(id)
		}
	}
}

// expireInvocations fails what takes too long.
func (sh *shard) expireInvocations() {
	for id, v := range sh.invocations {
		if v.expires <= sh.now {
			sh.forgetInvocation(id)
			sh.send(v.caller, &service.ErrorCompletion{
				InvocationID: id, ConnectionID: v.session.id, CallerServerID: v.serverID,
				Error: "The client did not answer in time.",
			})
		}
	}
}

// after runs f in sh when d has passed.
func (x *Shards) after(d time.Duration, sh *shard, f func(*shard)) {
	time.AfterFunc(d, func() { sh.postMust(command{do: f}) })
}
