// What the page knows, and the rules by which it changes. No DOM and no network in here.

/** A conversation is a room or the direct messages with one person. */
export const roomKey = (name) => `room:${name}`;
export const directKey = (name) => `direct:${name}`;

export class State {
  constructor(me) {
    this.me = me;
    /** people is [{name, tabs}], everybody who is here. */
    this.people = [];
    this.version = 0;
    /** conversations is keyed by roomKey or directKey, in the order of the lists. */
    this.conversations = new Map();
    this.active = undefined;
  }

  conversation(kind, name) {
    const key = kind === 'room' ? roomKey(name) : directKey(name);
    if (!this.conversations.has(key)) {
      this.conversations.set(key, {
        key, kind, name, joined: kind === 'direct', messages: [], seen: new Set(), unread: 0, typing: new Map(),
      });
    }
    return this.conversations.get(key);
  }

  rooms() { return [...this.conversations.values()].filter(({ kind }) => kind === 'room'); }

  directs() { return [...this.conversations.values()].filter(({ kind }) => kind === 'direct'); }

  current() { return this.conversations.get(this.active); }

  /** welcome takes over the server's view after a connection or a reconnection. */
  welcome({ rooms, presence, direct }) {
    rooms.forEach((name) => this.conversation('room', name));
    direct.forEach((message) => this.add({ ...message, old: true }));
    this.seePeople(presence);
  }

  /** seePeople takes over who is here, unless it is older than what is known. */
  seePeople({ version, people }) {
    if (version > this.version) {
      this.version = version;
      this.people = people;
    }
  }

  /** add puts a message into its conversation and returns that; a message already there is left alone. */
  add(message) {
    const conversation = message.room
      ? this.conversation('room', message.room)
      : this.conversation('direct', message.from === this.me ? message.to : message.from);
    if (conversation.seen.has(message.id)) {
      return conversation;
    }
    conversation.seen.add(message.id);
    conversation.messages.push(message);
    conversation.messages.sort((a, b) => a.id - b.id);
    conversation.typing.delete(message.from);
    if (conversation.key !== this.active && message.from !== this.me && !message.old) {
      conversation.unread += 1;
    }
    return conversation;
  }

  open(conversation) {
    this.active = conversation.key;
    conversation.unread = 0;
  }

  close(conversation) {
    conversation.joined = false;
    conversation.messages = [];
    conversation.seen.clear();
    conversation.unread = 0;
    if (conversation.kind === 'direct') {
      this.conversations.delete(conversation.key);
    }
  }

  isHere(name) { return this.people.some((person) => person.name === name); }
}
