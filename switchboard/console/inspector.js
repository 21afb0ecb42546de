// Shows one turn to staff: its timeline, its messages with tokens and money, and the decisions of the policy.

import { el, milliseconds, outside, time } from "./dom.js";

/** The page of a turn, from the answer of GET /v1/staff/sessions/{id}/turns/{turn}. */
export function inspect(found, session) {
  const { record } = found;
  const back = `#/sessions/${encodeURIComponent(session)}`;
  const at = (turn) => `${back}/turns/${turn}`;
  const usage = record.usage;
  const facts = [
    ["Started", time(record.at)],
    ["Took", found.timeline.parts.length ? milliseconds(found.timeline.took_ms) : "unknown"],
    ["Agents", record.agents.join(" → ") || "none"],
    ["Model replies", String(found.costs.length)],
    ["Tokens", tokens(usage)],
    ["Cost", `${found.cost} ${found.currency}`],
    ["Ended", record.failed ? "failed" : record.interrupted ? "interrupted" : "with a reply"],
  ];
  return el(
    "div", { class: "sheet" },
    el("p", { class: "crumbs" }, el("a", { href: back, text: "← Conversation" }),
      record.turn > 1 ? el("a", { href: at(record.turn - 1), text: "Previous turn" }) : null,
      record.turn < found.turns_total ? el("a", { href: at(record.turn + 1), text: "Next turn" }) : null),
    el("h2", { text: `Turn ${record.turn}` }),
    el("dl", { class: "facts item" }, ...facts.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", {}, value)])),
    el("p", { class: "crumbs" },
      found.trace_url ? outside("Trace in Jaeger", found.trace_url) : null,
      found.invocation_url ? outside("Invocation in the Restate UI", found.invocation_url) : null),
    ...timeline(found),
    ...decisions(found),
    el("h3", { text: "Messages" }),
    ...messages(found),
  );
}

const tokens = (usage) => `${usage.input_tokens.toLocaleString()} in${usage.cached_tokens ? ` (${usage.cached_tokens.toLocaleString()} cached)` : ""}, ${usage.output_tokens.toLocaleString()} out`;

function timeline(found) {
  const head = el("h3", { text: "Timeline" });
  const { parts, took_ms, note } = found.timeline;
  if (!parts.length) return [head, el("p", { class: "quiet", text: note })];
  const whole = Math.max(took_ms, 1);
  const rows = parts.map((span) => {
    const bar = el("i", { class: `${span.kind}${span.state === "failed" ? " failed" : ""}` });
    bar.style.left = `${Math.min(99.5, (100 * span.start_ms) / whole)}%`;
    bar.style.width = `${Math.min(100, (100 * (span.took_ms ?? whole - span.start_ms)) / whole)}%`;
    const words = { agent: "Agent", model: "Model", tool: "Tool", session: "Session" }[span.kind];
    return el("li", { class: "span" },
      el("span", { class: `name d${Math.min(span.depth, 3)}` }, el("span", { class: "quiet", text: `${words} ` }), span.name, ["ok", "running"].includes(span.state) ? null : " ",
        ["ok", "running"].includes(span.state) ? null : el("span", { class: "tag bad", text: span.state })),
      el("span", { class: "track", "aria-hidden": "true" }, bar),
      el("span", { class: "took" }, el("span", { class: "unseen", text: `starts at ${milliseconds(span.start_ms)}, takes ` }), span.took_ms === null ? "running" : milliseconds(span.took_ms)));
  });
  const whys = [...new Set(parts.map((span) => span.why).filter(Boolean))];
  return [head, el("ol", { class: "scroll bars", "aria-label": "Timeline", tabindex: "0" }, ...rows), ...whys.map((why) => el("p", { class: "note error", text: why }))];
}

function decisions(found) {
  if (!found.refusals.length) return [];
  const items = found.refusals.map((refusal) => el("li", { class: "item" },
    el("p", {}, refusal.rule ? el("span", { class: "tag warn", text: `rule ${refusal.rule}` }) : null, " ", el("code", { text: refusal.tool })),
    el("p", { class: "words", text: refusal.text })));
  return [el("h3", { text: "Refusals" }), el("ul", { class: "cards" }, ...items)];
}

function messages(found) {
  const names = new Map(found.record.messages.flatMap((message) => message.calls ?? []).map((call) => [call.call_id, call.tool]));
  let reply = 0;
  return found.record.messages.map((message) => {
    switch (message.kind) {
      case "user":
        return box("Customer", null, words(message.text));
      case "model":
        return box(message.agent, el("span", { class: "meta" }, el("code", { text: message.model }), el("span", { text: tokens(message.usage) }), el("span", { text: `${found.costs[reply++]} ${found.currency}` })),
          message.text ? words(message.text) : null,
          ...message.calls.map((call) => el("details", { open: message.calls.length < 2 }, el("summary", {}, el("code", { text: call.tool }), call.label ? ` ${call.label}` : ""), el("pre", { text: pretty(call.arguments), tabindex: "0" }))));
      case "tool":
        return box("Result", el("span", { class: "meta" }, el("code", { text: names.get(message.call_id) ?? message.call_id }),
          el("span", { class: `tag ${message.outcome === "known" ? (message.ok ? "good" : "bad") : "warn"}`, text: message.outcome === "known" ? (message.ok ? "done" : "refused or failed") : message.outcome })),
        el("details", { open: !message.ok }, el("summary", { text: "Content" }), el("pre", { text: pretty(message.content), tabindex: "0" })));
      case "note":
        return box("Note to the model", null, words(message.text));
      default:
        return box(message.by || "Mesh", null, words(message.text));
    }
  });
}

const words = (text) => el("div", { class: "words", text });

function box(title, meta, ...children) {
  return el("article", { class: "item" }, el("div", { class: "crumbs" }, el("strong", { text: title }), meta), ...children.filter(Boolean));
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
