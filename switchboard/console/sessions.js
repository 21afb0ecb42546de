// What this browser remembers of customers' conversations: their ids and titles, and requests without an answer yet.

const KEPT_MAX = 500;
const TITLE_MAX = 60;
const ID = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/;

const PATHS = ["messages", "confirm", "decline"];

/** Whether a stored text is the id of a session, and not another path. */
export const isId = (text) => ID.test(text);

/** The conversations of one customer, newest first. The mesh has no list of them: an id is known only to its owner. */
export class Known {
  constructor(customer) {
    this.key = `switchboard.sessions.${customer}`;
  }

  get all() {
    const found = read(localStorage, this.key);
    return Array.isArray(found) ? found.filter((each) => isId(each?.id)) : [];
  }

  find(words) {
    const wanted = words.trim().toLowerCase().split(/\s+/).filter(Boolean);
    return this.all.filter((each) => wanted.every((word) => `${each.title}`.toLowerCase().includes(word)));
  }

  /** Note that something was said; the first words become the title. */
  touch(id, words) {
    const before = this.all;
    const known = before.find((each) => each.id === id);
    const title = known?.title || Array.from(words.replace(/\s+/g, " ").trim()).slice(0, TITLE_MAX).join("");
    const rest = before.filter((each) => each.id !== id);
    localStorage.setItem(this.key, JSON.stringify([{ id, title, at: new Date().toISOString() }, ...rest].slice(0, KEPT_MAX)));
  }

  forget(id) {
    localStorage.setItem(this.key, JSON.stringify(this.all.filter((each) => each.id !== id)));
  }
}

/**
 * Requests of this tab that have no answer yet. They are kept until there is one, so that a page that was reloaded sends
 * them again with the same key, and the mesh acts once.
 */
export class Unanswered {
  constructor(customer) {
    this.key = `switchboard.unanswered.${customer}`;
  }

  get all() {
    const found = read(sessionStorage, this.key);
    return Array.isArray(found) ? found.filter((each) => isId(each?.session) && PATHS.includes(each.path)) : [];
  }

  of(session) {
    return this.all.filter((each) => each.session === session);
  }

  add(request) {
    sessionStorage.setItem(this.key, JSON.stringify([...this.all, request]));
  }

  remove(key) {
    sessionStorage.setItem(this.key, JSON.stringify(this.all.filter((each) => each.key !== key)));
  }
}

export function read(storage, key) {
  try {
    return JSON.parse(storage.getItem(key));
  } catch {
    return null;
  }
}
