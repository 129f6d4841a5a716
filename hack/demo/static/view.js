// Drawing: from the state to the page. Everything a user wrote goes in as text, never as markup.

const $ = (id) => document.getElementById(id);
const clone = (id) => $(id).content.firstElementChild.cloneNode(true);
const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** hue gives a name its colour, the same on every screen. */
function hue(name) {
  let sum = 0;
  for (const character of name) {
    sum = (sum * 31 + character.codePointAt(0)) % 360;
  }
  return sum;
}

function paintAvatar(element, name) {
  const words = name.trim().split(/\s+/u);
  const letters = words.length > 1 ? [words[0], words.at(-1)].map((word) => [...word][0]) : [...name].slice(0, 2);
  element.textContent = letters.join('').toUpperCase();
  element.style.setProperty('--hue', hue(name));
}

/** fill replaces a list's children but keeps the focus where it was. */
function fill(list, items) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.testid : undefined;
  list.replaceChildren(...items);
  if (focused) {
    list.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
  }
}

export function showSignIn(submitted) {
  $('sign-in').hidden = false;
  $('name-input').focus();
  $('sign-in-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const name = $('name-input').value.trim();
    if (name) {
      submitted(name);
    }
  });
}

export function showApp(me) {
  $('app').hidden = false;
  $('my-name').textContent = me;
  paintAvatar($('my-avatar'), me);
  document.title = `${me} · Chat`;
}

const connectionTexts = {
  connecting: 'Connecting', connected: 'Connected', reconnecting: 'Reconnecting', disconnected: 'Offline',
};
const bannerTexts = {
  reconnecting: 'The connection was lost. Reconnecting…',
  disconnected: 'The chat cannot be reached. Trying again soon.',
};

export function drawConnection(state) {
  $('connection-state').dataset.state = state;
  $('connection-text').textContent = connectionTexts[state];
  $('banner').hidden = !(state in bannerTexts);
  $('banner-text').textContent = bannerTexts[state] ?? '';
  $('banner-button').hidden = state !== 'disconnected';
  $('send').disabled = state !== 'connected';
}

export function drawLists(state, open, message) {
  fill($('rooms'), state.rooms().map((room) => row(room, '#', state, open)));
  fill($('direct'), state.directs().map((direct) => row(direct, '@', state, open)));
  $('direct-hint').hidden = state.directs().length > 0;
  $('people-count').textContent = `(${state.people.length})`;
  fill($('people'), state.people.map((person) => {
    const item = clone('person-template');
    const button = item.querySelector('button');
    const mine = person.name === state.me;
    button.dataset.testid = `person-${person.name}`;
    button.disabled = mine;
    button.title = mine ? 'This is you' : `Write to ${person.name}`;
    paintAvatar(item.querySelector('.avatar'), person.name);
    item.querySelector('.label').textContent = person.name;
    item.querySelector('.extra').textContent = [
      mine ? 'you' : '', person.tabs > 1 ? `${person.tabs} tabs` : '',
    ].filter(Boolean).join(', ');
    button.addEventListener('click', () => message(person.name));
    return item;
  }));
}

function row(conversation, sign, state, open) {
  const item = clone('conversation-template');
  const button = item.querySelector('button');
  button.dataset.testid = `${conversation.kind}-${conversation.name}`;
  button.setAttribute('aria-current', String(conversation.key === state.active));
  item.querySelector('.sign').textContent = sign;
  item.querySelector('.label').textContent = conversation.name;
  const unread = item.querySelector('.unread');
  unread.hidden = conversation.unread === 0;
  unread.textContent = String(conversation.unread);
  unread.setAttribute('aria-label', `${conversation.unread} unread`);
  button.addEventListener('click', () => open(conversation));
  return item;
}

/** drawConversation draws the open conversation, and leaves messages that are there already where they are. */
export function drawConversation(state) {
  const conversation = state.current();
  const list = $('messages');
  const direct = conversation.kind === 'direct';
  $('title').textContent = (direct ? '@ ' : '# ') + conversation.name;
  let subtitle = '';
  if (direct) {
    subtitle = state.isHere(conversation.name) ? 'here now' : 'not here';
  }
  $('subtitle').textContent = subtitle;
  $('leave').hidden = false;
  $('leave').textContent = direct ? 'Close' : 'Leave';
  const label = direct ? `Message ${conversation.name}` : `Message #${conversation.name}`;
  $('composer-label').textContent = label;
  $('composer-input').placeholder = label;

  const ids = conversation.messages.map((message) => String(message.id));
  const drawn = [...list.children].map((item) => item.dataset.id);
  const same = list.dataset.key === conversation.key && drawn.every((id, i) => id === ids[i]);
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  if (!same) {
    list.replaceChildren();
  }
  list.dataset.key = conversation.key;
  const from = list.children.length;
  list.append(...conversation.messages.slice(from).map(
    (message, i) => drawMessage(message, conversation.messages[from + i - 1], state.me),
  ));
  if (!same || atEnd) {
    list.scrollTop = list.scrollHeight;
  }
  drawTyping(conversation);
}

function drawMessage(message, before, me) {
  const item = clone('message-template');
  item.dataset.id = message.id;
  item.classList.toggle('mine', message.from === me);
  const follows = before && before.from === message.from && message.at - before.at < 300_000;
  item.classList.toggle('follows', Boolean(follows));
  paintAvatar(item.querySelector('.avatar'), message.from);
  item.querySelector('.from').textContent = message.from;
  const at = new Date(message.at);
  item.querySelector('time').textContent = time.format(at);
  item.querySelector('time').dateTime = at.toISOString();
  item.querySelector('.text').textContent = message.text;
  return item;
}

export function drawTyping(conversation) {
  const names = [...conversation.typing.keys()];
  let text = '';
  if (names.length === 1) {
    text = `${names[0]} is writing…`;
  } else if (names.length > 1) {
    text = `${names.length} people are writing…`;
  }
  $('typing').textContent = text;
}

/** complain says what went wrong where the user looks: in the banner, until the next change. */
export function complain(text) {
  $('banner').hidden = false;
  $('banner-text').textContent = text;
  $('banner-button').hidden = true;
}

export { $ };
