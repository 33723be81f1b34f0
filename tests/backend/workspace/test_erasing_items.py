"""Footage that somebody had erased: no byte of it in any file, nothing else touched, and it does not come back by itself."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import pyarrow as pa
import pytest

from backend.api import Api
from backend.domain import SUBJECTS_STUDY, VERIFY_STUDY, ItemErased, ProjectError, SettingsError, StudioError
from backend.domain.corrections import Correction
from backend.domain.library import Selection
from backend.engine.plan import Plan, Step
from backend.exports.reader import read_manifest
from backend.media.writer import write_video
from backend.models.kept_answers import AnswerFolder
from backend.stages.ingest import ProbeSource
from backend.store.banks import BankContent, open_bank
from backend.store.banks_index import IndexSettings
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.store.journal_schema import Event
from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.test_api import vote_on
from tests.backend.workspace.test_evaluating import measured
from tests.backend.workspace.toy_project import FRAMES, PlantPairs, plan, write_toy_video
from tests.promises import Tally

pytestmark = pytest.mark.slow  # together they take too long for the fast run

CANARY = "kestrel-canary-7731"
SAID = "merlin-comment-5520"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantOthers(PlantPairs):
    """The same by another version: made anew of every video."""

    version: ClassVar[int] = 2


def write_other_video(path: Path) -> Path:
    """30 frames of another brightness, so that it is another video."""
    frames = np.full((FRAMES, 48, 64, 3), 140, np.uint8)
    for n, frame in enumerate(frames):
        frame[20:30, n : n + 12] = (20, 30, 200)
    write_video(path, frames, fps=25)
    return path


def one_of(api: Api, kind: str, name: str) -> tuple[str, ...]:
    """Ids of the items of a kind whose file is so called, in the order of the footage."""
    page = api.items(kind=kind)
    return tuple(i for i, row in zip(page.ids, page.rows, strict=True) if name in str(row[page.columns.index("name")]))


def holding(folder: Path, *texts: str) -> list[str]:
    """Files below a folder that hold one of the texts, in their bytes or their names."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in files if any(t.encode() in path.read_bytes() or t in path.name for t in texts)]


@pytest.fixture
def filled(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """Two videos, and people's words on both. What is meant to be temporary, of children too, lies in `tmp_path / "temp"`."""
    (tmp_path / "temp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    videos = tmp_path / "videos"
    videos.mkdir()
    write_toy_video(videos / f"{CANARY}.mp4")
    write_other_video(videos / "other.mp4")
    workspace.ingest(paths=(str(videos),), licence="CC0-1.0")
    curated(cast(Api, workspace))
    yield workspace


def plant_elsewhere(project: Workspace, clip: str) -> tuple[str, ...]:
    """Footage in what the toy project has none of by itself; gives the files of which dates are told, and that stay."""
    index = project.layout.root / "index"
    vectors, rows = np.ones((300, 8), np.float32), pa.table({"row": np.arange(300), "clip": [clip] * 300})
    open_bank(index / "banks" / "face", "g", lambda: BankContent(vectors, rows), settings=IndexSettings(least_rows=500))
    AnswerFolder(index / "answers").put("ab01", {"score": 1.0, "raw": f"yes, {SAID}", "reason": "", "model": "m"})
    project.layout.ledger.write_text(json.dumps({"asked": f"{CANARY}.mp4", "cost": 0.01}) + "\n")
    told = [project.layout.root / place for place in ("exports/one/pairs.jsonl", "runs/r1/said.log")]
    told.append(project.layout.root / "catalog.was-damaged-20260102T030405")
    for path in told:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"rows of " + f"{CANARY}.mp4, {clip}".encode())
    return tuple(map(str, told))


def say_things(api: Api) -> None:
    """Verdicts, a correction and an exclusion that speak of both videos."""
    pairs = one_of(api, "pair", CANARY)
    for trial in api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=9):
        about = SAID if trial.item_id in pairs else "fine"
        api.submit_votes(votes=(replace(vote_on(trial, "same"), comment=about),))
    first, *_ = one_of(api, "clip", CANARY)
    gone, kept = one_of(api, "subject", CANARY), one_of(api, "subject", "other")
    api.correct(corrections=(Correction(id="c1", rev=1, kind="caption", item_id=first, rater="ann", text=f"A {SAID}."),))
    both = Selection(kind="subject", ids=(gone[2], kept[2]))
    api.exclude(selection=both, rater="ann", reason="both")
    api.exclude(selection=Selection(kind="subject", ids=(kept[2],)), rater="ann", excluded=False)
    api.exclude(selection=Selection(kind="subject", ids=(gone[1], kept[1])), rater="ann", reason="both")


