// Steps around the trials: welcome, consent, instructions, thanks, and what went wrong.

import { button, card, el, show } from "./dom.js";
import { say } from "./words.js";

export function waiting() {
  show(card(say("title"), el("p", { class: "hint" }, say("loading"))));
}

export function problem(code, again) {
  show(
    card(
      say("problem_heading"),
      el("p", { role: "alert" }, say(`problem_${code}`)),
      again ? el("p", { class: "row" }, button(say("try_again"), again, { class: "primary" })) : null,
    ),
  );
}

export function uninvited() {
  show(card(say("uninvited_heading"), el("p", {}, say("uninvited_text"))));
}

export function welcome(askLogin, join) {
  const login = el("input", { id: "login", type: "text", maxLength: 200, dir: "auto", autocomplete: "username", required: true });
  const background = el("input", { id: "background", type: "text", maxLength: 200, dir: "auto", autocomplete: "off" });
  const send = (event) => {
    event.preventDefault();
    join({ login: login.value, background: background.value });
  };
  show(
    card(
      say("join_heading"),
      el("p", {}, say("join_text")),
      el(
        "form",
        { on: { submit: send } },
        ...(askLogin ? field(login, "login") : []),
        ...field(background, "background"),
        el("p", { class: "row" }, el("button", { type: "submit", class: "primary" }, say("join_button"))),
      ),
    ),
  );
}

function field(input, name) {
  input.setAttribute("aria-describedby", `${name}-hint`);
  return [
    el("label", { htmlFor: name }, say(`${name}_label`)),
    input,
    el("p", { class: "hint", id: `${name}-hint` }, say(`${name}_hint`)),
  ];
}

export function consent(text, agree, refuse) {
  show(
    card(
      say("consent_heading"),
      ...text.split(/\n+/).map((part) => el("p", { dir: "auto" }, part)),
      el("p", { class: "row" }, button(say("consent_button"), agree, { class: "primary" }), button(say("consent_no"), refuse, { class: "quiet" })),
    ),
  );
}

export function refused() {
  show(card(say("consent_no"), el("p", {}, say("consent_no_text"))));
}

export function instructions(practice, start, withdraw) {
  const keys = [
    ["␣", "key_space"],
    ["R", "key_r"],
    ["1 2 3", "key_numbers"],
    ["← →", "key_arrows"],
    ["⏎", "key_enter"],
    ["⌫", "key_back"],
  ];
  show(
    card(
      say("how_heading"),
      el("ul", {}, ...["how_play", "how_same", "how_honest", "how_stop"].map((name) => el("li", {}, say(name)))),
      el("h2", {}, say("how_keys")),
      el("dl", { class: "keys" }, ...keys.flatMap(([key, name]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, say(name))])),
      practice ? el("p", {}, say("how_practice", { n: practice })) : null,
      el("p", { class: "row" }, button(say("how_button"), start, { class: "primary" })),
      withdraw,
    ),
  );
}

export function finish(act, back, withdraw, note) {
  show(
    card(
      say("finish_heading"),
      note ? el("p", { role: "status" }, note) : null,
      el("p", {}, say("finish_text")),
      el("p", { class: "row" }, button(say("finish_button"), act, { class: "primary" }), back),
      withdraw,
    ),
  );
}

export function done(code) {
  const copy = button(say("done_copy"), async () => {
    await navigator.clipboard?.writeText(code);
    copy.textContent = say("done_copied");
  });
  show(
    card(
      say("done_heading"),
      el("p", {}, say("done_text")),
      el("p", { class: "code", id: "code" }, code),
      el("p", { class: "row" }, copy),
      el("p", { class: "hint" }, say("done_close")),
    ),
  );
}

export function ended() {
  show(card(say("ended_heading"), el("p", {}, say("ended_text"))));
}

export function withdrawn() {
  show(card(say("withdrawn_heading"), el("p", {}, say("withdrawn_text"))));
}

// A quiet way out that asks once more.
export function wayOut(withdraw) {
  return el(
    "details",
    { class: "out" },
    el("summary", {}, say("withdraw")),
    el("p", {}, say("withdraw_sure")),
    button(say("withdraw_yes"), withdraw, { class: "danger" }),
  );
}
