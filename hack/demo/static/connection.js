// The connection to the chat hub: the stock SignalR client, and when it tries again.

/* global signalR */

/** retryForever waits longer and longer, up to 10 s, with some chance so that many pages do not come back at once. */
const retryForever = {
  nextRetryDelayInMilliseconds({ previousRetryCount }) {
    if (previousRetryCount === 0) {
      return 0;
    }
    return Math.min(10_000, 500 * 2 ** previousRetryCount) * (0.75 + Math.random() / 2);
  },
};

/**
 * connect returns the hub connection of a user. `changed` is called with 'connecting', 'connected', 'reconnecting' or
 * 'disconnected'; `handlers` maps the hub's client methods to functions.
 */
export function connect(name, handlers, changed) {
  const hub = new signalR.HubConnectionBuilder()
    .withUrl(`/chat?name=${encodeURIComponent(name)}`)
    .withAutomaticReconnect(retryForever)
    .configureLogging(signalR.LogLevel.Warning)
    .build();
  for (const [method, handler] of Object.entries(handlers)) {
    hub.on(method, handler);
  }

  let waiting;
  let attempt = 0;

  // The client retries a connection that was lost, but neither a first one nor one that was ended; a page wants all.
  const start = async () => {
    clearTimeout(waiting);
    if (hub.state !== signalR.HubConnectionState.Disconnected) {
      return;
    }
    changed('connecting');
    try {
      await hub.start();
      attempt = 0;
      changed('connected');
    } catch {
      later();
    }
  };
  const later = () => {
    changed('disconnected');
    attempt += 1;
    waiting = setTimeout(start, retryForever.nextRetryDelayInMilliseconds({ previousRetryCount: attempt }));
  };

  hub.onreconnecting(() => changed('reconnecting'));
  hub.onreconnected(() => changed('connected'));
  hub.onclose(later);
  window.addEventListener('online', start);

  return {
    start,
    invoke: (...args) => hub.invoke(...args),
    send: (...args) => hub.send(...args),
    get up() { return hub.state === signalR.HubConnectionState.Connected; },
  };
}
