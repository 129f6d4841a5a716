// A connection's life: how it begins, who it is, how it ends, and when a client comes back.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  appURL, Client, clientURL, connect, control, fence, forEachProtocol, mint, party, signalR, unique, until, upgrade,
} from './harness.mjs';

const limit = { timeout: 90_000 };

forEachProtocol((protocol) => {
  test('a client begins at its app server and is redirected to the service', limit, async (t) => {
    const client = await connect(t, { protocol });
    assert.equal(client.wire.sockets.length, 1);
    const address = client.wire.sockets[0].address;
    assert.ok(address.startsWith(clientURL().replace(/^http/, 'ws').split('?')[0]), address);
    assert.ok(new URL(address).searchParams.get('id'), 'the connection token is in the address');
  });

  test('the hub knows the connection by the id the client has', limit, async (t) => {
    const ada = unique('ada');
    const client = await connect(t, { protocol, user: ada });
    const who = await client.invoke('WhoAmI');
    assert.equal(who.connectionId, client.id);
    assert.equal(who.userId, ada);
  });

  test('a user name of any script is the user the hub sees', limit, async (t) => {
    const user = unique('Ádá Łovelace & 日本 %2F');
    const client = await connect(t, { protocol, user });
    assert.equal((await client.invoke('WhoAmI')).userId, user);
  });

  test('the hub sees the user\'s claims by their long names, every one of several', limit, async (t) => {
    const roles = ['reader', 'writer', 'editor'];
    const claims = { role: roles, unique_name: 'Ada', shelf: '7', 'asrs.u.nonce': 'n' };
    const client = await connect(t, { protocol, url: clientURL(), token: mint({ user: 'ada', claims }) });
    const who = await client.invoke('WhoAmI');
    assert.equal(who.userId, 'ada');
    assert.equal(who.name, 'Ada');
    const of = (type) => who.claims.filter(([name]) => name === type).map(([, value]) => value);
    assert.deepEqual(of('http://schemas.microsoft.com/ws/2008/06/identity/claims/role'), roles);
    assert.deepEqual(of('shelf'), ['7']);
    assert.deepEqual(of('nonce'), ['n']);
    for (const role of roles) {
      assert.equal(await client.invoke('IsInRole', role), true, role);
    }
    assert.equal(await client.invoke('IsInRole', 'admin'), false);
  });

  test('the hub sees the page\'s own headers and query, and its address', limit, async (t) => {
    const client = await connect(t, {
      protocol, url: `${appURL({ user: 'ada' })}&shelf=7%20b`, headers: { 'X-Shop': 'north' },
    });
    const who = await client.invoke('WhoAmI');
    assert.deepEqual(who.headers['x-shop'], ['north']);
    assert.equal(who.remoteIp, '127.0.0.1');
    assert.equal(who.path, '/conformance');
    assert.equal(who.protocol, protocol);
    assert.ok(who.query.startsWith('?'), who.query);
    assert.equal(new URLSearchParams(who.query).get('shelf'), '7 b');
  });

  test('forged service headers and secrets do not reach the hub', limit, async (t) => {
    const token = mint({ user: 'ada' });
    const client = await connect(t, {
      protocol, url: clientURL({ query: `&access_token=${token}` }), skipNegotiation: true,
      headers: {
        'Asrs-Instance-Id': 'forged', 'Asrs-Migrate-From': 'forged', 'Asrs-Is-Diagnostic-Client': 'forged',
        'X-ASRS-Server-Id': 'forged', 'X-Forwarded-For': '192.0.2.7', Cookie: 'shop=north',
      },
    });
    const who = await client.invoke('WhoAmI');
    assert.ok(!JSON.stringify(who.headers).includes('forged'), JSON.stringify(who.headers));
    assert.equal(who.migratedFrom, '');
    assert.equal(who.remoteIp, '127.0.0.1');
    assert.deepEqual(who.headers['x-forwarded-for'], ['127.0.0.1']);
    assert.ok(!JSON.stringify(who).includes(token), 'the token came through');
    for (const name of ['authorization', 'connection', 'upgrade']) {
      assert.ok(!(name in who.headers), `header ${name} came through`);
    }
    assert.deepEqual(who.headers.cookie, ['shop=north']);
  });

  test('a client with a token connects straight to the service', limit, async (t) => {
    const user = unique('ada');
    const client = await connect(t, { protocol, url: clientURL(), token: mint({ user }) });
    assert.equal((await client.invoke('WhoAmI')).userId, user);
  });

  test('a client that skips negotiation connects with its token alone', limit, async (t) => {
    const user = unique('ada');
    const client = await connect(t, { protocol, url: clientURL(), token: mint({ user }), skipNegotiation: true });
    assert.equal(client.id, null, 'without negotiation the client does not learn its id');
    const who = await client.invoke('WhoAmI');
    assert.equal(who.userId, user);
    const id = who.connectionId;
    assert.match(id, /^[A-Za-z0-9_-]{22,}$/);
    const [other] = await party(t, protocol, 1);
    await other.invoke('SendClient', id, 'hello');
    await until('the message', () => client.received.includes('hello'));
    assert.ok(!new URL(client.wire.sockets[0].address).searchParams.has('id'));
  });

  test('a token of either digest is good', limit, async (t) => {
    for (const algorithm of ['HS256', 'HS512']) {
      const user = unique(algorithm);
      const client = await connect(t, { protocol, url: clientURL(), token: mint({ user, algorithm }) });
      assert.equal((await client.invoke('WhoAmI')).userId, user);
    }
  });

  test('a name identifier names the user when the service\'s own claim is absent', limit, async (t) => {
    const user = unique('ada');
    const client = await connect(t, { protocol, url: clientURL(), token: mint({ claims: { nameid: user } }) });
    const [sender] = await party(t, protocol, 1);
    await sender.invoke('User', user, 'hello');
    await until('the message', () => client.received.includes('hello'));
  });

  test('stop ends a connection cleanly on both sides', limit, async (t) => {
    const client = await connect(t, { protocol });
    const [other] = await party(t, protocol, 1);
    const { id } = client;
    await client.stop();
    const closed = await client.event('closed');
    assert.equal(closed.error, undefined);
    // The id is nobody's now: a message to it is taken and lost, and asking it fails.
    await other.invoke('SendClient', id, 'hello');
    await assert.rejects(other.invoke('Ask', id, 'why'));
  });

  test('a client may start again after it stopped, with a new id', limit, async (t) => {
    const client = await connect(t, { protocol });
    const first = client.id;
    await client.stop();
    await client.start();
    assert.notEqual(client.id, first);
    assert.equal(await client.invoke('Echo', 'again'), 'again');
  });

  test('calls under way when a client stops fail', limit, async (t) => {
    const client = await connect(t, { protocol });
    const failing = assert.rejects(client.invoke('Long', 5_000), /Invocation canceled/);
    await client.stop();
    await failing;
  });

  test('abort ends the connection for good: no error, no way back', limit, async (t) => {
    const client = await connect(t, { protocol, reconnect: true });
    await client.invoke('Abort').catch(() => {});
    const closed = await client.event('closed');
    assert.equal(closed.error, undefined);
    assert.equal(client.count('reconnecting'), 0);
    const close = client.wire.close();
    assert.ok(close, 'a Close message came');
    assert.ok(!close.allowReconnect, 'it does not allow to reconnect');
    assert.equal(close.error ?? undefined, undefined);
    assert.equal(await client.wire.code(), 1000);
  });

  test('a connection that failed at the hub is closed with a way back', limit, async (t) => {
    const client = await connect(t, { protocol, reconnect: true });
    const first = client.id;
    await client.invoke('CloseWithError').catch(() => {});
    await client.event('reconnected');
    assert.notEqual(client.id, first);
    const close = client.wire.close(client.wire.sockets[0]);
    assert.equal(close?.allowReconnect, true);
    assert.match(close.error, /Connection closed with an error\./);
    assert.equal(await client.wire.code(client.wire.sockets[0]), 1000);
    assert.equal(await client.invoke('Echo', 'back'), 'back');
  });

  test('the same end without automatic reconnect is told with its error', limit, async (t) => {
    const client = await connect(t, { protocol });
    await client.invoke('CloseWithError').catch(() => {});
    const closed = await client.event('closed');
    assert.match(String(closed.error), /Connection closed with an error\./);
  });

  test('abort of one connection leaves the user\'s other one alone', limit, async (t) => {
    const [first, second] = await party(t, protocol, 2, { user: unique('ada') });
    await first.invoke('Abort').catch(() => {});
    await first.event('closed');
    assert.equal(await second.invoke('Echo', 'still here'), 'still here');
    assert.deepEqual(await fence(second, second), [[]]);
  });

  test('a connection is closed at its authentication\'s expiry and may come back', limit, async (t) => {
    const expiry = Math.floor(Date.now() / 1000) + 2;
    // The client asks for a token for each request; after the expiry the user has signed in again.
    let signedIn = { 'asrs.s.coae': 'true', 'asrs.s.aeo': String(expiry) };
    const token = () => mint({ user: 'ada', claims: signedIn });
    const client = new Client({ protocol, url: clientURL(), token, reconnect: true });
    client.hub.onreconnecting(() => { signedIn = {}; });
    t.after(() => client.stop());
    await client.start();
    const first = client.id;
    const closed = await client.event('reconnecting');
    assert.ok(closed.at >= expiry * 1000 - 50, `closed ${expiry * 1000 - closed.at} ms too early`);
    assert.ok(closed.at <= expiry * 1000 + 4_000, `closed ${closed.at - expiry * 1000} ms late`);
    const close = client.wire.close(client.wire.sockets[0]);
    assert.equal(close?.allowReconnect, true, 'the Close message allows to reconnect');
    await client.event('reconnected');
    assert.notEqual(client.id, first);
    assert.equal(await client.invoke('Echo', 'back'), 'back');
  });

  test('a connection outlives its token unless the token asks for the opposite', limit, async (t) => {
    // Already expired, within the allowed skew: were expiry enforced on live connections, this one could not last.
    const client = await connect(t, { protocol, url: clientURL(), token: mint({ lifetime: -20 }), reconnect: true });
    assert.equal(await client.invoke('Long', 2_500).then(() => 'done'), 'done');
    assert.deepEqual(client.events, []);
  });

  test('a client whose line is cut comes back with a new id', limit, async (t) => {
    const client = await connect(t, { protocol, reconnect: true });
    const first = client.id;
    client.wire.sockets[0].cut();
    await client.event('reconnecting');
    await client.event('reconnected');
    assert.notEqual(client.id, first);
    assert.equal(await client.invoke('Echo', 'back'), 'back');
  });

  test('a client that offers only another transport is told so', limit, async (t) => {
    const client = new Client({
      protocol, url: clientURL(), token: mint(), transport: signalR.HttpTransportType.LongPolling,
    });
    t.after(() => client.stop());
    await assert.rejects(client.start(), /Unable to connect to the server with any of the available transports/);
  });
});

