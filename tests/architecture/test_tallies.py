"""A figure of docs/reliability.md stands only for what a long run tried and what held."""

import json
from pathlib import Path

import pytest

from bench.reliability import Promise, with_table

MARK = '@pytest.mark.promise("it holds", area="Workers", goal="0 lost", control="test_it.py::test_other")\n'
OLD = {"test_it.py::test_it": {"sentence": "it holds", "tried": 400, "survived": 400, "lost": 0, "note": "", "commit": "a"}}


@pytest.fixture
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of figures that holds a good one of an earlier run."""
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(OLD))
    monkeypatch.setattr("tests.promises.FIGURES", path)
    return path


def ran(pytester: pytest.Pytester, body: str, *arguments: str, before: str = "") -> pytest.RunResult:
    """A run of one promise whose test has this body."""
    text = f"import pytest\n{before}{MARK}def test_it(long, tally):\n    {body}\n\ndef test_other():\n    pass\n"
    pytester.makepyfile(test_it=text)
    plain = ("-p", "no:cacheprovider", "-p", "tests.promises", "-o", "markers=promise: one", "-q")
    return pytester.runpytest_inprocess(*plain, *arguments)


def kept(path: Path) -> dict:
    return json.loads(path.read_text())["test_it.py::test_it"]


def row(path: Path) -> str:
    promise = Promise("it holds", "Workers", "0 lost", "test_it.py::test_other", "test_it.py::test_it")
    text = with_table("<!-- promises --><!-- end of promises -->", [promise], json.loads(path.read_text()))
    return next(line for line in text.splitlines() if line.startswith("| it holds"))


def test_a_long_run_keeps_its_figure(pytester: pytest.Pytester, figures: Path) -> None:
    found = ran(pytester, "tally.record(7, note='p95 1 s')\n    assert long", "--long")
    assert found.ret == 0
    assert (kept(figures)["tried"], kept(figures)["survived"], kept(figures)["note"]) == (7, 7, "p95 1 s")
    assert "it holds (p95 1 s) | 0 lost | 7 | 7 | 0 |" in row(figures)


def test_a_short_run_keeps_none(pytester: pytest.Pytester, figures: Path) -> None:
    found = ran(pytester, "tally.record(1)\n    assert not long")
    assert found.ret == 0
    found.stdout.fnmatch_lines(["*promises: tried, survived, lost*", "*1 *1 *0*it holds"])
    assert json.loads(figures.read_text()) == OLD


def test_a_figure_of_other_words_is_not_shown(figures: Path) -> None:
    assert "| 400 | 400 | 0 |" in row(figures)
    figures.write_text(json.dumps({test: one | {"sentence": "it held"} for test, one in OLD.items()}))
    assert "400" not in row(figures)


def test_what_fails_after_it_has_counted_is_told_as_failed(pytester: pytest.Pytester, figures: Path) -> None:
    found = ran(pytester, "tally.record(7)\n    assert tally.tried == 8", "--long")
    assert found.ret == 1
    assert (kept(figures)["tried"], kept(figures)["failed"]) == (7, 1)
    assert "FAILED" in row(figures)
    assert "FAILED" in found.stdout.str()


@pytest.mark.parametrize(
    ("body", "before"),
    [
        ("assert not long", ""),
        ("raise OSError('no room')", ""),
        ("tally.record(1)\n    pytest.xfail('known')", ""),
        ("tally.record(1)", "@pytest.fixture\ndef long():\n    raise OSError\n\n"),
        ("tally.record(1)", "@pytest.fixture(autouse=True)\ndef after():\n    yield\n    raise OSError\n\n"),
    ],
    ids=["before it counts", "by an error", "as expected", "in its preparation", "when it clears up"],
)
def test_what_fails_keeps_no_earlier_figure(pytester: pytest.Pytester, figures: Path, body: str, before: str) -> None:
    ran(pytester, body, "--long", before=before)
    assert kept(figures)["tried"] < 2
    assert kept(figures)["failed"] == 1


@pytest.mark.parametrize("body", ["pass", "tally.record(0)", "tally.record(3, lost=1)"])
def test_a_promise_that_counts_nothing_or_ignores_a_loss_fails(pytester: pytest.Pytester, figures: Path, body: str) -> None:
    found = ran(pytester, body, "--long")
    assert found.ret == 1
    assert kept(figures)["failed"] == 1
    found.stdout.fnmatch_lines(["*records what it tried, and asserts that nothing was lost*"])


@pytest.mark.parametrize(
    ("body", "before"),
    [
        ("pytest.skip('no strace here')", ""),
        ("tally.record(1)", "@pytest.mark.skipif(True, reason='no strace here')\n"),
        ("tally.record(1)", "pytest.skip('no strace here', allow_module_level=True)\n"),
    ],
    ids=["test", "mark", "file"],
)
def test_a_long_run_that_skips_a_promise_says_so_and_fails(
    pytester: pytest.Pytester, figures: Path, body: str, before: str
) -> None:
    found = ran(pytester, body, "--long", before=before)
    assert found.ret != 0
    found.stdout.fnmatch_lines(["NOT TRIED it holds: no strace here"])
    assert kept(figures)["tried"] == 0
    assert "not tried: no strace here" in row(figures)


def test_a_short_run_may_skip(pytester: pytest.Pytester, figures: Path) -> None:
    assert ran(pytester, "pytest.skip('its long version')").ret == 0
    assert json.loads(figures.read_text()) == OLD


def test_parameters_are_added_up_and_one_that_fails_is_remembered(pytester: pytest.Pytester, figures: Path) -> None:
    cases = "@pytest.mark.parametrize('n', [1, 2, 3])\n"
    body = "    tally.record(n, note=f'{tally.note}{n}')\n    assert n != 2\n"
    pytester.makepyfile(test_it=f"import pytest\n{cases}{MARK}def test_it(n, tally):\n{body}")
    plain = ("-p", "no:cacheprovider", "-p", "tests.promises", "-o", "markers=promise: one", "-q", "--long")
    assert pytester.runpytest_inprocess(*plain).ret == 1
    assert (kept(figures)["tried"], kept(figures)["failed"], kept(figures)["note"]) == (6, 1, "123")


PARAMETERS = "@pytest.mark.parametrize('n', [1, 2, 3])\n"


def ran_some(pytester: pytest.Pytester, *chosen: str, body: str = "tally.record(n)") -> pytest.RunResult:
    """A long run of some parameters of a promise of three."""
    text = f"import pytest\n{PARAMETERS}{MARK}def test_it(n, tally):\n    {body}\n\ndef test_other():\n    pass\n"
    pytester.makepyfile(test_it=text)
    plain = ("-p", "no:cacheprovider", "-p", "tests.promises", "-o", "markers=promise: one", "-q", "--long")
    return pytester.runpytest_inprocess(*plain, *chosen)


@pytest.mark.parametrize(
    "chosen", [("test_it.py::test_it[2]",), ("-k", "2 or other"), ("--deselect", "test_it.py::test_it[1]")]
)
def test_some_parameters_alone_leave_the_figure_of_all(
    pytester: pytest.Pytester, figures: Path, chosen: tuple[str, ...]
) -> None:
    found = ran_some(pytester, *chosen)
    assert found.ret == 0
    assert json.loads(figures.read_text()) == OLD
    found.stdout.fnmatch_lines(["NOT KEPT it holds: ? of 3 parameters ran"])


def test_all_parameters_together_are_kept_with_their_number(pytester: pytest.Pytester, figures: Path) -> None:
    assert ran_some(pytester).ret == 0
    assert (kept(figures)["tried"], kept(figures)["parameters"]) == (6, 3)


@pytest.mark.parametrize("body", ["assert n != 2", "pytest.skip('no strace here')"])
def test_one_parameter_that_fails_or_is_left_out_takes_the_figure_away(
    pytester: pytest.Pytester, figures: Path, body: str
) -> None:
    assert ran_some(pytester, "test_it.py::test_it[2]", body=body).ret == 1
    assert kept(figures)["tried"] == 0
    assert "400" not in row(figures)


@pytest.mark.parametrize(
    ("tried", "arguments", "code"), [(4, (), 0), (3, (), 1), (9, ("--long",), 1), (10, ("--long",), 0)]
)
def test_fewer_kills_than_promised_fail(
    pytester: pytest.Pytester, figures: Path, tried: int, arguments: tuple[str, ...], code: int
) -> None:
    mark = MARK.replace(")\n", ", kills=(4, 10))\n")
    pytester.makepyfile(test_it=f"import pytest\n{mark}def test_it(tally):\n    tally.record({tried})\n")
    plain = ("-p", "no:cacheprovider", "-p", "tests.promises", "-o", "markers=promise: one", "-q")
    found = pytester.runpytest_inprocess(*plain, *arguments)
    assert found.ret == code
    if code:
        found.stdout.fnmatch_lines([f"{tried} kills were tried, * are promised"])
