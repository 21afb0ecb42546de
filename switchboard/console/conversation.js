// One open conversation: loads the latest turns, then follows its events. Used by customers' and by staff's page.

import { sleep } from "./api.js";
import { Log, tellAloud } from "./chat.js";
import { SEQ_MAX, Turns } from "./turns.js";

const PAGE = 20;
// The stream usually brings a reply before this; then the transcript is not read.
const STREAM_LATE_MS = 400;

/** `base` is the path of the session. `on` hears `state(text)`, `changed()` and `question(confirmation)`. */
export class Conversation {
  constructor(api, base, list, options, on) {
    this.api = api;
    this.base = base;
    this.turns = new Turns();
    this.log = new Log(list, options);
    this.log.clear();
    this.on = on;
    this.first = 1;
    this.total = 0;
    this.status = null;
    this.question = null;
    this.controller = new AbortController();
  }

  /** Load the latest turns and follow what happens from there. Throws Problem or Offline. */
  async open(isNew = false) {
    if (!isNew) await this.reload();
    if (!this.controller.signal.aborted) this.follow();
  }

  close() {
    this.controller.abort();
    this.log.close();
  }

  get closed() {
    return this.controller.signal.aborted;
  }

  /** Load the latest turns. Returns the id of the last event that they contain. */
  async reload() {
    try {
      this.status = await this.api.get(`${this.base}/status`);
    } catch (error) {
      // Before its first message is taken, the mesh does not know a session.
      if (error.status !== 404) throw error;
      this.status = null;
    }
    const total = this.status?.turns_total ?? 0;
    const known = this.turns.last?.record ? this.turns.last.number : 0;
    const from = Math.max(known, total - PAGE);
    if (from > known || known === 0) this.first = from + 1;
    await this.#read(from, total);
    this.total = Math.max(this.total, total);
    if (this.closed) return undefined;
    this.#ask(this.status?.confirmation ?? null);
    this.on.changed();
    this.log.flush();
    this.log.toEnd();
    return `${total}.${SEQ_MAX}`;
  }

  /** Load the page before the turns that are shown. */
  async earlier() {
    const last = this.first - 1;
    const from = Math.max(0, last - PAGE);
    await this.#read(from, last);
    this.first = from + 1;
    this.on.changed();
  }

  async #read(after, last) {
    while (after < last && !this.closed) {
      const page = await this.api.get(`${this.base}/transcript?after=${after}&limit=${Math.min(PAGE, last - after)}`);
      if (this.closed) return;
      for (const record of page.turns) this.log.changed(this.turns.addRecord(record));
      // Customers' pages leave out what is for staff only. Older sessions do not say where a page ends.
      const read = page.last || (page.turns.at(-1)?.turn ?? last);
      after = Math.max(read, after + 1);
    }
  }

  follow() {
    const after = `${this.total}.${SEQ_MAX}`;
    const on = { event: (kind, data) => this.#take(kind, data), state: (text) => this.on.state(text), lost: () => this.reload() };
    this.following = this.api.follow(`${this.base}/events`, after, on, this.controller.signal);
  }

  #take(kind, event) {
    if (this.closed) return;
    const turn = this.turns.take(kind, event);
    if (!turn) return;
    this.log.changed(turn);
    if (kind !== "delta") tellAloud(kind, event, turn);
    if (kind === "delta" || kind === "tool_returned") return;
    if (kind === "message") this.on.message(event);
    if (kind === "taken_over" || kind === "handed_back") this.#refresh();
    if (kind === "reply") this.#finished(event);
    this.on.changed();
  }

  #finished(event) {
    this.total = Math.max(this.total, event.turn);
    if (event.confirmation) this.#ask(event.confirmation);
    // A notice leaves a question open, another message closes it.
    else if (this.question) this.#refresh();
    // What staff wrote for each other or for the agents is in the record, not in the events.
    if (event.by && this.log.options.staff) this.#read(event.turn - 1, event.turn).catch(() => {});
  }

  async #refresh() {
    try {
      const status = await this.api.get(`${this.base}/status`);
      if (this.closed) return;
      this.status = status;
      this.#ask(status.confirmation ?? null);
      this.on.changed();
    } catch {
      // The next event or the next visit reads it again.
    }
  }

  #ask(confirmation) {
    if (confirmation?.held_id === this.question?.held_id) return;
    this.question = confirmation;
    this.on.question(confirmation);
  }

  /** Read the status again. */
  refreshed() {
    return this.#refresh();
  }

  /** A reply has arrived outside of the stream, for example while the stream is broken. */
  async settle(turn) {
    const shown = () => this.closed || this.turns.byNumber.get(turn)?.running === false;
    if (!shown()) await sleep(STREAM_LATE_MS);
    if (shown()) return;
    await this.#read(turn - 1, turn);
    this.total = Math.max(this.total, turn);
    await this.#refresh();
  }

  /** The agent or staff member who answers at the moment. */
  get answering() {
    const staff = this.status?.staff;
    if (staff) return { person: true, name: staff.by ?? "" };
    const running = this.turns.running;
    return { person: false, name: running?.agent || this.turns.sorted.findLast((turn) => turn.agent)?.agent || this.status?.active_agent || "" };
  }
}
