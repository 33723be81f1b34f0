"""What licences ask of whoever uses footage, and which holds for something that was made of several.

The strictest input decides: of two licences the one stays whose terms include the other's. Where neither does, both apply, and
the result names them as SPDX does, `CC-BY-NC-4.0 AND CC-BY-SA-4.0`. Without a licence of every input there is none.
"""

import re
from collections.abc import Iterable

ATTRIBUTION, UNALTERED, SHARE_ALIKE = "attribution", "not handed on unaltered", "same licence"
NON_COMMERCIAL, NO_DERIVATIVES, RESEARCH = "not commercially", "not altered", "research only"

_FREE: frozenset[str] = frozenset()
_BY = frozenset({ATTRIBUTION})
TERMS: dict[str, frozenset[str]] = {
    "CC0": _FREE,
    "PUBLIC-DOMAIN": _FREE,
    "PDDL": _FREE,
    "UNLICENSE": _FREE,
    "PEXELS": frozenset({UNALTERED}),
    "PIXABAY": frozenset({UNALTERED}),
    "MIXKIT": frozenset({UNALTERED}),
    "CC-BY": _BY,
    "MIT": _BY,
    "APACHE": _BY,
    "BSD": _BY,
    "ODC-BY": _BY,
    "CC-BY-SA": _BY | {SHARE_ALIKE},
    "ODBL": _BY | {SHARE_ALIKE},
    "CC-BY-ND": _BY | {NO_DERIVATIVES},
    "CC-BY-NC": _BY | {NON_COMMERCIAL},
    "CC-BY-NC-SA": _BY | {NON_COMMERCIAL, SHARE_ALIKE},
    "CC-BY-NC-ND": _BY | {NON_COMMERCIAL, NO_DERIVATIVES},
    "RESEARCH-ONLY": _BY | {UNALTERED, NON_COMMERCIAL, RESEARCH},
    "ALL-RIGHTS-RESERVED": _BY | {UNALTERED, SHARE_ALIKE, NON_COMMERCIAL, NO_DERIVATIVES, RESEARCH},
}
"""By name without version, from free to strict: what whoever uses it has to do or leave. docs/privacy.md shows the table."""
_ORDER = {name: place for place, name in enumerate(TERMS)}
_AND = re.compile(r"\s+AND\s+")
_VERSION = re.compile(r"-(?:V?\d+(?:\.\d+)*(?:-CLAUSE)?|LICEN[SC]E|IGO|INTERNATIONAL|UNPORTED|GENERIC)(?=-|$)")


def strictest(licences: Iterable[str | None]) -> str | None:
    """What holds for something made of parts under these; None when one of them is not stated, or there are none."""
    stated = [(one or "").strip() for one in licences]
    if not stated or not all(stated):
        return None
    parts = {_key(part): part for one in sorted(stated, reverse=True) for part in _AND.split(one)}
    kept = [key for key in parts if not any(_includes(other, key) for other in parts)]
    return " AND ".join(parts[key] for key in sorted(kept, key=lambda key: (-_ORDER.get(key, len(TERMS)), key)))


def is_stated(licence: str | None) -> bool:
    """Whether somebody said under which licence footage may be used."""
    return bool((licence or "").strip())


def terms_of(licence: str | None) -> tuple[str, ...]:
    """What a licence asks, sorted; nothing of a text that the table does not know, or of none."""
    parts = [_key(part) for part in _AND.split((licence or "").strip())]
    return tuple(sorted(frozenset().union(*(TERMS.get(part, _FREE) for part in parts))))


def _includes(other: str, key: str) -> bool:
    """Whether another licence asks all that this one does, and more; of equal ones the first of the table stays."""
    theirs, ours = TERMS.get(other), TERMS.get(key)
    if theirs is None or ours is None or other == key:
        return False  # what a text of one's own asks nobody knows
    return ours < theirs or (ours == theirs and _ORDER[other] < _ORDER[key])


def _key(licence: str) -> str:
    """`CC-BY` of `CC BY 4.0`; a text that is not in the table is a licence of its own."""
    spelled = re.sub(r"[\s_]+", "-", licence.strip().upper()).replace("CREATIVE-COMMONS", "CC").removeprefix("SPDX:")
    plain = _VERSION.sub("", _VERSION.sub("", spelled))
    return plain if plain in TERMS else licence
