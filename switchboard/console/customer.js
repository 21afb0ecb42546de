// The page of customers.

import { Api, Offline, randomId, signIn } from "./api.js";
import { Conversation } from "./conversation.js";
import { announce, button, byId, el, say, time, until } from "./dom.js";
import { askForName, mustAsk, remembered } from "./people.js";
import { Known, Unanswered, isId } from "./sessions.js";

const OPEN = "switchboard.open";
const DRAFT = "switchboard.draft";
const LISTED_MAX = 30;

const page = {
  api: null, known: null, unanswered: null, conversation: null, id: null, listed: LISTED_MAX,
  // The answers that are awaited, by key, and the last one of each conversation.
  answers: new Map(), last: new Map(),
};

async function start() {
  try {
    const how = await signIn();
    if (mustAsk("customer", how)) return askForName("customer", how, begin);
    await begin(how, remembered("customer"));
  } catch (error) {
    // Without a connection, try again by itself; a refusal needs a person.
    fail(error, error instanceof Offline ? start : null);
    if (error instanceof Offline) setTimeout(start, 3000);
  }
}

async function begin(how, name) {
  page.api = new Api("customer", how, name);
  await page.api.renew();
  const who = page.api.subject;
  page.known = new Known(who);
  page.unanswered = new Unanswered(who);
  byId("entry").hidden = true;
  byId("app").hidden = false;
  byId("person").textContent = who;
  byId("leave").hidden = how.sign_in !== "local";
  say(byId("trouble"), "");
  byId("text").value = sessionStorage.getItem(DRAFT) ?? "";
  list();
  const before = sessionStorage.getItem(OPEN);
  await open(isId(before) ? before : null);
}

function fail(error, again = null) {
  const place = byId("app").hidden ? byId("entry") : byId("trouble");
  place.hidden = false;
  say(place, error.message || String(error), "error", again ? button("Try again", again) : null);
}

// --- The list of conversations

function list() {
  const words = byId("search").value;
  const found = page.known.find(words);
  const shown = found.slice(0, page.listed);
  byId("sessions").replaceChildren(...shown.map(({ id, title, at }) => el(
    "li", {},
    el(
      "button", { type: "button", class: "session", "aria-current": id === page.id ? "true" : null, on: { click: () => choose(id) } },
      el("span", { class: "title", text: title || "Conversation" }), time(at),
    ),
  )));
  byId("more").hidden = found.length <= shown.length;
  byId("none").textContent = found.length ? "" : words ? "No conversation with these words." : "No conversations yet.";
}

async function choose(id) {
  showSide(false);
  await open(id);
  byId("text").focus();
}

function showSide(shown) {
  byId("side").classList.toggle("shown", shown);
  byId("toggle").setAttribute("aria-expanded", String(shown));
}

// --- The open conversation

async function open(id, isNew = false) {
  page.conversation?.close();
  page.id = id;
  page.conversation = null;
  if (id) sessionStorage.setItem(OPEN, id);
  else sessionStorage.removeItem(OPEN);
  byId("turns").replaceChildren();
  byId("question").replaceChildren();
  say(byId("trouble"), "");
  refresh();
  list();
  if (!id) return;
  const conversation = new Conversation(page.api, `/v1/sessions/${id}`, byId("turns"), { onRate: rate }, {
    state: (text) => conversation === page.conversation && say(byId("connection"), text, "state"),
    changed: () => conversation === page.conversation && refresh(),
    question: (confirmation) => conversation === page.conversation && ask(confirmation),
    message: (event) => conversation === page.conversation && taken(event.text),
  });
  page.conversation = conversation;
  for (const request of page.unanswered.of(id)) deliver(request);
  try {
    await conversation.open(isNew);
  } catch (error) {
    if (conversation !== page.conversation) return;
    if (error.status === 410 || error.status === 403) fail(error, null);
    else fail(error, () => open(id));
  }
}

function refresh() {
  const conversation = page.conversation;
  const running = conversation?.turns.running;
  const busy = Boolean(running) || page.unanswered.of(page.id).length > 0;
  byId("welcome").hidden = Boolean(page.id);
  hide(byId("earlier"), !conversation || conversation.first <= 1);
  hide(byId("stop"), !busy);
  const { person, name } = conversation?.answering ?? { person: false, name: "" };
  byId("who").textContent = person ? "A person from our staff answers" : name ? `${name} answers` : "";
  byId("who").classList.toggle("person", person);
}

/** Keep the focus in the page when the element that has it goes. */
function leave(element) {
  if (element.contains(document.activeElement)) document.querySelector(".log").focus();
}

function hide(element, hidden) {
  if (hidden) leave(element);
  element.hidden = hidden;
}

/** The card with the calls that wait for a yes. */
function ask(confirmation) {
  const place = byId("question");
  clearTimeout(page.expiry);
  leave(place);
  if (!confirmation) return place.replaceChildren();
  const disable = () => {
    leave(place);
    for (const each of place.querySelectorAll("button")) each.disabled = true;
  };
  const decide = (path) => {
    disable();
    send(path, { held_id: confirmation.held_id });
  };
  const left = el("span", { text: until(confirmation.expires_at) });
  const buttons = el(
    "div", { class: "buttons" },
    button(confirmation.calls.length > 1 ? "Yes, do all of this" : "Yes, do this", () => decide("confirm"), { class: "primary" }),
    button("No", () => decide("decline")),
  );
  const deadline = el("p", { class: "deadline" }, "Please answer by ", time(confirmation.expires_at), " (", left, ").");
  place.replaceChildren(el(
    "section", { class: "card", "aria-labelledby": "card-title" },
    el("h2", { id: "card-title", text: "Please confirm" }),
    el("ul", {}, ...confirmation.calls.map((call) => el("li", { text: call.question }))),
    deadline, buttons,
  ));
  // This page was reloaded after the answer, and sends it again.
  if (page.unanswered.of(page.id).some(({ body }) => body?.held_id === confirmation.held_id)) disable();
  announce(`Please confirm: ${confirmation.calls.map((call) => call.question).join(" ")}`);
  const tick = () => {
    if (new Date(confirmation.expires_at) <= Date.now()) {
      leave(buttons);
      buttons.remove();
      deadline.textContent = "This question has expired. Nothing was changed. Please send your request again.";
      return;
    }
    left.textContent = until(confirmation.expires_at);
    page.expiry = setTimeout(tick, 1000);
  };
  tick();
}

