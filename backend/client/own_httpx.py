"""httpx without its own command line, for which it takes rich, pygments and click along (.06 s of every start)."""

import sys

_COMMAND = "httpx._main"
_absent = _COMMAND not in sys.modules
if _absent:
    sys.modules[_COMMAND] = None  # pyright: ignore[reportArgumentType] - what import takes for "there is none"
try:
    import httpx
finally:
    if _absent:
        del sys.modules[_COMMAND]

__all__ = ["httpx"]
