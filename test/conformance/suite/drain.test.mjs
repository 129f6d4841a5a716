// A node that is told to go, under load: every client gets its Close, is back elsewhere on its first retry, and the
// process ends with 0. Two nodes with one app server each; the page's negotiate sends clients to the one that stays
// once the drain has begun, as a Service does when a pod leaves readiness.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { Client, clientURL, control, mint, protocols, until, within } from './harness.mjs';

const limit = { timeout: 180_000 };
const perProtocol = 50;

/**
 * entrance answers the first leg of negotiation and counts it per user. `target` is the endpoint of the node that
 * clients are sent to, or a promise of it: until then they wait at the door.
 */
async function entrance(t, target) {
  const state = { target, calls: new Map() };
  const server = createServer(async (request, response) => {
    const user = new URL(request.url, 'http://localhost').searchParams.get('user');
    state.calls.set(user, (state.calls.get(user) ?? 0) + 1);
    const endpoint = await state.target;
    const body = JSON.stringify({
      negotiateVersion: 0,
      url: clientURL({ endpoint }),
      accessToken: mint({ user }),
      availableTransports: [],
    });
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(body);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => server.close());
  state.url = `http://127.0.0.1:${server.address().port}/chat`;
  return state;
}

/** load keeps one client busy: an echo at a time, for as long as `on` says. */
async function load(client, on, tally) {
  for (let i = 0; on(); i++) {
    try {
      const answer = await client.hub.invoke('Echo', i);
      assert.equal(answer, i);
      tally.answered += 1;
    } catch (error) {
      // An echo under way when the Close came is cancelled by the client; between connections there is nowhere to send.
      assert.match(String(error), /Invocation canceled|Service reloading|not in the 'Connected' State/);
      tally.cancelled += 1;
      await until(`${client.user} to be back`, () => client.hub.state === 'Connected' || client.count('closed'), 60_000);
      assert.equal(client.count('closed'), 0, `${client.user} did not come back: ${client.events.at(-1).error}`);
    }
  }
}

for (const where of ['another node', 'the same node, started again']) {
  test(`a node that drains sends its clients to ${where}: all are back on the first retry`, limit, async (t) => {
    const first = await control('/nodes/start');
    t.after(() => control(`/nodes/${first.name}/stop`));
    const second = where === 'another node' ? await control('/nodes/start') : undefined;
    t.after(() => second && control(`/nodes/${second.name}/stop`));
    const door = await entrance(t, first.endpoint);
    const clients = protocols.flatMap((protocol) => Array.from({ length: perProtocol }, (_, i) => new Client({
      protocol,
      url: `${door.url}?user=${protocol}${i}`,
      user: `${protocol}${i}`,
      reconnect: [0],
    })));
    t.after(() => Promise.all(clients.map((client) => client.stop())));
    await Promise.all(clients.map((client) => client.start()));

    let loaded = true;
    const tally = { answered: 0, cancelled: 0 };
    const loads = clients.map((client) => load(client, () => loaded, tally));
    await until('some load', () => tally.answered > clients.length * 3);

    let reopen;
    door.target = second?.endpoint ?? new Promise((resolve) => { reopen = resolve; });
    await control(`/nodes/${first.name}/terminate`);
    const exit = await control(`/nodes/${first.name}/exit`, 120_000);
    assert.equal(exit.code, 0, `the node ended with ${exit.code}`);
    if (!second) {
      reopen((await control(`/nodes/${first.name}/again`)).endpoint);
    }
    await Promise.all(clients.map((client) => client.event('reconnected', 1, 60_000)));
    const before = tally.answered;
    await until('load on the new node', () => tally.answered > before + clients.length);
    loaded = false;
    await within('the load to end', Promise.all(loads));

    for (const client of clients) {
      const [old] = client.wire.sockets;
      assert.equal(client.wire.close(old)?.allowReconnect, true, `${client.user} got its Close`);
      assert.equal(await client.wire.code(old), 1000, `${client.user}'s socket`);
      assert.deepEqual(client.events.map((event) => event.name), ['reconnecting', 'reconnected']);
      assert.equal(client.wire.sockets.length, 2, `${client.user} opened one more socket`);
      assert.equal(door.calls.get(client.user), 2, `${client.user} was back on its first retry`);
      assert.equal(await client.invoke('Echo', 'here'), 'here');
    }
    assert.ok(tally.cancelled <= clients.length, `${tally.cancelled} echoes were cancelled`);
  });
}
