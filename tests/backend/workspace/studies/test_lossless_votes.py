"""Votes as JSONL and Parquet: every text byte for byte, every number to the last bit."""

import dataclasses
import json
from pathlib import Path
from typing import Any, cast

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.domain.studies import StudyDesign
from backend.workspace.study_votes import CodedVote, write_votes
from tests.promises import Tally

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["=1+1", "'=1", "\t", "\r\n", "a\u2028b", "\x85", "\ufeff", "\0", '"', "\\", "\U0001f600"]
)
VOTES = st.builds(
    CodedVote,
    vote_id=TEXTS,
    item_id=TEXTS,
    case_id=TEXTS,
    category=TEXTS,
    role=TEXTS,
    rater=TEXTS,
    group=TEXTS,
    question=TEXTS,
    systems=st.lists(TEXTS, max_size=3).map(tuple),
    shown=st.lists(TEXTS, max_size=3).map(tuple),
    choice=TEXTS,
    value=st.floats(allow_nan=False, allow_infinity=False),
    held_out=st.booleans(),
)


def read_again(path: Path, format: str) -> list[dict[str, Any]]:
    if format == "parquet":
        return pq.read_table(path).to_pylist()
    return [json.loads(line) for line in path.read_bytes().decode("utf-8").split("\n") if line]


def made(row: dict[str, Any]) -> CodedVote:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return CodedVote(**values)


def lost_votes(votes: list[CodedVote], folder: Path, format: str, spoil: Any = lambda path: None) -> bool:
    """Whether the votes come back otherwise, or as another file when they are written again. `spoil`: done to the file."""
    path, again = folder / "votes", folder / "again"
    design = cast(StudyDesign, None)  # asked only where majorities are written
    write_votes(votes, design, path, format=format)
    spoil(path)
    rows = read_again(path, format)
    told = [made(row) for row in rows]
    write_votes(told, design, again, format=format)
    return told != votes or again.read_bytes() != path.read_bytes()


@pytest.mark.promise(
    "votes written as JSONL or Parquet are read again byte for byte",
    area="Service",
    goal="0 changed in 1,000 files",
    control="tests/backend/workspace/studies/test_lossless_votes.py::test_a_changed_letter_is_found",
)
@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_votes_come_back_byte_for_byte(format: str, tmp_path: Path, long: bool, tally: Tally) -> None:
    lost = []

    @settings(max_examples=500 if long else 40, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(VOTES, min_size=1, max_size=3))
    def check(votes: list[CodedVote]) -> None:
        is_lost = lost_votes(votes, tmp_path, format)
        lost.extend([votes] * is_lost)
        tally.record(1, lost=is_lost)

    check()
    assert lost == []


def test_a_changed_letter_is_found(tmp_path: Path) -> None:
    def spoil(path: Path) -> None:
        path.write_bytes(path.read_bytes().replace(b"plain", b"plane"))

    blank = dict.fromkeys((field.name for field in dataclasses.fields(CodedVote) if field.type in (str, "str")), "plain")
    vote = made({**blank, "systems": [], "shown": [], "value": 1.0, "held_out": False})
    assert lost_votes([vote], tmp_path, "jsonl", spoil)
    assert not lost_votes([vote], tmp_path, "jsonl")
