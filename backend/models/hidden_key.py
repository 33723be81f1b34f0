"""Texts of others without the key: endpoints repeat it when they refuse it."""

import logging
import re
from functools import lru_cache

LOOKS_LIKE_A_KEY = r"sk-[A-Za-z0-9_-]{8,}"
SHORTEST = 5
"""A shorter key is none, and hiding it would blacken words."""
SHOWN = "[key]"
TALKATIVE = ("openai._base_client", "httpx", "httpcore.connection", "httpcore.http11")
"""Loggers that write the headers of answers at level DEBUG."""


class HiddenKey:
    """Called with a text, gives it without one key, and without what looks like one of OpenAI's.

    The key is found also as JSON, URLs and HTML may spell it. Call it before a text is cut short: half a key cannot be found.
    """

    def __init__(self, key: str) -> None:
        spelled = "".join(map(_spelled, key)) if len(key) >= SHORTEST else ""
        self._pattern = re.compile(f"{spelled}|{LOOKS_LIKE_A_KEY}" if spelled else LOOKS_LIKE_A_KEY)

    def __call__(self, text: str) -> str:
        return self._pattern.sub(SHOWN, text)


@lru_cache
def keep_out_of_logs(key: str) -> None:
    """From now on the clients' loggers hide the key."""
    for name in TALKATIVE:
        logging.getLogger(name).addFilter(_HidingFilter(key))


class _HidingFilter(logging.Filter):
    def __init__(self, key: str) -> None:
        super().__init__()
        self._hidden = HiddenKey(key)

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._hidden(record.getMessage()), ()
        return True


def _spelled(letter: str) -> str:
    code = ord(letter)
    return rf"(?:\\?{re.escape(letter)}|(?i:\\u{code:04x}|%{code:02x}|&\#{code};|&\#x{code:x};))"
