// One trial on the screen: what was asked for, the videos, the questions, and the keys that answer them.

import { button, el, show } from "./dom.js";
import { Missing } from "./media.js";
import { now } from "./outbox.js";
import { Players } from "./players.js";
import { QuestionView } from "./question.js";
import { say } from "./words.js";

const STILL = window.matchMedia("(prefers-reduced-motion: reduce)");

export class TrialView {
  // `answered(answer)`, `next()` and `back()` are the page's; `report(name, value)` tells the service what happened.
  constructor(trial, { title, progress, media, hasSound, answered, next, back, report, withdraw }) {
    Object.assign(this, { trial, media, hasSound, answered, next, back, report });
    this.shownAt = performance.now();
    this.hiddenMs = 0;
    this.hiddenAt = document.hidden ? performance.now() : null;
    this.isMissing = false;
    this.questions = trial.questions.map(
      (question) => new QuestionView(question, { right: trial.right, answered: (changed) => this.keep(changed) }),
    );
    this.hint = el("p", { class: "hint lock", role: "status" }, say("loading_videos"));
    this.nextButton = button(say(progress.isLast ? "last" : "next"), () => this.goOn(), { class: "primary" });
    this.nextButton.append(el("kbd", { "aria-hidden": "true" }, "⏎"));
    this.videos = [];
    show(
      el(
        "div",
        { class: "trial" },
        el(
          "header",
          { class: "bar" },
          el("h1", {}, title),
          el("progress", { max: progress.total, value: progress.answered, "aria-label": say("progress") }),
        ),
        trial.practice ? el("p", { class: "hint practice" }, say("practice_note")) : null,
        el("div", { class: "stage" }, this.askedFor(), this.panes(), this.transport()),
        this.hint,
        el("div", { class: "questions" }, ...this.questions.map((view) => view.element)),
        el(
          "footer",
          { class: "bar" },
          trial.position > 0 ? button(say("back"), back, { class: "quiet" }) : el("span"),
          this.nextButton,
        ),
        withdraw,
      ),
    );
    this.keys = (event) => this.pressed(event);
    this.seen = () => this.visibility();
    document.addEventListener("keydown", this.keys);
    document.addEventListener("visibilitychange", this.seen);
    this.load();
    this.draw();
  }

  close() {
    for (const view of this.questions) view.keepComment();
    document.removeEventListener("keydown", this.keys);
    document.removeEventListener("visibilitychange", this.seen);
    this.players?.close();
    this.players = null;
    this.isClosed = true;
  }

  askedFor() {
    const texts = this.trial.panels.filter((panel) => panel.shows === "text" && panel.text);
    this.pictures = this.trial.panels.filter((panel) => panel.shows === "image" && panel.media);
    if (!texts.length && !this.pictures.length) return null;
    this.images = this.pictures.map((panel) => el("img", { alt: panel.label }));
    return el(
      "section",
      { class: "asked" },
      ...this.images.map((image, place) => el("figure", { class: "reference" }, image, el("figcaption", {}, this.pictures[place].label))),
      ...texts.map((panel) => el("div", { class: "prompt", tabIndex: 0, role: "group", "aria-label": panel.label }, el("h2", {}, panel.label), el("p", { dir: "auto" }, panel.text))),
    );
  }

  panes() {
    this.shown = this.trial.panels.filter((panel) => panel.shows === "video" && panel.media);
    this.marks = this.shown.map(() => el("span", { class: "mark" }));
    this.sounds = this.shown.map((panel, place) =>
      this.hasSound ? button("♪", () => this.players?.listen(place), { class: "quiet sound", "aria-label": say("listen", { label: panel.label }) }) : null,
    );
    this.videos = this.shown.map((panel) => el("video", { "aria-label": panel.label, disablePictureInPicture: true, tabIndex: -1 }));
    return el(
      "div",
      { class: "panes", role: "group", "aria-label": say("videos"), "data-count": String(this.shown.length) },
      ...this.shown.map((panel, place) =>
        el("figure", { class: "pane" }, this.videos[place], el("figcaption", {}, el("span", {}, panel.label), this.sounds[place], this.marks[place])),
      ),
    );
  }

  transport() {
    this.playButton = button(say("play"), () => this.players?.toggle(), { class: "play", disabled: true });
    this.restartButton = button(say("restart"), () => this.players?.restart(), { class: "quiet", disabled: true });
    this.restartButton.append(el("kbd", { "aria-hidden": "true" }, "R"));
    this.place = el("input", {
      type: "range",
      min: "0",
      max: "1000",
      step: "1",
      value: "0",
      disabled: true,
      "aria-label": say("seek"),
      on: {
        input: () => {
          this.players?.pause();
          this.players?.seek((Number(this.place.value) / 1000) * this.players.duration);
        },
      },
    });
    return el("div", { class: "transport" }, this.playButton, this.place, this.restartButton);
  }

