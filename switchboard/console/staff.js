// The page of staff: requests for approval, cases, conversations, and a look into a turn.

import { Api, Offline, randomId, signIn } from "./api.js";
import { Conversation } from "./conversation.js";
import { announce, button, byId, el, field, say, time, until } from "./dom.js";
import { inspect } from "./inspector.js";
import { askForName, mustAsk, remembered } from "./people.js";

const PAGE = 20;
const COUNT_EVERY_MS = 15_000;
const REASON_MAX = 500;
const NOTE_MAX = 2000;

const page = { api: null, conversation: null, view: 0 };
const desk = byId("desk");

async function start() {
  try {
    const how = await signIn();
    if (mustAsk("staff", how)) return askForName("staff", how, begin);
    await begin(how, remembered("staff"));
  } catch (error) {
    byId("entry").hidden = false;
    say(byId("entry"), error.message || String(error));
    if (error instanceof Offline) setTimeout(start, 3000);
  }
}

async function begin(how, name) {
  page.api = new Api("staff", how, name);
  await page.api.renew();
  await count();
  byId("entry").hidden = true;
  for (const id of ["desk", "sections"]) byId(id).hidden = false;
  byId("person").textContent = page.api.subject;
  byId("leave").hidden = how.sign_in !== "local";
  window.addEventListener("hashchange", route);
  setInterval(() => { if (!document.hidden) count().catch(() => {}); }, COUNT_EVERY_MS);
  route();
}

/** Show how many requests and cases wait. A mesh need not have both. */
async function count() {
  const total = async (path, name) => {
    try {
      return (await page.api.get(path))[name];
    } catch (error) {
      if (error.code === "not_offered") return 0;
      throw error;
    }
  };
  const show = (id, number) => { byId(id).textContent = number ? String(number) : ""; };
  show("count-approvals", await total("/v1/staff/approvals?limit=1", "waiting_total"));
  show("count-cases", await total("/v1/staff/cases?limit=1", "open_total"));
}

// --- Which view the address shows

