// A number of stock clients, driven by the suite: a line of JSON on standard input is a command, the line with the same
// id on standard output its answer. What happens to the connections in between is counted, and told by `report`.

import { createInterface } from 'node:readline';

import * as signalR from '@microsoft/signalr';

/** bound is how long one command may take, in milliseconds. */
const bound = 20_000;

/** policy tries again four times a second for a minute: longer than anything here takes. */
const policy = {
  nextRetryDelayInMilliseconds: ({ elapsedMilliseconds }) => (elapsedMilliseconds < 60_000 ? 250 : null),
};

const clients = [];
const counts = { reconnecting: 0, reconnected: 0, closed: 0 };
const lost = []; // when each connection was, in milliseconds
const errors = [];

/** record keeps why a connection was lost: some are enough to understand. */
function record(what, err) {
  counts[what] += 1;
  if (what === 'reconnecting') {
    lost.push(performance.now());
  }
  if (err && errors.length < 20) {
    errors.push(`${what}: ${err.message ?? err}`);
  }
}

/** connect starts `count` clients of the hub at `url`, of the service itself when there is a `token`. */
async function connect({ url, count, token }) {
  const started = Array.from({ length: count }, async () => {
    const connection = new signalR.HubConnectionBuilder()
      .withUrl(url, token ? { accessTokenFactory: () => token } : {})
      .withAutomaticReconnect(policy)
      .configureLogging(signalR.LogLevel.None)
      .build();
    const client = { connection, inbox: [], waiting: null };
    connection.onreconnecting((err) => record('reconnecting', err));
    connection.onreconnected(() => record('reconnected'));
    connection.onclose((err) => record('closed', err));
    connection.on('Receive', (kind, message) => {
      client.inbox.push(message);
      client.waiting?.();
    });
    await connection.start();
    clients.push(client);
  });
  await Promise.all(started);
  return { connected: clients.length };
}

/** received resolves when the client has got the message. */
function received(client, message) {
  return new Promise((resolve) => {
    const look = () => {
      if (client.inbox.includes(message)) {
        client.waiting = null;
        resolve();
      }
    };
    client.waiting = look;
    look();
  });
}

/** talk calls the hub from every client, then broadcasts from the first to all. */
async function talk({ text }) {
  const answers = await Promise.all(clients.map(({ connection }, i) => connection.invoke('Echo', `${text} ${i}`)));
  answers.forEach((answer, i) => {
    if (answer !== `${text} ${i}`) {
      throw new Error(`client ${i} got ${JSON.stringify(answer)}`);
    }
  });
  const arrived = Promise.all(clients.map((client) => received(client, text)));
  await clients[0].connection.invoke('Broadcast', text);
  await arrived;
  return { talked: clients.length };
}

function report() {
  const connected = clients.filter(({ connection }) => connection.state === signalR.HubConnectionState.Connected);
  const lostOverSeconds = lost.length > 0 ? (lost.at(-1) - lost[0]) / 1000 : 0;
  return { ...counts, connected: connected.length, lostOverSeconds, errors };
}

async function stop() {
  await Promise.all(clients.map(({ connection }) => connection.stop()));
  return { stopped: clients.length };
}

const commands = { connect, talk, report, stop };

async function answer({ id, command, ...args }) {
  let timer;
  const late = new Promise((_, reject) => {
    const what = () => `${command} took more than ${bound} ms: ${JSON.stringify(report())}`;
    timer = setTimeout(() => reject(new Error(what())), bound);
  });
  try {
    const result = await Promise.race([commands[command](args), late]);
    process.stdout.write(`${JSON.stringify({ id, ...result })}\n`);
  } catch (err) {
    process.stdout.write(`${JSON.stringify({ id, error: String(err.message ?? err) })}\n`);
  } finally {
    clearTimeout(timer);
  }
}

createInterface({ input: process.stdin })
  .on('line', (line) => { answer(JSON.parse(line)); })
  .on('close', () => process.exit(0));
