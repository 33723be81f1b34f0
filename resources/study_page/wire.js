// Calls to our own service. What fails for want of a network throws Offline; what is refused comes back with its code.

export class Offline extends Error {}

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export async function call(name, body) {
  for (;;) {
    let answer;
    try {
      answer = await fetch(`/s/${name}`, {
        method: body === undefined ? "GET" : "POST",
        headers: body === undefined ? {} : { "content-type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: "same-origin",
      });
    } catch (error) {
      throw new Offline(String(error));
    }
    if (answer.status === 429) {
      await pause(1000 * Number(answer.headers.get("retry-after") ?? 1));
      continue;
    }
    if (answer.status >= 500) throw new Offline(`status ${answer.status}`);
    const told = await answer.json();
    return { ok: answer.ok, status: answer.status, told, code: told.error?.code ?? "" };
  }
}
