"""The total score of systems: the weighted sum of normalised scores, from lists of them or from raw values of videos."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain import ImportRefused
from metrics.json_files import kind_of, read_json
from metrics.presets import Preset, preset

DIGITS = 2  # papers give totals to 0.01 per cent


@dataclass(frozen=True, slots=True)
class Totals:
    """The systems of a list as they came, each with `total` (None where it cannot be), and what is wrong, a line each.

    `preset` names what summed them up: of a calibration its name, version, study and data.
    """

    systems: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    preset: str


def totals_of_file(path: str, *, preset_id: str) -> Totals:
    """Totals of a JSON list of systems with normalised scores in per cent.

    Raises ImportRefused for a file that is no JSON list (or object by system), SettingsError for an unknown preset.
    """
    chosen = preset(preset_id)
    raw = read_json(Path(path), constants=True)
    if isinstance(raw, Mapping):
        raw = [{"system": name, **value} if isinstance(value, dict) else (name, value) for name, value in raw.items()]
    if not isinstance(raw, list) or not raw:
        kind = "empty list" if raw == [] else kind_of(raw)
        raise ImportRefused(f"{path} holds a {kind}; give a list of objects, each with a system's name and scores")
    return totals(raw, chosen)


def totals(items: Sequence[Any], chosen: Preset) -> Totals:
    """Totals of systems, in per cent to 0.01. Scores that no term of the preset asks for are passed on unread."""
    systems: list[dict[str, Any]] = []
    problems: list[str] = []
    for number, item in enumerate(items, 1):
        wrong = _problems(number, item, chosen)
        problems += wrong
        row: dict[str, Any]
        if isinstance(item, dict):
            row = {name: _printable(value) for name, value in item.items()}
        else:
            row = {"system": item[0] if isinstance(item, tuple) else None}
        row["total"] = None if wrong else round(sum(t.weight * row[t.key] for t in chosen.terms), DIGITS)
        systems.append({**row, "problems": wrong} if wrong else row)
    return Totals(tuple(systems), tuple(problems), chosen.id)


def merged(values: Mapping[str, Sequence[float]], chosen: Preset) -> dict[str, float | None]:
    """Normalised scores 0..1 by upstream's names, and `total_score`, of raw values of videos by metric.

    The total is None when a term has no value: upstream counts it as 0, which ranks a system by what was not measured.
    """
    scores = {term.upstream: term.normalised(values.get(term.metric, ())) for term in chosen.terms}
    parts = [(term.weight, scores[term.upstream]) for term in chosen.terms]
    total = sum(weight * score for weight, score in parts if score is not None)
    return {"total_score": total if all(score is not None for _, score in parts) else None, **scores}


def _problems(number: int, item: Any, chosen: Preset) -> list[str]:
    needed = ", ".join(term.key for term in chosen.terms)
    if not isinstance(item, dict):
        name, value = item if isinstance(item, tuple) else (f"item {number}", item)
        wrong = _number_problem(value) or f"is {value:g}"
        return [f"{name} {wrong}; a system is an object with {needed}"]
    name = item.get("system")
    if not isinstance(name, str) or not name.strip():
        return [f"item {number} has no system; give its name as text"]
    found = []
    for term in chosen.terms:
        if term.key not in item:
            found.append(f"{name}: {term.key} is missing")
        elif wrong := _number_problem(item[term.key]):
            found.append(f"{name}: {term.key} {wrong}; give per cent of the normalised score, 0 to 100")
    return found


def _number_problem(value: Any) -> str | None:
    """What keeps a value from being per cent; NaN is told in words, so that no report of it has one."""
    match value:
        case bool():
            return f"is {str(value).lower()}, no number"
        case int() | float():
            if math.isnan(value):
                return "is not a number"
            if math.isinf(value):
                return "is infinite"
            return None if 0 <= value <= 100 else f"is {value:g}, outside 0 to 100"
        case str():
            return f"is the text {value[:40]!r}"
        case None:
            return "is null"
    return f"is a {kind_of(value)}"


def _printable(value: Any) -> Any:
    """The value without numbers that JSON does not know."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [_printable(one) for one in value]
        case dict():
            return {name: _printable(one) for name, one in value.items()}
    return value
