// What a person sees of the demo: two tabs of headless Chromium chat, in rooms, directly, and know who is here. A
// picture of it is kept as an artefact.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { chromium } from 'playwright-core';

const demo = process.env.DEMO_URL;
const limit = { timeout: 60_000 };
const wait = 15_000;

let browser;
const complaints = [];

before(async () => {
  assert.ok(demo, 'DEMO_URL is not set: run this suite with "go test ./test/conformance"');
  browser = await chromium.launch({
    executablePath: process.env.DEMO_CHROMIUM,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
    ],
  });
});

after(() => browser?.close());

/** tab opens the chat in a browser profile of its own, as a second person would. */
async function tab(t, name, { viewport = { width: 1180, height: 720 } } = {}) {
  const context = await browser.newContext({ viewport, locale: 'en-GB', timezoneId: 'UTC' });
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(wait);
  page.on('pageerror', (error) => complaints.push(`${name}: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      complaints.push(`${name}: ${message.text()}`);
    }
  });
  await page.goto(`${demo}/?name=${encodeURIComponent(name)}`);
  await connected(page);
  await title(page, '# General');
  return page;
}

const at = (page, id) => page.getByTestId(id);
const connected = (page) => page.locator('[data-testid="connection-state"][data-state="connected"]').waitFor();
const title = (page, text) => page.locator('[data-testid="title"]', { hasText: text }).waitFor();
const shows = (page, text) => at(page, 'messages').getByText(text, { exact: true }).waitFor();
const texts = (page) => at(page, 'message-text').allTextContents();

async function say(page, text) {
  await at(page, 'composer-input').fill(text);
  await at(page, 'composer-input').press('Enter');
}

/** fresh makes names that no other test's history shows. */
let round = 0;
const fresh = (...names) => { round += 1; return names.map((name) => `${name} ${round}`); };

describe('the demo in Chromium', () => {
  // First, while nobody else has left rooms behind.
  test('a picture of two people in a chat is kept', limit, async (t) => {
    const room = 'Release party';
    const [ada, bob] = [await tab(t, 'Ada'), await tab(t, 'Bob')];
    await tab(t, 'Grace');
    for (const page of [ada, bob]) {
      await at(page, 'new-room-input').fill(room);
      await at(page, 'new-room-button').click();
      await title(page, `# ${room}`);
    }
    const lines = [
      [ada, 'The edge is up: one command, no cloud.'],
      [bob, 'And this page uses the stock @microsoft/signalr client?'],
      [ada, 'Unchanged. The hub runs in a Go app server that speaks the vendor\'s service protocol.'],
      [ada, 'Rooms are groups, direct messages go to users.'],
      [bob, 'Then I restart the edge and see who comes back.'],
      [ada, 'Everybody. That is what the Close with allowReconnect is for.'],
    ];
    for (const [page, text] of lines) {
      await say(page, text);
      await shows(page === ada ? bob : ada, text);
    }
    await at(bob, 'person-Ada').click();
    await title(bob, '@ Ada');
    await say(bob, 'Lunch?');
    await at(ada, 'direct-Bob').waitFor();
    await ada.screenshot({ path: join(process.env.DEMO_ARTEFACTS, 'demo.png') });
  });

  test('a person signs in by name', limit, async (t) => {
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(wait);
    await page.goto(demo);
    await at(page, 'name-input').fill('Grace Hopper');
    await at(page, 'sign-in-button').click();
    await connected(page);
    assert.equal(await at(page, 'my-name').textContent(), 'Grace Hopper');
    await at(page, 'person-Grace Hopper').waitFor();
  });

  test('two tabs chat in a room, both ways, in order', limit, async (t) => {
    const [adaName, bobName, room] = fresh('Ada', 'Bob', 'Talk');
    const [ada, bob] = [await tab(t, adaName), await tab(t, bobName)];
    for (const page of [ada, bob]) {
      await at(page, 'new-room-input').fill(room);
      await at(page, 'new-room-button').click();
      await title(page, `# ${room}`);
    }
    await say(ada, 'Hello, who is there?');
    await shows(bob, 'Hello, who is there?');
    await say(bob, 'Bob. Grüße! 😀');
    await shows(ada, 'Bob. Grüße! 😀');
    for (let i = 0; i < 20; i++) {
      await say(ada, `line ${i}`);
    }
    await shows(bob, 'line 19');
    const want = [
      'Hello, who is there?', 'Bob. Grüße! 😀', ...Array.from({ length: 20 }, (_, i) => `line ${i}`),
    ];
    assert.deepEqual(await texts(bob), want);
    assert.deepEqual(await texts(ada), want);
  });

  test('what a person writes is text, never markup', limit, async (t) => {
    const [ada] = [await tab(t, fresh('Ada')[0])];
    const text = '<img src=x onerror="document.title=1"> & <b>bold</b>';
    await say(ada, text);
    await shows(ada, text);
    assert.equal(await at(ada, 'messages').locator('img, b').count(), 0);
  });

  test('a room is heard by its members only, and tells of what was missed', limit, async (t) => {
    const [adaName, bobName, room] = fresh('Ada', 'Bob', 'Quiet');
    const [ada, bob] = [await tab(t, adaName), await tab(t, bobName)];
    await at(ada, 'new-room-input').fill(room);
    await at(ada, 'new-room-button').click();
    await title(ada, `# ${room}`);
    await say(ada, `a secret of ${room}`);
    await shows(ada, `a secret of ${room}`);
    // Bob sees the new room, but is not in it: what comes behind in General shows that nothing came before.
    await at(bob, `room-${room}`).waitFor();
    await at(ada, 'room-General').click();
    await title(ada, '# General');
    await say(ada, `loud, behind ${room}`);
    await shows(bob, `loud, behind ${room}`);
    assert.equal(await at(bob, `room-${room}`).locator('.unread:visible').count(), 0);
    await at(bob, `room-${room}`).click();
    await shows(bob, `a secret of ${room}`);
    // Ada is elsewhere but still a member: an answer shows as unread.
    await say(bob, 'not any more');
    await at(ada, `room-${room}`).locator('.unread', { hasText: '1' }).waitFor();
    await at(ada, `room-${room}`).click();
    await shows(ada, 'not any more');
    await at(ada, 'leave').click();
    await title(ada, '# General');
    await say(bob, 'are you gone?');
    await shows(bob, 'are you gone?');
    await at(bob, 'room-General').click();
    await title(bob, '# General');
    await say(bob, `behind ${room} again`);
    await shows(ada, `behind ${room} again`);
    assert.equal(await at(ada, `room-${room}`).locator('.unread:visible').count(), 0);
  });

  test('a direct message reaches every tab of its person and nobody else', limit, async (t) => {
    const [adaName, bobName, eveName] = fresh('Ada', 'Bob', 'Eve');
    const [ada, bob, bob2, eve] = await Promise.all([adaName, bobName, bobName, eveName].map((name) => tab(t, name)));
    await at(ada, `person-${bobName}`).click();
    await title(ada, `@ ${bobName}`);
    await say(ada, 'just for you');
    await shows(ada, 'just for you');
    for (const page of [bob, bob2]) {
      await at(page, `direct-${adaName}`).locator('.unread', { hasText: '1' }).waitFor();
      await at(page, `direct-${adaName}`).click();
      await shows(page, 'just for you');
    }
    await say(bob, 'thank you');
    await shows(ada, 'thank you');
    await shows(bob2, 'thank you');
    await say(eve, `eve in general ${round}`);
    await shows(eve, `eve in general ${round}`);
    assert.equal(await at(eve, `direct-${adaName}`).count() + await at(eve, `direct-${bobName}`).count(), 0);
  });

  test('everybody sees who is here, who comes and who goes', limit, async (t) => {
    const [adaName, bobName] = fresh('Ada', 'Bob');
    const ada = await tab(t, adaName);
    assert.equal(await at(ada, `person-${bobName}`).count(), 0);
    const bob = await tab(t, bobName);
    await at(ada, `person-${bobName}`).waitFor();
    await at(bob, `person-${adaName}`).waitFor();
    const bob2 = await tab(t, bobName);
    await at(ada, `person-${bobName}`).getByText('2 tabs').waitFor();
    await bob2.close();
    await at(ada, `person-${bobName}`).getByText('2 tabs').waitFor({ state: 'detached' });
    await at(ada, `person-${bobName}`).waitFor();
    await bob.close();
    await at(ada, `person-${bobName}`).waitFor({ state: 'detached' });
  });

  test('others see that somebody is writing', limit, async (t) => {
    const [adaName, bobName] = fresh('Ada', 'Bob');
    const [ada, bob] = [await tab(t, adaName), await tab(t, bobName)];
    await at(ada, 'composer-input').pressSequentially('Well');
    await at(bob, 'typing').getByText(`${adaName} is writing…`).waitFor();
  });

  test('a page whose line is cut says so, comes back and is in its rooms again', limit, async (t) => {
    const [adaName, bobName] = fresh('Ada', 'Bob');
    const bob = await tab(t, bobName);
    // The sockets of this tab are cut from inside: to the client it is a line that broke.
    const context = await browser.newContext();
    t.after(() => context.close());
    await context.addInitScript(() => {
      const Stock = window.WebSocket;
      window.sockets = [];
      window.WebSocket = class extends Stock {
        constructor(...args) {
          super(...args);
          window.sockets.push(this);
        }
      };
    });
    const ada = await context.newPage();
    ada.setDefaultTimeout(wait);
    await ada.route('**/chat/negotiate**', (route) => route.continue());
    await ada.goto(`${demo}/?name=${encodeURIComponent(adaName)}`);
    await connected(ada);
    await title(ada, '# General');
    let blocked = true;
    await ada.route('**/chat/negotiate**', (route) => (blocked ? route.abort() : route.continue()));
    await ada.evaluate(() => window.sockets.at(-1).close());
    await at(ada, 'banner').getByText('Reconnecting').waitFor();
    await at(bob, `person-${adaName}`).waitFor({ state: 'detached' });
    await say(bob, `while ${adaName} was away`);
    await shows(bob, `while ${adaName} was away`);
    blocked = false;
    await connected(ada);
    await at(ada, 'banner').waitFor({ state: 'hidden' });
    await shows(ada, `while ${adaName} was away`);
    await say(bob, `${adaName} is back`);
    await shows(ada, `${adaName} is back`);
  });

  test('the keyboard alone is enough, and everything has a name', limit, async (t) => {
    const [adaName] = fresh('Ada');
    const ada = await tab(t, adaName);
    await ada.keyboard.type('typed without a mouse');
    await ada.keyboard.press('Enter');
    await shows(ada, 'typed without a mouse');
    const nameless = await ada.locator('button, input, textarea, a[href]').evaluateAll((elements) => elements
      .filter((element) => element.checkVisibility())
      .filter((element) => !(element.textContent.trim() || element.getAttribute('aria-label') || element.labels?.length))
      .map((element) => element.outerHTML));
    assert.deepEqual(nameless, []);
    assert.equal(await ada.locator('[role="log"][aria-live="polite"]').count(), 1);
    assert.equal(await ada.locator('html[lang="en"]').count(), 1);
  });

  test('a narrow window shows everything without sideways scrolling', limit, async (t) => {
    const [adaName] = fresh('Ada');
    const ada = await tab(t, adaName, { viewport: { width: 390, height: 780 } });
    await at(ada, `person-${adaName}`).waitFor();
    await at(ada, 'composer-input').waitFor();
    const overflow = await ada.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} pixels too wide`);
  });

  test('nothing was written to the console that a developer would mind', limit, () => {
    assert.deepEqual(complaints, []);
  });
});
