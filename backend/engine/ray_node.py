"""Whether a node of a Ray cluster can work for an owner."""

import hashlib
from functools import cache
from pathlib import Path

from backend.engine.exchange import Exchange

PACKAGES = ("backend", "metrics", "training")


def objection(exchange: Exchange, word: str, code: str) -> str:
    """Why this node cannot work for the owner that signed with `word` and runs the code of this digest; empty when it can."""
    if code_digest() != code:
        return f"runs another version of Subject Studio (in {Path(__file__).parents[2]}); install the owner's there"
    if not exchange.is_signed(word):
        return (
            f"does not see {exchange.url} as the owner does; share the project's folder under the same path with "
            "every node, or name a folder or object store that all of them reach as ray_store"
        )
    return ""


@cache
def code_digest() -> str:
    """Of the source files that decide what stages give: equal on every node, or results would depend on where they were made."""
    root, hasher = Path(__file__).parents[2], hashlib.blake2b(digest_size=16)
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        hasher.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return hasher.hexdigest()
