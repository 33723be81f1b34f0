"""Exports hold only what people agreed to and what has a licence; what is left out has its reason, and all of it is in the audit."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow.parquet as pq
import pytest

from backend.api import Api
from backend.domain import (
    Caption,
    Context,
    Embedding,
    Item,
    Pair,
    ProjectError,
    Record,
    Sample,
    SettingsError,
    Subject,
)
from backend.domain.library import Selection
from backend.domain.privacy import EVALUATION, TRAINING
from backend.engine.plan import Plan
from backend.exports import EXPORTS
from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import PlantPairs, write_toy_video
from tests.promises import Tally

# Of the toy's three subjects two accepted pairs: (0, 1) and (0, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantSamples(PlantPairs):
    """A sample of each pair besides, for the formats that hold samples."""

    name: ClassVar[str] = "plant_samples"
    makes: ClassVar[tuple[type, ...]] = (*PlantPairs.makes, Sample)

    def _rows(self, item: Item, context: Context) -> tuple[Record, ...]:
        rows = PlantPairs._rows(self, item, context)
        clips = {row.id: row.clip_id for row in rows if isinstance(row, Subject)}
        captions = {row.clip_id: row.id for row in rows if isinstance(row, Caption)}
        samples = [
            Sample(
                clip_id=clips[pair.target_subject_id],
                kind="cross_pair",
                caption_id=captions[clips[pair.target_subject_id]],
                subject_ids=(pair.target_subject_id,),
                reference_ids=(pair.reference_appearance_id,),
                pair_ids=(pair.id,),
            )
            for pair in rows
            if isinstance(pair, Pair)
        ]
        return (*rows, *samples)


@pytest.fixture(autouse=True)
def with_samples(workspace: Workspace) -> None:
    (probing, planting) = workspace.plan.steps
    workspace.plan = Plan(steps=(probing, replace(planting, stage=PlantSamples())))


@pytest.fixture
def project(workspace: Workspace, tmp_path: Path) -> Iterator[Workspace]:
    workspace.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),), licence="CC-BY-4.0")
    curated(cast(Api, workspace))
    yield workspace


def subjects(project: Workspace) -> list[str]:
    rows = project.catalog.query("SELECT s.id FROM subject s JOIN clip c ON c.id = s.clip_id ORDER BY c.start_frame")
    return [name for (name,) in rows]


def state(project: Workspace, subject: str, *purposes: str) -> None:
    chosen = Selection(kind="subject", ids=(subject,))
    project.state_consent(selection=chosen, rater="ann", purposes=purposes, version="2026-03")


def exported(project: Workspace, out: Path, purpose: str, kind: str = "manifest") -> tuple[int, dict[str, int]]:
    try:
        done = project.export(format=kind, out=str(out), purpose=purpose)
    except ProjectError as error:
        if "all pairs are left out" not in str(error):
            raise
        reasons = str(error).partition("left out: ")[2].partition("; loosen")[0].split("; ")
        return 0, {reason: int(count) for count, _, reason in (one.partition(" ") for one in reasons)}
    return done.pairs, dict(done.left_out)


def held(project: Workspace, out: Path, *persons: str) -> int:
    """How many clips, pictures and cut-outs of these subjects an export holds, in its files or as their names.

    A subject's own id may stay: it can be the name of an identity, by which pairs of others are kept in one part.
    """
    texts = b"".join(path.read_bytes() + path.name.encode() for path in out.rglob("*") if path.is_file())
    rows = project.catalog.query(
        """SELECT DISTINCT unnest([s.clip_id, a.id, m.crop]) FROM subject s JOIN appearance a ON a.subject_id = s.id
        JOIN mask m ON m.appearance_id = a.id WHERE s.id IN (SELECT unnest(?::VARCHAR[]))""",
        [list(persons)],
    )
    assert len(rows) == 3 * len(persons)
    return sum(name.encode() in texts for (name,) in rows)


@pytest.mark.promise(
    "an export holds nobody who did not agree to its purpose, and says how many pairs that left out",
    area="Privacy",
    goal="0 of the 6 formats, 2 purposes and a withdrawal hold such a person",
    control="tests/backend/workspace/test_consents.py::test_whoever_agreed_is_in_the_export",
)
def test_nobody_is_exported_for_what_they_did_not_agree_to(project: Workspace, tmp_path: Path, tally: Tally) -> None:
    first, second, third = subjects(project)
    state(project, second, EVALUATION)
    found = exported(project, tmp_path / "training", TRAINING)
    assert found == (1, {"no consent for training": 1})
    lost = held(project, tmp_path / "training", second)
    for name in EXPORTS:
        pairs, reasons = exported(project, tmp_path / name, TRAINING, name)
        assert (pairs, reasons["no consent for training"]) == (1, 1), name
        lost += held(project, tmp_path / name, second)
    assert exported(project, tmp_path / "evaluation", EVALUATION) == (2, {})
    state(project, third)
    assert exported(project, tmp_path / "withdrawn", EVALUATION) == (1, {"consent withdrawn": 1})
    lost += held(project, tmp_path / "withdrawn", third)
    for name in EXPORTS:  # what was exported before stays; what is exported now holds neither
        assert exported(project, tmp_path / f"{name} later", TRAINING, name)[0] == 0, name
        lost += held(project, tmp_path / f"{name} later", second, third)
    state(project, first, EVALUATION)  # whom every target shows
    assert exported(project, tmp_path / "none", TRAINING)[0] == 0
    lost += held(project, tmp_path / "none", first, second, third)
    tally.record(4 + 2 * len(EXPORTS), lost=lost)
    assert lost == 0


def test_whoever_agreed_is_in_the_export(project: Workspace, tmp_path: Path) -> None:
    for one in subjects(project):
        state(project, one, TRAINING, EVALUATION)
    for name in EXPORTS:
        assert exported(project, tmp_path / name, TRAINING, name)[0] == 2
        assert held(project, tmp_path / name, *subjects(project)) > 0


def test_what_is_said_of_a_subject_goes_before_its_clip_and_its_video(project: Workspace, tmp_path: Path) -> None:
    ((video,),) = project.catalog.query("SELECT DISTINCT id FROM video")
    project.state_consent(selection=Selection(kind="video", ids=(video,)), rater="ann")
    assert exported(project, tmp_path / "a", TRAINING) == (0, {"consent withdrawn": 2})
    for one in subjects(project)[:2]:
        state(project, one, TRAINING)
    assert exported(project, tmp_path / "b", TRAINING) == (1, {"consent withdrawn": 1})
    said = {(one.kind, one.purposes) for one in project.consents()}
    assert said == {("video", ()), ("subject", (TRAINING,))}
    assert project.rebuild().ok
    assert {(one.kind, one.purposes) for one in project.consents()} == said


def test_what_cannot_be_recorded_is_refused(project: Workspace, tmp_path: Path) -> None:
    (subject, *_) = subjects(project)
    chosen = Selection(kind="subject", ids=(subject,))
    told: dict[str, Any]
    for told, words in (
        ({"purposes": ("trianing",), "version": "1"}, "did you mean training"),
        ({"purposes": (TRAINING,)}, "names the version"),
        ({"purposes": (TRAINING,), "version": "1", "given_at": "yesterday"}, "write a day"),
    ):
        with pytest.raises(SettingsError, match=words):
            project.state_consent(selection=chosen, rater="ann", **told)
    with pytest.raises(SettingsError, match="not of a 'pair'"):
        project.state_consent(selection=Selection(kind="pair", ids=("p",)), rater="ann")
    with pytest.raises(ProjectError, match="no subject of this project is subject_0"):
        project.state_consent(selection=Selection(kind="subject", ids=("subject_0",)), rater="ann")
    with pytest.raises(SettingsError, match="purpose is 'sale'"):
        project.export(format="manifest", out=str(tmp_path / "out"), purpose="sale")


def test_people_of_whom_nothing_is_known_are_the_projects_choice(project: Workspace, tmp_path: Path) -> None:
    project.catalog.query("UPDATE subject SET category = 'woman', phrase = 'a woman', is_living = true")
    project.catalog.version += 1
    assert exported(project, tmp_path / "a", TRAINING) == (2, {})
    before = project.plan
    project.set_settings(assignments=("unknown_consent=leave_out",))
    project.plan = before
    assert exported(project, tmp_path / "b", TRAINING) == (0, {"consent not known for training": 2})


@pytest.mark.promise(
    "nothing is exported of footage whose licence nobody stated, unless the project says so",
    area="Privacy",
    goal="0 of the 6 formats write such footage",
    control="tests/backend/workspace/test_consents.py::test_without_its_gate_footage_without_a_licence_is_found_in_exports",
)
def test_footage_without_a_licence_is_not_exported(workspace: Workspace, tmp_path: Path, tally: Tally) -> None:
    workspace.ingest(paths=(str(write_toy_video(tmp_path / "bare.mp4")),))
    curated(cast(Api, workspace))
    written, said = written_without_licence(workspace, tmp_path)
    tally.record(len(EXPORTS), lost=len(written))
    assert written == []
    assert len(said) == len(EXPORTS)
    assert all(re.search(r"no licence is stated of bare\.mp4; state it with .*--licence", words) for words in said)


def test_without_its_gate_footage_without_a_licence_is_found_in_exports(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.ingest(paths=(str(write_toy_video(tmp_path / "bare.mp4")),))
    curated(cast(Api, workspace))
    monkeypatch.setattr("backend.workspace.export_rights.REFUSE", "nothing is refused")
    assert written_without_licence(workspace, tmp_path) == (list(EXPORTS), [])


def written_without_licence(workspace: Workspace, folder: Path) -> tuple[list[str], list[str]]:
    """Formats that wrote footage of which nobody stated a licence, and what the others said."""
    said = []
    for name in EXPORTS:
        try:
            workspace.export(format=name, out=str(folder / name))
        except ProjectError as error:
            said.append(str(error))
    return [name for name in EXPORTS if (folder / name).exists()], said


def test_the_same_footage_goes_once_its_licence_is_stated(workspace: Workspace, tmp_path: Path) -> None:
    bare = str(write_toy_video(tmp_path / "bare.mp4"))
    workspace.ingest(paths=(bare,))
    curated(cast(Api, workspace))
    plan = workspace.plan
    workspace.set_settings(assignments=("unknown_licence=leave_out",))
    workspace.plan = plan
    assert exported(workspace, tmp_path / "a", TRAINING) == (0, {"licence not stated": 2})
    workspace.ingest(paths=(bare,), licence="CC-BY-NC-4.0")
    assert exported(workspace, tmp_path / "b", TRAINING) == (2, {})
    lines = [json.loads(line) for line in (tmp_path / "b" / "pairs.jsonl").read_text().splitlines()]
    assert {line["licence"] for line in lines} == {"CC-BY-NC-4.0"}


@pytest.mark.promise(
    "who exported and erased what, and who recorded which consent, stands in the audit, without names of files or people",
    area="Privacy",
    goal="0 of 4 dealings missing, 0 names",
    control="tests/backend/workspace/test_consents.py::test_the_audit_would_show_a_name",
)
def test_dealings_with_peoples_data_are_in_the_audit(project: Workspace, tmp_path: Path, tally: Tally) -> None:
    first, *_ = subjects(project)
    state(project, first, TRAINING)
    project.export(format="manifest", out=str(tmp_path / "out"))
    project.exclude(selection=Selection(kind="subject", ids=(first,)), rater="bob", reason="because of mug.mp4")
    cast(Api, project).erase_items(selection=Selection(kind="subject", ids=(first,)), rater="cleo")
    rows = project.audit()
    missing = {"consent", "exported", "excluded", "erased"} - {row.what for row in rows}
    names = named_in(project)
    tally.record(4, lost=len(missing) + names)
    assert (missing, names) == (set(), 0)
    (export,) = [row for row in rows if row.what == "exported"]
    assert (export.about["pairs"], export.about["purpose"], len(export.about["manifest"])) == (2, TRAINING, 64)
    (erased,) = [row for row in rows if row.what == "erased"]
    assert (erased.who, erased.about["rows"]["subject"]) == ("cleo", 1)
    # What named the erased subject is gone; that something was done, and when, stays
    assert [row.about for row in rows if row.what in ("consent", "excluded")] == [{}, {}]
    assert project.verify().ok


@pytest.mark.promise(
    "no export holds a vector of a face or of anything else",
    area="Privacy",
    goal="0 of the 6 formats",
    control="tests/backend/workspace/test_consents.py::test_a_vector_in_a_folder_would_be_found",
)
def test_no_export_holds_a_vector(project: Workspace, tmp_path: Path, tally: Tally) -> None:
    plant_vectors(project)
    for name in EXPORTS:
        assert exported(project, tmp_path / name, TRAINING, name)[0] == 2
    found = [name for name in EXPORTS if vectors_in(tmp_path / name)]
    tally.record(len(EXPORTS), lost=len(found))
    assert found == []


def test_a_vector_in_a_folder_would_be_found(project: Workspace, tmp_path: Path) -> None:
    plant_vectors(project)
    backup = Path(project.backup(out=str(tmp_path / "backup")))
    assert pq.read_table(backup / "catalog" / "embedding.parquet").column("vector")[0].as_py() == VECTOR.tolist()
    for name, data in (("raw.bin", VECTOR.tobytes()), ("line.jsonl", json.dumps(VECTOR.tolist()).encode())):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes(b"x" + data)
        assert vectors_in(tmp_path / name) == 1


VECTOR = (np.arange(1, 9, dtype=np.float32) / np.float32(14.282857)).astype(np.float32)


def plant_vectors(project: Workspace) -> None:
    """A face vector of every appearance."""
    ids = [name for (name,) in project.catalog.query("SELECT DISTINCT id FROM appearance")]
    rows = [Embedding(appearance_id=name, space="face", model="m", vector=VECTOR) for name in ids]
    project.catalog.add_records(rows, work_key="planted")


def vectors_in(folder: Path) -> int:
    """Files that hold the vector as numbers of any width, or spelled."""
    spelled = [str(value)[:8].encode() for value in VECTOR.tolist()[:3]]
    held = (VECTOR.tobytes(), VECTOR.astype(np.float64).tobytes(), VECTOR.astype(np.float16).tobytes())
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return sum(any(one in text for one in held) or all(one in text for one in spelled) for text in texts)


def test_who_opens_footage_is_journalled_once_a_day(tmp_path: Path) -> None:
    for _ in range(2):  # a project without footage is nobody's
        Workspace(tmp_path / "p", create=True).close()
    opened = Workspace(tmp_path / "p")
    assert opened.audit() == ()
    opened.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),))
    opened.close()
    for _ in range(2):
        Workspace(tmp_path / "p").close()
    opened = Workspace(tmp_path / "p")
    (row,) = opened.audit()
    opened.close()
    assert (row.what, list(row.about)) == ("opened", ["day"])


def named_in(project: Workspace) -> int:
    return names_of([row.about for row in project.audit()])


def names_of(told: object) -> int:
    return sum(name in json.dumps(told) for name in ("mug.mp4", "because", "a red mug"))


def test_the_audit_would_show_a_name(project: Workspace) -> None:
    project.exclude(selection=Selection(kind="subject", ids=(subjects(project)[0],)), rater="bob", reason="because")
    (row,) = [row for row in project.audit() if row.what == "excluded"]
    event = project.journal.event(row.seq)
    assert event is not None
    assert (names_of(event.body), names_of(row.about)) == (1, 0)
