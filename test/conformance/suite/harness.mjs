// What every behaviour needs: where the processes are, tokens, clients with an inbox, and a record of the frames
// the service sent. Nothing here knows how the service is built; it sees what a user's program sees.
//
// Waiting is always for a condition with a bound (`until`), never for time to pass. That something does NOT arrive is
// shown by a fence: the same sender sends a marker behind it to the same receivers, and one sender's messages keep
// their order, so once the marker is there, whatever was to come has come.

import { createHmac, randomBytes } from 'node:crypto';
import { describe } from 'node:test';

import * as signalR from '@microsoft/signalr';
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack';
import WebSocket from 'ws';

/** protocols are the hub protocols every behaviour is shown for. */
export const protocols = ['json', 'messagepack'];

/** bound is how long a condition may take, in milliseconds: far above what it takes, far below the test's limit. */
export const bound = 15_000;

/** need returns a variable of the environment that the Go test sets, and says how to run the suite without it. */
export function need(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run this suite with "go test ./test/conformance"`);
  }
  return value;
}

/** service is the edge that the suite's app server is connected to. */
export const service = {
  get endpoint() { return need('CONFORMANCE_ENDPOINT'); },
  get key() { return need('CONFORMANCE_KEY'); },
  get hub() { return need('CONFORMANCE_HUB'); },
  /** app is the hub's address at the app server, where clients begin. */
  get app() { return need('CONFORMANCE_APP'); },
  /** control is the test's own server that starts and stops processes. */
  get control() { return need('CONFORMANCE_CONTROL'); },
};

/** forEachProtocol declares the same behaviours once per hub protocol. */
export function forEachProtocol(body) {
  for (const protocol of protocols) {
    describe(`over ${protocol}`, () => body(protocol));
  }
}

/** unique returns a name nobody else uses. */
export function unique(prefix) {
  return `${prefix}-${randomBytes(6).toString('hex')}`;
}

/** until waits for condition to return something truthy and returns that; `what` completes "timed out waiting for". */
export async function until(what, condition, limit = bound) {
  const end = Date.now() + limit;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    if (Date.now() > end) {
      throw new Error(`timed out after ${limit} ms waiting for ${typeof what === 'function' ? what() : what}`);
    }
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
}

/** within rejects when promise takes longer than limit milliseconds. */
export function within(what, promise, limit = bound) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out after ${limit} ms waiting for ${what}`)), limit);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// --- Tokens -------------------------------------------------------------------------------------------------------

const base64url = (value) => Buffer.from(value).toString('base64url');
const digests = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };

/**
 * mint makes a client token as an app server would, or a wrong one: every part can be replaced.
 * `claims` are added last; a claim set to undefined is left out.
 */
export function mint({
  hub = service.hub, key = service.key, user, lifetime = 3600, algorithm = 'HS256', audience, claims = {},
  header = {},
} = {}) {
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    aud: audience ?? `http://localhost/client/?hub=${hub}`,
    iat: now,
    nbf: now,
    exp: now + lifetime,
    ...(user === undefined ? {} : { 'asrs.s.uid': user }),
    ...claims,
  };
  const head = { alg: algorithm, typ: 'JWT', kid: '-1591742396', ...header };
  const signed = `${base64url(JSON.stringify(head))}.${base64url(JSON.stringify(payload))}`;
  if (algorithm === 'none') {
    return `${signed}.`;
  }
  return `${signed}.${createHmac(digests[algorithm] ?? 'sha256', key).update(signed).digest('base64url')}`;
}

/** clientURL is the edge's address for clients of a hub. */
export function clientURL({ endpoint = service.endpoint, hub = service.hub, query = '' } = {}) {
  return `${endpoint}/client/?hub=${encodeURIComponent(hub)}${query}`;
}

/** negotiateURL is the edge's address for the second leg of negotiation. */
export function negotiateURL({ endpoint = service.endpoint, hub = service.hub, query = '' } = {}) {
  return `${endpoint}/client/negotiate?hub=${encodeURIComponent(hub)}${query}`;
}

// --- Frames -------------------------------------------------------------------------------------------------------

const quiet = signalR.NullLogger.instance;
const codecs = { json: new signalR.JsonHubProtocol(), messagepack: new MessagePackHubProtocol() };

/** Wire records what the service sent to one client, over all of the client's connections. */
class Wire {
  constructor(protocol) {
    this.protocol = protocol;
    /** sockets has one entry per WebSocket the client opened, oldest first; `cut` breaks the line with no close. */
    this.sockets = [];
    const sockets = this.sockets;
    /** WebSocket is handed to the stock client in place of its own. */
    this.WebSocket = class extends WebSocket {
      constructor(address, subprotocols, options) {
        super(address, subprotocols, options);
        const socket = { address: String(address), frames: [], code: undefined, cut: () => this.terminate() };
        sockets.push(socket);
        this.on('message', (data) => {
          socket.frames.push({ bytes: Buffer.from(data), kind: typeof data === 'string' ? 'text' : 'binary' });
        });
        this.on('close', (code) => { socket.code = code; });
      }
    };
  }

  /** messages returns the hub messages behind the handshake response, decoded by the stock client's own codec. */
  messages(socket = this.sockets.at(-1)) {
    let stream = Buffer.concat(socket.frames.map((frame) => frame.bytes));
    stream = stream.subarray(stream.indexOf(0x1e) + 1);
    if (stream.length === 0) {
      return [];
    }
    if (this.protocol === 'json') {
      return codecs.json.parseMessages(stream.toString('utf8'), quiet);
    }
    const exact = stream.buffer.slice(stream.byteOffset, stream.byteOffset + stream.byteLength);
    return codecs.messagepack.parseMessages(exact, quiet);
  }

