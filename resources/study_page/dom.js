// Building elements. Text always goes in as text, never as markup.

export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [kind, heard] of Object.entries(value)) made.addEventListener(kind, heard);
    else if (name === "class") made.className = value;
    else if (name in made && !name.startsWith("aria")) made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export const page = () => document.getElementById("page");

// Shows one step in place of the last, and moves the reader's focus to its heading.
export function show(...children) {
  page().replaceChildren(...children);
  const heading = page().querySelector("h1");
  if (heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  window.scrollTo(0, 0);
}

export function card(heading, ...children) {
  return el("section", { class: "card" }, el("h1", {}, heading), ...children);
}

export function button(label, act, properties = {}) {
  return el("button", { type: "button", on: { click: act }, ...properties }, label);
}

let shownNotice = "";

// A sentence at the top of the page, read out politely; empty takes it away.
export function notice(text) {
  if (text === shownNotice) return;
  shownNotice = text;
  const place = document.getElementById("notice");
  place.textContent = text;
  place.hidden = !text;
}
