"""Long work through the Api, on both transports: started with a form, followed, listed, tried again."""

import json
import threading
import time
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.cli.forms import COMMANDS, fields_of
from backend.cli.jobs import jobs_app
from backend.domain import ProjectError, SettingsError
from backend.domain.jobs import JobRow
from backend.jobs import JOBS, LANES
from backend.service import serving
from backend.workspace import Workspace
from tests.backend.workspace import moody_project, toy_project
from tests.backend.workspace.toy_project import write_toy_video

pytestmark = pytest.mark.slow  # together they take too long for the fast run


def ended(api: Api, job_id: str) -> JobRow:
    """The job's row once it has ended."""
    deadline = time.monotonic() + 60
    while True:
        (row,) = [row for row in api.jobs() if row.job_id == job_id]
        if row.state not in ("queued", "running"):
            return row
        assert time.monotonic() < deadline, f"{row.kind} hangs at {row.stage}"
        time.sleep(0.01)


def curate(api: Api, **settings: str) -> JobRow:
    return ended(api, api.start_job(kind="curate", settings={"engine": "inline", **settings}, rater="ann").job_id)


@pytest.fixture
def here(workspace: Workspace) -> Api:
    return cast(Api, workspace)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    write_toy_video(folder / "mug.mp4")
    (folder / "broken.mp4").write_bytes(b"")
    return folder


@pytest.fixture
def moods(tmp_path: Path, workspace: Workspace) -> Path:
    """The folder of the stage that fails until a clip is mended; the plan has it."""
    folder = tmp_path / "moods"
    folder.mkdir()
    workspace.plan = moody_project.plan(folder)
    return folder


def test_curation_is_started_with_files_and_listed_with_its_end(api: Api, videos: Path) -> None:
    row = curate(api, paths=json.dumps([str(videos)]))
    assert (row.kind, row.state, row.actor) == ("curate", "done", "ann")
    assert row.asked == {"engine": "inline", "paths": json.dumps([str(videos)])}
    assert row.message == "3 items worked on, 1 failed"  # 2 sources, 1 video
    assert row.started_at <= row.ended_at
    assert api.status().counts["clips"] == 3


def test_log_tells_stages_and_failures_and_goes_on_where_it_was(here: Api, videos: Path) -> None:
    row = curate(here, paths=json.dumps([str(videos)]))
    log = here.job_log(job_id=row.job_id)
    text = "\n".join(log.lines)
    assert "probe_source: 2 to do" in text
    assert "probe_source failed(empty) on broken.mp4 source_" in text
    assert "probe_source: 1 failed, 1 ok, in " in text
    assert log.lines[-1].endswith("done: 3 items worked on, 1 failed")
    assert log.next_after == len(log.lines)
    pieces = []
    after = 0
    while (piece := here.job_log(job_id=row.job_id, after=after, limit=2)).lines:
        pieces += piece.lines
        after = piece.next_after
    assert tuple(pieces) == log.lines
    with pytest.raises(ProjectError, match="never had a job"):
        here.job_log(job_id="../../etc")


def test_jobs_are_newest_first_and_older_operations_are_among_them(here: Api, videos: Path) -> None:
    first = curate(here, paths=json.dumps([str(videos)]))
    second = ended(here, here.curate(engine="inline", retry_failed=True).job_id)
    assert [row.job_id for row in here.jobs()] == [second.job_id, first.job_id]
    assert [row.job_id for row in here.jobs(limit=1)] == [second.job_id]
    assert second.asked == {"engine": "inline", "retry_failed": "true"}
    again = ended(here, here.start_job(kind=second.kind, settings=second.asked).job_id)
    assert again.message == second.message == "1 items worked on, 1 failed"