  /** code waits for a socket to be closed and returns the status it was closed with. */
  code(socket = this.sockets.at(-1)) {
    return until('the socket to close', () => socket.code);
  }

  /** close returns the Close message a connection ended with, if there was one. */
  close(socket = this.sockets.at(-1)) {
    return this.messages(socket).find((message) => message.type === signalR.MessageType.Close);
  }
}

// --- Clients ------------------------------------------------------------------------------------------------------

/** Client is a stock HubConnection with an inbox of what the hub sent, and the events of its life in order. */
export class Client {
  constructor({
    protocol = 'json', user, url, token, reconnect, skipNegotiation, transport, headers, configure,
  } = {}) {
    this.protocol = protocol;
    this.user = user;
    this.wire = new Wire(protocol);
    /** inbox holds the arguments of every "Receive": kind, message, and with a burst its padding. */
    this.inbox = [];
    /** events holds 'reconnecting', 'reconnected' and 'closed' with what came with them. */
    this.events = [];

    const address = url ?? appURL({ user });
    const options = { WebSocket: this.wire.WebSocket, logger: signalR.LogLevel.None };
    if (token !== undefined) {
      options.accessTokenFactory = typeof token === 'function' ? token : () => token;
    }
    if (skipNegotiation) {
      options.skipNegotiation = true;
      options.transport = signalR.HttpTransportType.WebSockets;
    }
    if (transport !== undefined) {
      options.transport = transport;
    }
    if (headers) {
      options.headers = headers;
    }
    const builder = new signalR.HubConnectionBuilder()
      .withUrl(address, options)
      .withHubProtocol(protocol === 'json' ? new signalR.JsonHubProtocol() : new MessagePackHubProtocol())
      .configureLogging(signalR.LogLevel.None);
    if (reconnect) {
      builder.withAutomaticReconnect(reconnect === true ? undefined : reconnect);
    }
    this.hub = builder.build();
    this.hub.on('Receive', (...received) => { this.inbox.push(received); });
    this.hub.onreconnecting((error) => this.events.push({ name: 'reconnecting', error, at: Date.now() }));
    this.hub.onreconnected((id) => this.events.push({ name: 'reconnected', id, at: Date.now() }));
    this.hub.onclose((error) => this.events.push({ name: 'closed', error, at: Date.now() }));
    configure?.(this.hub);
  }

  get id() { return this.hub.connectionId; }

  get received() { return this.inbox.map(([, message]) => message); }

  async start() {
    await within(`a ${this.protocol} client to start`, this.hub.start());
    return this;
  }

  invoke(method, ...args) {
    return within(`the answer of ${method}`, this.hub.invoke(method, ...args));
  }

  send(method, ...args) { return this.hub.send(method, ...args); }

  stop() { return this.hub.stop(); }

  count(name) { return this.events.filter((event) => event.name === name).length; }

  /** event waits for the next event of that name, the first one by default. */
  async event(name, nth = 1, limit = bound) {
    return until(
      () => `event ${name} number ${nth}; seen: ${JSON.stringify(this.events.map((event) => event.name))}`,
      () => this.events.filter((event) => event.name === name)[nth - 1],
      limit,
    );
  }

  /** take empties the inbox and returns its messages. */
  take() {
    return this.inbox.splice(0).map(([, message]) => message);
  }
}

/** appURL is the address a user's page is given: the hub at the app server. */
export function appURL({ app = service.app, user } = {}) {
  return user === undefined ? app : `${app}?user=${encodeURIComponent(user)}`;
}

/** connect starts a client that the end of the test t stops. */
export async function connect(t, options = {}) {
  const client = new Client(options);
  t.after(() => client.stop());
  return client.start();
}

/** party starts n clients of one protocol. */
export async function party(t, protocol, n, options = {}) {
  return Promise.all(Array.from({ length: n }, () => connect(t, { protocol, ...options })));
}

/**
 * fence has the sender send a marker to each receiver and waits until it is there, then takes every inbox.
 * The result is what each receiver got before the marker.
 */
export async function fence(sender, ...receivers) {
  const marker = unique('fence');
  await sender.invoke('SendClients', receivers.map((receiver) => receiver.id), marker);
  await Promise.all(receivers.map((receiver) => until('the fence', () => receiver.received.includes(marker))));
  return receivers.map((receiver) => receiver.take().filter((message) => message !== marker));
}

/** collect gathers a stream: resolves with its items when it completes. */
export function collect(stream) {
  const items = [];
  const done = new Promise((resolve, reject) => {
    stream.subscribe({ next: (item) => items.push(item), complete: () => resolve(items), error: reject });
  });
  return within('the stream to complete', done);
}

// --- Raw requests -------------------------------------------------------------------------------------------------

/** upgrade opens a WebSocket by hand and returns {status, body, headers}, or {status: 101, socket}. */
export function upgrade(address, { headers = {} } = {}) {
  return within('an answer to the upgrade', new Promise((resolve, reject) => {
    const socket = new WebSocket(address.replace(/^http/, 'ws'), { headers });
    socket.on('unexpected-response', (_, response) => {
      const line = response.socket;
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => { body += chunk; });
      response.on('end', () => {
        resolve({ status: response.statusCode, body, headers: response.headers });
        line.destroy(); // else the idle connection keeps this process alive
      });
    });
    socket.on('open', () => resolve({ status: 101, socket }));
    socket.on('error', reject);
  }));
}

/** control asks the Go test to do something to a process. */
export async function control(path, limit = 60_000) {
  const response = await fetch(`${service.control}${path}`, { method: 'POST', signal: AbortSignal.timeout(limit) });
  const body = await response.text();
  if (!response.ok) {
    throw new Error(`control ${path}: ${response.status} ${body}`);
  }
  return body ? JSON.parse(body) : {};
}

export { signalR, WebSocket };
