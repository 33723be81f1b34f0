"""`python -m bench.reliability`: the table of promises in docs/reliability.md, from the tests' marks and the figures of `make chaos`."""

import ast
import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "reliability.md"
FIGURES = ROOT / "bench" / "results" / "reliability.json"
MARKS = ("<!-- promises -->", "<!-- end of promises -->")
AREAS = ("Durability", "Backup", "Service", "Untrusted files", "Workers", "Privacy", "Servers", "Fuzzing", "Studio")
IN_README = (
    "tests/chaos/test_studio_kills.py::test_killed_windows_lose_and_double_no_verdict",
    "tests/studio/test_soak.py::test_reference_counts_do_not_drift_over_eight_thousand_paints",
)
"""Promises whose figures also stand in the README's table."""


@dataclass(frozen=True)
class Promise:
    """A test that is marked as a promise. `test`, `control`: node ids, the control's of a test that shows that `test` can fail.

    `kills`: how many the short and the long version make at least.
    """

    sentence: str
    area: str
    goal: str
    control: str
    test: str
    kills: tuple[int, int] = (0, 0)


def main() -> None:
    """Writes the table anew."""
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(), declared(), _figures()))


def declared() -> list[Promise]:
    """Every promise of the tests, by area and sentence."""
    found = [promise for path in sorted((ROOT / "tests").rglob("test_*.py")) for promise in of_file(path)]
    return sorted(found, key=lambda promise: (AREAS.index(promise.area), promise.sentence))


def readme_rows() -> list[dict[str, object]]:
    """Rows of the README's table: what a long run has tried, and of what none has that it was not measured."""
    figures, promises = _figures(), {promise.test: promise for promise in declared()}
    return [_readme_row(promises[test], _figure(promises[test], figures)) for test in IN_README]


def of_file(path: Path, root: Path = ROOT) -> list[Promise]:
    """The promises of one file below `root`."""
    found: list[Promise] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            calls = [
                mark
                for mark in node.decorator_list
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise"
            ]
            for call in calls:
                said = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
                test = f"{path.relative_to(root).as_posix()}::{node.name}"
                found.append(
                    Promise(
                        ast.literal_eval(call.args[0]),
                        said["area"],
                        said["goal"],
                        said["control"],
                        test,
                        said.get("kills", (0, 0)),
                    )
                )
    return found


def with_table(text: str, promises: list[Promise], figures: dict[str, dict[str, object]]) -> str:
    """The document's text with its table made anew. `figures`: by node id, tried, survived, lost, note and commit."""
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return f"{before}{MARKS[0]}\n{_table(promises, figures)}\n{MARKS[1]}{after}"


def _figures() -> dict[str, dict[str, object]]:
    return json.loads(FIGURES.read_text()) if FIGURES.exists() else {}


def _readme_row(promise: Promise, figure: dict[str, object]) -> dict[str, object]:
    if not figure:
        return {
            "area": "reliability",
            "name": promise.sentence,
            "value": "not measured",
            "unit": "",
            "target": promise.goal,
            "note": "",
        }
    failed = "FAILED" if figure.get("failed") else figure.get("not_tried", "")
    return {
        "area": "reliability",
        "name": promise.sentence,
        "value": figure["lost"],
        "unit": f"lost of {figure['tried']:,}",
        "target": promise.goal,
        "note": failed or figure.get("note", ""),
    }


def _table(promises: list[Promise], figures: dict[str, dict[str, object]]) -> str:
    lines: list[str] = []
    for area in AREAS:
        rows = [promise for promise in promises if promise.area == area]
        if rows:
            lines += [
                "",
                f"### {area}",
                "",
                "| promise | goal | tried | survived | lost | test | control |",
                "|---|---|--:|--:|--:|---|---|",
            ]
            lines += [_row(promise, _figure(promise, figures)) for promise in rows]
    return "\n".join(lines)


def _figure(promise: Promise, figures: dict[str, dict[str, object]]) -> dict[str, object]:
    """Of the last long run; of a promise that was worded otherwise then there is none."""
    found = figures.get(promise.test, {})
    return found if found.get("sentence") == promise.sentence else {}


def _row(promise: Promise, figure: dict[str, object]) -> str:
    """Says so where the run failed or was left out."""
    notes = [str(figure["note"])] if figure.get("note") else []
    notes += ["FAILED"] if figure.get("failed") else []
    notes += [f"not tried: {figure['not_tried']}"] if figure.get("not_tried") else []
    said = f"{promise.sentence} ({'; '.join(notes)})" if notes else promise.sentence
    counts = (figure.get(name, "") for name in ("tried", "survived", "lost"))
    cells = (said, promise.goal, *map(str, counts), f"`{promise.test}`", f"`{promise.control}`")
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


if __name__ == "__main__":
    main()
