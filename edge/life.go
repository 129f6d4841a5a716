package edge

import (
	"context"
	"strings"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// drainStep is how often a drain closes some more clients.
const drainStep = 100 * time.Millisecond

// Reload puts a new configuration in force as far as that is possible while running: tier and units, auth, quota,
// limits, cors and log. It returns the changed fields that need a restart; nothing of them is in force. err is that of
// a file that could not be used: the configuration in force stays.
func (n *Node) Reload(next *config.Config, err error) (restart []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	refuse := func(why error) {
		n.configError = why.Error()
		n.metrics.Reloads.WithLabelValues("refused").Inc()
		n.log.Error("configuration refused, the last good one stays in force", "err", why)
	}
	if err != nil {
		refuse(err)
		return nil
	}
	keys, options, err := accessKeys(next)
	if err != nil {
		refuse(err)
		return nil
	}
	restart = config.LiveReloadable(n.cfg, next)
	merged := n.cfg.Clone()
	merged.Tier, merged.Units, merged.Auth, merged.Quota, merged.Limits, merged.CORS, merged.Log =
		next.Tier, next.Units, next.Auth, next.Quota, next.Limits, next.CORS, next.Log
	n.cfg = merged
	n.configError = ""
	if len(restart) > 0 {
		n.configError = "these fields are in force after a restart only: " + strings.Join(restart, ", ")
	}
	n.verifier.Set(keys, options)
	n.quota.SetLimit(merged.ConnectionLimit())
	n.messages.SetLimit(merged.MessageLimit(), merged.HardMessages())
	n.carry(merged)
	n.shards.SetLimits(limits(merged))
	n.registry.SetSettings(serverSettings(merged))
	n.handler.SetSettings(doorSettings(merged))
	if n.options.Level != nil {
		n.options.Level.Set(merged.Log.Level.Slog())
	}
	n.showQuota()
	n.metrics.Reloads.WithLabelValues("ok").Inc()
	n.log.Info("configuration reloaded", "hash", merged.Hash(), "restart", restart)
	return restart
}

// Drain takes the node out of service as design.md section 6 says: it leaves readiness, keeps serving for the
// readiness delay, then takes nobody in any more and closes its clients evenly over the drain's seconds, each with
// the permission to reconnect, and at last the server connections. It returns when all are gone, or cuts what is left
// when ctx ends.
func (n *Node) Drain(ctx context.Context) {
	if n.draining.Swap(true) {
		return
	}
	cfg := n.config()
	n.ready.Store(false)
	n.metrics.Draining.Set(1)
	n.log.Info("drain started", "clients", n.quota.Count(), "readinessDelay", cfg.Drain.ReadinessDelaySeconds,
		"seconds", cfg.Drain.Seconds)
	n.pause(ctx, time.Duration(cfg.Drain.ReadinessDelaySeconds)*time.Second)

	n.handler.Drain()
	n.publicServer.SetKeepAlivesEnabled(false)
	_ = n.public.Close() // who comes now shall find another edge, or the next one on this address
	n.registry.Announce(&service.ServiceEvent{
		ObjectType: service.EventServiceInstance, ID: n.id, Kind: service.EventReloading,
		Message: reason.Drain.Info().Text,
	})
	n.closeEvenly(ctx, time.Duration(cfg.Drain.Seconds)*time.Second)
	n.Stop()
	n.log.Info("drain finished")
}

// closeEvenly closes all clients at an even pace over the time given, and waits until they are gone.
func (n *Node) closeEvenly(ctx context.Context, over time.Duration) {
	start, total, closed := time.Now(), n.quota.Count(), int64(0)
	for ctx.Err() == nil {
		left, elapsed := n.quota.Count(), time.Since(start)
		if left == 0 || elapsed > over+closeGrace {
			return
		}
		due := left
		if elapsed < over {
			due = int64(float64(total)*float64(elapsed)/float64(over)) - closed
		}
		if due > 0 {
			n.shards.CloseSome(int(due), reason.Drain)
			closed += due
		}
		n.pause(ctx, drainStep)
	}
}

// closeGrace is how long after the drain's seconds clients may take to answer their Close.
const closeGrace = 5 * time.Second

func (n *Node) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// Stop ends the node at once: clients that are left are closed, then server connections, then the admin port.
func (n *Node) Stop() {
	n.ready.Store(false)
	n.draining.Store(true)
	n.handler.Drain()
	_ = n.publicServer.Close()
	n.shards.CloseAll(reason.Drain)
	n.registry.Stop(reason.ServerConnDrain)
	n.shards.Stop()
	n.cancel()
	_ = n.adminHTTP.Close()
	n.wait.Wait()
}