WRONG = [
    ("curat", {}, "did you mean curate"),
    ("curate", {"egine": "inline"}, "egine is no setting of curate; did you mean engine"),
    ("curate", {"engine": "spark"}, "engine is 'spark'"),
    ("curate", {"workers": "two"}, "workers is 'two'"),
    ("curate", {"retry_failed": "yes"}, "retry_failed is 'yes'"),
    ("curate", {"paths": "videos"}, "paths is 'videos'"),
    ("curate", {"paths": '["gone"]'}, "project/gone"),
    ("evaluate", {"videos": "/", "system": "x"}, "cases is missing"),
    ("evaluate", {"cases": "gone.json", "videos": "/", "system": "x"}, "cases is .*/project/gone.json, which is no file"),
    ("evaluate", {"cases": "project.toml", "videos": "gone", "system": "x"}, "videos is .*/gone, which is no folder"),
    ("evaluate", {"cases": "project.toml", "videos": "/", "system": "x", "max_cost": "nan"}, "max_cost is 'nan'"),
    ("export", {"format": "manifst", "out": "x"}, "did you mean manifest"),
    ("export", {"format": "manifest", "out": "x", "selection": "best"}, "selection is 'best'"),
]


def test_a_form_that_is_filled_in_wrongly_names_the_field(here: Api) -> None:
    for kind, settings, sentence in WRONG:
        with pytest.raises((SettingsError, ProjectError), match=sentence):
            here.start_job(kind=kind, settings=settings)
    assert here.jobs() == ()


@pytest.mark.parametrize("kind", JOBS)
def test_every_kind_has_a_lane_and_a_form_of_all_that_its_command_asks(kind: str) -> None:
    assert kind in LANES
    fields = fields_of(kind)
    names = [field.name for field in fields]
    asked = [name for name in COMMANDS[kind].function.__annotations__ if name != "return"]
    left_out = {*COMMANDS[kind].left_out, "project", "as_json", "assignments"}
    assert names == [name for name in asked if name not in left_out]
    assert left_out - {"project", "assignments"} <= set(asked), "nothing is left out that the command does not have"
    assert all(field.words for field in fields)


def test_form_knows_the_projects_own_settings(here: Api) -> None:
    fields = {field.name: field for field in here.job_form(kind="curate").main}
    assert (fields["engine"].type, fields["engine"].choices) == ("choice", ("inline", "process", "ray"))
    assert (fields["engine"].default, fields["workers"].default) == ("process", "0")
    assert (fields["paths"].type, fields["retry"].type, fields["retry_failed"].type) == ("paths", "list", "boolean")
    fields = {field.name: field for field in here.job_form(kind="evaluate").main}
    assert {name: fields[name].type for name in ("cases", "videos", "system", "max_cost")} == {
        "cases": "file",
        "videos": "folder",
        "system": "text",
        "max_cost": "number",
    }
    assert [name for name, field in fields.items() if field.required] == ["cases", "videos", "system"]
    fields = {field.name: field for field in here.job_form(kind="export").main}
    assert fields["out"].type == "new_folder"
    assert "manifest" in fields["format"].choices


def test_export_is_a_job_and_nobody_stops_it(here: Api, videos: Path, tmp_path: Path) -> None:
    here.ingest(paths=(str(videos),), licence="CC0-1.0")
    curate(here, paths=json.dumps([str(videos)]))
    row = here.start_job(kind="export", settings={"format": "manifest", "out": "exports/one"})
    row = ended(here, row.job_id)
    assert (row.state, row.out) == ("done", str(tmp_path / "project" / "exports" / "one"))
    assert row.message.startswith("2 pairs in ")
    assert (Path(row.out) / "pairs.jsonl").exists()
    again = ended(here, here.start_job(kind="export", settings=row.asked).job_id)
    assert (again.state, again.out) == ("done", row.out)


