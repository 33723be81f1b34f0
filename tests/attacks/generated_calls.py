"""Calls that are made from the service's own description of itself, right and wrong ones, with what is wrong in the answers."""

import contextlib
import importlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable

from backend.service.openapi import document
from tests.attacks.targets import TOKEN

ENDLESS = ("/events/",)
"""Answers that never end are looked at elsewhere."""


@dataclass
class Tried:
    """`wrong`: one line for each answer that is not as described, or not below 500; `by_status`: all answers."""

    number: int = 0
    wrong: list[str] = field(default_factory=list)
    by_status: Counter[int] = field(default_factory=Counter)


def tamed(value: Any) -> Any:
    """Generated values without ways out of the folder that they are tried in."""
    if isinstance(value, dict):
        return {key: tamed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [tamed(one) for one in value]
    return value.lstrip("/~").replace("..", "._") if isinstance(value, str) else value


def try_generated(url: str, *, each: int, every: int = 1, only: Iterable[str] = (), at_least: int = 0) -> Tried:
    """Calls each operation, or every so many-th, `each` times with values that fit its schema, and as often with others.

    Operations that take little have fewer calls to be made: until there were `at_least`, all are gone through again by another
    chance. Every tenth call has no token.
    """
    tried, before, chance = Tried(), -1, 0
    while before < tried.number and (chance == 0 or tried.number < at_least):
        before = tried.number
        _go_through(tried, url, each=each, every=every, wanted=set(only), chance=1000 * chance)
        chance += 1
    return tried


def _go_through(tried: Tried, url: str, *, each: int, every: int, wanted: set[str], chance: int) -> None:
    schemathesis: Any = importlib.import_module("schemathesis")
    logging.getLogger("schemathesis").setLevel(logging.ERROR)
    told = {key: value for key, value in document().items() if key != "security"}  # else it would forget the token itself
    for place, found in enumerate(schemathesis.openapi.from_dict(told).get_all_operations()):
        operation = found.ok()
        if place % every:
            continue
        name = operation.path.rpartition("/")[2]
        if any(path in operation.path for path in ENDLESS) or (wanted and name not in wanted):
            continue
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            _run(operation.as_strategy(generation_mode=mode), _caller(url, tried), each, chance + place)


def _run(strategy: Any, call: Callable[[Any], None], number: int, of_chance: int) -> None:
    @seed(of_chance)
    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=strategy)
    def generated(case: Any) -> None:
        call(case)

    with contextlib.suppress(Unsatisfiable):  # nothing about a call without parameters can be wrong
        generated()


def _caller(url: str, tried: Tried) -> Callable[[Any], None]:
    checks: Any = importlib.import_module("schemathesis.specs.openapi.checks")
    failures: Any = importlib.import_module("schemathesis.core.failures")
    described = [checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]

    def call(case: Any) -> None:
        case.body = tamed(case.body)
        tried.number += 1
        is_known = tried.number % 10 != 0
        headers = {"authorization": f"Bearer {TOKEN}"} if is_known else {}
        answer = case.call(base_url=url, headers=headers, timeout=60)
        tried.by_status[answer.status_code] += 1
        where = f"{case.method} {case.formatted_path} {str(case.body)[:300]}: {answer.status_code}"
        if answer.status_code >= 500:
            tried.wrong.append(where)
        if not is_known and answer.status_code not in (401, 400) and case.path not in ("/livez", "/readyz", "/metrics"):
            tried.wrong.append(f"{where} without a token")
        try:
            case.validate_response(answer, checks=described)
        except (failures.FailureGroup, failures.Failure) as error:
            tried.wrong.append(f"{where} {[str(one)[:200] for one in getattr(error, 'exceptions', [error])]}")

    return call