function route() {
  page.conversation?.close();
  page.conversation = null;
  say(byId("connection"), "");
  const [section = "approvals", id, what, number] = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded);
  for (const link of byId("sections").children) {
    if (link.hash === `#/${section}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const view = { number: ++page.view, get current() { return this.number === page.view; } };
  desk.className = "desk";
  desk.replaceChildren(el("p", { class: "quiet", text: "Loading…" }));
  const shown = section === "cases" ? cases(view, id)
    : section !== "sessions" ? approvals(view)
    : what === "turns" ? turn(view, id, number)
    : id ? session(view, id)
    : sessions(view);
  shown.catch((error) => view.current && desk.replaceChildren(sheet("Not available", el("p", { class: "note error", role: "alert" }, error.message, button("Try again", route)))));
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const sheet = (title, ...children) => el("div", { class: "sheet" }, el("h2", { text: title }), ...children);

const sessionLink = (id, text = id) => el("a", { href: `#/sessions/${encodeURIComponent(id)}`, text });

/** A list that loads page by page: `load(offset)` returns the items and their total number. */
async function paged(view, title, empty, load, show, place = el("div", { class: "cards" })) {
  const more = button("Show more", () => next().catch((error) => say(trouble, error.message)));
  const trouble = el("div");
  const total = el("p", { class: "quiet", role: "status" });
  let loaded = 0;
  const next = async () => {
    const answer = await load(loaded);
    loaded += answer.items.length;
    place.append(...answer.items.map(show));
    total.textContent = !loaded ? empty : answer.total === undefined ? "" : `${loaded} of ${answer.total}`;
    more.hidden = !(answer.more ?? loaded < answer.total) || !answer.items.length;
  };
  await next();
  if (view.current) desk.replaceChildren(sheet(title, total, place.tagName === "TBODY" ? place.closest(".scroll") : place, trouble, more));
}

// --- Approvals and cases

function approvals(view) {
  const load = async (offset) => {
    const answer = await page.api.get(`/v1/staff/approvals?offset=${offset}&limit=${PAGE}`);
    return { items: answer.waiting, total: answer.waiting_total };
  };
  return paged(view, "Requests for approval", "No request waits for approval.", load, approval);
}

function approval(request) {
  const late = new Date(request.until) - Date.now() < 24 * 3600 * 1000;
  const facts = el("dl", { class: "facts" }, ...request.facts.flatMap((fact) => [el("dt", { text: fact.name }), el("dd", { text: fact.value })]));
  const decide = (word, path) => ({ text: word, run: (why) => act(`/v1/staff/approvals/${encodeURIComponent(request.approval_id)}/${path}`, { why }) });
  const id = `r-${randomId()}`;
  return el(
    "article", { class: "item", "aria-labelledby": id },
    el("h3", { id, text: request.title }),
    el("div", { class: "meta" }, el("span", { text: `Customer ${request.customer_id}` }), el("code", { text: request.approval_id })),
    el("div", { class: "meta" },
      el("span", {}, "Since ", time(request.since)),
      el("span", { class: late ? "late" : "" }, "Decide by ", time(request.until), ` (${until(request.until)})`),
      request.reminders ? el("span", { class: "late", text: `Reminders: ${request.reminders}` }) : null),
    facts,
    decision("Reason, which the customer will read", REASON_MAX, [decide("Approve", "approve"), decide("Reject", "reject")]),
  );
}

async function cases(view, id) {
  if (id) {
    const found = await page.api.get(`/v1/staff/cases/${encodeURIComponent(id)}`);
    if (view.current) desk.replaceChildren(sheet("Case", caseOf(found)));
    return;
  }
  const load = async (offset) => {
    const answer = await page.api.get(`/v1/staff/cases?offset=${offset}&limit=${PAGE}`);
    return { items: answer.cases, total: answer.open_total };
  };
  await paged(view, "Open cases", "No case is open.", load, caseOf);
}

function caseOf(found) {
  const path = `/v1/staff/cases/${encodeURIComponent(found.case_id)}`;
  const id = `c-${randomId()}`;
  const box = el(
    "article", { class: "item", "aria-labelledby": id },
    el("h3", { id, text: `Case of ${found.customer_id}` }),
    el("div", { class: "meta" }, el("code", { text: found.case_id }), el("span", {}, "Since ", time(found.opened_at)),
      el("span", { class: found.verified ? "tag good" : "tag warn", text: found.verified ? "verified customer" : "not verified: verify before you disclose or change anything" })),
    el("p", { class: "words", text: found.summary }),
    el("p", {}, sessionLink(found.session_id, "Open the conversation")),
    ...(found.notes ?? []).map((note) => el("div", { class: "words notebook" }, el("strong", { text: `${note.by}: ` }), note.text, " ", time(note.at))),
  );
  if (found.closed_at) {
    box.append(el("p", { class: "note fine" }, `Closed by ${found.closed_by}: ${found.outcome}`));
    return box;
  }
  const noted = async (text) => {
    const changed = await act(`${path}/notes`, { text });
    box.replaceWith(caseOf(changed));
    return "The note was added.";
  };
  box.append(
    el("details", {}, el("summary", { text: "Add a note for colleagues" }), decision("Note, which the customer does not see", NOTE_MAX, [{ text: "Add note", run: noted, stays: true }])),
    decision("Outcome, which the customer will read", REASON_MAX, [{ text: "Close case", run: (outcome) => act(`${path}/close`, { outcome }) }]),
  );
  return box;
}

/** A reason and the buttons that need it. `run(text)` returns what was decided. */
function decision(label, max, choices) {
  const text = el("textarea", { rows: "2", maxlength: String(max), required: true });
  const trouble = el("div");
  const form = el("form", { class: "item-form", on: { submit: (event) => event.preventDefault() } });
  const buttons = choices.map(({ text: word, run, stays, optional }, index) => button(word, async () => {
    if (!text.value.trim() && !optional) {
      say(trouble, "Please write this text first.");
      return text.focus();
    }
    const focused = form.contains(document.activeElement);
    for (const each of buttons) each.disabled = true;
    try {
      const done = await run(text.value.trim());
      const words = typeof done === "string" ? done : done.summary ?? (done.outcome ? "The case is closed." : "Done.");
      announce(words);
      if (!stays) {
        const end = el("p", { class: "note fine", role: "status", tabindex: "-1", text: words });
        form.replaceWith(end);
        if (focused) end.focus();
      }
      count().catch(() => {});
    } catch (error) {
      say(trouble, error.message);
      for (const each of buttons) each.disabled = false;
      if (focused) buttons[index].focus();
    }
  }, { class: index === 0 ? "primary" : "" }));
  form.append(field(label, text), trouble, el("div", { class: "buttons" }, ...buttons));
  return form;
}

function act(path, body) {
  return page.api.act(path, body, { onWait: (why) => say(byId("connection"), why, "state") });
}

// --- Conversations

/** `wanted` selects conversations: those of a `customer_id`, and those with a `text` in the id. */
async function sessions(view, wanted = {}) {
  const body = el("tbody");
  const heads = ["Conversation", "Customer", "Agent", "Turns", "Cost", "Last message", "State"];
  el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Conversations" },
    el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col", class: ["Turns", "Cost"].includes(head) ? "number" : "", text: head })))), body));
  const load = async (offset) => {
    const answer = await page.api.get(`/v1/staff/sessions?${new URLSearchParams({ ...wanted, offset, limit: PAGE })}`);
    return { items: answer.sessions, more: answer.more };
  };
  await paged(view, "Conversations", "No conversations.", load, row, body);
  if (!view.current) return;
  const input = (name) => el("input", { type: "search", name, autocomplete: "off", spellcheck: "false", value: wanted[name] ?? "" });
  const find = (event) => {
    event.preventDefault();
    say(byId("connection"), "");
    const filled = [...new FormData(search)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
    sessions(view, Object.fromEntries(filled)).catch((error) => say(byId("connection"), error.message));
  };
  const search = el("form", { class: "row", on: { submit: find } },
    field("Customer", input("customer_id")), field("Part of the conversation's id", input("text")), el("button", { type: "submit", text: "Search" }));
  desk.firstChild.firstChild.after(search);
}

function row(one) {
  const state = one.expired_at ? el("span", { class: "tag", text: "expired" })
    : one.staff ? el("span", { class: "tag person", text: `${one.staff} answers` })
    : one.running_since ? el("span", { class: "tag good", text: "in progress" })
    : one.questions.length ? el("span", { class: "tag warn", text: "waits for a yes" }) : "";
  return el("tr", {},
    el("td", {}, sessionLink(one.session_id)), el("td", { text: one.customer_id + (one.signed_in ? "" : " (not signed in)") }), el("td", { text: one.active_agent }),
    el("td", { class: "number", text: String(one.turns_total) }), el("td", { class: "number", text: money(one.cost) }),
    el("td", {}, one.last_at ? time(one.last_at) : ""), el("td", {}, state));
}

async function session(view, id) {
  const base = `/v1/staff/sessions/${encodeURIComponent(id)}`;
  const turns = el("ol", { class: "turns" });
  const earlier = button("Show earlier messages", () => conversation.earlier().catch((error) => say(trouble, error.message)), { class: "ghost", hidden: true });
  const box = el("div", { class: "log", tabindex: "0", role: "region", "aria-label": "Messages" }, earlier, turns);
  const trouble = el("div", { id: "trouble" });
  const side = el("aside", { class: "pane", "aria-label": "About this conversation" });
  const writing = el("div", { class: "writing-place" });
  const options = { staff: true, onInspect: (turn) => `#/sessions/${encodeURIComponent(id)}/turns/${turn.number}` };
  const mode = { by: null };
  const conversation = new Conversation(page.api, base, turns, options, {
    state: (text) => say(byId("connection"), text, "state"),
    changed: () => { if (view.current) refresh(); },
    question: () => {},
    message: (event) => announce(`The customer writes: ${event.text}`),
  });
  page.conversation = conversation;
  desk.className = "split";
  desk.replaceChildren(
    el("div", { class: "chat" }, box, trouble, writing),
    side,
  );
  const perform = async (path, body, done) => {
    say(trouble, "");
    try {
      await act(`${base}/${path}`, body);
      announce(done);
    } catch (error) {
      say(trouble, error.message);
      throw error;
    } finally {
      await conversation.refreshed().catch(() => {});
    }
  };
  const refresh = () => {
    earlier.hidden = conversation.first <= 1;
    const by = conversation.status?.staff?.by ?? "";
    about(side, id, conversation, perform);
    if (by === mode.by) return;
    const changed = mode.by !== null;
    mode.by = by;
    const unsent = writing.querySelector("textarea")?.value.trim();
    if (unsent) say(trouble, `${by || "An agent"} answers now. This was not sent: ${unsent}`);
    writing.replaceChildren(by === page.api.subject && by ? composer(perform) : "");
    // The button that was pressed is gone.
    if (changed && document.activeElement === document.body) (byId("staff-text") ?? box).focus();
  };
  await conversation.open();
}

/** What staff can see and do beside the messages. Keeps a text that is being written. */
function about(side, id, conversation, perform) {
  const status = conversation.status;
  if (!side.firstChild) {
    side.replaceChildren(el("div", { class: "facts-place" }), el("div", { class: "acts-place" }));
  }
  const by = status?.staff?.by ?? "";
  const mine = by === page.api.subject;
  const running = conversation.turns.running;
  const facts = [
    ["Conversation", id],
    ["Customer", status ? `${status.customer_id}${status.signed_in ? "" : " (not signed in)"}` : "unknown"],
    ["Answers", by || running?.agent || status?.active_agent || ""],
    ["Turns", String(Math.max(conversation.total, status?.turns_total ?? 0))],
    ["Cost", status ? `${money(status.cost)} of ${money(status.budget)} ${status.currency}` : ""],
    ...(conversation.question ? [["Waits for a yes", conversation.question.calls.map((call) => call.question).join("\n")]] : []),
  ];
  side.firstChild.replaceChildren(el("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: value })])));
  const place = side.lastChild;
  if (place.dataset.by === by) return;
  place.dataset.by = by;
  const acts = [];
  if (mine) {
    const back = async (note) => { await perform("hand-back", { note }, "Handed back."); return "Handed back to the agents."; };
    acts.push(decision("Note for the agents, so that they can continue (optional)", NOTE_MAX, [{ text: "Hand back to the agents", run: back, optional: true }]));
  } else {
    if (by) acts.push(el("p", { class: "note state", text: `${by} answers in this conversation.` }));
    const from = by ? { from: by } : {};
    acts.push(button(by ? `Take over from ${by}` : "Take over", () => perform("take-over", from, "You answer in this conversation now.").catch(() => {}), { class: "primary" }));
  }
  if (by) acts.push(noteForm(perform));
  place.replaceChildren(...acts);
}

function noteForm(perform) {
  const add = async (text) => {
    await perform("notes", { text }, "The note was added.");
    form.replaceWith(noteForm(perform));
    return "The note was added.";
  };
  const form = decision("Note for colleagues, which neither the customer nor an agent sees", NOTE_MAX, [{ text: "Add note", run: add, stays: true }]);
  return form;
}

function composer(perform) {
  const text = el("textarea", { rows: "2", id: "staff-text", maxlength: "8000", placeholder: "Write to the customer" });
  const button = el("button", { type: "submit", class: "primary", text: "Send" });
  const send = async (event) => {
    event.preventDefault();
    // The Enter key works also while the button does not.
    if (!text.value.trim() || button.disabled) return;
    button.disabled = true;
    try {
      await perform("messages", { text: text.value }, "Sent.");
      text.value = "";
    } catch {
      // The text stays, and the page says why.
    } finally {
      button.disabled = false;
    }
  };
  text.addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event); });
  return el("form", { class: "composer", on: { submit: send } }, el("label", { class: "unseen", for: "staff-text", text: "Your message to the customer" }), text, el("div", { class: "buttons" }, button));
}

export const money = (text) => {
  const number = Number(text);
  return number === 0 || number >= 0.01 ? number.toFixed(2) : number.toFixed(6).replace(/0+$/, "");
};

async function turn(view, id, number) {
  const found = await page.api.get(`/v1/staff/sessions/${encodeURIComponent(id)}/turns/${Number(number)}`);
  if (view.current) desk.replaceChildren(inspect(found, id));
}

byId("leave").addEventListener("click", () => { sessionStorage.removeItem("switchboard.name.staff"); location.reload(); });

start();
