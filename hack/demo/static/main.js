// The chat page: sign in by name, rooms (groups of the hub), direct messages (to users), and who is here.

import { connect } from './connection.js';
import { State } from './state.js';
import {
  $, complain, drawConnection, drawConversation, drawLists, drawTyping, showApp, showSignIn,
} from './view.js';

const home = 'General';
const typingFor = 4_000;

const name = new URLSearchParams(location.search).get('name')?.trim().slice(0, 32);
if (name) {
  chat(name);
} else {
  showSignIn((chosen) => { location.search = `?name=${encodeURIComponent(chosen)}`; });
}

function chat(me) {
  const state = new State(me);
  const hub = connect(me, {
    Message(message) {
      const conversation = state.add(message);
      lists();
      if (conversation.key === state.active) {
        drawConversation(state);
      }
    },
    People(presence) {
      state.seePeople(presence);
      lists();
      if (state.current()?.kind === 'direct') {
        drawConversation(state);
      }
    },
    Room(room) {
      state.conversation('room', room);
      lists();
    },
    Typing(room, who) { someoneTypes(state.conversation('room', room), who); },
  }, connectionChanged);

  showApp(me);
  drawConnection('connecting');
  hub.start();

  // A new connection is a new member: groups belong to connections, so rooms are joined again after each one.
  async function connectionChanged(now) {
    drawConnection(now);
    if (now !== 'connected') {
      return;
    }
    await attempt(async () => {
      state.welcome(await hub.invoke('Hello'));
      const joined = state.rooms().filter((room) => room.joined);
      if (joined.length === 0) {
        await open(state.conversation('room', home));
      } else {
        await Promise.all(joined.map(join));
      }
      lists();
      drawConversation(state);
    });
  }

  async function join(room) {
    const history = await hub.invoke('Join', room.name);
    room.joined = true;
    history.forEach((message) => state.add({ ...message, old: true }));
  }

  async function open(conversation) {
    state.open(conversation);
    lists();
    drawConversation(state);
    if (!conversation.joined) {
      await join(conversation);
      drawConversation(state);
    }
    $('composer-input').focus();
  }

  async function leave(conversation) {
    if (conversation.kind === 'room') {
      await hub.invoke('Leave', conversation.name);
    }
    state.close(conversation);
    const next = state.rooms().find((room) => room.joined) ?? state.conversation('room', home);
    await open(next);
  }

  async function say(conversation, text) {
    if (conversation.kind === 'room') {
      await hub.invoke('Say', conversation.name, text);
    } else {
      await hub.invoke('Direct', conversation.name, text);
    }
  }

  function someoneTypes(conversation, who) {
    clearTimeout(conversation.typing.get(who));
    conversation.typing.set(who, setTimeout(() => {
      conversation.typing.delete(who);
      redraw();
    }, typingFor));
    redraw();

    function redraw() {
      if (conversation.key === state.active) {
        drawTyping(conversation);
      }
    }
  }

  function lists() {
    drawLists(state, (conversation) => attempt(() => open(conversation)), (who) => attempt(
      () => open(state.conversation('direct', who)),
    ));
  }

  /** attempt runs what a user asked for and says so when it fails. */
  async function attempt(action) {
    try {
      await action();
      return true;
    } catch (error) {
      if (hub.up) {
        complain(error.message.replace(/^.*HubException: /u, ''));
      }
      return false;
    }
  }

  const input = $('composer-input');

  $('composer').addEventListener('submit', async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || !hub.up) {
      return;
    }
    input.value = '';
    if (!await attempt(() => say(state.current(), text)) && !input.value) {
      input.value = text;
    }
  });

  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      $('composer').requestSubmit();
    }
  });

  let saidTyping = 0;
  input.addEventListener('input', () => {
    const conversation = state.current();
    if (hub.up && conversation?.kind === 'room' && Date.now() - saidTyping > typingFor / 2) {
      saidTyping = Date.now();
      hub.send('Typing', conversation.name).catch(() => {});
    }
  });

  $('leave').addEventListener('click', () => attempt(() => leave(state.current())));
  $('banner-button').addEventListener('click', () => hub.start());

  $('new-room').addEventListener('submit', (event) => {
    event.preventDefault();
    const room = $('new-room-input').value.trim();
    if (room) {
      $('new-room-input').value = '';
      attempt(() => open(state.conversation('room', room)));
    }
  });
}
