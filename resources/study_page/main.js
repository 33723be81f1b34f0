// The page: which step comes next. Every step can be reached again by reloading; the service knows where we are.

import { button, notice } from "./dom.js";
import { MediaShelf } from "./media.js";
import { Outbox } from "./outbox.js";
import { slide } from "./slider.js";
import * as steps from "./steps.js";
import { TrialView } from "./trial.js";
import { Offline, call, pause } from "./wire.js";
import { say, speak } from "./words.js";

const RETRY_MS = 2000;

const media = new MediaShelf();
const trials = new Map(); // by position, as they were given out
const missing = new Set(); // ids of trials that cannot be shown
let state = {};
let outbox = null;
let view = null;

async function start() {
  await speak(document.documentElement.lang);
  steps.waiting();
  state = (await patiently("state")).told;
  await speak(state.language);
  if (state.key) openOutbox();
  await step();
}

function step() {
  closeTrial();
  switch (state.step) {
    case "uninvited":
      return steps.uninvited();
    case "join":
      return steps.welcome(state.ask_login, join);
    case "consent":
      return steps.consent(state.consent, agree, steps.refused);
    case "trials":
      return resume();
    case "slider":
    case "finish":
      return end();
    case "done":
      outbox?.clear();
      return steps.done(state.code);
    case "ended":
      return steps.ended();
    default:
      return steps.withdrawn();
  }
}

// A call that waits for the network as long as it takes.
async function patiently(name, body) {
  for (;;) {
    try {
      const answer = await call(name, body);
      notice("");
      return answer;
    } catch (error) {
      if (!(error instanceof Offline)) throw error;
      notice(say("waiting"));
      await pause(RETRY_MS);
    }
  }
}

async function join(fields) {
  const answer = await patiently("join", fields);
  if (answer.code === "ended") return steps.ended();
  if (!answer.ok) return steps.problem(["login", "invitation"].includes(answer.code) ? answer.code : "refused", start);
  return start();
}

async function agree() {
  const answer = await patiently("consent", { agreed: true });
  return answer.ok ? start() : steps.problem("refused", start);
}

async function withdraw() {
  closeTrial();
  await patiently("withdraw", {});
  outbox?.clear();
  return start();
}

const wayOut = () => steps.wayOut(withdraw);

function openOutbox() {
  outbox ??= new Outbox(state.key, {
    changed: (waiting, isOffline) => notice(isOffline ? say("offline") : waiting > 3 ? say("sending", { n: waiting }) : ""),
    conflicted,
    refused: () => steps.problem("refused", start),
  });
  outbox.flush();
}

// Another window answered the same question: the answer that a person made last counts.
function conflicted(answer, current) {
  const trial = [...trials.values()].find((one) => one.id === answer.trial);
  const question = trial?.questions.find((one) => one.name === answer.question);
  if (answer.made_at > current.made_at && answer.choice !== current.choice) {
    const again = { ...answer, rev: current.rev + 1 };
    if (question) question.rev = Math.max(question.rev, again.rev);
    return outbox.vote(again);
  }
  if (question && question.rev <= current.rev) {
    Object.assign(question, { rev: current.rev, choice: current.choice, given: current.given, comment: current.comment, made_at: current.made_at });
    if (view?.trial === trial) view.refresh();
  }
  return notice(say("other_window"));
}

function resume() {
  const last = history.state?.position;
  if (state.answered === 0 && last === undefined) {
    return steps.instructions(state.practice, () => open(0, { isNew: true }), wayOut());
  }
  return openFirst(last);
}

async function openFirst(last) {
  const first = await fetchTrials(null);
  const position = first?.position ?? state.total;
  return open(Number.isInteger(last) && last <= position ? last : position);
}

// Trials from a position on (null: the first open one); gives the first, with answers that are still on their way.
async function fetchTrials(from, ask = patiently) {
  const answer = await ask("trials", { start: from });
  if (!answer.ok) {
    steps.problem("refused", start);
    throw new Error(answer.code);
  }
  Object.assign(state, { answered: answer.told.answered, total: answer.told.total });
  for (const trial of answer.told.trials) {
    for (const question of trial.questions) {
      const sent = outbox.pending(question.vote);
      if (sent && sent.rev > question.rev) {
        Object.assign(question, { rev: sent.rev, choice: sent.choice, given: sent.reasons, comment: sent.comment });
      }
    }
    if (!trials.has(trial.position)) trials.set(trial.position, trial);
  }
  media.ahead(answer.told.trials);
  return answer.told.trials[0] && trials.get(answer.told.trials[0].position);
}

async function open(position, { isNew = false } = {}) {
  if (position >= state.total) return finishing();
  if (!trials.has(position)) {
    closeTrial();
    steps.waiting();
    await fetchTrials(position);
    if (!trials.has(position)) return finishing(); // the study was closed meanwhile
  } else if (!trials.has(position + 1) && position + 1 < state.total) {
    fetchTrials(position + 1, call).catch(() => null); // ahead of time: without a network, later
  }
  if (isNew) history.pushState({ position }, "");
  else history.replaceState({ position }, "");
  closeTrial();
  const trial = trials.get(position);
  view = new TrialView(trial, {
    title: trial.practice ? `${say("practice")} · ${say("trial", { n: position + 1, total: state.practice })}` : say("trial", { n: position + 1 - state.practice, total: state.total - state.practice }),
    progress: { answered: answered(), total: state.total, isLast: position + 1 === state.total },
    media,
    hasSound: state.has_sound,
    answered: (answer) => outbox.vote(answer),
    next: (isMissing) => {
      if (isMissing) missing.add(trial.id);
      open(position + 1, { isNew: true });
    },
    back: () => open(position - 1, { isNew: true }),
    report: (name, value) => outbox.event(name, { trial: trial.id, value: value ?? null }),
    withdraw: wayOut(),
  });
  outbox.event("shown", { trial: trial.id });
}

const isAnswered = (trial) => trial.questions.every((question) => question.choice !== null);

// Trials answered as far as this window knows: those that the service counted, or those answered here.
const answered = () => Math.max(state.answered, [...trials.values()].filter(isAnswered).length);

function closeTrial() {
  view?.close();
  view = null;
}

// Behind the last trial: what was left out comes again, then the end.
async function finishing() {
  closeTrial();
  steps.waiting();
  while (outbox.waiting()) {
    await outbox.flush();
    await pause(200);
  }
  state = (await patiently("state")).told;
  if (state.step !== "trials") return step();
  trials.clear();
  const first = await fetchTrials(null);
  if (first && !missing.has(first.id)) return open(first.position, { isNew: true });
  missing.clear();
  return steps.problem("missing", start);
}

async function end() {
  const back = button(say("back"), () => open(state.total - 1, { isNew: true }), { class: "quiet" });
  const note = state.is_closed ? say("closed_note") : "";
  if (state.step === "finish") return steps.finish(complete, back, wayOut(), note);
  return (await slide({ call: patiently, back, withdraw: wayOut(), note })) ? complete() : start();
}

async function complete() {
  const answer = await patiently("finish", {});
  if (!answer.ok) return start();
  outbox.clear();
  state = { ...state, step: "done", code: answer.told.code };
  return steps.done(answer.told.code);
}

window.addEventListener("popstate", (event) => {
  if (outbox && ["trials", "slider", "finish"].includes(state.step)) {
    const position = event.state?.position;
    if (position === undefined) {
      closeTrial();
      steps.instructions(state.practice, () => open(0, { isNew: true }), wayOut());
    } else open(position);
  }
});

start();
