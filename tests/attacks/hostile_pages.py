"""Pages of somebody else, and what their scripts try on a service of this machine.

Each attack is a function of JavaScript, called with `(url, path, body, form)`: `body` is JSON that writes when it is accepted,
`form` the same cut in two around a `=`, as a form of kind text/plain sends it. It gives the words that it could read.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAIT_MS = 400

_FORM = """
async ({url, path, form}) => {
  const frame = document.createElement("iframe"); frame.name = "f" + Math.random(); document.body.append(frame);
  const sent = document.createElement("form"); sent.method = "POST"; sent.action = url + path; sent.target = frame.name;
  sent.enctype = "%s";
  const field = document.createElement("input"); field.name = form[0]; field.value = form[1];
  sent.append(field); document.body.append(sent); sent.submit();
  await new Promise((done) => setTimeout(done, WAIT));
  try { return frame.contentDocument.body.innerText; } catch { return ""; }
}"""
_TEXT = "async (answer) => { try { return await (await answer).text(); } catch { return ''; } }"
_ELEMENT = """
async ({url, path}) => {
  const one = document.createElement("%s");
  const told = new Promise((done) => { one.onload = one.onloadedmetadata = () => done("loaded %s"); one.onerror = () => done(""); });
  %s; document.body.append(one);
  return await Promise.race([told, new Promise((done) => setTimeout(() => done(""), 4 * WAIT))]);
}"""

WRITES = {
    "form_text": _FORM % "text/plain",
    "form_fields": _FORM % "application/x-www-form-urlencoded",
    "form_multipart": _FORM % "multipart/form-data",
    "fetch_cors_json": f"""({{url, path, body}}) => ({_TEXT})(fetch(url + path, {{method: "POST", body, credentials: "include",
        headers: {{"content-type": "application/json"}}}}))""",
    "fetch_cors_text": f"""({{url, path, body}}) => ({_TEXT})(fetch(url + path, {{method: "POST", body, credentials: "include",
        headers: {{"content-type": "text/plain"}}}}))""",
    "fetch_no_cors": f"""({{url, path, body}}) => ({_TEXT})(fetch(url + path, {{method: "POST", mode: "no-cors", body,
        credentials: "include", headers: {{"content-type": "text/plain"}}}}))""",
    "beacon": """async ({url, path, body}) => {
        navigator.sendBeacon(url + path, new Blob([body], {type: "text/plain"}));
        await new Promise((done) => setTimeout(done, WAIT)); return ""; }""",
}
READS = {
    "fetch_get": f"({{url, path}}) => ({_TEXT})(fetch(url + path, {{credentials: 'include'}}))",
    "img": _ELEMENT % ("img", "img", "one.src = url + path"),
    "video": _ELEMENT % ("video", "video", "one.src = url + path"),
    "script": _ELEMENT % ("script", "script", "one.src = url + path"),
    "style": _ELEMENT % ("link", "style", "one.rel = 'stylesheet'; one.href = url + path"),
    "iframe": """async ({url, path}) => {
        const frame = document.createElement("iframe"); frame.src = url + path; document.body.append(frame);
        await new Promise((done) => { frame.onload = done; setTimeout(done, 2 * WAIT); });
        try { return frame.contentDocument.body.innerText; } catch { return ""; } }""",
    "event_source": """async ({url, path}) => {
        const one = new EventSource(url + path, {withCredentials: true});
        const said = await new Promise((done) => { one.onopen = () => done("open"); one.onerror = () => done(""); setTimeout(() => done(""), 2 * WAIT); });
        one.close(); return said; }""",
    "web_socket": """async ({url, path}) => {
        const one = new WebSocket(url.replace("http", "ws") + path);
        return await new Promise((done) => { one.onopen = () => done("open"); one.onerror = () => done(""); setTimeout(() => done(""), 2 * WAIT); }); }""",
}


def script(attack: str) -> str:
    """An attack's JavaScript."""
    return (WRITES | READS)[attack].replace("WAIT", str(WAIT_MS))


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>a page of somebody else</title><body>win a prize</body>"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def hostile_server() -> Iterator[int]:
    """A web server of somebody else; gives its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
