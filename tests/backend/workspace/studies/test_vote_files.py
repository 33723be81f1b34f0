"""Votes as files: written, read into another project, and never a formula."""

import csv
import json
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain import ImportRefused, Trial
from backend.domain.cells import FORMULA_STARTS
from backend.domain.studies import CodedVote, StudySummary
from backend.sampleworld.cases import SYSTEMS, Preference, Takes, render_cases
from backend.sampleworld.cast import draw_cast
from backend.workspace import Workspace
from backend.workspace.study_votes import read_votes, write_votes
from tests.backend.workspace.study_project import LENIENT, brighter, create, finished

pytestmark = pytest.mark.slow  # together they take too long for the fast run


def leftish(trial: Trial, _: str) -> str:
    """Some answer that depends on the trial alone."""
    return ("left", "right", "tie", "both_bad")[int(trial.item_id[-2:], 16) % 4]


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_votes_written_are_read_into_another_project(api: Api, benchmark: Path, tmp_path: Path, format: str) -> None:
    create(api, benchmark, rules=(*LENIENT, "min_gold_accuracy=0"))
    for _ in range(3):
        finished(api, "taste", leftish)
    out = tmp_path / f"votes.{format}"
    written = api.export_votes(study="taste", out=str(out), format=format)
    opened = Workspace(tmp_path / "other", create=True)
    other = cast(Api, opened)
    try:
        create(other, benchmark)
        read = other.import_votes(study="taste", path=str(out), format=format)
        assert read.votes == 3 * 6
        assert written.votes == 3 * (6 + 2 + 1 + 1)  # gold, identical, and one repeat: six trials leave no room for two
        assert other.import_votes(study="taste", path=str(out), format=format).votes == 0
        ours, theirs = (one.study_results(name="taste", bootstraps=20).groups[0].aspects[0] for one in (api, other))
        assert theirs.votes == ours.votes == 18
        raters = other.study_results(name="taste", bootstraps=20).raters
        assert {(row.is_imported, row.seconds, row.median_item_s) for row in raters} == {(True, 0.0, None)}
        counts = [[(r.system, r.rival, r.wins, r.ties, r.losses, r.both_bad) for r in one.wins] for one in (ours, theirs)]
        assert counts[0] == counts[1]
    finally:
        opened.close()


def test_human_anno_holds_majorities_of_ordered_pairs(api: Api, benchmark: Path, tmp_path: Path) -> None:
    create(api, benchmark, trials=18, rules=(*LENIENT, "min_gold_accuracy=0"))
    finished(api, "taste", brighter(api))
    api.export_votes(study="taste", out=str(tmp_path / "anno.json"), format="vbench2")
    (question,) = json.loads((tmp_path / "anno.json").read_text()).items()
    assert question[0] == "better"
    assert len(question[1]) == 6
    for case in question[1]:
        assert case["human_anno"] == {
            "good": {"fair": 1.0, "poor": 1.0},
            "fair": {"good": 0.0, "poor": 1.0},
            "poor": {"good": 0.0, "fair": 0.0},
        }
    create(api, benchmark, name="again")
    assert api.import_votes(study="again", path=str(tmp_path / "anno.json"), format="vbench2").votes == 18