def test_flow_adds_up_and_says_what_gates_hold_back(here: Api, moods: Path, videos: Path) -> None:
    assert [(f.stage, f.entering) for f in here.stage_flow()] == [("probe_source", 0), ("plant_pairs", 0), ("moody", 0)]
    curate(here, paths=json.dumps([str(videos)]))
    probe, plant, moody = here.stage_flow()
    assert (probe.entering, probe.passed, probe.failed, probe.gives["video"]) == (2, 1, 1, 1)
    assert (plant.entering, plant.passed, plant.gives["clip"], plant.gives["pair"]) == (1, 1, 3, 3)
    assert plant.held_back == {"pair.similarity >= 0.5": 1}
    assert (moody.over, moody.entering, moody.filtered, moody.failed, moody.pending) == ("clip", 3, 1, 2, 0)
    assert all(f.entering == f.passed + f.filtered + f.failed + f.pending for f in (probe, plant, moody))
    assert plant.seconds > 0
    known = [(row.pending, row.ok + row.warned, row.filtered, row.failed) for row in here.status().stages]
    assert [(f.pending, f.passed, f.filtered, f.failed) for f in (probe, plant, moody)] == known


def test_quarantine_names_what_failed_and_shows_it(api: Api, moods: Path, videos: Path) -> None:
    curate(api, paths=json.dumps([str(videos)]))
    page = api.quarantine()
    assert (page.total, page.by_stage, page.next_after) == (3, {"probe_source": 1, "moody": 2}, None)
    broken, first, _ = page.rows
    assert (broken.name, broken.kind, broken.failure, broken.attempts) == ("broken.mp4", "source", "empty", 1)
    assert broken.media_id == ""
    assert (first.stage, first.kind, first.failure) == ("moody", "clip", "media")
    assert first.name == f"mug.mp4 {first.item_id}"
    assert first.failed_at > "2020"
    assert api.media(media_id=first.media_id).num_frames == 10


def test_quarantine_is_searched_and_paged(here: Api, moods: Path, videos: Path) -> None:
    curate(here, paths=json.dumps([str(videos)]))
    whole = here.quarantine().rows
    found = here.quarantine(search="MUG mood")
    assert (found.total, found.by_stage, found.rows) == (2, {"moody": 2}, whole[1:])
    assert here.quarantine(stage="probe_source").rows == whole[:1]
    assert here.quarantine(stage="plant_pairs").total == 0
    pages, after = [], None
    while True:
        page = here.quarantine(limit=1, after=after)
        pages += page.rows
        after = page.next_after
        if after is None:
            break
    assert tuple(pages) == whole
    with pytest.raises(SettingsError, match="did you mean moody"):
        here.quarantine(stage="mody")
    with pytest.raises(SettingsError, match="next_after"):
        here.quarantine(after="page 2")


def test_retry_of_one_item_tries_that_one_alone(api: Api, moods: Path, videos: Path) -> None:
    curate(api, paths=json.dumps([str(videos)]))
    assert len(moody_project.given(moods)) == 3
    one, other = api.quarantine(stage="moody").rows
    (moods / one.item_id).touch()
    row = ended(api, api.retry(work_keys=(one.work_key,), rater="bob").job_id)
    assert (row.state, row.actor, row.message) == ("done", "bob", "1 items worked on, 0 failed")
    assert moody_project.given(moods) == [one.item_id]
    assert [row.work_key for row in api.quarantine(stage="moody").rows] == [other.work_key]
    assert api.quarantine(stage="moody").rows[0].attempts == 1
    with pytest.raises(SettingsError, match="is not in quarantine"):
        api.retry(work_keys=(one.work_key,))


def test_retry_without_keys_tries_all_and_counts_attempts(here: Api, moods: Path, videos: Path) -> None:
    curate(here, paths=json.dumps([str(videos)]))
    moody_project.given(moods)
    row = ended(here, here.retry(work_keys=()).job_id)
    assert row.asked == {"retry_failed": "true"}
    assert row.message == "3 items worked on, 3 failed"
    assert len(moody_project.given(moods)) == 2
    assert [row.attempts for row in here.quarantine().rows] == [2, 2, 2]


