"""Generated videos are signed, carry the watermark that is asked for, and tell where their tokens looked."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from backend.domain import MediaError, SettingsError
from backend.domain.generation_settings import GenerationSettings
from backend.measures.watermark import detect
from backend.provenance import KeyRing, check_file
from metrics.benchmark import find_generations
from tests.training.made_cases import cases_in
from tests.training.made_export import made_export
from tests.training.made_pipelines import made_pipeline
from tests.training.made_run import trained
from tests.training.test_generate import STEPS, frames_of, generated
from training.generate import run_generate
from training.marking import marking
from training.probe import OWN

pytestmark = pytest.mark.slow  # together they take too long for the fast run

LARGE = (*STEPS, "video.width=128", "video.height=128")
ROOMY = (*STEPS, "video.width=192", "video.height=192", "video.frames=5")
"""Enough for an invisible watermark."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 32 x 32 that has learned to go on from prefixes."""
    folder = tmp_path_factory.mktemp("marking")
    trained(made_export(folder), folder / "run", "run.steps=1", "conditioning.prefix=0.5", "conditioning.prefix_latents=3")
    return folder / "run"


def test_a_generated_video_is_signed_with_its_settings(run: Path, tmp_path: Path) -> None:
    generated(run, cases_in(tmp_path, count=1), tmp_path / "out", name="squares")
    found = check_file(tmp_path / "out" / "square_1.mp4", KeyRing())
    assert (found.state, found.signer, found.mark_in) == ("intact", "you", "file")
    told = json.loads((tmp_path / "out" / "square_1.json").read_text())
    token = told.pop("mark")
    assert token.count(".") == 2
    assert dict(found.made) == told
    assert found.made["references"][0]["hash"]
    assert found.made["models"]["transformer"]
    assert len(found.sentences) == 2, "no watermark was asked for, and none is spoken of"


def test_an_invisible_watermark_is_found_by_its_message(run: Path, tmp_path: Path) -> None:
    cases = cases_in(tmp_path, count=1)
    done = generated(run, cases, tmp_path / "out", settings=ROOMY, watermark="invisible")
    assert done.failures == ()
    found = check_file(tmp_path / "out" / "square_1.mp4", KeyRing())
    told = found.made["watermark"]
    assert told["kind"] == "invisible"
    assert found.watermark is not None
    assert found.watermark.message == int(told["message"], 16)
    again = generated(run, cases, tmp_path / "out", settings=ROOMY)
    assert "was made with other settings" in again.failures[0], "with and without a watermark are two systems' videos"


