// One question of a trial: choices, and once answered the reasons and a few words.

import { button, el } from "./dom.js";
import { say } from "./words.js";

const ARROWS = { Left: "ArrowLeft", Right: "ArrowRight", Up: "ArrowUp", Down: "ArrowDown" };
const DRAWN = { Left: "←", Right: "→", Up: "↑", Down: "↓" };
const MAX_COMMENT = 2000;
const COMMENT_MS = 800; // after the last letter

export class QuestionView {
  // `answered(question)` is called with every change that is to be kept.
  constructor(question, { right, answered }) {
    this.question = question;
    this.right = right;
    this.answered = answered;
    this.locked = true;
    const id = `question-${question.name}`;
    this.buttons = question.choices.map((choice, place) => this.choiceButton(choice, place));
    this.more = el("div", { class: "more", hidden: true }, ...this.reasons(id));
    this.feedback = el("p", { class: "feedback", role: "status" });
    this.element = el(
      "fieldset",
      { class: "question" },
      el("legend", { id }, question.text),
      el("div", { class: "choices", "data-count": String(question.choices.length) }, ...this.buttons),
      this.feedback,
      this.more,
    );
    this.draw();
  }

  get isAnswered() {
    return this.question.choice !== null;
  }

  choiceButton(choice, place) {
    const hint = DRAWN[choice.key] ?? (choice.key === String(place + 1) ? "" : choice.key);
    const numbered = place < 9 ? String(place + 1) : "";
    const made = button("", () => this.choose(choice.value), {
      class: "choice",
      "aria-keyshortcuts": [numbered, ARROWS[choice.key] ?? choice.key].filter(Boolean).join(" "),
    });
    const keys = [...new Set([numbered, hint])].filter(Boolean).join(" ");
    made.append(el("span", { class: "label" }, choice.label), el("kbd", { "aria-hidden": "true" }, keys));
    return made;
  }

  reasons(id) {
    const { reasons } = this.question;
    this.chips = reasons.map((reason) =>
      button(reason.label, () => this.toggle(reason.value), { class: "chip" }),
    );
    this.comment = el("textarea", {
      id: `${id}-comment`,
      rows: 2,
      maxLength: MAX_COMMENT,
      dir: "auto",
      value: this.question.comment,
      on: { input: () => this.typed(), blur: () => this.keepComment() },
    });
    return [
      reasons.length
        ? el(
            "div",
            { class: "chips", role: "group", "aria-label": say("reasons") },
            el("span", { class: "hint", "aria-hidden": "true" }, say("reasons")),
            ...this.chips,
          )
        : null,
      el(
        "details",
        { open: Boolean(this.question.comment) },
        el("summary", {}, say("comment")),
        el("label", { htmlFor: this.comment.id }, say("comment")),
        this.comment,
      ),
    ];
  }

  // Whether a key belongs to this question; if so, it has been answered.
  press(key) {
    if (this.locked) return false;
    const { choices, reasons } = this.question;
    const own = choices.find((choice) => (ARROWS[choice.key] ?? choice.key.toLowerCase()) === key);
    const chosen = own ?? (/^[1-9]$/.test(key) ? choices[Number(key) - 1] : undefined);
    if (chosen) {
      this.choose(chosen.value);
      return true;
    }
    const reason = this.isAnswered && reasons.find((one) => one.key.toLowerCase() === key);
    if (reason) this.toggle(reason.value);
    return Boolean(reason);
  }

  choose(value) {
    if (this.locked || this.question.choice === value) return;
    this.question.choice = value;
    this.keep();
  }

  toggle(value) {
    const { given } = this.question;
    this.question.given = given.includes(value) ? given.filter((one) => one !== value) : [...given, value];
    this.keep();
  }

  typed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keepComment(), COMMENT_MS);
  }

  keepComment() {
    clearTimeout(this.timer);
    if (!this.isAnswered || this.comment.value === this.question.comment) return;
    this.question.comment = this.comment.value;
    this.keep();
  }

  keep() {
    this.question.rev += 1;
    this.draw();
    this.answered(this.question);
  }

  unlock() {
    this.locked = false;
    this.draw();
  }

  draw() {
    const { choice, choices, given, reasons } = this.question;
    this.buttons.forEach((made, place) => {
      made.disabled = this.locked;
      made.setAttribute("aria-pressed", String(choices[place].value === choice));
    });
    this.chips.forEach((made, place) => made.setAttribute("aria-pressed", String(given.includes(reasons[place].value))));
    this.more.hidden = !this.isAnswered;
    this.element.classList.toggle("answered", this.isAnswered);
    const [name, value] = (this.right ?? "").split("=");
    const told = this.isAnswered && name === this.question.name && choices.find((one) => one.value === value);
    this.feedback.textContent = told ? say("practice_right", { answer: told.label }) : "";
  }
}