@pytest.mark.promise(
    "erasing leaves no byte of footage, of what came of it or was said of it, but in backups, exports and runs, named with dates",
    area="Privacy",
    goal="0 files hold a canary",
    control="tests/backend/workspace/test_erasing_items.py::test_rows_that_are_only_deleted_would_be_noticed",
)
def test_no_byte_of_erased_footage_stays_and_nothing_else_changes(filled: Workspace, tmp_path: Path, tally: Tally) -> None:
    api = cast(Api, filled)
    say_things(api)
    # A word of an earlier version, whose hash holds its content
    filled.journal.append([Event(kind="note", actor="user", body={"about": f"{tmp_path}/videos/{CANARY}.mp4"})])
    (video,) = one_of(api, "video", CANARY)
    subjects, pairs, clips = (one_of(api, kind, CANARY) for kind in ("subject", "pair", "clip"))
    crops = [
        view.picture_media for s in subjects for view in api.item(kind="subject", item_id=s).views if view.picture_media
    ]
    assert len(crops) == 3
    for clip in clips:
        api.media(media_id=f"p-{clip}")
    api.thumbnails(kind="video", ids=(video,))
    filled.layout.job_logs.mkdir(exist_ok=True)
    (filled.layout.job_logs / "log.txt").write_text(f"reading {CANARY}.mp4\n")
    mine = filled.layout.root / "my notes.txt"
    mine.write_text(f"{CANARY}.mp4 is from Ann")
    api.report()
    planted = plant_elsewhere(filled, clips[0])
    backup = api.backup()
    filled.catalog.checkpoint()
    canaries = (CANARY, SAID, video, *subjects, *pairs, *clips, *(media.removeprefix("a-") for media in crops))
    before = holding(filled.layout.root, *canaries)
    assert len(before) > 8
    for place in ("index/banks", "index/answers", "index/judge-costs.jsonl", "index/previews"):
        assert any(f"/{place}" in path for path in before), f"nothing is planted in {place}"

    found = api.foresee_erasure(selection=Selection(kind="video", ids=(video,)))
    assert (found.whole, found.rows["video"], found.rows["clip"], found.rows["pair"]) == (1, 1, 3, 3)
    assert (found.artifacts, found.said["vote"], found.said["corrected"], found.said["note"]) == (4, 2, 1, 1)
    assert found.files == (f"{tmp_path}/videos/{CANARY}.mp4",)
    assert sorted(one.kind for one in found.leftovers) == ["backup", "backup", "export", "run"]

    done = api.erase_items(selection=Selection(kind="video", ids=(video,)), rater="ann")
    assert done.removed == replace(found, leftovers=())
    named = {one.path for one in done.leftovers}
    assert named == {backup, *(path.partition("/pairs")[0].partition("/said")[0] for path in planted)}
    left = set(holding(filled.layout.root, *canaries)) ^ {*holding(Path(backup), *canaries), *planted, str(mine)}
    left |= set(holding(tmp_path / "temp", *canaries))
    tally.record(sum(path.is_file() for path in filled.layout.root.rglob("*")), lost=len(left))
    assert left == set()
    assert all(datetime.fromisoformat(one.made_at) for one in done.leftovers)
    assert (tmp_path / "videos" / f"{CANARY}.mp4").exists()
    check = api.verify()
    assert check.ok, check.problems
    assert api.status().counts == _only_other(tmp_path).status().counts


