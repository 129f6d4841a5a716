// Who gets what: each way of naming receivers reaches all of them, in order, and nobody else (shown by a fence).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { connect, fence, forEachProtocol, party, unique, until } from './harness.mjs';

const limit = { timeout: 60_000 };

/** expectExactly fences the receivers and compares what each got with what it should have got. */
async function expectExactly(sender, want) {
  const got = await fence(sender, ...want.map(([client]) => client));
  assert.deepEqual(got, want.map(([, messages]) => messages));
}

forEachProtocol((protocol) => {
  test('All reaches every client, the sender too', limit, async (t) => {
    const [a, b, c] = await party(t, protocol, 3);
    await a.invoke('Broadcast', 'hello');
    await expectExactly(a, [[a, ['hello']], [b, ['hello']], [c, ['hello']]]);
  });

  test('Others reaches every client but the sender', limit, async (t) => {
    const [a, b, c] = await party(t, protocol, 3);
    await a.invoke('Others', 'hello');
    await expectExactly(a, [[a, []], [b, ['hello']], [c, ['hello']]]);
  });

  test('AllExcept leaves out the named connections', limit, async (t) => {
    const [a, b, c, d] = await party(t, protocol, 4);
    await a.invoke('AllExcept', [b.id, d.id, 'nobody'], 'hello');
    await expectExactly(a, [[a, ['hello']], [b, []], [c, ['hello']], [d, []]]);
  });

  test('Client reaches one connection', limit, async (t) => {
    const [a, b, c] = await party(t, protocol, 3);
    await a.invoke('SendClient', b.id, 'hello');
    await expectExactly(a, [[a, []], [b, ['hello']], [c, []]]);
  });

  test('Client reaches the sender itself', limit, async (t) => {
    const [a, b] = await party(t, protocol, 2);
    await a.invoke('SendClient', a.id, 'hello');
    await expectExactly(b, [[a, ['hello']], [b, []]]);
  });

  test('Clients reaches the named connections', limit, async (t) => {
    const [a, b, c] = await party(t, protocol, 3);
    await a.invoke('SendClients', [a.id, c.id, 'nobody'], 'hello');
    await expectExactly(a, [[a, ['hello']], [b, []], [c, ['hello']]]);
  });

  test('Clients reaches a connection once, however often it is named', limit, async (t) => {
    const [a, b] = await party(t, protocol, 2);
    await a.invoke('SendClients', [b.id, b.id, b.id], 'hello');
    await expectExactly(a, [[a, []], [b, ['hello']]]);
  });

  test('Group reaches its members and nobody else', limit, async (t) => {
    const [a, b, c] = await party(t, protocol, 3);
    const group = unique('group');
    await a.invoke('Join', group);
    await b.invoke('Join', group);
    await c.invoke('Group', group, 'from outside');
    await a.invoke('Group', group, 'from inside');
    await until('both messages', () => b.inbox.length >= 2 && a.inbox.length >= 2);
    const [gotA, gotB, gotC] = await fence(c, a, b, c);
    // Two senders: each one's own messages keep their order, theirs among each other need not.
    assert.deepEqual(gotA.sort(), ['from inside', 'from outside']);
    assert.deepEqual(gotB.sort(), ['from inside', 'from outside']);
    assert.deepEqual(gotC, []);
  });

  test('joining a group twice is joining it once', limit, async (t) => {
    const [a] = await party(t, protocol, 1);
    const group = unique('group');
    await a.invoke('Join', group);
    await a.invoke('Join', group);
    await a.invoke('Group', group, 'once');
    await expectExactly(a, [[a, ['once']]]);
    await a.invoke('Leave', group);
    await a.invoke('Group', group, 'never');
    await expectExactly(a, [[a, []]]);
  });

  test('group names tell case and any character apart', limit, async (t) => {
    const [a, b] = await party(t, protocol, 2);
    const name = unique('räume/数 &?%2F\u{1F600}');
    await a.invoke('Join', name);
    await b.invoke('Join', name.toUpperCase());
    await a.invoke('Group', name, 'lower');
    await a.invoke('Group', name.toUpperCase(), 'upper');
    await expectExactly(a, [[a, ['lower']], [b, ['upper']]]);
  });

  test('a group without members takes a message and nobody gets it', limit, async (t) => {
    const [a, b] = await party(t, protocol, 2);
    await a.invoke('Group', unique('empty'), 'hello');
    await expectExactly(a, [[a, []], [b, []]]);
  });

  test('Groups reaches the members of each, once per group', limit, async (t) => {
    const [a, b, c, d] = await party(t, protocol, 4);
    const [one, two] = [unique('one'), unique('two')];
    await a.invoke('Join', one);
    await b.invoke('Join', two);
    await c.invoke('Join', one);
    await c.invoke('Join', two);
    await d.invoke('Groups', [one, two], 'hello');
    await expectExactly(d, [[a, ['hello']], [b, ['hello']], [c, ['hello', 'hello']], [d, []]]);
  });

  test('GroupExcept leaves out the named connections', limit, async (t) => {
    const [a, b, c, d] = await party(t, protocol, 4);
    const group = unique('group');
    await Promise.all([a, b, c].map((client) => client.invoke('Join', group)));
    await d.invoke('GroupExcept', group, [b.id, d.id], 'hello');
    await expectExactly(d, [[a, ['hello']], [b, []], [c, ['hello']], [d, []]]);
  });

  test('OthersInGroup reaches the group but the sender', limit, async (t) => {
    const [a, b, c] = await party(t, protocol, 3);
    const group = unique('group');
    await Promise.all([a, b].map((client) => client.invoke('Join', group)));
    await a.invoke('OthersInGroup', group, 'hello');
    await expectExactly(a, [[a, []], [b, ['hello']], [c, []]]);
  });

  test('User reaches both connections of one user and nobody else', limit, async (t) => {
    const [ada, bob] = [unique('ada'), unique('bob')];
    const [ada1] = await party(t, protocol, 1, { user: ada });
    const [ada2] = await party(t, protocol, 1, { user: ada });
    const [bob1] = await party(t, protocol, 1, { user: bob });
    await bob1.invoke('User', ada, 'hello');
    await expectExactly(bob1, [[ada1, ['hello']], [ada2, ['hello']], [bob1, []]]);
  });

  test('Users reaches every connection of each user once, however often a user is named', limit, async (t) => {
    const [ada, bob, eve] = [unique('ada'), unique('bob'), unique('eve')];
    const clients = await Promise.all([ada, ada, bob, eve].map((user) => connect(t, { protocol, user })));
    const [ada1, ada2, bob1, eve1] = clients;
    await eve1.invoke('Users', [ada, bob, ada, 'nobody'], 'hello');
    await expectExactly(eve1, [[ada1, ['hello']], [ada2, ['hello']], [bob1, ['hello']], [eve1, []]]);
  });

  test('a user that signs out of one connection is still reached on the other', limit, async (t) => {
    const ada = unique('ada');
    const [first, second] = await party(t, protocol, 2, { user: ada });
    await first.stop();
    await second.invoke('User', ada, 'hello');
    await expectExactly(second, [[second, ['hello']]]);
  });

  test('a message sent right behind a join reaches the one that joined', limit, async (t) => {
    const [a, b] = await party(t, protocol, 2);
    for (let i = 0; i < 50; i++) {
      await a.invoke('JoinAndSend', unique('group'), `m${i}`);
    }
    await expectExactly(a, [[a, Array.from({ length: 50 }, (_, i) => `m${i}`)], [b, []]]);
  });

  test('a join and a message that nobody waited for take effect in order', limit, async (t) => {
    const [a] = await party(t, protocol, 1);
    for (let i = 0; i < 50; i++) {
      const group = unique('group');
      await a.send('Join', group);
      await a.send('Group', group, `m${i}`);
      await a.send('Leave', group);
      await a.send('Group', group, 'too late');
    }
    await a.invoke('Echo', 'done');
    await expectExactly(a, [[a, Array.from({ length: 50 }, (_, i) => `m${i}`)]]);
  });

  test('a message sent right behind a leave does not reach the one that left', limit, async (t) => {
    const [a, b] = await party(t, protocol, 2);
    const group = unique('group');
    await b.invoke('Join', group);
    for (let i = 0; i < 50; i++) {
      await a.invoke('Join', group);
      await a.invoke('LeaveAndSend', group, `m${i}`);
    }
    await expectExactly(a, [[a, []], [b, Array.from({ length: 50 }, (_, i) => `m${i}`)]]);
  });

  test('a group forgets a connection that ended', limit, async (t) => {
    const [a, b] = await party(t, protocol, 2);
    const group = unique('group');
    await a.invoke('Join', group);
    await b.invoke('Join', group);
    await a.stop();
    await a.start();
    await b.invoke('Group', group, 'hello');
    await expectExactly(b, [[a, []], [b, ['hello']]]);
  });

  test('no multicast reaches a client before its handshake is answered', limit, async (t) => {
    const [talker] = await party(t, protocol, 1);
    let talking = true;
    const talk = (async () => {
      while (talking) {
        await talker.invoke('Broadcast', 'noise');
      }
    })();
    try {
      // A client that gets anything before its handshake response fails to start.
      for (let i = 0; i < 15; i++) {
        const client = await connect(t, { protocol });
        assert.equal(await client.invoke('Echo', i), i);
        await client.stop();
      }
    } finally {
      talking = false;
      await talk;
    }
  });
});

test('JSON and MessagePack clients hear each other', limit, async (t) => {
  const [json, pack] = await Promise.all([
    connect(t, { protocol: 'json' }), connect(t, { protocol: 'messagepack' }),
  ]);
  const group = unique('group');
  await json.invoke('Join', group);
  await pack.invoke('Join', group);
  await json.invoke('Group', group, 'from json');
  await until('the first message', () => pack.inbox.length === 1);
  await pack.invoke('Group', group, 'from messagepack');
  await expectExactly(pack, [
    [json, ['from json', 'from messagepack']], [pack, ['from json', 'from messagepack']],
  ]);
});
