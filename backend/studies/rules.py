"""Which responses count: each rule in turn, with how many it leaves out. Nothing is deleted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from backend.domain import SettingsError
from backend.domain.studies import FunnelStep, Rules
from backend.domain.study_plans import RuleOption
from backend.measures.raters import longest_run, median_s
from backend.studies.tally import IMPORTED, Response

EXTREMES = ("1", "5", "left_much", "right_much")


@dataclass(frozen=True, slots=True)
class Sifted:
    """Responses that count, the funnel (who joined first), and the rule that left each other participant out."""

    kept: tuple[Response, ...]
    funnel: tuple[FunnelStep, ...]
    removed_by: dict[str, str]


def sift(responses: Sequence[Response], rules: Rules, *, five_points: bool) -> Sifted:
    """Applies the rules in order; of several responses of one login or address the first finished counts."""
    kept = sorted(responses, key=lambda one: (one.participant.finished_at or "~", one.participant.joined_at))
    funnel = [FunnelStep(rule="joined", removed=0, kept=len(kept))]
    removed_by: dict[str, str] = {}
    for rule, denies in _rules(rules, five_points=five_points):
        left = []
        for response in kept:
            if denies(response, left):
                removed_by[response.participant.id] = rule
            else:
                left.append(response)
        funnel.append(FunnelStep(rule=rule, removed=len(kept) - len(left), kept=len(left)))
        kept = left
    return Sifted(tuple(kept), tuple(funnel), removed_by)


def rule_options() -> tuple[RuleOption, ...]:
    """Every rule with its default, in the order of the record."""
    defaults = Rules()
    found = [(field.name, getattr(defaults, field.name)) for field in fields(Rules)]
    return tuple(
        RuleOption(name=name, value=float(value), is_switch=isinstance(value, bool), is_whole=type(value) is int)
        for name, value in found
    )


def rules_with(rules: Rules, assignments: Sequence[str]) -> Rules:
    """Rules with values as `min_seconds=60` or `one_per_ip=false`. Raises SettingsError for an unknown or wrong one."""
    known = {field.name: field.type for field in fields(Rules)}
    for text in assignments:
        name, separator, value = text.partition("=")
        if not separator or name not in known:
            raise SettingsError(f"rule {text[:80]!r} is not known; give NAME=VALUE with one of {', '.join(known)}")
        rules = replace(rules, **{name: _value(name, value, type(getattr(rules, name)))})
    return rules


Denies = Callable[[Response, list[Response]], bool]


def _rules(rules: Rules, *, five_points: bool) -> list[tuple[str, Denies]]:
    """Names and tests; a test sees the responses that it kept before."""
    found: list[tuple[str, Denies]] = [
        ("withdrawn", lambda one, _: one.participant.state == "withdrawn"),
        ("unfinished", lambda one, _: one.participant.state != "finished"),
    ]
    if rules.min_seconds > 0:
        found.append(
            ("min_seconds", lambda one, _: _is_timed(one) and one.seconds < rules.min_seconds * one.share_answered)
        )
    if rules.min_item_seconds > 0:
        found.append(
            (
                "min_item_seconds",
                lambda one, _: _is_timed(one) and (median_s(one.sitting.seconds) or 0.0) < rules.min_item_seconds,
            )
        )
    if rules.max_straight > 0:
        found.append(("max_straight", lambda one, _: longest_run(one.sitting.keys) > rules.max_straight))
    if five_points and rules.extreme_share < 1:
        found.append(("extreme_share", lambda one, _: extreme_share(one) > rules.extreme_share))
    if rules.min_gold_accuracy > 0:
        found.append(("min_gold_accuracy", lambda one, _: _fails_gold(one, rules)))
    if rules.slider:
        found.append(("slider", lambda one, _: _is_timed(one) and not one.slider))
    if rules.one_per_login:
        found.append(("one_per_login", lambda one, kept: _repeats(one, kept, "login_hash")))
    if rules.one_per_ip:
        found.append(("one_per_ip", lambda one, kept: _repeats(one, kept, "ip_hash")))
    return found


def _is_timed(response: Response) -> bool:
    """Whether they answered here: of votes that were read from a file nobody knows how long they took, and by what hand."""
    return response.participant.invited_by != IMPORTED


def extreme_share(response: Response) -> float:
    """Share of answers at either end of five points."""
    keys = response.sitting.keys
    return sum(key in EXTREMES for key in keys) / len(keys) if keys else 0.0


def _fails_gold(response: Response, rules: Rules) -> bool:
    right = response.sitting.is_right
    return len(right) >= rules.min_gold and sum(right) / len(right) < rules.min_gold_accuracy


def _repeats(response: Response, kept: Sequence[Response], field: str) -> bool:
    own = getattr(response.participant, field)
    return bool(own) and any(getattr(other.participant, field) == own for other in kept)


def _value(name: str, text: str, kind: type) -> bool | int | float:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        if kind is bool:
            return words[text.strip().lower()]
        value = kind(text)
    except (ValueError, KeyError) as error:
        raise SettingsError(f"rule {name} is {text[:40]!r}; give a {kind.__name__}") from error
    if not 0 <= value < 1e9:  # NaN too is refused here
        raise SettingsError(f"rule {name} is {text[:40]!r}; give a number of 0 or more")
    return value