def test_a_secret_watermark_is_found_with_its_key_alone(run: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    cases = cases_in(tmp_path, count=1)
    generated(run, cases, tmp_path / "out", settings=ROOMY, watermark="invisible", watermark_key=key)
    path = tmp_path / "out" / "square_1.mp4"
    without = check_file(path, KeyRing())
    assert without.state == "intact"
    assert "made with a key that was not given" in without.sentences[-1]
    found = check_file(path, KeyRing(), watermark_key=key.read_bytes())
    assert found.watermark is not None
    assert found.watermark.is_found
    key.write_bytes(b"short")
    with pytest.raises(SettingsError, match="can be guessed"):
        generated(run, cases, tmp_path / "b", settings=ROOMY, watermark="invisible", watermark_key=key)


def test_a_video_too_small_for_a_watermark_is_not_made(run: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="videos of 32x32 are too small for an invisible watermark"):
        generated(run, cases_in(tmp_path, count=1), tmp_path / "out", watermark="invisible")
    marks = marking("invisible", None)
    with pytest.raises(MediaError, match=r"cannot be read back from 3 frames of 64x64 \(z"):
        noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
        marks.write(noise, tmp_path, "noise", fps=8, told={}, message=0xFFFFFFFF)


def test_a_visible_watermark_is_seen(run: Path, tmp_path: Path) -> None:
    cases = cases_in(tmp_path, count=1)
    for kind in ("none", "visible"):
        generated(run, cases, tmp_path / kind, settings=LARGE, watermark=kind)
    plain, labelled = (frames_of(tmp_path / kind / "square_1.mp4").astype(int) for kind in ("none", "visible"))
    changed = np.abs(plain - labelled).mean(axis=(0, 3)) > 12
    assert changed[100:, 40:].any()
    assert not changed[:90].any()
    assert check_file(tmp_path / "visible" / "square_1.mp4", KeyRing()).made["watermark"] == {"kind": "visible"}
    assert not detect(frames_of(tmp_path / "visible" / "square_1.mp4")).is_found


def test_wrong_words_are_refused(run: Path, tmp_path: Path) -> None:
    cases = cases_in(tmp_path, count=1)
    with pytest.raises(SettingsError, match="'invisble'; did you mean invisible"):
        generated(run, cases, tmp_path / "a", watermark="invisble")
    with pytest.raises(SettingsError, match="--watermark-key is for --watermark invisible"):
        generated(run, cases, tmp_path / "a", watermark_key=tmp_path)
    with pytest.raises(SettingsError, match="--probe is 'heads'; there is attention"):
        generated(run, cases, tmp_path / "a", probe="heads")
    pipeline = made_pipeline(tmp_path / "t2v", "t2v")
    ticket_free = {"cases": cases, "out": tmp_path / "b", "assignments": ("compute.device=cpu",)}
    with pytest.raises(SettingsError, match="looks into runs of our own"):
        run_generate(_ticket(), system=f"diffusers:{pipeline}", probe="attention", **ticket_free)


def test_a_probe_changes_no_bit_and_tells_where_tokens_looked(run: Path, tmp_path: Path) -> None:
    cases = cases_in(tmp_path, count=1)
    generated(run, cases, tmp_path / "plain")
    done = generated(run, cases, tmp_path / "probed", probe="attention")
    assert done.failures == ()
    assert np.array_equal(frames_of(tmp_path / "plain" / "square_1.mp4"), frames_of(tmp_path / "probed" / "square_1.mp4"))
    folder = tmp_path / "probed" / "square_1.attention"
    table = pq.read_table(folder / "attention.parquet").to_pylist()
    assert {row["segment"] for row in table} == {"reference 0", OWN}
    assert {row["branch"] for row in table} == {"none", "reference,text", "text"}
    assert {row["step"] for row in table} == {0, 1}
    assert {row["layer"] for row in table} == {0, 1}
    sums: dict[tuple, float] = {}
    for row in table:
        place = row["chunk"], row["step"], row["branch"], row["layer"], row["frame"]
        sums[place] = sums.get(place, 0.0) + row["mass"]
    assert len(sums) == 2 * 3 * 2 * 9
    np.testing.assert_allclose(list(sums.values()), 1, rtol=1e-5)
    assert (folder / "by_frame.svg").read_text().startswith("<?xml")
    assert (folder / "by_layer.png").read_bytes().startswith(b"\x89PNG")
    kept = generated(run, cases, tmp_path / "probed", probe="attention")
    assert kept.count("kept") == 1
    refused = generated(run, cases, tmp_path / "plain", probe="attention")
    assert "was made without --probe" in refused.failures[0]


def test_a_longer_video_is_made_in_chunks(run: Path, tmp_path: Path) -> None:
    """9 latents, then 6 new ones each: 17 take three chunks, whose first frames are those of the short video."""
    cases = cases_in(tmp_path, count=1)
    generated(run, cases, tmp_path / "short")
    generated(run, cases, tmp_path / "long", settings=(*STEPS, "video.frames=17"), probe="attention")
    short, long = (frames_of(tmp_path / name / "square_1.mp4") for name in ("short", "long"))
    assert long.shape == (17, 32, 32, 3)
    assert np.abs(short.astype(int) - long[:9]).mean() < 3, "but for the encoder"
    table = pq.read_table(tmp_path / "long" / "square_1.attention" / "attention.parquet").to_pylist()
    frames = {chunk: sorted({row["frame"] for row in table if row["chunk"] == chunk}) for chunk in range(3)}
    assert frames == {0: list(range(9)), 1: list(range(9, 15)), 2: [15, 16]}
    assert {row["segment"] for row in table if row["chunk"] == 1} == {"reference 0", "prefix", OWN}
    assert (tmp_path / "long" / "square_1.attention" / "by_chunk.svg").exists()


def test_a_case_may_say_how_long_its_video_is(run: Path, tmp_path: Path) -> None:
    """1.2 s at 12 a second are 14.4 frames, so 17."""
    (case,) = cases_in(tmp_path, count=1, duration_s=1.2)
    generated(run, (case,), tmp_path / "out")
    assert len(frames_of(tmp_path / "out" / "square_1.mp4")) == 17
    assert json.loads((tmp_path / "out" / "square_1.json").read_text())["video"]["frames"] == 17
    generated(run, (replace(case, name="square_2"),), tmp_path / "out", settings=(*STEPS, "video.frames=5"))
    assert len(frames_of(tmp_path / "out" / "square_2.mp4")) == 5


def test_a_run_without_prefixes_makes_no_chunks(tmp_path: Path) -> None:
    trained(made_export(tmp_path), tmp_path / "run", "run.steps=1")
    cases = cases_in(tmp_path, count=1)
    done = generated(tmp_path / "run", cases, tmp_path / "a", settings=(*STEPS, "video.frames=17"))
    assert "has not learned to go on" in done.failures[0]
    whole = (*STEPS, "video.frames=17", "video.chunk_frames=17")
    assert generated(tmp_path / "run", cases, tmp_path / "b", settings=whole).failures == ()
    with pytest.raises(SettingsError, match=r"video.chunk_frames is 10; write 1 \+ 4 n"):
        generated(tmp_path / "run", cases, tmp_path / "c", settings=(*STEPS, "video.chunk_frames=10"))


def test_evaluation_reads_what_was_generated(run: Path, tmp_path: Path) -> None:
    cases = cases_in(tmp_path, count=1)
    generated(run, cases, tmp_path / "out", name="squares")
    found = find_generations(tmp_path / "out", "squares", cases)
    told = GenerationSettings.of_text(found.generations[0].settings)
    assert (told.width, told.height, told.frames, told.fps) == (32, 32, 9, 12.0)
    assert (told.steps, told.sampler, told.seed, told.told_by) == (2, "unipc", 42, "generate")
    assert told.guidance == "reference 5 + text 7.5"
    assert told.model.startswith("tiny (")
    assert told.gpu_hours == 0.0
    assert told.watermark == "none"
    assert told.made_by.startswith("subject-studio ")
    assert found.remarks == ()
    assert "name squares, not other" in find_generations(tmp_path / "out", "other", cases).remarks[0]


def _ticket():
    import threading

    from backend.jobs.board import JobTicket

    return JobTicket(lambda *_: None, threading.Event())
