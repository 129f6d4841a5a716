// What the service says no to, and how: statuses and texts of negotiate and of the WebSocket upgrade.

import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, test } from 'node:test';

import {
  Client, clientURL, connect, forEachProtocol, mint, negotiateURL, service, signalR, unique, upgrade,
} from './harness.mjs';

const limit = { timeout: 60_000 };
const bearer = (token) => ({ Authorization: `Bearer ${token}` });
const post = (address, headers = {}) => fetch(address, { method: 'POST', headers });
const negotiate = async (query = '&negotiateVersion=1', headers = bearer(mint())) => {
  const response = await post(negotiateURL({ query }), headers);
  return { status: response.status, headers: response.headers, body: await response.json() };
};

/** rsaToken is signed with a key pair of its own, as an identity provider's would be. */
function rsaToken() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [, payload] = mint().split('.');
  const signed = `${Buffer.from('{"alg":"RS256","typ":"JWT"}').toString('base64url')}.${payload}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
}

/** tampered changes the payload under a good signature. */
function tampered() {
  const [head, , signature] = mint({ user: 'ada' }).split('.');
  const [, payload] = mint({ user: 'root' }).split('.');
  return `${head}.${payload}.${signature}`;
}

const badTokens = {
  'signed with another key': () => mint({ key: 'x'.repeat(40) }),
  'signed with the decoded key': () => mint({ key: Buffer.from(service.key, 'base64') }),
  'expired beyond the skew': () => mint({ lifetime: -3_600 }),
  'not valid yet': () => mint({ claims: { nbf: Math.floor(Date.now() / 1000) + 3_600 } }),
  'without an expiry': () => mint({ claims: { exp: undefined } }),
  'without an audience': () => mint({ claims: { aud: undefined } }),
  'for another hub': () => mint({ audience: 'http://localhost/client/?hub=elsewhere' }),
  'for app servers': () => mint({ audience: `http://localhost/server/?hub=${service.hub}` }),
  'for the REST API': () => mint({ audience: `http://localhost/api/hubs/${service.hub}` }),
  'without a signature': () => mint({ algorithm: 'none' }),
  'with an empty signature': () => `${mint().split('.').slice(0, 2).join('.')}.`,
  'of an algorithm nobody allowed': () => mint({ algorithm: 'HS384' }),
  'signed with a private key': rsaToken,
  'whose payload was changed': tampered,
  'that is no token': () => 'nonsense',
  'with a part missing': () => mint().split('.').slice(0, 2).join('.'),
  'whose payload is no object': () => mint().replace(/\.[^.]+\./, `.${Buffer.from('[]').toString('base64url')}.`),
};

describe('tokens', () => {
  for (const [what, make] of Object.entries(badTokens)) {
    test(`a token ${what} is refused at negotiate and at the WebSocket with 401 and a reason`, limit, async () => {
      const token = make();
      const response = await post(negotiateURL({ query: '&negotiateVersion=1' }), bearer(token));
      const body = await response.text();
      assert.equal(response.status, 401, body);
      assert.match(response.headers.get('content-type') ?? '', /^text\/plain/);
      const socket = await upgrade(clientURL(), { headers: bearer(token) });
      socket.socket?.terminate();
      assert.equal(socket.status, 401, socket.body);
      for (const text of [body, socket.body]) {
        assert.ok(text.trim().length > 5, `the reason is ${JSON.stringify(text)}`);
        assert.ok(!text.includes(service.key), 'the reason shows the key');
        assert.ok(!text.includes(token), 'the reason shows the token');
      }
    });
  }

  test('no token at all is refused with 401', limit, async () => {
    const response = await post(negotiateURL({ query: '&negotiateVersion=1' }));
    assert.equal(response.status, 401);
    assert.ok((await response.text()).trim().length > 5);
    const socket = await upgrade(clientURL());
    socket.socket?.terminate();
    assert.equal(socket.status, 401);
  });

  test('a bad token in the query is refused with 401', limit, async () => {
    const query = `&access_token=${badTokens['signed with another key']()}`;
    const socket = await upgrade(clientURL({ query }));
    socket.socket?.terminate();
    assert.equal(socket.status, 401);
  });

  test('a token just expired, within the skew, is good', limit, async () => {
    assert.equal((await negotiate('&negotiateVersion=1', bearer(mint({ lifetime: -20 })))).status, 200);
  });

  test('the host, port and scheme of the audience do not matter', limit, async () => {
    for (const base of ['https://example.com', 'http://10.0.0.1:5000', 'http://localhost']) {
      const token = mint({ audience: `${base}/client/?hub=${service.hub}` });
      assert.equal((await negotiate('&negotiateVersion=1', bearer(token))).status, 200, base);
    }
  });

  test('one of several audiences is enough', limit, async () => {
    const token = mint({ audience: ['http://localhost/other', `http://localhost/client/?hub=${service.hub}`] });
    assert.equal((await negotiate('&negotiateVersion=1', bearer(token))).status, 200);
  });
});

