// Streams: items in order, an end for each, and a cancel that the server hears.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { collect, connect, forEachProtocol, signalR, until, within } from './harness.mjs';

const limit = { timeout: 60_000 };
const upTo = (n) => Array.from({ length: n }, (_, i) => i);

forEachProtocol((protocol) => {
  test('a stream from the server yields its items in order and completes', limit, async (t) => {
    const client = await connect(t, { protocol });
    assert.deepEqual(await collect(client.hub.stream('Counter', 10, 1)), upTo(10));
  });

  test('an empty stream completes', limit, async (t) => {
    const client = await connect(t, { protocol });
    assert.deepEqual(await collect(client.hub.stream('Counter', 0, 0)), []);
  });

  test('a stream of 5,000 items arrives whole', limit, async (t) => {
    const client = await connect(t, { protocol });
    assert.deepEqual(await collect(client.hub.stream('Counter', 5_000, 0)), upTo(5_000));
  });

  test('a stream that fails ends with the hub\'s text, behind its items', limit, async (t) => {
    const client = await connect(t, { protocol });
    const items = [];
    await assert.rejects(within('the end of the stream', new Promise((resolve, reject) => {
      client.hub.stream('FailingStream', 'the paper is out').subscribe({
        next: (item) => items.push(item), complete: resolve, error: reject,
      });
    })), /the paper is out/);
    assert.deepEqual(items, [0]);
    assert.equal(await client.invoke('Echo', 'still here'), 'still here');
  });

  test('several streams of one client run side by side', limit, async (t) => {
    const client = await connect(t, { protocol });
    const all = await Promise.all([5, 50, 500].map((n) => collect(client.hub.stream('Counter', n, 0))));
    assert.deepEqual(all, [5, 50, 500].map(upTo));
  });

  test('invocations are answered while a stream runs', limit, async (t) => {
    const client = await connect(t, { protocol });
    const stream = collect(client.hub.stream('Counter', 50, 10));
    assert.equal(await client.invoke('Echo', 'meanwhile'), 'meanwhile');
    assert.deepEqual(await stream, upTo(50));
  });

  test('cancelling a stream ends it at the server', limit, async (t) => {
    const client = await connect(t, { protocol });
    const items = [];
    const subscription = await within('the third item', new Promise((resolve) => {
      const running = client.hub.stream('Counter', 1_000_000, 10).subscribe({
        next(item) {
          items.push(item);
          if (items.length === 3) {
            resolve(running);
          }
        },
        complete() {},
        error() {},
      });
    }));
    subscription.dispose();
    // The callee must still complete a cancelled stream: that is the sign that the cancel arrived.
    await until('the completion of the cancelled stream', () => completions(client).length === 1);
    const before = streamItems(client).length;
    assert.equal(await client.invoke('Echo', 'still here'), 'still here');
    assert.equal(streamItems(client).length, before, 'items came behind the completion');
    assert.ok(before < 1_000, `${before} items came before the cancel was heard`);
  });

  test('a stream to the server is summed up', limit, async (t) => {
    const client = await connect(t, { protocol });
    const upload = new signalR.Subject();
    const sum = client.invoke('Sum', upload);
    for (let i = 1; i <= 100; i++) {
      upload.next(i);
    }
    upload.complete();
    assert.equal(await sum, 5_050);
  });

  test('an empty stream to the server completes', limit, async (t) => {
    const client = await connect(t, { protocol });
    const upload = new signalR.Subject();
    const sum = client.invoke('Sum', upload);
    upload.complete();
    assert.equal(await sum, 0);
  });

  test('a stream to the server comes back as a stream', limit, async (t) => {
    const client = await connect(t, { protocol });
    const upload = new signalR.Subject();
    const echoed = collect(client.hub.stream('EchoStream', upload));
    for (let i = 0; i < 200; i++) {
      upload.next(`item ${i}`);
    }
    upload.complete();
    assert.deepEqual(await echoed, upTo(200).map((i) => `item ${i}`));
  });

  test('two streams to the server do not mix', limit, async (t) => {
    const client = await connect(t, { protocol });
    const uploads = [new signalR.Subject(), new signalR.Subject()];
    const sums = uploads.map((upload) => client.invoke('Sum', upload));
    for (let i = 1; i <= 50; i++) {
      uploads[0].next(1);
      uploads[1].next(1_000);
    }
    uploads.forEach((upload) => upload.complete());
    assert.deepEqual(await Promise.all(sums), [50, 50_000]);
  });

  test('a stream to the server that fails fails the call', limit, async (t) => {
    const client = await connect(t, { protocol });
    const upload = new signalR.Subject();
    const sum = client.invoke('Sum', upload);
    upload.next(1);
    upload.error(new Error('the sensor broke'));
    await assert.rejects(sum);
    assert.equal(await client.invoke('Echo', 'still here'), 'still here');
  });
});

const completions = (client) => client.wire.messages().filter(
  (message) => message.type === signalR.MessageType.Completion,
);
const streamItems = (client) => client.wire.messages().filter(
  (message) => message.type === signalR.MessageType.StreamItem,
);
