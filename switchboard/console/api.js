// Requests to the gateway: tokens, problems, safe repeats, and the stream of events.

const RENEW_BEFORE_S = 60;
const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 10_000;
// The gateway sends a comment every 15 s. After three of them are missing, the connection counts as dead.
const SILENCE_MAX_MS = 45_000;
// It sends one at once, too. Without it, something on the way holds the events back.
const FIRST_BYTE_MAX_MS = 10_000;
// A browser has six connections for all tabs of a site. A tab that is hidden for this long gives its own back.
const HIDDEN_MAX_MS = 60_000;
const PASSING = ["busy", "stopping", "restate_away", "mesh_not_ready", "out_of_files"];

export const sleep = (ms, signal) => new Promise((done) => {
  const timer = setTimeout(done, ms);
  signal?.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
});

/** Wait until this tab is shown, or the signal aborts. */
const shown = async (signal) => {
  while (document.hidden && !signal.aborted) await new Promise((done) => {
    document.addEventListener("visibilitychange", done, { once: true });
    signal.addEventListener("abort", done, { once: true });
  });
};

export const backoff = (tries) => Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.min(tries, 6)) * (0.75 + Math.random() / 2);

/** A random id, also on pages without a secure context. */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The gateway refused a request: status, code and a sentence for people. */
export class Problem extends Error {
  constructor(status, code, detail, retryAfterS = 0) {
    super(detail);
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }

  /** Whether the same request may be answered in a moment. */
  get passes() {
    return this.status === 502 || this.status === 504 || (this.status === 503 && PASSING.includes(this.code));
  }
}

/** No answer at all. The request may have been accepted: repeat it with the same key. */
export class Offline extends Error {
  passes = true;
}

/** Return the problem that a response describes. */
async function problemOf(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // A proxy's page, or a connection that ended: the status has to do.
  }
  const detail = typeof body.detail === "string" ? body.detail : `The server answered HTTP ${response.status}.`;
  return new Problem(response.status, String(body.code ?? ""), detail, Number(response.headers.get("retry-after")) || 0);
}