def test_cancelled_curation_keeps_what_is_done_and_goes_on_when_asked_again(api: Api, moods: Path, videos: Path) -> None:
    (moods / "hold").touch()
    asked = {"engine": "inline", "paths": json.dumps([str(videos)])}
    job = api.start_job(kind="curate", settings=asked)
    until_given(moods)
    with pytest.raises(ProjectError, match="curate is running in this project; start evaluate when it has ended"):
        settings = {"cases": "project.toml", "videos": "/", "system": "x"}
        api.start_job(kind="evaluate", settings=settings)
    with pytest.raises(ProjectError, match="curate is running"):
        api.retry(work_keys=())
    assert api.curate().job_id == job.job_id, "a command joins what runs"
    assert api.stage_flow()[0].entering == 2
    assert api.cancel(job_id=job.job_id).state == "running"
    (moods / "hold").unlink()
    row = ended(api, job.job_id)
    assert row.state == "cancelled"
    (first,) = moody_project.given(moods)
    assert api.stage_flow()[2].pending == 2
    assert ended(api, api.start_job(kind="curate", settings=row.asked).job_id).state == "done"
    assert first not in moody_project.given(moods)
    assert api.stage_flow()[2].pending == 0


def test_job_whose_owner_closes_is_interrupted(tmp_path: Path, videos: Path) -> None:
    first = Workspace(tmp_path / "project", create=True)
    (tmp_path / "moods").mkdir()
    (tmp_path / "moods" / "hold").touch()
    first.plan = moody_project.plan(tmp_path / "moods")
    job = first.start_job(kind="curate", settings={"engine": "inline", "paths": json.dumps([str(videos)])})
    until_given(tmp_path / "moods")
    threading.Timer(0.3, (tmp_path / "moods" / "hold").unlink).start()
    first.close()
    again = Workspace(tmp_path / "project")
    try:
        (row,) = again.jobs()
        assert (row.job_id, row.state) == (job.job_id, "interrupted")
        assert again.job_log(job_id=job.job_id).lines[-1][20:].startswith("interrupted: ")
    finally:
        again.close()


def until_given(moods: Path) -> None:
    """Waits until the stage holds its first clip."""
    deadline = time.monotonic() + 60
    while not (moods / "given.txt").exists():
        assert time.monotonic() < deadline, "curation hangs before it comes to clips"
        time.sleep(0.01)


def test_retry_with_nothing_in_quarantine_says_so(here: Api) -> None:
    with pytest.raises(SettingsError, match="nothing is in quarantine"):
        here.retry(work_keys=())
    assert here.jobs() == ()


def test_jobs_of_earlier_owners_are_known(videos: Path, tmp_path: Path) -> None:
    first = Workspace(tmp_path / "project", create=True)
    first.plan = toy_project.plan()
    done = curate(cast(Api, first), paths=json.dumps([str(videos)]))
    lines = first.job_log(job_id=done.job_id).lines
    first.close()
    again = Workspace(tmp_path / "project")
    try:
        assert again.jobs() == (done,)
        assert again.job_log(job_id=done.job_id).lines == lines
        with pytest.raises(ProjectError, match="is not run here"):
            again.progress(job_id=done.job_id)
    finally:
        again.close()


def test_commands_list_jobs_tell_their_logs_and_name_what_failed(
    here: Api, workspace: Workspace, moods: Path, videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = curate(here, paths=json.dumps([str(videos)]))
    with serving(here, workspace.layout.root):
        at = ["--project", str(workspace.layout.root)]
        assert said(capsys, "list", *at).split("\n")[1].split()[:3] == [row.job_id[:8], "curate", "done"]
        assert [one["job_id"] for one in json.loads(said(capsys, "list", *at, "--json"))] == [row.job_id]
        assert "moody: 2 failed, 1 filtered" in said(capsys, "log", row.job_id[:4], *at)
        assert json.loads(said(capsys, "log", "--follow", *at, "--json"))["lines"] == list(
            here.job_log(job_id=row.job_id).lines
        )
        told = said(capsys, "quarantine", "--stage", "moody", *at)
        assert told.endswith("2 items in quarantine\n")
        assert all(one.work_key in told for one in here.quarantine(stage="moody").rows)
        with pytest.raises(ProjectError, match="is done already"):
            said(capsys, "cancel", *at)
        with pytest.raises(ProjectError, match="no job 'zz' is known"):
            said(capsys, "log", "zz", *at)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command of `jobs` says on stdout."""
    jobs_app(words, standalone_mode=False)
    return capsys.readouterr().out
