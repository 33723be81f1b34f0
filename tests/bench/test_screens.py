"""Figures of a screen beside those of none; rows of the README that `make chaos` found."""

import json
from pathlib import Path

import pytest

from bench import reliability, screens
from bench.table import markdown_row


def test_a_row_names_its_platform_and_what_the_other_found() -> None:
    row = {"area": "studio", "name": "key to vote", "value": 38.0, "unit": "ms", "target": 50}
    first = {"platform": "offscreen", "rows": [row]}
    second = {"platform": "xcb", "rows": [{**row, "value": 41.25}]}
    (found,) = screens.beside(first, second)
    assert (found["value"], found["platform"], found["value_xcb"]) == (38.0, "offscreen", 41.25)
    assert markdown_row(found) == "| studio | key to vote | 38 ms | 50 | offscreen; xcb under Xvfb 41.25 ms |"


def test_without_xvfb_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RuntimeError, match="apt-get install xvfb"):
        screens.run("studio")


def test_promises_of_the_readme_are_declared_and_their_rows_say_what_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills, soak = reliability.IN_README
    figures = tmp_path / "reliability.json"
    monkeypatch.setattr(reliability, "FIGURES", figures)
    untried = [markdown_row(row).split(" | ")[2] for row in reliability.readme_rows()]
    assert untried == ["not measured", "not measured"], "nothing was tried yet"
    said = {promise.test: promise.sentence for promise in reliability.declared()}
    good = {"sentence": said[kills], "tried": 1000, "survived": 1000, "lost": 0, "note": ""}
    bad = {"sentence": said[soak], "tried": 10000, "survived": 9999, "lost": 1, "note": "None +300", "failed": 1}
    figures.write_text(json.dumps({kills: good, soak: bad}))
    rows = [markdown_row(row).split(" | ") for row in reliability.readme_rows()]
    assert [row[2] for row in rows] == ["0 lost of 1,000", "1 lost of 10,000"]
    assert rows[1][-1] == "FAILED |"
    assert [row[3] for row in rows] == ["0 lost, 0 doubled in 1,000 kills", "drift below 200"]
    figures.write_text(json.dumps({kills: good | {"sentence": "worded otherwise when it was tried"}, soak: bad}))
    found = {row["name"]: row["value"] for row in reliability.readme_rows()}
    assert found == {said[kills]: "not measured", said[soak]: 1}, "a figure of other words stands for nothing"
