"""httpx without its own command line, for which it takes rich, pygments and click along (.06 s of every start)."""

from backend.loading import without

with without("httpx._main"):
    import httpx

__all__ = ["httpx"]
