// The slider at the end: moved by a pointer or by keys, its path goes along.

import { button, card, el, show } from "./dom.js";
import { say } from "./words.js";

const MAX_SAMPLES = 900;

// Asks until it is passed; false when the service refuses. `back` is the button to the last trial, `note` why it is the end.
export async function slide({ call, back, withdraw, note }) {
  for (let problem = ""; ; ) {
    const { ok, told } = await call("slider", {});
    if (!ok) return false;
    const answer = await once(told, problem, back, withdraw, note);
    const { told: judged } = await call("slid", answer);
    if (judged.passed) return true;
    problem = judged.problem ?? "stale";
  }
}

function once(challenge, problem, back, withdraw, note) {
  return new Promise((done) => {
    const trace = [];
    let byKeys = false;
    const value = el("output", { htmlFor: "slider" }, say("slider_value", { value: challenge.start }));
    const sample = () => {
      value.textContent = say("slider_value", { value: slider.value });
      slider.setAttribute("aria-valuetext", slider.value);
      if (trace.length < MAX_SAMPLES) trace.push([Math.round(performance.now() * 10) / 10, Number(slider.value)]);
    };
    const slider = el("input", {
      id: "slider",
      type: "range",
      min: "0",
      max: "100",
      step: "1",
      value: String(challenge.start),
      on: {
        input: sample,
        keydown: (event) => (byKeys ||= /^(Arrow|Page|Home|End)/.test(event.key)),
        pointerdown: () => (byKeys = false),
      },
    });
    const send = () => done({ nonce: challenge.nonce, value: Number(slider.value), trace, by_keys: byKeys });
    show(
      card(
        say("slider_heading"),
        note ? el("p", { role: "status" }, note) : null,
        problem ? el("p", { class: "bad", role: "alert" }, say(`slider_${problem}`)) : null,
        el("p", {}, say("slider_text", { target: challenge.target })),
        el("label", { htmlFor: "slider", class: "big" }, say("slider_label", { target: challenge.target })),
        slider,
        el("p", { class: "row" }, value),
        el("p", { class: "row" }, button(say("slider_button"), send, { class: "primary" }), back),
        withdraw,
      ),
    );
  });
}
