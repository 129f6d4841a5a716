// Calls and their answers: what goes in comes out, whole, in order, to the right caller.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { connect, forEachProtocol, until, unique } from './harness.mjs';

const limit = { timeout: 60_000 };

forEachProtocol((protocol) => {
  test('an echo returns every kind of value unchanged', limit, async (t) => {
    const client = await connect(t, { protocol });
    const values = [
      'text', '', true, false, null, 0, 1, -1, 127, 128, 255, 256, 65_535, 65_536, -32, -33, -129, 2 ** 31, -(2 ** 31),
      2 ** 32, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0.5, -1e300, [], [1, [2, [3]]], {},
      { name: 'a', nested: { list: [1, null, 'x'] }, empty: {} },
    ];
    for (const value of values) {
      assert.deepEqual(await client.invoke('Echo', value), value);
    }
  });

  test('an invocation computes with its arguments', limit, async (t) => {
    const client = await connect(t, { protocol });
    assert.equal(await client.invoke('Add', 40, 2), 42);
    assert.equal(await client.invoke('Add', -1, -2), -3);
  });

  test('unicode survives both ways: scripts, emoji, separators, control characters', limit, async (t) => {
    const client = await connect(t, { protocol });
    const texts = [
      'Grüße, Ελληνικά, Русский, עברית, العربية, हिन्दी, 日本語, 한국어',
      '😀👩‍👩‍👧‍👦🏳️‍🌈', '\u{10FFFF}\u{10000}\uFFFD', 'line\u2028paragraph\u2029end', 'e\u0301 is not \u00e9',
      'record\u001eseparator', '\u0000\u0001\u001f\u007f\u0080', '"quotes" \\ backslash / slash', '\uFEFFmark',
    ];
    for (const text of texts) {
      assert.equal(await client.invoke('Echo', text), text);
    }
  });

  test('a message of 1,000,000 bytes goes there and back whole', limit, async (t) => {
    const client = await connect(t, { protocol });
    const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';
    const text = Array.from({ length: 1_000_000 }, (_, i) => alphabet[(i * 7 + (i >> 8)) % 36]).join('');
    assert.ok(await client.invoke('Echo', text) === text, 'the text came back changed');
    assert.equal(await client.invoke('Echo', 'after it'), 'after it');
  });

  test('many large messages under way at once each come back whole', limit, async (t) => {
    const client = await connect(t, { protocol });
    const texts = Array.from({ length: 12 }, (_, i) => String.fromCharCode(97 + i).repeat(100_000 + i));
    const answers = await Promise.all(texts.map((text) => client.invoke('Echo', text)));
    answers.forEach((answer, i) => assert.ok(answer === texts[i], `answer ${i} differs`));
  });

  test('500 concurrent invocations each get their own answer', limit, async (t) => {
    const client = await connect(t, { protocol });
    const calls = Array.from({ length: 500 }, (_, i) => client.invoke('Add', i, 1_000));
    assert.deepEqual(await Promise.all(calls), Array.from({ length: 500 }, (_, i) => i + 1_000));
  });

  test('concurrent invocations of 20 clients do not mix', limit, async (t) => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect(t, { protocol })));
    await Promise.all(clients.map(async (client, who) => {
      const calls = Array.from({ length: 25 }, (_, i) => client.invoke('Echo', `${who}/${i}`));
      assert.deepEqual(await Promise.all(calls), Array.from({ length: 25 }, (_, i) => `${who}/${i}`));
    }));
  });

  test('10,000 messages of 64 bytes from the server arrive in order', limit, async (t) => {
    const client = await connect(t, { protocol });
    await client.invoke('Burst', 10_000, 64);
    await until(() => `10,000 messages, ${client.inbox.length} are here`, () => client.inbox.length >= 10_000);
    const padding = client.inbox[0][2];
    assert.equal(padding.length, 64);
    const wrong = client.inbox.findIndex(([kind, i, pad], at) => kind !== 'burst' || i !== at || pad !== padding);
    assert.equal(wrong, -1, `message ${wrong} is ${JSON.stringify(client.inbox[wrong])}`);
    assert.equal(client.inbox.length, 10_000);
  });

  test('10,000 messages of 64 bytes from one client to another arrive in order', limit, async (t) => {
    const [sender, receiver] = await Promise.all([connect(t, { protocol }), connect(t, { protocol })]);
    const text = (i) => String(i).padStart(64, '0');
    for (let i = 0; i < 10_000; i++) {
      // Not awaited one by one: the point is what happens when they are joined on the way.
      void sender.send('SendClient', receiver.id, text(i));
    }
    await until(() => `10,000 messages, ${receiver.inbox.length} are here`, () => receiver.inbox.length >= 10_000, 45_000);
    const wrong = receiver.received.findIndex((message, i) => message !== text(i));
    assert.equal(wrong, -1, `message ${wrong} is ${JSON.stringify(receiver.received[wrong])}`);
    assert.equal(receiver.received.length, 10_000);
  });

  test('a direct answer and a multicast of one call arrive in the order the hub sent them', limit, async (t) => {
    const client = await connect(t, { protocol });
    for (let i = 0; i < 50; i++) {
      const message = unique('m');
      await client.invoke('Broadcast', message);
      assert.ok(client.take().includes(message), 'the call was answered before its broadcast arrived');
    }
  });

  test('a hub error reaches the caller with its text', limit, async (t) => {
    const client = await connect(t, { protocol });
    await assert.rejects(client.invoke('Throw', 'the shelf is empty'), /the shelf is empty/);
    assert.equal(await client.invoke('Echo', 'still here'), 'still here');
  });

  test('an inner error reaches the caller without its text', limit, async (t) => {
    const client = await connect(t, { protocol });
    await assert.rejects(client.invoke('Fail'), /An unexpected error occurred invoking 'Fail' on the server\./);
    assert.equal(await client.invoke('Echo', 'still here'), 'still here');
  });

  test('an unknown hub method is refused by name', limit, async (t) => {
    const client = await connect(t, { protocol });
    await assert.rejects(client.invoke('NoSuchMethod', 1), /NoSuchMethod/);
    assert.equal(await client.invoke('Echo', 'still here'), 'still here');
  });

  test('messages that want no answer get none and arrive in order', limit, async (t) => {
    const client = await connect(t, { protocol });
    for (let i = 0; i < 100; i++) {
      await client.send('SendClient', client.id, `m${i}`);
    }
    assert.equal(await client.invoke('Echo', 'end'), 'end');
    assert.deepEqual(client.received, Array.from({ length: 100 }, (_, i) => `m${i}`));
    const completions = client.wire.messages().filter((message) => message.type === 3);
    assert.equal(completions.length, 1, 'only Echo asked for an answer');
  });

  test('a slow call of one client does not hold up another client', limit, async (t) => {
    const [slow, quick] = await Promise.all([connect(t, { protocol }), connect(t, { protocol })]);
    let finished = false;
    const long = slow.invoke('Long', 1_000).then(() => { finished = true; });
    for (let i = 0; i < 20; i++) {
      assert.equal(await quick.invoke('Echo', i), i);
    }
    assert.equal(finished, false, 'the quick calls waited for the slow one');
    await long;
  });

  test('frames are of the protocol\'s kind, the handshake response too', limit, async (t) => {
    const client = await connect(t, { protocol });
    await client.invoke('Echo', 'x');
    const [socket] = client.wire.sockets;
    const want = protocol === 'json' ? 'text' : 'binary';
    assert.ok(socket.frames.length >= 2);
    assert.deepEqual([...new Set(socket.frames.map((frame) => frame.kind))], [want]);
    assert.equal(socket.frames[0].bytes.subarray(0, 3).toString('latin1'), '{}\u001e');
  });
});