forEachProtocol((protocol) => {
  test('the stock client reports a bad token as 401', limit, async (t) => {
    for (const skipNegotiation of [false, true]) {
      const token = badTokens['signed with another key']();
      const client = new Client({ protocol, url: clientURL(), token, skipNegotiation });
      t.after(() => client.stop());
      await assert.rejects(client.start(), skipNegotiation ? /./ : /401/);
      assert.equal(client.hub.state, signalR.HubConnectionState.Disconnected);
    }
  });

  test('the stock client with a token of one hub does not get into another', limit, async (t) => {
    const hub = unique('other').replace('-', '');
    const client = new Client({ protocol, url: clientURL({ hub }), token: mint() });
    t.after(() => client.stop());
    await assert.rejects(client.start(), /401/);
  });

  test('a hub that no app server serves is refused in the handshake, by name and mode', limit, async (t) => {
    const hub = unique('nobody').replace('-', '');
    const client = new Client({ protocol, url: clientURL({ hub }), token: mint({ hub }) });
    t.after(() => client.stop());
    await assert.rejects(client.start(), (error) => {
      assert.match(error.message, /handshake error/i);
      assert.match(error.message, /Default/);
      assert.ok(error.message.includes(hub), error.message);
      return true;
    });
  });
});

describe('hubs and ids', () => {
  test('a request without a hub is refused with 400', limit, async () => {
    const response = await post(`${service.endpoint}/client/negotiate?negotiateVersion=1`, bearer(mint()));
    assert.equal(response.status, 400);
  });

  test('a hub name against the rules is refused with 400 and the rule', limit, async () => {
    for (const hub of ['1chat', 'a b', '_x', 'a/b', `a${'b'.repeat(128)}`]) {
      const response = await post(negotiateURL({ hub, query: '&negotiateVersion=1' }), bearer(mint({ hub })));
      assert.equal(response.status, 400, hub);
      assert.match(await response.text(), /letter/i);
    }
  });

  test('the hub named twice is refused with 400', limit, async () => {
    const response = await post(negotiateURL({ query: `&hub=${service.hub}` }), bearer(mint()));
    assert.equal(response.status, 400);
  });

  test('the case of a hub\'s name does not matter', limit, async (t) => {
    const hub = service.hub.toUpperCase();
    const client = await connect(t, { url: clientURL({ hub }), token: mint() });
    assert.equal(await client.invoke('Echo', 'x'), 'x');
  });

  test('an unknown id is refused with 404', limit, async () => {
    for (const id of ['nobody', 'A'.repeat(22), '_'.repeat(120)]) {
      const answer = await upgrade(clientURL({ query: `&id=${id}` }), { headers: bearer(mint()) });
      answer.socket?.terminate();
      assert.equal(answer.status, 404, id);
      assert.match(answer.body, /No Connection with that ID/);
    }
  });

  test('an id is good for one connection at a time: a second one is refused with 409', limit, async (t) => {
    const { body } = await negotiate();
    const address = clientURL({ query: `&id=${body.connectionToken}` });
    const first = await upgrade(address, { headers: bearer(mint()) });
    t.after(() => first.socket?.terminate());
    assert.equal(first.status, 101);
    const second = await upgrade(address, { headers: bearer(mint()) });
    second.socket?.terminate();
    assert.equal(second.status, 409);
  });

  test('an id negotiated by one user is not another\'s', limit, async () => {
    const { body } = await negotiate('&negotiateVersion=1', bearer(mint({ user: 'ada' })));
    const address = clientURL({ query: `&id=${body.connectionToken}` });
    const answer = await upgrade(address, { headers: bearer(mint({ user: 'eve' })) });
    answer.socket?.terminate();
    assert.ok([401, 403, 404].includes(answer.status), `status ${answer.status}`);
  });

  test('the public id does not open a connection in place of the secret one', limit, async () => {
    const { body } = await negotiate();
    const answer = await upgrade(clientURL({ query: `&id=${body.connectionId}` }), { headers: bearer(mint()) });
    answer.socket?.terminate();
    assert.equal(answer.status, 404);
  });
});

