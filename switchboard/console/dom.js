// Builds the page. Every text is set as text: no function here parses HTML.

/** Create an element. `options` are attributes, and `class`, `text` and `on` (listeners by event). */
export function el(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "text") node.textContent = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

export const byId = (id) => document.getElementById(id);

export function button(text, onClick, options = {}) {
  return el("button", { type: "button", text, on: { click: onClick }, ...options });
}

/** A link to another site, which opens in a new tab. Only http and https: an address may come from a setting. */
export function outside(text, url) {
  return /^https?:\/\//.test(url) ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer", text }) : null;
}

const SHORT = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DATED = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const LONG = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** A point in time in the reader's zone; with the date unless it is today. */
export function time(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return el("span", { text: String(iso) });
  const today = at.toDateString() === new Date().toDateString();
  return el("time", { datetime: iso, title: LONG.format(at), text: (today ? SHORT : DATED).format(at) });
}

/** The time until a deadline in words, such as "in 9 minutes". */
export function until(iso) {
  const seconds = Math.round((new Date(iso) - Date.now()) / 1000);
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "always" });
  if (Math.abs(seconds) < 90) return relative.format(seconds, "second");
  if (Math.abs(seconds) < 5400) return relative.format(Math.round(seconds / 60), "minute");
  if (Math.abs(seconds) < 129600) return relative.format(Math.round(seconds / 3600), "hour");
  return relative.format(Math.round(seconds / 86400), "day");
}

export function milliseconds(ms) {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Read a text to people who use a screen reader. The page has one region for this, `#announcer`. */
export function announce(text) {
  const region = byId("announcer");
  // The same text twice in a row is read only if it changes.
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}

/** A message about an error or a state, at the top of `place`; an empty text removes it. */
export function say(place, text, kind = "error", action = null) {
  place.replaceChildren(text ? el("p", { class: `note ${kind}`, role: kind === "error" ? "alert" : "status" }, text, action) : "");
}

/** The label of an input, with the input. */
export function field(label, input) {
  return el("label", { class: "field" }, el("span", { text: label }), input);
}
