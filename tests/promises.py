"""What the product promises when things go wrong: a test each, with a control that shows that the test can fail.

    @pytest.mark.promise(
        "no acknowledged vote is lost ...", area="Durability", goal="0 lost in 1,000 kills", control="path/test_x.py::test_y",
        kills=(20, 1000),
    )
    def test_...(long: bool, tally: Tally) -> None: ...

`kills`, of promises that survive them: how many the short and the long version have tried at least, of each parameter, or they fail.

The short version runs in `make test`, the long one with `--long` (`make chaos`), which keeps its figures for docs/reliability.md. What
failed or was skipped keeps no earlier figure, and a long run that skipped a promise ends with 1: nobody knows whether it holds. A figure is
of all parameters of a test: a run of some of them that holds keeps none, and the earlier one stays.
"""

import json
import subprocess
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.reliability import of_file

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "bench" / "results" / "reliability.json"
PROPERTY = "promise"
"""Of a test's report: what came of it, so that it also comes from other processes (`-n`)."""


@dataclass
class Tally:
    """What a promise's tests tried. `lost` counts what was promised never to happen; `note`: other figures, such as times.

    `failed`: how many of the tests failed; `not_tried`: why some of them were skipped; `parameters`: how many tests they are.
    """

    sentence: str
    tried: int = 0
    survived: int = 0
    lost: int = 0
    note: str = ""
    failed: int = 0
    not_tried: str = ""
    parameters: int = 1

    def record(self, tried: int, *, lost: int = 0, note: str = "") -> None:
        """Adds trials. The test asserts for itself that nothing was lost, after it has recorded."""
        self.tried += tried
        self.lost += lost
        self.survived += tried - lost
        self.note = note or self.note

    def add(self, other: "Tally") -> None:
        """What another test of the same promise found."""
        self.record(other.tried, lost=other.lost, note=other.note)
        self.failed += other.failed
        self.not_tried = other.not_tried or self.not_tried
        self.parameters = max(self.parameters, other.parameters)


TALLY = pytest.StashKey[Tally]()
PARAMETERS = pytest.StashKey[int]()
"""Of a test: with how many parameters its function is written, whichever of them a run chooses."""
NOTES = pytest.StashKey[dict[str, str]]()
"""By promise: the note so far, which tests of several parameters write on."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`."""
    parser.addoption(
        "--long", action="store_true", help="promises by their long versions; figures are kept for docs/reliability.md"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is counted yet."""
    config.stash[NOTES] = {}
    config.pluginmanager.register(Ledger(config))


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether the long version is wanted."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """The count of this test; those of several parameters are added up, and each sees the note of the one before."""
    assert request.node.get_closest_marker("promise"), "only a test that is marked as a promise has a tally"
    found = _tally_of(request.node, note=request.config.stash[NOTES].get(_key(request.node.nodeid), ""))
    request.node.stash[TALLY] = found
    return found


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class) -> Generator[None, Any, Any]:
    """Counts a function's parameters before a run chooses among them."""
    found = yield
    tests = [one for one in found if isinstance(one, pytest.Function)] if isinstance(found, list) else []
    for one in tests:
        one.stash[PARAMETERS] = len(tests)
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Puts what a promise's test counted, and how it ended, into its report."""
    report = yield
    if item.get_closest_marker("promise") is None or (report.when != "call" and report.passed):
        return report
    counted = item.stash.get(TALLY, _tally_of(item))
    if report.when == "teardown":  # what it counted has been told
        counted = _tally_of(item, note=counted.note)
    if report.passed and (not counted.tried or counted.lost):
        report.outcome = "failed"
        report.longrepr = "a promise's test records what it tried, and asserts that nothing was lost"
    if report.passed and counted.tried < (wanted := _kills_of(item)):
        report.outcome = "failed"
        report.longrepr = f"{counted.tried} kills were tried, {wanted} are promised"
    if report.skipped and not hasattr(report, "wasxfail"):
        counted.not_tried = call.excinfo.exconly() if call.excinfo else "skipped"
        counted.not_tried = counted.not_tried.removeprefix("Skipped: ")
    counted.failed = int(report.failed or hasattr(report, "wasxfail"))
    item.config.stash[NOTES][_key(item.nodeid)] = counted.note
    report.user_properties.append((PROPERTY, asdict(counted)))
    return report


class Ledger:
    """The promises of a run, by the node ids of their tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._root, self._long = config.rootpath, bool(config.getoption("--long"))
        self.tallies: dict[str, Tally] = {}
        self._ran: dict[str, set[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Adds up what a test found."""
        for name, found in report.user_properties:
            if name == PROPERTY and isinstance(found, dict):
                self._add(_key(report.nodeid), Tally(**found))
                self._ran.setdefault(_key(report.nodeid), set()).add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that is skipped whole has no test to tell of its promises."""
        if report.skipped and report.nodeid.endswith(".py") and isinstance(report.longrepr, tuple):
            for promise in of_file(self._root / report.nodeid, self._root):
                self._add(promise.test, Tally(promise.sentence, not_tried=report.longrepr[2].removeprefix("Skipped: ")))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A long run that left promises out has not succeeded."""
        if self._long and session.exitstatus == pytest.ExitCode.OK and any(one.not_tried for one in self.tallies.values()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table of what was tried, and its figures into the file of results after long versions."""
        if any(one.tried or one.failed for one in self.tallies.values()):
            terminalreporter.section("promises: tried, survived, lost")
        for one in self.tallies.values():
            if one.tried or one.failed:
                counts = f"{one.tried:>7} {one.survived:>7} {one.lost:>5} {'FAILED' if one.failed else ''}"
                terminalreporter.write_line(f"{counts} {one.sentence}  {one.note}".rstrip())
        if not self._long:
            return
        for one in self.tallies.values():
            if one.not_tried:
                terminalreporter.write_line(f"NOT TRIED {one.sentence}: {one.not_tried}")
        for key in self.tallies.keys() - self._told():
            ran, all_of = len(self._ran[key]), self.tallies[key].parameters
            terminalreporter.write_line(f"NOT KEPT {self.tallies[key].sentence}: {ran} of {all_of} parameters ran")
        if told := self._told():
            _keep({key: self.tallies[key] for key in sorted(told)})

    def _told(self) -> set[str]:
        """Whose figures are kept: of all parameters, or of some that failed or were left out."""
        return {
            key
            for key, one in self.tallies.items()
            if one.failed or one.not_tried or len(self._ran.get(key, ())) >= one.parameters
        }

    def _add(self, key: str, found: Tally) -> None:
        self.tallies.setdefault(key, Tally(found.sentence)).add(found)


def _key(nodeid: str) -> str:
    return nodeid.partition("[")[0]


def _kills_of(item: pytest.Item) -> int:
    marker = item.get_closest_marker("promise")
    assert marker is not None
    return marker.kwargs.get("kills", (0, 0))[bool(item.config.getoption("--long"))]


def _tally_of(item: pytest.Item, *, note: str = "") -> Tally:
    marker = item.get_closest_marker("promise")
    assert marker is not None
    return Tally(marker.args[0], note=note, parameters=item.stash.get(PARAMETERS, 1))


def _keep(tallies: dict[str, Tally]) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    kept = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    kept |= {key: _told(tally) | {"commit": commit} for key, tally in tallies.items()}
    FIGURES.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")


def _told(tally: Tally) -> dict[str, object]:
    """A figure as it is kept: that nothing failed and nothing was skipped goes without saying."""
    unsaid = {"failed": 0, "not_tried": "", "parameters": 1}
    return {name: value for name, value in asdict(tally).items() if value != unsaid.get(name)}
