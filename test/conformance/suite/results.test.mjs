// Client results: the hub asks a client and gets its answer.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { connect, forEachProtocol, unique } from './harness.mjs';

const limit = { timeout: 60_000 };

/** asked is the client method by which the hub asks. */
const asked = 'Ask';

forEachProtocol((protocol) => {
  const answering = (answer) => ({ protocol, configure: (hub) => hub.on(asked, answer) });

  test('the hub gets the answer of a client it asks', limit, async (t) => {
    const [asker, answerer] = await Promise.all([
      connect(t, { protocol }), connect(t, answering((question) => `${question}? 42`)),
    ]);
    assert.equal(await asker.invoke('Ask', answerer.id, 'life'), 'life? 42');
  });

  test('an answer may take its time while other calls go on', limit, async (t) => {
    let release;
    const released = new Promise((resolve) => { release = resolve; });
    const [asker, other, answerer] = await Promise.all([
      connect(t, { protocol }), connect(t, { protocol }),
      connect(t, answering(async (question) => { await released; return question; })),
    ]);
    const answer = asker.invoke('Ask', answerer.id, 'later');
    assert.equal(await other.invoke('Echo', 'meanwhile'), 'meanwhile');
    release();
    assert.equal(await answer, 'later');
  });

  test('100 questions to several clients get each its own answer', limit, async (t) => {
    const askers = await Promise.all(Array.from({ length: 5 }, () => connect(t, { protocol })));
    const answerers = await Promise.all(
      Array.from({ length: 4 }, (_, i) => connect(t, answering((question) => `${i}:${question}`))),
    );
    const answers = await Promise.all(askers.flatMap((asker, a) => answerers.flatMap((answerer, b) => Array.from(
      { length: 5 },
      async (_, i) => [await asker.invoke('Ask', answerer.id, `${a}/${i}`), `${b}:${a}/${i}`],
    ))));
    assert.equal(answers.length, 100);
    answers.forEach(([got, want]) => assert.equal(got, want));
  });

  test('a client that fails to answer fails the call', limit, async (t) => {
    const [asker, answerer] = await Promise.all([
      connect(t, { protocol }), connect(t, answering(() => { throw new Error('no idea'); })),
    ]);
    await assert.rejects(asker.invoke('Ask', answerer.id, 'why'));
    assert.equal(await asker.invoke('Echo', 'still here'), 'still here');
  });

  test('a client without a handler fails the call with the protocol\'s text', limit, async (t) => {
    const [asker, silent] = await Promise.all([connect(t, { protocol }), connect(t, { protocol })]);
    await assert.rejects(asker.invoke('Ask', silent.id, 'why'), /Client didn't provide a result\./);
  });

  test('asking a connection that does not exist fails the call', limit, async (t) => {
    const asker = await connect(t, { protocol });
    await assert.rejects(asker.invoke('Ask', unique('nobody'), 'why'));
    assert.equal(await asker.invoke('Echo', 'still here'), 'still here');
  });

  test('a client that leaves before it answers fails the call', limit, async (t) => {
    let heard;
    const question = new Promise((resolve) => { heard = resolve; });
    const [asker, answerer] = await Promise.all([
      connect(t, { protocol }), connect(t, answering(() => { heard(); return new Promise(() => {}); })),
    ]);
    const failing = assert.rejects(asker.invoke('Ask', answerer.id, 'why'));
    await question;
    await answerer.stop();
    await failing;
  });
});
