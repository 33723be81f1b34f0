"""`import opens2v`: sidecars beside videos, found by curation's own reader."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backend.cli.app import app
from backend.domain import ImportRefused
from backend.engine.plan import Plan, Step
from backend.exports.opens2v_import import lay_beside
from backend.exports.opens2v_rows import read_opens2v
from backend.stages.sidecars import SidecarReader, Told
from backend.workspace import Workspace
from backend.workspace.snapshot import Snapshot
from tests.backend.exports.made_upstream import KEY, made_entry
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import write_toy_video

FACE = "A man in a red coat walks a dog – 狗 – in a park."
TOLD = [Told("A man walks a dog.", (40.0, 160.0)), Told(FACE, (44.0, 150.0))]


def write(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=4), "utf-8")
    return path


def of(path: str, **metadata: Any) -> dict[str, Any]:
    entry = made_entry()
    entry["metadata"] |= {"path": path, **metadata}
    return entry


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for name in ("films/walk_part3.mp4", "films/other.mp4", "more/other.mp4"):
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / name).write_bytes(b"")
    return tmp_path / "videos"


def test_captions_are_found_beside_the_video_with_their_spans(tmp_path: Path, videos: Path) -> None:
    found = lay_beside(write(tmp_path / "dataset1.json", {KEY: made_entry()}), videos)
    video = videos / "films" / "walk_part3.mp4"
    assert (found.videos, found.num_samples, found.num_captions, found.written) == ((video,), 1, 2, 1)
    assert (found.faults, found.remarks) == ((), ())
    assert SidecarReader().read(video) == (TOLD, [])
    assert read_opens2v(videos / "films" / "walk_part3_steps.json").samples[0].document == made_entry()


def test_importing_again_writes_nothing_and_new_entries_join_the_old(tmp_path: Path, videos: Path) -> None:
    first = write(tmp_path / "one.json", {KEY: made_entry()})
    lay_beside(first, videos)
    assert lay_beside(first, videos).written == 0
    later = of("films/walk_part3.mp4", cut=[160, 200], face_cut=[160, 190], cap=[], face_cap_qwen="A man sits.")
    assert lay_beside(write(tmp_path / "two.json", {"later": later}), videos).written == 1
    told, _ = SidecarReader().read(videos / "films" / "walk_part3.mp4")
    assert told == [*TOLD, Told("A man sits.", (160.0, 190.0))]


def test_a_folder_of_steps_is_read_whole(tmp_path: Path, videos: Path) -> None:
    early = {key: value for key, value in made_entry().items() if key == "metadata"}
    write(tmp_path / "in" / "step4" / "dataset1.json", {KEY: early})
    write(tmp_path / "in" / "step5" / "dataset1.json", {KEY: made_entry()})
    write(tmp_path / "in" / "step6" / "cluster_videos.json", {"walk": ["dataset1/a"]})
    found = lay_beside(tmp_path / "in", videos)
    assert (found.num_samples, found.num_captions) == (1, 2)
    assert found.remarks == ("step6/cluster_videos.json holds no metadata of a video and is passed over",)
    (sample,) = read_opens2v(videos / "films" / "walk_part3_steps.json").samples
    assert len(sample.masks) == 2


def test_what_cannot_be_used_is_named_and_costs_nothing_else(tmp_path: Path, videos: Path) -> None:
    broken = of("films/walk_part3.mp4", fps=0)
    entries = {
        KEY: made_entry(),
        "gone": of("films/gone.mp4"),
        "twice": of("other.mp4"),
        "broken": broken,
        "outside": of("../../etc/passwd"),
        "one": of("more/other.mp4"),
    }
    found = lay_beside(write(tmp_path / "dataset1.json", entries), videos)
    assert [video.relative_to(videos).as_posix() for video in found.videos] == ["films/walk_part3.mp4", "more/other.mp4"]
    assert found.faults == (
        "dataset1.json, broken: fps is 0, expected more than 0",
        f"dataset1.json, gone: films/gone.mp4 is not below {videos}",
        f"dataset1.json, twice: other.mp4 is there 2 times below {videos}",
        f"dataset1.json, outside: ../../etc/passwd is not below {videos}",
    )


@pytest.mark.parametrize("text", ['{"caption": "mine"}', "not JSON", "[]"])
def test_a_file_of_somebody_elses_is_not_written_over(tmp_path: Path, videos: Path, text: str) -> None:
    mine = videos / "films" / "walk_part3_steps.json"
    mine.write_text(text)
    entries = {KEY: made_entry(), "one": of("more/other.mp4")}
    found = lay_beside(write(tmp_path / "dataset1.json", entries), videos)
    assert mine.read_text() == text
    assert [video.name for video in found.videos] == ["other.mp4"]
    assert len(found.faults) == 1
    assert "walk_part3_steps.json" in found.faults[0]


def test_nothing_of_upstreams_is_refused(tmp_path: Path, videos: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path, says in ((tmp_path / "nowhere", "does not exist"), (tmp_path / "empty", "holds no metadata JSON")):
        with pytest.raises(ImportRefused, match=says):
            lay_beside(path, videos)
    with pytest.raises(ImportRefused, match="name the one that holds the videos"):
        lay_beside(write(tmp_path / "a.json", {KEY: made_entry()}), tmp_path / "nowhere")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace(tmp_path / "project", create=True)
    steps = {step.stage.name: Step(step.stage) for step in opened.plan.steps}
    names = ("probe_source", "split_shots", "find_borders", "caption_clips")
    opened.plan = Plan(steps=tuple(steps[name] for name in names), model_ids=opened.plan.model_ids)
    yield opened
    opened.close()


def test_curation_takes_the_captions(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    write_toy_video(tmp_path / "videos" / "mug.mp4")
    entry = of("dataset1/mug.mp4", cut=[0, 30], face_cut=[0, 30], cap=[], face_cap_qwen="A red mug moves right.")
    found = lay_beside(write(tmp_path / "dataset1.json", {KEY: entry}), tmp_path / "videos")
    workspace.ingest(paths=tuple(map(str, found.videos)), licence="CC-BY-4.0")
    curated(workspace)
    with Snapshot(workspace.catalog).of(workspace.plan) as now:
        captions = now.query(
            "SELECT c.author, c.text FROM kept_caption k JOIN caption c ON c.id = k.id AND c.work_key = k.work_key"
        )
    assert ("sidecar", "A red mug moves right.") in captions


def test_the_command_lists_videos_with_their_licence_and_says_what_failed(tmp_path: Path, videos: Path) -> None:
    write_toy_video(videos / "films" / "walk_part3.mp4")
    entries = {KEY: made_entry(), "gone": of("gone.mp4")}
    path = write(tmp_path / "dataset1.json", entries)
    arguments = ["import", "opens2v", str(path), "--videos", str(videos), "--licence", "CC-BY-4.0"]
    done = CliRunner().invoke(app, [*arguments, "--project", str(tmp_path / "p"), "--json"])
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["faults"] == [f"dataset1.json, gone: gone.mp4 is not below {videos}"]
    assert {name: told[name] for name in ("videos", "samples", "captions", "sidecars", "taken", "known")} == {
        "videos": 1,
        "samples": 1,
        "captions": 2,
        "sidecars": 1,
        "taken": 1,
        "known": 0,
    }
    with closing(Workspace(tmp_path / "p")) as project, project.catalog.reading() as reading:
        assert reading.execute("SELECT licence FROM source").fetchall() == [("CC-BY-4.0",)]


@pytest.mark.parametrize(("arguments", "says"), [(["opens2v", "x.json"], "--videos"), (["vbench", "x.json"], "--system")])
def test_a_wrong_call_names_the_option_that_is_missing(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(app, ["import", *arguments, "--project", str(tmp_path / "p")])
    assert done.exit_code == 2
    assert says in done.output


@pytest.mark.real
def test_upstreams_demo_becomes_a_sidecar(real_media: Path, tmp_path: Path) -> None:
    (tmp_path / "gm1252760410-365677148_part2.mp4").write_bytes(b"")  # the film is licensed and not beside its metadata
    found = lay_beside(real_media / "dev" / "opens2v_demo", tmp_path)
    assert [video.name for video in found.videos] == ["gm1252760410-365677148_part2.mp4"]
    assert found.num_captions == 2
    told, warnings = SidecarReader().read(found.videos[0])
    assert warnings == []
    assert [(one.span, one.text[:12]) for one in told] == [((0.0, 95.0), "Three women "), ((0.0, 95.0), "The video fe")]
