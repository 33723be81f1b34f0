"""Cases by command: judged, edited, counted; what is wrong is a sentence and leaves the file as it was."""

import json
from pathlib import Path

import pytest

from tests.backend.cli.test_commands import run
from tests.metrics.made_cases import case, written

pytestmark = pytest.mark.slow  # together they take too long for the fast run


@pytest.fixture
def bench(tmp_path: Path) -> tuple[Path, Path]:
    """A cases file of three cases, the third without its pictures, and an empty project."""
    cases = {"a_1": case(), "a_2": case(2, prompt="two"), "b_1": case(9, prompt="three")}
    return Path(written(tmp_path, cases, pictures=2)), tmp_path / "project"


@pytest.mark.slow
def test_person_judges_edits_and_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bench: tuple[Path, Path]
) -> None:
    file, project = bench
    at = ("--project", project, "--by", "Ann")
    run(monkeypatch, capsys, "init", "--project", project)
    code, out, err = run(monkeypatch, capsys, "cases", "approve", file, "--all", *at)
    assert code == 0 and out.startswith("approved 2, rejected 0, waiting 1 of 3") and "b_1 cannot be approved" in err
    assert run(monkeypatch, capsys, "cases", "reject", file, "a_2", "--reason", "too_small", *at)[0] == 0
    assert run(monkeypatch, capsys, "cases", "edit", file, "a_1", "--prompt", "New words.", *at)[0] == 0
    raw = json.loads(file.read_text())
    assert (raw["a_1"]["prompt"], raw["a_1"]["caption_by"], raw["a_1"]["approved"]) == ("New words.", "Ann", False)
    assert raw["a_2"]["rejection"]["by"] == "Ann" and raw["a_2"]["rejection"]["reasons"] == ["too_small"]
    code, out, _ = run(monkeypatch, capsys, "cases", "approve", file, "a_1", *at, "--json")
    told = json.loads(out)
    assert code == 0 and told["counts"] == {"approved": 1, "rejected": 1, "waiting": 1}
    assert [one["verdict"] for one in told["cases"]] == ["approve", "reject", None]
    assert "1 cases were rejected by a person: a_2" in run(monkeypatch, capsys, "cases", "check", file)[1]
    code, out, _ = run(monkeypatch, capsys, "cases", "stats", file, "--html", file.with_suffix(".html"), "--json")
    assert code == 0 and json.loads(out)["approved"] == 1 and file.with_suffix(".html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["approve", "FILE", "--by", "ann"], "name the cases by their ids, or give --all"),
        (["approve", "FILE", "a_9", "--by", "ann"], "did you mean a_"),
        (["approve", "FILE", "b_1", "--by", "ann"], "b_1 cannot be approved"),
        (["approve", "FILE", "a_1", "--by", " "], "--by is empty"),
        (["reject", "FILE", "a_1", "--by", "ann"], "a rejection needs --reason"),
        (["reject", "FILE", "a_1", "--by", "ann", "--reason", "to_small"], "did you mean too_small"),
        (["edit", "FILE", "a_1", "--by", "ann", "--prompt", " "], "write 1 to"),
        (["ask", "nowhere.json"], "nowhere.json cannot be read"),
        (["create", "--out", "out", "--skeleton", "gloria"], "did you mean gloria-"),
    ],
)
def test_wrong_calls_leave_the_file_alone(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    bench: tuple[Path, Path],
    arguments: list[str],
    words: str,
) -> None:
    file, project = bench
    monkeypatch.chdir(project.parent)
    before = file.read_bytes()
    run(monkeypatch, capsys, "init", "--project", project)
    filled = [str(file) if part == "FILE" else part for part in arguments]
    code, _, err = run(monkeypatch, capsys, "cases", *filled, "--project", project)
    assert code == 1 and words in err
    assert file.read_bytes() == before


def test_name_of_a_benchmark_is_written_and_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bench: tuple[Path, Path]
) -> None:
    file, _ = bench
    code, out, _ = run(monkeypatch, capsys, "cases", "name", file, "Mugs 1.0")
    assert (code, out) == (0, f"3 cases are of benchmark Mugs 1.0: {file}\n")
    assert json.loads(run(monkeypatch, capsys, "cases", "stats", file, "--json")[1])["benchmark"] == "Mugs 1.0"
    code, _, err = run(monkeypatch, capsys, "cases", "name", file, "a/b")
    assert code == 1 and "a name is up to 100 letters" in err