/** Return the claims of a token, only to show them: the gateway verifies it. */
function claimsOf(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

/** The API with one person's token. The token is kept in memory only. */
export class Api {
  constructor(role, signIn, name = "") {
    this.role = role;
    this.signIn = signIn;
    this.name = name;
    this.token = "";
    this.renewing = null;
  }

  /** Get a token. Throws Problem or Offline. */
  async renew() {
    this.renewing ??= this.#renew().finally(() => { this.renewing = null; });
    return this.renewing;
  }

  async #renew() {
    if (this.signIn.sign_in === "paste") {
      if (this.token) throw new Problem(401, "signed_out", "Your token has expired or is not valid. Reload this page and paste another one.");
      return this.#hold(this.name);
    }
    const person = this.signIn.sign_in === "local" ? { role: this.role, name: this.name } : { role: this.role };
    const response = await reach(this.signIn.token_path, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(person),
      credentials: "same-origin",
      redirect: "error",
    });
    if (response.status === 401) throw new Problem(401, "signed_out", "You are not signed in. Sign in on this site, then reload this page.");
    if (!response.ok) throw await problemOf(response);
    const { token } = await response.json();
    if (typeof token !== "string") throw new Problem(500, "no_tokens", "The site's answer contains no token.");
    this.#hold(token);
  }

  #hold(token) {
    this.token = token;
    this.claims = claimsOf(token);
  }

  /** Who the token says that the person is. */
  get subject() {
    return String(this.claims?.sub ?? "");
  }

  async #send(path, options) {
    const late = (this.claims?.exp ?? Infinity) - RENEW_BEFORE_S < Date.now() / 1000;
    if (!this.token || late) await this.renew();
    const send = () => reach(path, {
      ...options, credentials: "omit", redirect: "error", headers: { ...options.headers, authorization: `Bearer ${this.token}` },
    });
    const response = await send();
    if (response.status !== 401) return response;
    await this.renew();
    return send();
  }

  /** Send a request and return the JSON of its answer. Throws Problem or Offline. */
  async request(method, path, body, key) {
    const headers = { accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (key) headers["idempotency-key"] = key;
    const response = await this.#send(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    if (!response.ok) throw await problemOf(response);
    try {
      return await response.json();
    } catch (error) {
      throw new Offline(String(error));
    }
  }

  get(path) {
    return this.request("GET", path);
  }

  /** Send a request that acts once. Repeats it with the same key until there is an answer; `onWait` hears why. */
  async act(path, body, { key = randomId(), onWait = () => {} } = {}) {
    for (let tries = 0; ; tries++) {
      try {
        const answer = await this.request("POST", path, body, key);
        onWait("");
        return answer;
      } catch (error) {
        if (!error.passes) {
          onWait("");
          throw error;
        }
        onWait(error instanceof Offline ? "No connection. Trying again…" : error.message);
        await sleep(Math.max(backoff(tries), (error.retryAfterS ?? 0) * 1000));
      }
    }
  }

  /**
   * Follow a stream of events until `signal` aborts. Resumes after the last event with an id.
   * `on.event(kind, data)` gets each event, `on.state(text)` the state of the connection ("" is fine), and
   * `on.lost()` returns the id to continue from after the gateway could not resume, or nothing has come for too long.
   */
  async follow(path, after, on, signal) {
    const position = { after, run: "" };
    for (let tries = 0; !signal.aborted; tries++) {
      let pause = backoff(tries);
      await shown(signal);
      try {
        if (await this.#stream(path, position, on, signal)) tries = 0;
        pause = PAUSE_MIN_MS * Math.random();
      } catch (error) {
        if (signal.aborted) return;
        if (error.status === 400 || error.status === 410 || error.silent) {
          position.run = "";
          position.after = await on.lost().catch(() => position.after);
          if (error.silent) on.state("Live updates do not arrive. New messages appear every few seconds.");
        }
        // The first failure in a row is often a gateway that stops, or a token that expired.
        else if (tries > 0) on.state(error instanceof Problem ? error.message : "No connection. Trying again…");
        if (error.status === 403 || error.code === "not_found") return;
        pause = Math.max(pause, (error.retryAfterS ?? 0) * 1000);
      }
      await sleep(pause, signal);
    }
  }

  /** Read one connection to its end. Returns whether it brought an event. */
  async #stream(path, position, on, signal) {
    const connection = new AbortController();
    const stop = () => connection.abort();
    signal.addEventListener("abort", stop, { once: true });
    let silent = false;
    let timer = setTimeout(() => { silent = true; stop(); }, FIRST_BYTE_MAX_MS);
    let hidden;
    const hide = () => {
      clearTimeout(hidden);
      if (document.hidden) hidden = setTimeout(stop, HIDDEN_MAX_MS);
    };
    document.addEventListener("visibilitychange", hide);
    hide();
    try {
      const headers = { accept: "text/event-stream" };
      if (position.after) headers["last-event-id"] = position.after;
      const response = await this.#send(position.run ? `${path}?run=${encodeURIComponent(position.run)}` : path, { headers, signal: connection.signal });
      if (!response.ok) throw await problemOf(response);
      let first = true;
      let some = false;
      const parser = new Parser((kind, id, data) => {
        // A stream begins with its own place, an id without an event. The run of that place stays known.
        if (id && (kind || id !== position.after)) Object.assign(position, { after: id, run: data.run ?? "" });
        if (!kind) return;
        some = true;
        if (kind === "problem") throw new Problem(data.status, data.code, data.detail);
        on.event(kind, data);
      });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return some;
        clearTimeout(timer);
        timer = setTimeout(stop, SILENCE_MAX_MS);
        if (first) on.state("");
        first = false;
        parser.feed(value);
      }
    } catch (error) {
      if (error instanceof Problem) throw error;
      throw Object.assign(new Offline(String(error)), { silent });
    } finally {
      clearTimeout(timer);
      clearTimeout(hidden);
      document.removeEventListener("visibilitychange", hide);
      signal.removeEventListener("abort", stop);
      connection.abort();
    }
  }
}

async function reach(path, options) {
  try {
    return await fetch(path, { cache: "no-store", ...options });
  } catch (error) {
    throw new Offline(String(error));
  }
}

/**
 * Splits a stream of server-sent events. Calls `onEvent(kind, id, data)` with the JSON of each event, and with neither
 * for an id that comes without an event: the place from which the stream goes on.
 */
export class Parser {
  constructor(onEvent) {
    this.onEvent = onEvent;
    this.rest = "";
    this.fields = {};
  }

  feed(text) {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop();
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    if (line === "") {
      const { event = "message", id = "", data } = this.fields;
      this.fields = {};
      if (data !== undefined) this.onEvent(event, id, JSON.parse(data));
      else if (id) this.onEvent("", id, {});
      return;
    }
    if (line.startsWith(":")) return;
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    this.fields[name] = name === "data" && this.fields.data !== undefined ? `${this.fields.data}\n${value}` : value;
  }
}

/** Read how this gateway's console gets tokens. */
export async function signIn() {
  const response = await reach("/console/sign-in.json", {});
  if (!response.ok) throw await problemOf(response);
  return response.json();
}
