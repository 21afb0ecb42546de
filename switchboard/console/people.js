// Signing in to a local mesh: a picker of people. Tokens come from the local gateway and are never stored.

import { button, byId, el, field, say } from "./dom.js";

const NAME = "switchboard.name";

/** The person that this tab has signed in as, so that a reload stays with them. */
export function remembered(role) {
  return sessionStorage.getItem(`${NAME}.${role}`) ?? "";
}

/** Whether the person has to say who they are: the site does not know it, and this tab does not remember it. */
export function mustAsk(role, how) {
  return how.sign_in === "paste" || (how.sign_in === "local" && !remembered(role));
}

/** Ask who to sign in as, or for a token, then call `begin(how, name)`. */
export function askForName(role, how, begin) {
  const place = byId("entry");
  const trouble = el("div");
  const enter = async (name) => {
    if (!name) return;
    try {
      await begin(how, name);
      if (how.sign_in === "local") sessionStorage.setItem(`${NAME}.${role}`, name);
    } catch (error) {
      say(trouble, error.message);
    }
  };
  const staff = role === "staff";
  if (how.sign_in === "paste") {
    place.replaceChildren(...pasting(enter, trouble));
    place.hidden = false;
    return;
  }
  const input = el("input", { type: "text", id: "name", autocomplete: "off", autocapitalize: "none", spellcheck: "false", maxlength: "128", value: staff ? "mia" : "" });
  const form = el("form", { class: "row", on: { submit: (event) => { event.preventDefault(); enter(input.value.trim()); } } });
  form.append(field(staff ? "Your name" : "Another customer's id", input), el("button", { type: "submit", class: staff ? "primary" : "", text: "Sign in" }));
  const picks = staff ? null : el("ul", { class: "people" }, ...how.customers.map((name) => el("li", {}, button(name, () => enter(name), { class: "person" }))));
  place.replaceChildren(
    el("h2", { text: staff ? "Sign in as staff" : "Who are you?" }),
    el("p", { class: "quiet", text: "This is a mesh on your own machine. It believes you, without a password." }),
    trouble, picks ?? "", form,
  );
  place.hidden = false;
}

/** A field for a token, for trying an installation whose site does not give tokens to this page. */
function pasting(enter, trouble) {
  const input = el("input", { type: "password", id: "token", autocomplete: "off", spellcheck: "false" });
  const form = el("form", { class: "row", on: { submit: (event) => { event.preventDefault(); enter(input.value.trim()); } } },
    field("Token", input), el("button", { type: "submit", class: "primary", text: "Sign in" }));
  return [
    el("h2", { text: "Sign in with a token" }),
    el("p", { class: "quiet", text: "This page keeps the token in memory only, so it asks again after a reload." }),
    trouble, form,
  ];
}