  async load() {
    this.pictures?.forEach((panel, place) => this.media.get(panel.media).then((url) => (this.images[place].src = url)).catch((error) => this.lost(error)));
    try {
      const urls = await Promise.all(this.shown.map((panel) => this.media.get(panel.media)));
      if (this.isClosed) return;
      await Promise.all(this.videos.map((video, place) => ready(video, urls[place])));
    } catch (error) {
      return this.lost(error);
    }
    if (this.isClosed) return;
    this.players = new Players(this.videos, { changed: () => this.draw(), loops: !STILL.matches });
    for (const control of [this.playButton, this.restartButton, this.place]) control.disabled = false;
    this.follow();
    this.draw();
    if (!STILL.matches) await this.players.play();
  }

  lost(error) {
    if (!(error instanceof Missing) || this.isMissing || this.isClosed) return;
    this.isMissing = true;
    this.report("media_missing");
    this.draw();
  }

  follow() {
    if (!this.players) return;
    if (document.activeElement !== this.place || this.players.isPlaying) {
      this.place.value = String(Math.round((1000 * this.players.time) / (this.players.duration || 1)));
    }
    requestAnimationFrame(() => this.follow());
  }

  get isComplete() {
    return this.questions.every((view) => view.isAnswered);
  }

  get visibleMs() {
    const away = this.hiddenMs + (this.hiddenAt === null ? 0 : performance.now() - this.hiddenAt);
    return Math.max(0, Math.round(performance.now() - this.shownAt - away));
  }

  visibility() {
    if (document.hidden) {
      this.hiddenAt = performance.now();
      this.players?.pause();
      this.report("hidden");
    } else if (this.hiddenAt !== null) {
      this.hiddenMs += performance.now() - this.hiddenAt;
      this.hiddenAt = null;
      this.report("visible", this.visibleMs);
    }
  }

  keep(question) {
    this.answered({
      vote: question.vote,
      rev: question.rev,
      trial: this.trial.id,
      question: question.name,
      choice: question.choice,
      reasons: question.given,
      comment: question.comment,
      visible_ms: this.visibleMs,
      made_at: now(),
    });
    this.draw();
  }

  // Draws again what another window answered.
  refresh() {
    for (const view of this.questions) {
      view.comment.value = view.question.comment;
      view.draw();
    }
    this.draw();
  }

  draw() {
    const isOpen = !this.isMissing && (this.isUnlocked || this.players?.allWatched || this.questions.some((view) => view.isAnswered));
    if (isOpen && !this.isUnlocked) {
      this.isUnlocked = true;
      if (this.players?.allWatched) this.report("played", this.visibleMs);
      for (const view of this.questions) view.unlock();
    }
    const current = this.questions.find((view) => !view.isAnswered);
    for (const view of this.questions) view.element.classList.toggle("current", this.isUnlocked && view === current);
    this.hint.textContent = this.isMissing ? say("media_missing") : this.isUnlocked ? "" : say(this.players ? "watch_first" : "loading_videos");
    this.hint.classList.toggle("bad", this.isMissing);
    this.nextButton.disabled = !(this.isComplete || this.isMissing);
    this.playButton.textContent = say(this.players?.isPlaying ? "pause" : "play");
    this.playButton.append(el("kbd", { "aria-hidden": "true" }, "␣"));
    this.marks.forEach((mark, place) => (mark.textContent = this.players?.watched.has(this.videos[place]) ? `✓ ${say("watched")}` : ""));
    this.sounds.forEach((made, place) => made?.setAttribute("aria-pressed", String(!this.videos[place].muted)));
  }

  goOn() {
    if (this.isComplete || this.isMissing) this.next(this.isMissing);
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const at = event.target;
    if (at instanceof HTMLTextAreaElement || at.closest?.("summary")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const isControl = at instanceof HTMLButtonElement || at instanceof HTMLInputElement;
    if (at instanceof HTMLInputElement && (key.startsWith("Arrow") || key.startsWith("Page"))) return;
    if (isControl && (key === " " || key === "Enter")) return;
    if (key === " ") this.players?.toggle();
    else if (key === "Enter") this.goOn();
    else if (key === "Backspace") this.trial.position > 0 && this.back();
    else if (!this.answerBy(key, at) && key === "r") this.players?.restart();
    else if (!this.tookKey && key !== "r") return;
    event.preventDefault();
  }

  // The key goes to the question that has the focus, else to the first open one, else to the last.
  answerBy(key, at) {
    const focused = this.questions.find((view) => view.element.contains(at));
    const asked = focused ?? this.questions.find((view) => !view.isAnswered) ?? this.questions.at(-1);
    this.tookKey = Boolean(asked?.press(key));
    if (this.tookKey) (this.questions.find((view) => !view.isAnswered)?.element ?? this.nextButton).scrollIntoView({ block: "nearest", behavior: STILL.matches ? "auto" : "smooth" });
    return this.tookKey;
  }
}

function ready(video, url) {
  return new Promise((done, failed) => {
    video.addEventListener("canplaythrough", done, { once: true });
    video.addEventListener("error", () => failed(new Missing(url)), { once: true });
    video.src = url;
  });
}
