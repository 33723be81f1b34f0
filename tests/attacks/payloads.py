"""Texts that run as a script where a page takes them for markup, and what tells that one did."""

from typing import Any

PAYLOADS = (
    "<script>alert(1)</script>",
    "<ScRiPt>alert(1)</sCrIpT>",
    "<script src=//evil.test/x.js></script>",
    "<img src=x onerror=alert(1)>",
    "<img src=//evil.test/x.png>",
    '"><img src=x onerror=alert(1)>',
    "'><img src=x onerror=alert(1)>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<math><mtext><img src=x onerror=alert(1)></mtext></math>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<iframe src=javascript:parent.alert(1)></iframe>",
    "<object data='data:text/html,<script>alert(1)</script>'></object>",
    "<embed src=//evil.test/x.swf>",
    "<a href=javascript:alert(1) autofocus onfocus=alert(1)>x</a>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<body onload=alert(1)>",
    "<video src=x onerror=alert(1)></video>",
    "<base href=//evil.test/>",
    "<meta http-equiv=refresh content='0;url=//evil.test/'>",
    "<form action=//evil.test/><button autofocus>x</button></form>",
    "<style>@import '//evil.test/x.css';</style>",
    "<link rel=stylesheet href=//evil.test/x.css>",
    '" onmouseover="alert(1)" style="position:fixed;inset:0" x="',
    "javascript:alert(1)",
    "{{7*7}}{% for x in () %}{% endfor %}{{ cycler.__init__.__globals__ }}",
    "${alert(1)}`${alert(1)}`",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<scr\x00ipt>alert(1)</scr\x00ipt>",
    "\u202e<img src=x onerror=alert(1)>\u202c",
    "＜script＞alert(1)＜/script＞",
)
MARKUP = (
    "script:not([src^='/s/static/']), iframe, object, embed, base, form, video[onerror], meta[http-equiv=refresh], "
    "link[href*='evil'], img[src*='evil'], img[src=x], a[href^=javascript], [onerror], [onload], [onfocus], [ontoggle], "
    "[onbegin], [onmouseover]"
)


class Watch:
    """Follows a page of a browser from before it is opened; `harm()` says what of a payload came to life."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._seen: list[str] = []
        page.add_init_script("window.ran = 0; window.alert = window.confirm = window.prompt = () => { window.ran += 1; }")
        page.on("dialog", lambda dialog: (self._seen.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on(
            "console", lambda said: self._seen.append(f"console {said.text}") if "Content Security" in said.text else None
        )
        page.on("request", lambda asked: self._seen.append(f"asked {asked.url}") if "evil.test" in asked.url else None)

    def harm(self) -> list[str]:
        """Scripts that ran, addresses asked for, elements made, and what only the page's policy stopped."""
        found = list(self._seen)
        if self._page.evaluate("window.ran"):
            found.append("a script ran")
        found += [
            f"element {one}"
            for one in self._page.evaluate(
                f"[...document.querySelectorAll(`{MARKUP}`)].map((one) => one.outerHTML.slice(0, 80))"
            )
        ]
        return found
