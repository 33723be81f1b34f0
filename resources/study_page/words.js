// Sentences of the page in the study's language.

let strings = {};

export async function speak(language) {
  if (document.documentElement.dataset.spoken === language) return;
  const answer = await fetch(`/s/static/texts_${language}.json`);
  strings = await answer.json();
  document.documentElement.lang = language;
  document.documentElement.dataset.spoken = language;
  document.title = strings.title;
}

export function say(name, values = {}) {
  return (strings[name] ?? name).replace(/\{(\w+)\}/g, (whole, key) => String(values[key] ?? whole));
}