describe('negotiate', () => {
  test('version 1 gives a public id and a secret one, and WebSockets only', limit, async () => {
    const { status, headers, body } = await negotiate();
    assert.equal(status, 200);
    assert.match(headers.get('content-type'), /^application\/json/);
    assert.deepEqual(Object.keys(body).sort(), [
      'availableTransports', 'connectionId', 'connectionToken', 'negotiateVersion',
    ]);
    assert.equal(body.negotiateVersion, 1);
    assert.notEqual(body.connectionId, body.connectionToken);
    assert.match(body.connectionId, /^[A-Za-z0-9_-]{22,}$/);
    assert.match(body.connectionToken, /^[A-Za-z0-9._~-]+$/, 'the token needs no escaping in a URL');
    assert.deepEqual(body.availableTransports, [
      { transport: 'WebSockets', transferFormats: ['Text', 'Binary'] },
    ]);
  });

  test('version 0 and no version give one id, good to connect with', limit, async (t) => {
    for (const query of ['', '&negotiateVersion=0']) {
      const { status, body } = await negotiate(query);
      assert.equal(status, 200);
      assert.deepEqual(Object.keys(body).sort(), ['availableTransports', 'connectionId', 'negotiateVersion']);
      assert.equal(body.negotiateVersion, 0);
      const answer = await upgrade(clientURL({ query: `&id=${body.connectionId}` }), { headers: bearer(mint()) });
      t.after(() => answer.socket?.terminate());
      assert.equal(answer.status, 101, answer.body);
    }
  });

  test('a version from the future is answered with version 1', limit, async () => {
    const { body } = await negotiate('&negotiateVersion=7');
    assert.equal(body.negotiateVersion, 1);
    assert.ok(body.connectionToken);
  });

  test('of a version named twice the last one counts', limit, async () => {
    const { body } = await negotiate('&negotiateVersion=0&negotiateVersion=1');
    assert.equal(body.negotiateVersion, 1);
  });

  test('a version that is no number is answered with 200 and an error', limit, async () => {
    const { status, body } = await negotiate('&negotiateVersion=one');
    assert.equal(status, 200);
    assert.equal(body.error, 'The client requested a non-integer protocol version.');
  });

  test('parameters are found whatever their case', limit, async () => {
    const response = await post(
      `${service.endpoint}/client/negotiate?HUB=${service.hub}&NegotiateVersion=1`, bearer(mint()),
    );
    assert.equal(response.status, 200);
    assert.equal((await response.json()).negotiateVersion, 1);
  });

  test('stateful reconnect is not offered, asked for or not', limit, async () => {
    const { body } = await negotiate('&negotiateVersion=1&useStatefulReconnect=true');
    assert.ok(!('useStatefulReconnect' in body));
  });

  test('a doubled slash in the path is forgiven', limit, async () => {
    const response = await post(
      `${service.endpoint}/client//negotiate?hub=${service.hub}&negotiateVersion=1`, bearer(mint()),
    );
    assert.equal(response.status, 200);
  });

  test('any method but POST is refused with 405', limit, async () => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const response = await fetch(negotiateURL({ query: '&negotiateVersion=1' }), { method, headers: bearer(mint()) });
      assert.equal(response.status, 405, method);
    }
  });
});

describe('browsers of another origin', () => {
  const origin = 'https://chat.example.com';
  const asked = 'authorization,content-type,x-requested-with,x-signalr-user-agent';

  test('a preflight is answered without a token, for negotiate and for the connection', limit, async () => {
    for (const address of [negotiateURL({ query: '&negotiateVersion=1' }), clientURL()]) {
      const response = await fetch(address, {
        method: 'OPTIONS',
        headers: {
          Origin: origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': asked,
        },
      });
      assert.equal(response.status, 204);
      assert.equal(response.headers.get('access-control-allow-origin'), origin);
      assert.equal(response.headers.get('access-control-allow-credentials'), 'true');
      assert.match(response.headers.get('vary') ?? '', /origin/i);
      const headers = (response.headers.get('access-control-allow-headers') ?? '').toLowerCase();
      asked.split(',').forEach((header) => assert.ok(headers.includes(header), `${header} in "${headers}"`));
      const methods = response.headers.get('access-control-allow-methods') ?? '';
      ['GET', 'POST', 'DELETE', 'OPTIONS'].forEach((method) => assert.ok(methods.includes(method), methods));
      assert.ok(Number(response.headers.get('access-control-max-age')) > 0);
    }
  });

  test('answers name the origin, good ones and refusals alike', limit, async () => {
    const requests = [
      [200, negotiateURL({ query: '&negotiateVersion=1' }), bearer(mint())],
      [401, negotiateURL({ query: '&negotiateVersion=1' }), {}],
      [400, `${service.endpoint}/client/negotiate?negotiateVersion=1`, bearer(mint())],
    ];
    for (const [status, address, headers] of requests) {
      const response = await post(address, { Origin: origin, ...headers });
      assert.equal(response.status, status);
      assert.equal(response.headers.get('access-control-allow-origin'), origin);
      assert.equal(response.headers.get('access-control-allow-credentials'), 'true');
      assert.match(response.headers.get('vary') ?? '', /origin/i);
    }
  });

  test('an answer to no origin names none', limit, async () => {
    const response = await post(negotiateURL({ query: '&negotiateVersion=1' }), bearer(mint()));
    assert.equal(response.headers.get('access-control-allow-origin'), null);
  });
});

test('health is told to anybody, by GET and HEAD', limit, async () => {
  for (const method of ['GET', 'HEAD']) {
    const response = await fetch(`${service.endpoint}/api/health?api-version=2022-06-01`, { method });
    assert.equal(response.status, 200, method);
  }
});