@pytest.mark.parametrize("what", ["catalog", "journal"])
def test_rows_that_are_only_deleted_would_be_noticed(filled: Workspace, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    api = cast(Api, filled)
    say_things(api)
    filled.catalog.checkpoint()
    place, step = (Catalog, "rewrite") if what == "catalog" else (Journal, "compact")
    monkeypatch.setattr(place, step, lambda self: None)
    subjects = one_of(api, "subject", CANARY)
    api.erase_items(selection=Selection(kind="video", ids=one_of(api, "video", CANARY)), rater="ann")
    found = holding(filled.layout.root, CANARY, SAID, *subjects)
    assert any(Path(path).name.startswith(what) for path in found)


def _only_other(tmp_path: Path) -> Workspace:
    """A project that never saw the erased video."""
    opened = Workspace(tmp_path / "never", create=True)
    opened.plan = plan()
    opened.ingest(paths=(str(tmp_path / "videos" / "other.mp4"),), licence="CC0-1.0")
    curated(cast(Api, opened))
    kept = one_of(cast(Api, opened), "subject", "other")
    opened.exclude(selection=Selection(kind="subject", ids=(kept[1],)), rater="ann")
    for trial in opened.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=9):
        opened.submit_votes(votes=(vote_on(trial, "same"),))
    opened.close()
    again = Workspace(tmp_path / "never")
    again.plan = plan()
    return again


def test_words_on_many_things_are_said_again_of_the_rest_in_their_old_place(filled: Workspace) -> None:
    api = cast(Api, filled)
    say_things(api)
    kept = one_of(api, "subject", "other")
    excluded = filled.catalog.query(
        "SELECT item_id, excluded, rater, reason, made_at FROM exclusion WHERE item_id = ANY(?) ORDER BY ALL", [list(kept)]
    )
    votes = api.votes(study_id=VERIFY_STUDY)
    api.erase_items(selection=Selection(kind="video", ids=one_of(api, "video", CANARY)), rater="ann")
    now = filled.catalog.query("SELECT item_id, excluded, rater, reason, made_at FROM exclusion ORDER BY ALL")
    assert now == excluded
    state = dict(zip(kept, (str(api.item(kind="subject", item_id=one).state) for one in kept), strict=True))
    assert state == {kept[0]: "kept", kept[1]: "excluded", kept[2]: "kept"}
    pairs = set(one_of(api, "pair", "other"))
    assert api.votes(study_id=VERIFY_STUDY) == tuple(vote for vote in votes if vote.item_id in pairs)
    assert api.rebuild().ok
    assert filled.catalog.query("SELECT item_id, excluded, rater, reason, made_at FROM exclusion ORDER BY ALL") == excluded


def test_an_erased_file_is_not_taken_again_unless_that_is_asked(filled: Workspace, tmp_path: Path) -> None:
    api = cast(Api, filled)
    (file,) = (tmp_path / "videos").glob(f"{CANARY}*")
    api.erase_items(selection=Selection(kind="source", ids=(str(file),)), rater="ann")
    copy = shutil.copy(file, tmp_path / "renamed.mp4")
    with pytest.raises(ProjectError, match=r"renamed\.mp4 was erased from this project"):
        api.ingest(paths=(str(copy),))
    write_toy_video(tmp_path / "videos" / "same.mp4")
    summary = api.ingest(paths=(str(tmp_path / "videos"),))
    assert (summary.taken, summary.known) == (0, 1)
    assert sum("was erased" in remark for remark in summary.remarks) == 2
    curated(api)
    assert api.status().counts["videos"] == 1
    assert api.ingest(paths=(str(copy),), again=True).taken == 1
    curated(api)
    assert api.status().counts["videos"] == 2


def test_an_export_of_before_is_read_without_what_was_erased(filled: Workspace) -> None:
    out = filled.layout.root / "exports" / "of before"
    filled.export(format="manifest", out=str(out))
    of_video = [CANARY in pair.target.source_uri for pair in read_manifest(out).pairs()]
    assert 0 < sum(of_video) < len(of_video)
    erased = filled.erase_items(
        selection=Selection(kind="video", ids=one_of(cast(Api, filled), "video", CANARY)), rater="cleo"
    )
    assert [Path(one.path).name for one in erased.leftovers if one.kind == "export"] == ["of before"]
    kept = [pair.target.source_uri for pair in read_manifest(out).pairs()]
    assert len(kept) == len(of_video) - sum(of_video)
    assert not any(CANARY in uri for uri in kept)
    assert not any(CANARY in video.uri for video in read_manifest(out).videos())