// --- Sending

/** Send something that must act once. It is kept until there is an answer, also if this page is reloaded. */
async function send(path, body, text = "") {
  if (!page.id) {
    try {
      const made = await page.api.act("/v1/sessions", undefined, { onWait: (why) => say(byId("connection"), why, "state") });
      await open(made.session_id, true);
    } catch (error) {
      if (text) byId("text").value = text;
      return fail(error);
    }
  }
  const request = { key: randomId(), session: page.id, path, body, text };
  page.unanswered.add(request);
  if (text) page.known.touch(page.id, text);
  list();
  return deliver(request);
}

/**
 * Return the answer to a request. Those of one conversation are sent one after another: they stay in order, and a browser
 * with six connections for a site keeps some for the other buttons.
 */
function answerTo({ key, session, path, body }) {
  if (!page.answers.has(key)) {
    const onWait = (why) => page.id === session && say(byId("connection"), why, "state");
    const before = page.last.get(session) ?? Promise.resolve();
    const answer = before.catch(() => {}).then(() => page.api.act(`/v1/sessions/${session}/${path}`, body, { key, onWait }));
    page.last.set(session, answer);
    page.answers.set(key, answer.finally(() => page.answers.delete(key)));
  }
  return page.answers.get(key);
}

async function deliver(request) {
  const { key, session, path, body, text } = request;
  const bubble = text ? el("li", { class: "turn sending", "data-key": key }, el("div", { class: "words mine", text }), el("p", { class: "step", text: "Waiting for the reply…" })) : null;
  if (bubble) {
    byId("turns").append(bubble);
    page.conversation?.log.toEnd();
  }
  refresh();
  const here = () => page.id === session;
  try {
    const reply = await answerTo(request);
    page.unanswered.remove(key);
    if (here() && reply.turn) await page.conversation.settle(reply.turn).catch(() => {});
    bubble?.remove();
  } catch (error) {
    page.unanswered.remove(key);
    if (bubble && here()) refused(bubble, error, () => send(path, body, text));
    else if (here()) fail(error);
    if (here() && (path === "confirm" || path === "decline")) {
      await page.conversation.reload().catch(() => {});
      // The question may still be open: its buttons work again.
      if (here()) ask(page.conversation.question);
    }
  }
  if (here()) refresh();
}

/** Say below a message why it was not answered. */
function refused(bubble, error, again) {
  const retry = button("Send again", () => { bubble.remove(); again(); });
  const change = button("Change", () => {
    byId("text").value = bubble.firstChild.textContent;
    byId("text").focus();
    bubble.remove();
  });
  bubble.lastChild.replaceWith(el("p", { class: "note error", role: "alert" }, error.message, retry, change));
  bubble.classList.add("refused");
}

/** The mesh has taken a message: its turn shows it now. It can also be one of another tab. */
function taken(text) {
  // The mesh takes control characters out of a message.
  const plain = (words) => words.normalize().replace(/\p{C}/gu, "").replace(/\s+/g, " ").trim();
  const waiting = [...byId("turns").querySelectorAll(".sending:not(.refused)")];
  waiting.find((each) => plain(each.firstChild.textContent) === plain(text))?.remove();
}

async function rate(turn, rating) {
  // Another conversation may be open when the answer comes.
  const { conversation } = page;
  try {
    await page.api.act(`${conversation.base}/turns/${turn.number}/rating`, { rating });
    turn.rating = rating;
    if (!conversation.closed) conversation.log.changed(turn);
    announce("Thank you for your rating.");
  } catch (error) {
    fail(error);
  }
}

async function stop() {
  const { id } = page;
  leave(byId("stop"));
  byId("stop").disabled = true;
  try {
    await page.api.act(`/v1/sessions/${id}/interrupt`, undefined, { onWait: (why) => page.id === id && say(byId("connection"), why, "state") });
    announce("Stopping.");
  } catch (error) {
    fail(error);
  } finally {
    byId("stop").disabled = false;
  }
}

function submit(event) {
  event.preventDefault();
  const text = byId("text").value;
  if (!text.trim()) return;
  say(byId("trouble"), "");
  byId("text").value = "";
  sessionStorage.removeItem(DRAFT);
  const seen = page.conversation?.turns.sorted.findLast((turn) => !turn.running)?.number ?? 0;
  send("messages", { text, seen }, text);
}

byId("composer").addEventListener("submit", submit);
byId("text").addEventListener("input", () => sessionStorage.setItem(DRAFT, byId("text").value));
byId("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
});
byId("stop").addEventListener("click", stop);
byId("new").addEventListener("click", () => choose(null));
byId("search").addEventListener("input", () => { page.listed = LISTED_MAX; list(); });
byId("more").addEventListener("click", () => { page.listed += LISTED_MAX; list(); });
byId("toggle").addEventListener("click", () => showSide(!byId("side").classList.contains("shown")));
byId("earlier").addEventListener("click", () => page.conversation.earlier().catch(fail));
byId("leave").addEventListener("click", () => { sessionStorage.clear(); location.reload(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") showSide(false); });

start();
