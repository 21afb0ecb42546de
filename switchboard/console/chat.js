// Shows the turns of a conversation, and rates replies. Used by customers' and by staff's page.

import { announce, button, el, time } from "./dom.js";

const STATES = {
  running: ["spin", "running"],
  done: ["ok", "done"],
  failed: ["bad", "did not work"],
  held: ["ask", "waits for a yes"],
  unknown: ["ask", "result unknown"],
};

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** The list of turns. `options`: `staff` shows names of tools; `onRate(turn, rating)`; `onInspect(turn)`. */
export class Log {
  constructor(list, options = {}) {
    this.list = list;
    this.options = options;
    this.nodes = new Map();
    this.dirty = new Set();
    const box = list.parentElement;
    this.atEnd = true;
    box.onscroll = () => { this.atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 80; };
    // A card or a keyboard takes room from the messages: the newest one stays in sight.
    this.sizes = new ResizeObserver(() => { if (this.atEnd) this.toEnd(); });
    this.sizes.observe(box);
  }

  close() {
    this.sizes.disconnect();
  }

  /** Show a turn again, at the next frame. */
  changed(turn) {
    this.dirty.add(turn);
    this.frame ??= requestAnimationFrame(() => this.flush());
  }

  flush() {
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    const { atEnd } = this;
    for (const turn of this.dirty) this.#show(turn);
    this.dirty.clear();
    if (atEnd) this.toEnd();
  }

  toEnd() {
    const box = this.list.parentElement;
    box.scrollTop = box.scrollHeight;
  }

  clear() {
    this.nodes.clear();
    this.dirty.clear();
    this.list.replaceChildren();
  }

  #show(turn) {
    let shown = this.nodes.get(turn.number);
    if (!shown) {
      shown = { node: el("li", { class: "turn", "data-turn": turn.number }), live: null };
      const after = [...this.nodes.entries()].filter(([number]) => number > turn.number).sort(([a], [b]) => a - b)[0];
      this.list.insertBefore(shown.node, after ? after[1].node : this.list.querySelector(".sending"));
      this.nodes.set(turn.number, shown);
    }
    const structure = `${turn.seq} ${turn.running} ${turn.rating} ${!!turn.live} ${turn.live?.failed} ${toolStates(turn)}`;
    if (shown.structure === structure && shown.turn === turn) {
      // Only the text grows: keep the elements, so that nothing flickers and the focus stays.
      if (shown.live && turn.live) shown.live.textContent = turn.live.text;
      return;
    }
    shown.structure = structure;
    shown.turn = turn;
    shown.live = null;
    const parts = turn.parts.map((part) => this.#part(part));
    shown.node.classList.toggle("running", turn.running);
    shown.node.replaceChildren(
      ...[message(turn), ...parts, turn.running ? this.#live(turn, shown) : this.#reply(turn)].filter((part) => part !== null),
    );
  }

  #part(part) {
    switch (part.kind) {
      case "agent":
        return el("p", { class: "step agent", text: part.agent });
      case "text":
        return el("div", { class: "words aside", text: part.text });
      case "hand_off":
        return el("p", { class: "step", text: part.ok ? `Passes the conversation to ${part.to}` : `${part.to} could not be reached` });
      case "mode":
        // Customers read it in the turn's reply.
        return this.options.staff ? el("p", { class: "step mode", text: modeText(part) }) : null;
      case "note":
        return this.options.staff ? note(part) : null;
      default:
        return part.tools.length ? this.#tools(part.tools) : null;
    }
  }

  #tools(tools) {
    return el("ul", { class: "tools", "aria-label": tools.length > 1 ? `${tools.length} steps side by side` : "Step" }, ...tools.map((tool) => this.#tool(tool)));
  }

  #tool(tool) {
    const [style, words] = STATES[tool.state];
    const name = this.options.staff ? el("code", { text: tool.tool }) : null;
    // The mesh's own reports to customers name tools without a label in the same way.
    const label = capital(tool.label || tool.tool.replaceAll("_", " "));
    return el(
      "li", { class: `tool ${style}`, "data-state": tool.state },
      el("span", { class: "mark", "aria-hidden": "true" }),
      el("span", { class: "label" }, label, name ? " " : null, name),
      el("span", { class: "state", text: words }),
    );
  }