def test_a_copy_under_another_name_goes_too(filled: Workspace, tmp_path: Path) -> None:
    api = cast(Api, filled)
    (file,) = (tmp_path / "videos").glob(f"{CANARY}*")
    shutil.copy(file, tmp_path / "twin.mp4")
    api.ingest(paths=(str(tmp_path / "twin.mp4"),))
    curated(api)
    done = api.erase_items(selection=Selection(kind="source", ids=(str(file),)), rater="ann")
    assert done.removed.files == (str(tmp_path / "twin.mp4"), str(file))
    assert holding(filled.layout.root, "twin.mp4", CANARY) == []


def test_a_file_that_could_not_be_read_is_erased_by_its_path(filled: Workspace, tmp_path: Path) -> None:
    api = cast(Api, filled)
    broken = tmp_path / "broken-merlin.mp4"
    broken.write_bytes(b"\x00\x01 not a video at all" * 50)
    api.ingest(paths=(str(broken),))
    curated(api)
    assert holding(filled.layout.root, "broken-merlin")
    done = api.erase_items(selection=Selection(kind="source", ids=(str(broken),)), rater="ann")
    assert (done.removed.rows, done.removed.files) == ({"source": 1}, (str(broken),))
    assert holding(filled.layout.root, "broken-merlin") == []
    with pytest.raises(ProjectError, match="was erased"):
        api.ingest(paths=(str(broken),))


def test_a_subject_goes_with_its_clip_and_no_later_curation_brings_it_back(filled: Workspace) -> None:
    api = cast(Api, filled)
    subjects, clips, pairs = (one_of(api, kind, CANARY) for kind in ("subject", "clip", "pair"))
    picture = api.item(kind="subject", item_id=subjects[1]).views[0].picture_media
    assert picture
    api.media(media_id=f"p-{clips[1]}")
    (video,) = one_of(api, "video", CANARY)
    api.thumbnails(kind="video", ids=(video,))
    found = api.foresee_erasure(selection=Selection(kind="subject", ids=(subjects[1],)))
    assert (found.whole, found.rows["clip"], found.rows["subject"], found.rows["pair"]) == (0, 1, 1, 2)
    assert found.same_elsewhere == 1  # of the two pairs with others the gate holds one back
    api.erase_items(selection=Selection(kind="subject", ids=(subjects[1],)), rater="ann")
    page = api.items(kind="pair")
    left = set(page.ids) & set(pairs)
    assert len(left) == 1
    assert holding(filled.layout.root, subjects[1], picture.removeprefix("a-"), *(set(pairs) - left)) == []
    assert one_of(api, "clip", CANARY) == (clips[0], clips[2])
    filled.plan = Plan(steps=(Step(ProbeSource()), Step(PlantOthers(), plan().steps[1].gates)))
    curated(api)
    assert one_of(api, "clip", CANARY) == (clips[0], clips[2])
    assert api.items(kind="subject", search=subjects[1]).total == 0
    with pytest.raises(ProjectError, match="is not in this project"):
        api.media(media_id=f"p-{clips[1]}")
    # The picture of the video is taken from a clip that stays: its middle frame is of the erased one
    (thumbnail,) = api.thumbnails(kind="video", ids=(video,))
    assert thumbnail.path
    assert api.verify().ok
    api.erase_items(selection=Selection(kind="video", ids=(video,)), rater="ann")
    assert holding(filled.layout.root, video) == []
    assert api.verify().ok


def test_what_comes_later_about_erased_things_is_refused(curated_api: Api) -> None:
    trials = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=2)
    (subject, *_), (video,) = curated_api.items(kind="subject").ids, curated_api.items(kind="video").ids
    curated_api.erase_items(selection=Selection(kind="video", ids=(video,)), rater="ann")
    with pytest.raises(ItemErased, match="was erased") as refused:
        curated_api.submit_votes(votes=(vote_on(trials[0], "same"),))
    assert refused.value.kind == "erased"
    late = Correction(id="late", rev=1, kind="phrase", item_id=subject, rater="ann", text="a cup")
    with pytest.raises(ItemErased):
        curated_api.correct(corrections=(late,))
    assert curated_api.votes(study_id=VERIFY_STUDY) == ()
    assert curated_api.queue_state(study_id=SUBJECTS_STUDY, rater="ann").total == 0