test('clients come back by themselves after their app server was killed and started again', limit, async (t) => {
  const clients = await Promise.all(['json', 'messagepack'].flatMap((protocol) => Array.from(
    { length: 5 },
    () => connect(t, { protocol, reconnect: [0, 250, 500, 1_000, 2_000, 2_000, 2_000, 2_000, 2_000] }),
  )));
  const plain = await connect(t, { protocol: 'json' });
  const before = clients.map((client) => client.id);
  await control('/appserver/kill');
  await Promise.all(clients.map((client) => client.event('reconnecting')));
  for (const client of clients) {
    const close = client.wire.close(client.wire.sockets[0]);
    assert.equal(close?.allowReconnect, true, 'the Close message allows to reconnect');
    assert.equal(await client.wire.code(client.wire.sockets[0]), 1000);
  }
  await plain.event('closed');
  await control('/appserver/start');
  await Promise.all(clients.map((client) => client.event('reconnected', 1, 30_000)));
  await Promise.all(clients.map((client, i) => {
    assert.notEqual(client.id, before[i]);
    return client.invoke('Echo', i).then((answer) => assert.equal(answer, i));
  }));
  await clients[0].invoke('Broadcast', 'everybody back?');
  await Promise.all(clients.map((client) => until('the broadcast', () => client.received.includes('everybody back?'))));
});

test('clients are answered with an error while their hub has no app server', limit, async (t) => {
  await control('/appserver/kill');
  t.after(() => control('/appserver/start'));
  for (const protocol of ['json', 'messagepack']) {
    const client = new Client({ protocol, url: clientURL(), token: mint() });
    t.after(() => client.stop());
    await assert.rejects(client.start(), /handshake error: .*(Default)/is);
  }
});

test('a WebSocket without negotiation takes its token from the query', limit, async (t) => {
  const query = `&access_token=${mint({ user: 'ada' })}`;
  const { status, socket } = await upgrade(clientURL({ query }));
  t.after(() => socket?.terminate());
  assert.equal(status, 101);
  const answer = new Promise((resolve) => { socket.on('message', (data) => resolve(String(data))); });
  socket.send('{"protocol":"json","version":1}\u001e');
  assert.equal(await answer, '{}\u001e');
});

test('the app server\'s own address is what a page is given', limit, () => {
  assert.notEqual(new URL(appURL()).host, new URL(clientURL()).host);
});