@pytest.mark.slow
def test_the_sample_worlds_votes_are_read_into_a_study_of_its_systems(api: Api, tmp_path: Path) -> None:
    world = tmp_path / "world"
    render_cases(world, draw_cast(1), seed=1, count=2, takes=Takes(size=(160, 96), num_frames=4))
    systems = tuple(f"{name}={world / 'systems' / name}" for name in SYSTEMS)
    api.create_study(name="planted", form="ab", cases=str(world / "cases.json"), systems=systems)
    read = api.import_votes(study="planted", path=str(world / "votes.jsonl"))
    assert read.votes == 2 * 3 * Preference().raters
    (aspect,) = api.study_results(name="planted", bootstraps=20).groups[0].aspects
    given = [json.loads(line) for line in (world / "votes.jsonl").read_text().splitlines()]
    won = {name: sum(vote["systems"]["ab".index(vote["choice"])] == name for vote in given) for name in SYSTEMS}
    assert {name: sum(row.wins for row in aspect.wins if row.system == name) for name in SYSTEMS} == won


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_groups_reasons_and_words_come_back(api: Api, benchmark: Path, tmp_path: Path, format: str) -> None:
    create(api, benchmark)
    item = next(item for item in api.study(name="taste").items if item.role == "main")
    about = {"case_id": item.case_id, "systems": item.systems, "question": "better", "choice": "a"}
    words = "\u05d0 better hand, \U0001f600\nand =face"
    given = [
        about | {"rater": "ann", "group": "expert", "reasons": ["identity"], "comment": words},
        about | {"rater": "bob"},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    assert api.import_votes(study="taste", path=str(tmp_path / "in.jsonl")).votes == 2
    out = tmp_path / f"out.{format}"
    api.export_votes(study="taste", out=str(out), format=format)
    read = read_votes(out, api.study(name="taste"), format=format)
    told = {(one.group, one.vote.reasons, one.vote.comment) for one in read}
    assert told == {("expert", ("identity",), words), ("public", (), "")}
    groups = api.study_results(name="taste", bootstraps=20).groups
    assert {(group.group, group.participants) for group in groups if group.group} == {("expert", 1), ("public", 1)}


ODD = ("=1+1", "@SUM(A1)", "\r=1", "a\r\nb", "'+1", "a\u2028b", "\x85", "\U0001f600 \u05d0\u05d1", "a|b", "plain")


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("text", ODD)
def test_names_of_any_script_come_back_as_they_were(
    api: Api, benchmark: Path, tmp_path: Path, format: str, text: str, study: StudySummary
) -> None:
    design = api.study(name="taste")
    item = design.items[0]
    vote = CodedVote(
        vote_id=text,
        item_id=item.id,
        case_id=item.case_id,
        category=text,
        role="main",
        rater=text,
        group=text,
        question="better",
        systems=item.systems,
        shown=item.systems,
        choice="left",
        value=1.0,
        held_out=False,
    )
    path = tmp_path / f"votes.{format}"
    write_votes([vote], design, path, format=format)
    (read,) = read_votes(path, design, format=format)
    assert (read.item, read.vote.rater, read.vote.choice, read.held_out) == (item, text, "left", False)
    if format == "csv":
        with path.open(newline="", encoding="utf-8") as file:
            (row,) = csv.DictReader(file)
        assert not [cell for cell in row.values() if cell.startswith(FORMULA_STARTS)]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"rater": ""}, "vote 1: it needs case_id"),
        ({"case_id": "nothing_1"}, "has no item of case 'nothing_1'"),
        ({"question": "beauty"}, "'beauty' is not asked"),
        ({"choice": "middle"}, "'middle' of rater 'ann' on case singleobj_1"),
        ({"shown": ["good", "poor"]}, "are not those of the item"),
        ({"group": "friends"}, "rater 'ann' is of group friends; give each rater one of expert, public"),
    ],
)
def test_a_wrong_line_of_an_import_is_named(api: Api, benchmark: Path, tmp_path: Path, row: dict, sentence: str) -> None:
    create(api, benchmark)
    fit = {"case_id": "singleobj_1", "systems": ["good", "fair"], "question": "better", "rater": "ann", "choice": "left"}
    (tmp_path / "in.jsonl").write_text(json.dumps(fit | row))
    with pytest.raises(ImportRefused, match=sentence):
        api.import_votes(study="taste", path=str(tmp_path / "in.jsonl"))
    (tmp_path / "in.jsonl").write_text("{")
    with pytest.raises(ImportRefused, match="is no jsonl file"):
        api.import_votes(study="taste", path=str(tmp_path / "in.jsonl"))