  #live(turn, shown) {
    if (turn.live?.text) {
      shown.live = el("div", { class: "words writing", text: turn.live.text });
      return shown.live;
    }
    const busy = turn.parts.at(-1)?.tools?.some((tool) => tool.state === "running");
    const text = turn.live?.failed ? "That attempt failed. Trying again" : `${turn.agent || "The mesh"} is ${busy ? "working" : "thinking"}`;
    return el("p", { class: "thinking" }, el("span", { class: "dots", "aria-hidden": "true" }), text);
  }

  #reply(turn) {
    const { reply } = turn;
    if (!reply.text) return this.#tail(turn);
    const act = isAct(turn);
    const notice = act || (!turn.message && !reply.by);
    const kind = ["words reply", notice ? "notice" : reply.by ? "person" : "", reply.failed ? "failed" : ""].filter(Boolean).join(" ");
    const who = act ? null : reply.by ? (this.options.staff ? reply.by : "Our staff") : turn.message ? null : "Notice";
    return el("div", { class: "answer" }, who ? el("p", { class: "step agent", text: who }) : null, el("div", { class: kind, text: reply.text }), this.#tail(turn));
  }

  #tail(turn) {
    const marks = [
      turn.at ? time(turn.at) : null,
      turn.reply.interrupted ? el("span", { class: "tag", text: "interrupted" }) : null,
      turn.reply.failed ? el("span", { class: "tag bad", text: "failed" }) : null,
      this.options.onRate && canBeRated(turn) ? this.#rating(turn) : null,
      this.options.staff && turn.rating ? el("span", { class: "tag", text: turn.rating === "up" ? "rated helpful" : "rated not helpful" }) : null,
      this.options.onInspect ? el("a", { class: "quiet", href: this.options.onInspect(turn), text: `Inspect turn ${turn.number}` }) : null,
    ].filter((mark) => mark !== null);
    return el("div", { class: "tail" }, ...marks);
  }

  #rating(turn) {
    const rate = (rating, label) => button(label, () => this.options.onRate(turn, rating), {
      class: "rate", "aria-pressed": String(turn.rating === rating),
    });
    return el("span", { class: "rating", role: "group", "aria-label": "Rate this reply" }, rate("up", "Helpful"), rate("down", "Not helpful"));
  }
}

/** Tell people who use a screen reader about an event. */
export function tellAloud(kind, event, turn) {
  if (kind === "agent") announce(`${event.agent} is working on it.`);
  else if (kind === "tool_started") announce(`Started: ${event.label || "a step"}.`);
  else if (kind === "reply") announce(event.text);
  else if (kind === "taken_over") announce("A person answers now.");
  else if (kind === "handed_back") announce("The assistant answers again.");
  else if (kind === "reset" && turn) announce("That attempt failed. Trying again.");
}

export function toolStates(turn) {
  return turn.parts.flatMap((part) => part.tools ?? []).map((tool) => tool.state[0]).join("");
}

function note(part) {
  return el("div", { class: "words notebook" }, el("strong", { text: `${part.by || "Staff"}, ${part.forAgents ? "to the agents" : "to colleagues"}: ` }), part.text);
}

/** Whether the turn only changed who answers. */
const isAct = (turn) => turn.parts.some((part) => part.kind === "mode");

/** Whether the mesh takes a rating: an agent answered the customer, or a person wrote. */
const canBeRated = (turn) => (turn.reply.by ? Boolean(turn.reply.text) && !isAct(turn) : turn.message !== null && turn.agent !== "");

function message(turn) {
  return turn.message === null ? null : el("div", { class: "words mine", text: turn.message });
}

function modeText(part) {
  return part.taken ? `${part.by} answers from here on` : `${part.by || "Silence"} handed the conversation back to the agents`;
}