def test_only_footage_that_is_there_can_be_erased_and_nobody_reads_meanwhile(filled: Workspace) -> None:
    api = cast(Api, filled)
    with pytest.raises(SettingsError, match="pairs cannot be erased by themselves"):
        api.foresee_erasure(selection=Selection(kind="pair", ids=one_of(api, "pair", CANARY)))
    with pytest.raises(ProjectError, match="no video of this project is video_0"):
        api.erase_items(selection=Selection(kind="video", ids=("video_0",)), rater="ann")
    with pytest.raises(SettingsError, match="rater"):
        api.erase_items(selection=Selection(kind="video", all_matching=True), rater=" ")
    chosen = Selection(kind="video", all_matching=True)
    with filled.catalog.reading(), pytest.raises(StudioError, match="is being read"):
        api.erase_items(selection=chosen, rater="ann")
    assert api.items(kind="video").total == 2
    assert not any(event.kind == "erasure_begun" for event in filled.journal.stream())


def test_backups_are_deleted_along_when_that_is_asked(filled: Workspace) -> None:
    api = cast(Api, filled)
    backup = api.backup()
    chosen = Selection(kind="video", ids=one_of(api, "video", CANARY))
    done = api.erase_items(selection=chosen, rater="ann", delete_backups=True)
    assert (done.deleted_backups, done.leftovers) == ((backup,), ())
    assert holding(filled.layout.root, CANARY) == []


def evaluated(project: Workspace, folder: Path) -> tuple[str, str]:
    """Cases were drawn of a video, a system made a video of each, and it was measured; gives the clips of prompt and reference."""
    api = cast(Api, project)
    made = Path(api.make_cases(out=str(folder / "bench"), count=1).path)
    ((name, fields),) = json.loads(made.read_text()).items()
    (folder / "system").mkdir()
    write_toy_video(folder / "system" / f"{name}.mp4")
    copy = project.layout.study_media / "ab" / "copy.mp4"
    copy.parent.mkdir(parents=True)
    shutil.copyfile(folder / "system" / f"{name}.mp4", copy)
    measured(api, made, folder / "system")
    ((shown,),) = project.catalog.query(
        "SELECT s.clip_id FROM appearance a JOIN subject s ON s.id = a.subject_id WHERE a.id = ?", fields["appearances"]
    )
    return fields["clip"], shown


def left_of_evaluation(project: Workspace) -> list[str]:
    """Tables with rows of evaluated cases, and files that hold pictures of them."""
    project.status()  # brings the journal's words into the catalog
    ids = "SELECT id FROM bench_case UNION SELECT id FROM generation"
    scores = "SELECT target FROM score WHERE starts_with(target, 'generation')"
    rows = [sql for sql in (ids, scores, "SELECT seq FROM case_put_up") if project.catalog.query(sql)]
    folders = (project.layout.features, project.layout.study_media)
    return rows + [str(path) for folder in folders for path in folder.rglob("*") if path.is_file()]


@pytest.mark.promise(
    "evaluations of cases go with the footage that a prompt is of or a reference shows, whichever clip the case was drawn for",
    area="Privacy",
    goal="0 rows left",
    control="tests/backend/workspace/test_erasing_items.py::test_evaluations_of_other_footage_stay",
)
@pytest.mark.parametrize("of_prompt", [True, False], ids=["the prompt's clip", "the reference's clip"])
def test_evaluations_of_erased_footage_go(filled: Workspace, tmp_path: Path, tally: Tally, of_prompt: bool) -> None:
    prompt, shown = evaluated(filled, tmp_path)
    assert prompt != shown
    assert len(left_of_evaluation(filled)) > 3
    chosen = Selection(kind="clip", ids=(prompt if of_prompt else shown,))
    cast(Api, filled).erase_items(selection=chosen, rater="ann")
    left = left_of_evaluation(filled)
    tally.record(1, lost=len(left))
    assert left == []
    assert filled.verify().ok


def test_evaluations_of_other_footage_stay(filled: Workspace, tmp_path: Path) -> None:
    prompt, shown = evaluated(filled, tmp_path)
    before = left_of_evaluation(filled)
    other = next(one for (one,) in filled.catalog.query("SELECT id FROM clip ORDER BY id") if one not in (prompt, shown))
    cast(Api, filled).erase_items(selection=Selection(kind="clip", ids=(other,)), rater="ann")
    assert left_of_evaluation(filled) == before
