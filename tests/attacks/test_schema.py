"""The service against calls made from its own description, and against JSON that is none."""

from pathlib import Path

import pytest

from backend.client.wire import operations
from backend.workspace import Workspace
from tests.attacks.generated_calls import try_generated
from tests.attacks.targets import Target, ask, posted
from tests.promises import Tally

pytestmark = [pytest.mark.server, pytest.mark.slow]
NUM_CALLS = 10_000


@pytest.mark.promise(
    "no call that can be made from the service's description, right or wrong, with token or without, is answered by a fault of ours, "
    "or otherwise than the description says",
    area="Service",
    goal="0 answers of 500 or more, 0 undeclared, in 10,000 calls of all operations",
    control="tests/attacks/test_schema.py::test_an_operation_that_breaks_on_a_word_is_found_out",
)
def test_generated_calls_are_answered_as_described(
    service_target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long: bool, tally: Tally
) -> None:
    monkeypatch.chdir(tmp_path)  # generated paths are relative
    url = service_target.url
    tried = try_generated(url, each=45, at_least=NUM_CALLS) if long else try_generated(url, each=3, every=8)
    answers = ", ".join(f"{count} of {status}" for status, count in sorted(tried.by_status.items()))
    tally.record(tried.number, lost=len(tried.wrong), note=answers)
    assert tried.wrong == []
    assert tried.number >= (NUM_CALLS if long else 40)


def test_an_operation_that_breaks_on_a_word_is_found_out(
    service_target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workspace, "form", lambda *, name: name.encode("ascii"))
    tried = try_generated(service_target.url, each=20, only=("form",))
    assert any(": 500" in one for one in tried.wrong)
    assert any("form" in one and ": 500" not in one for one in tried.wrong), "an answer of another form"


DEEP = 100_000
NASTY = {
    "a brace": b"{",
    "a list": b"[]",
    "null": b"null",
    "a number": b"1",
    "two documents": b"{}{}",
    "a comma": b"{,}",
    "a comment": b"{} // x",
    "single quotes": b"{'limit': 1}",
    "NaN": b'{"limit": NaN}',
    "Infinity": b'{"limit": Infinity}',
    "-Infinity": b'{"limit": -Infinity}',
    "1e400": b'{"limit": 1e400}',
    "-1e400": b'{"limit": -1e400}',
    "400 digits": b'{"limit": ' + b"9" * 400 + b"}",
    "5,000 digits": b'{"limit": ' + b"9" * 5_000 + b"}",
    "a surrogate": b'{"name": "\\ud800"}',
    "a surrogate as key": b'{"\\ud800": 1}',
    "surrogates turned round": b'{"name": "\\udc00\\ud800"}',
    "NUL": b'{"name": "a\\u0000b"}',
    "NUL as key": b'{"a\\u0000": 1}',
    "NUL as it is": b'{"name": "a\x00b"}',
    "a key twice": b'{"limit": 1, "limit": 2}',
    "a key twice, deep": b'{"votes": [{"id": "a", "id": "b"}]}',
    "lists in lists": b"[" * DEEP,
    "lists in lists, closed": b"[" * DEEP + b"]" * DEEP,
    "objects in objects": b'{"a":' * DEEP,
    "lists in a field": b'{"name": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "no UTF-8": b'{"name": "\xff\xfe"}',
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "UTF-16": '{"limit": 1}'.encode("utf-16"),
    "a mark before": b'\xef\xbb\xbf{"limit": 1}',
    "an unknown field": b'{"__proto__": {"x": 1}}',
    "a class": b'{"__class__": "os.system"}',
    "a million of a letter": b'{"name": "' + b"a" * 1_000_000 + b'"}',
}
PLAIN = (
    "form",
    "pair",
    "progress",
    "study",
    "votes",
    "pairs",
    "jobs",
    "media",
    "journal_tail",
    "submit_votes",
    "item",
    "about",
)


def broken(target: Target, names: tuple[str, ...]) -> list[str]:
    """Operations and bodies that were answered with a fault of ours, or taken although they are no JSON."""
    found = []
    before = target.num_events
    for name in names:
        for what, body in NASTY.items():
            status = ask(target.port, posted(name, body, host=target.host)).status
            if status == 0 or status >= 500 or status == 200:
                found.append(f"{name}: {what}: {status}")
    return found + ["a row"] * (target.num_events - before)


@pytest.mark.promise(
    "no JSON that is none, or that another reader would read otherwise (surrogates, NaN, NUL, a key twice, 100,000 brackets, 1e400) "
    "breaks an operation, is taken, or leaves a row",
    area="Service",
    goal="0 of 34 bodies on every operation",
    control="tests/attacks/test_schema.py::test_json_as_python_reads_it_would_break_operations",
)
def test_json_that_is_none_is_the_callers_fault(service_target: Target, long: bool, tally: Tally) -> None:
    names = tuple(operations()) if long else PLAIN
    lost = broken(service_target, names)
    tally.record(len(names) * len(NASTY), lost=len(lost))
    assert lost == []


def test_json_as_python_reads_it_would_break_operations(service_target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.service.app.strict_json", lambda raw: None)
    lost = broken(service_target, PLAIN)
    assert any("a key twice" in one for one in lost)
