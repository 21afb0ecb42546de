// What is known about the turns of a conversation. No page: events and records in, plain objects out.

/** The number of the last event of every turn. */
export const SEQ_MAX = 9999;

/**
 * One turn.
 *
 * `parts` are shown in order: {kind: "agent", agent}, {kind: "text", text}, {kind: "tools", tools}, {kind: "hand_off", to, ok},
 * {kind: "mode", taken, by} and {kind: "note", text, by}. `live` is the text that a model is writing. `reply` is set when the
 * turn is finished.
 */
export class Turn {
  constructor(number) {
    this.number = number;
    this.run = "";
    this.seq = 0;
    this.at = null;
    this.message = null;
    this.agent = "";
    this.parts = [];
    this.live = null;
    this.reply = null;
    this.record = null;
  }

  get running() {
    return this.reply === null;
  }

  /** Take a numbered event. Returns false for one that is known already. */
  take(kind, event) {
    if (event.seq <= this.seq) return false;
    this.seq = event.seq;
    if (this.live && this.live.seq <= event.seq) this.live = null;
    switch (kind) {
      case "turn_started":
        this.at = event.at;
        break;
      case "message":
        this.message = event.text;
        break;
      case "agent":
        this.#agent(event.agent);
        break;
      case "step":
        if (event.text) this.parts.push({ kind: "text", text: event.text });
        this.parts.push({ kind: "tools", tools: [] });
        break;
      case "tool_started":
        this.#tools().push({ id: event.call_id, tool: event.tool, label: event.label, readOnly: event.read_only, state: "running" });
        break;
      case "tool_finished":
        this.#finish(event);
        break;
      case "hand_off":
        this.parts.push({ kind: "hand_off", to: event.to, ok: event.ok });
        break;
      case "taken_over":
      case "handed_back":
        this.parts.push({ kind: "mode", taken: kind === "taken_over", by: event.by });
        break;
      case "reply":
        this.#finished(event);
        break;
      default: // A kind of a later version.
    }
    return true;
  }

  /** Take an event without a number. Returns whether the turn has changed. */
  hint(kind, event) {
    if (!this.running) return false;
    if (kind === "tool_returned") {
      this.#finish(event);
      return true;
    }
    if (event.seq <= this.seq) return false;
    return kind === "delta" ? this.#write(event) : this.#reset(event);
  }

  #write(event) {
    const same = this.live?.writer === event.writer;
    if (event.offset === 0 || !this.live) this.live = { writer: event.writer, seq: event.seq, text: "", length: 0, failed: false };
    else if (!same) return false;
    const characters = Array.from(event.text);
    const known = this.live.length - event.offset;
    if (known >= characters.length && characters.length > 0) return false;
    // A gap means that some of the text was lost on the way. The reply will have it.
    this.live.text += known < 0 ? `…${event.text}` : characters.slice(known).join("");
    this.live.length = event.offset + characters.length;
    return true;
  }

  #reset(event) {
    if (this.live && this.live.writer !== event.writer) return false;
    this.live = { writer: "", seq: event.seq, text: "", length: 0, failed: true };
    return true;
  }

  #agent(agent) {
    if (!agent || agent === this.agent) return;
    this.agent = agent;
    this.parts.push({ kind: "agent", agent });
  }

  #tools() {
    const last = this.parts.at(-1);
    if (last?.kind === "tools") return last.tools;
    this.parts.push({ kind: "tools", tools: [] });
    return this.parts.at(-1).tools;
  }

  #finish(event) {
    const found = this.parts.flatMap((part) => part.tools ?? []).find((tool) => tool.id === event.call_id);
    if (found) found.state = event.outcome === "known" ? (event.ok ? "done" : "failed") : event.outcome;
  }

  #finished(event) {
    this.seq = SEQ_MAX;
    this.live = null;
    this.reply = event;
    // A call that never reported: its outcome is not known.
    for (const tool of this.parts.flatMap((part) => part.tools ?? [])) if (tool.state === "running") tool.state = "unknown";
  }

  /** The turn of a record in the transcript. */
  static ofRecord(record) {
    const turn = new Turn(record.turn);
    turn.at = record.at;
    turn.record = record;
    turn.rating = record.rating?.rating ?? "";
    if (record.act === "taken_over" || record.act === "handed_back") {
      turn.parts.push({ kind: "mode", taken: record.act === "taken_over", by: record.by ?? "" });
    }
    if (record.agents.length && !record.messages.some((message) => message.kind === "model")) turn.#agent(record.agents[0]);
    if (record.act === "note") turn.parts.push({ kind: "note", text: record.note ?? "", by: record.by ?? "" });
    for (const message of record.messages) turn.#read(message, record);
    turn.#finished({
      text: record.reply, agent: record.agents.at(-1) ?? "", failed: record.failed, interrupted: record.interrupted,
      by: record.by ?? "", confirmation: null,
    });
    return turn;
  }

  #read(message, record) {
    if (message.kind === "user") this.message = message.text;
    else if (message.kind === "note" && record.act) this.parts.push({ kind: "note", text: message.text, by: record.by ?? "", forAgents: true });
    else if (message.kind === "model") {
      this.#agent(message.agent);
      if (message.text && message.calls.length) this.parts.push({ kind: "text", text: message.text });
      this.parts.push({ kind: "tools", tools: [] });
      for (const call of message.calls) {
        if (call.tool.startsWith("handoff_to_")) this.handOffs = { ...this.handOffs, [call.call_id]: call.tool.slice(11) };
        else this.#tools().push({ id: call.call_id, tool: call.tool, label: call.label ?? "", readOnly: call.read_only ?? false, state: "unknown" });
      }
    } else if (message.kind === "tool") {
      const to = this.handOffs?.[message.call_id];
      if (to) this.parts.push({ kind: "hand_off", to, ok: message.ok });
      else this.#finish(message);
    }
  }
}

/** The turns of a conversation by number. */
export class Turns {
  constructor() {
    this.byNumber = new Map();
  }

  get(number) {
    if (!this.byNumber.has(number)) this.byNumber.set(number, new Turn(number));
    return this.byNumber.get(number);
  }

  addRecord(record) {
    const turn = Turn.ofRecord(record);
    this.byNumber.set(turn.number, turn);
    return turn;
  }

  /** Take an event of the stream. Returns the turn if it has changed, else null. */
  take(kind, event) {
    if (!Number.isInteger(event.turn)) return null;
    if (kind === "delta" || kind === "reset" || kind === "tool_returned") {
      const turn = this.byNumber.get(event.turn);
      return turn && (turn.run === event.run || !event.run) && turn.hint(kind, event) ? turn : null;
    }
    // A message that was never committed leaves its number to the next one, which has another run.
    const known = this.byNumber.get(event.turn);
    if (known?.running && known.run && event.run && known.run !== event.run) this.byNumber.delete(event.turn);
    const turn = this.get(event.turn);
    turn.run = event.run || turn.run;
    return turn.take(kind, event) ? turn : null;
  }

  get sorted() {
    return [...this.byNumber.values()].sort((a, b) => a.number - b.number);
  }

  get last() {
    return this.sorted.at(-1) ?? null;
  }

  get running() {
    return this.sorted.find((turn) => turn.running) ?? null;
  }
}
