"""Readers of what others wrote, fuzzed: every input is read or refused in a sentence."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzzing.targets import TARGETS, check
from tests.promises import ROOT, Tally

pytest.importorskip("atheris", reason="fuzzing needs atheris, which there is for Linux")

SHORT = ("-runs=1500", "-seed=1")
LONG = ("-runs=100000000", "-max_total_time=60")


def hunt(folder: Path, names: str, *options: str) -> tuple[dict[str, int], str]:
    """Exit codes by target, 0 where nothing was found, and all that was printed."""
    command = [sys.executable, "-m", "tests.fuzzing.hunt", str(folder), names, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=3600, check=False)
    told = re.findall(r"^(\w+) (-?\d+)$", done.stdout, re.MULTILINE)  # libFuzzer prints there, too
    return {name: int(code) for name, code in told}, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.promise(
    "what others wrote is read, or refused in a sentence, whatever its bytes are",
    area="Fuzzing",
    goal="0 unhandled errors in 60 s of each reader",
    control="tests/fuzzing/test_fuzzing.py::test_a_planted_fault_is_found",
)
def test_no_reader_fails_in_another_way_than_it_says(tmp_path: Path, long: bool, tally: Tally) -> None:
    codes, said = hunt(tmp_path, ",".join(TARGETS), *(LONG if long else SHORT))
    failed = {name: said[-4000:] for name in TARGETS if codes.get(name) != 0}
    tally.record(len(TARGETS), lost=len(failed), note=f"{sum(runs_of(said)):,} inputs")
    assert failed == {}


@pytest.mark.thorough
@pytest.mark.slow
def test_a_planted_fault_is_found(tmp_path: Path) -> None:
    codes, _ = hunt(tmp_path, "planted", "-runs=400000", "-seed=1")
    assert codes == {"planted": 77}
    (found,) = (tmp_path / "planted").glob("crash-*")
    assert found.read_bytes()[:4] == b"[{}]"


def runs_of(said: str) -> list[int]:
    """How many inputs each target was given."""
    return [int(runs) for runs in re.findall(r"^Done (\d+) runs", said, re.MULTILINE)]


MOVIE = TARGETS["mp4_headers"].seeds[0]
FOUND = {  # by fuzzing, but for the track header; kept so that they stay refused
    "mp4_headers": MOVIE[:20] + b"\0\0\0\x10moov\0\0\0\1mdhd" + b"\xff" * 8,
    "scores": b'{"singleobj_1": 1' + b"0" * 400 + b"}",
    "totals": b'[{"system": "s", "aesthetics": 1' + b"0" * 400 + b"}]",
    "opens2v_metadata": b'{"v_1": {"metadata": {"path": "a", "fps": 24, "num_frames": 1' + b"0" * 400 + b"}}}",
    "cases": b'{"singleobj_1": {"img_paths": ["\\ud800"], "prompt": "a", "class_label": ["cup"]}}',
    "votes": b"j" + b"[" * 100_000,
    "calibration": b"[" * 100_000,
    "seals": b".\xff",
    "export_rows": b'{"format": "subject-studio-manifest", "format_version": 1, "about": {}, "num_pairs": 1, "num_videos": 1, '
    b'"num_pairs_by_split": {}}\0\n',
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_is_refused(name: str, tmp_path: Path) -> None:
    check(name, FOUND[name], tmp_path)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cases", b'{"singleobj_1": {"img_paths": ["\\u0000"], "prompt": "a", "class_label": ["cup"]}}'),
        ("votes", b'j{"case_id": "a", "systems": 1e308, "question": "q", "rater": "r", "choice": "left"}'),
        ("mp4_headers", MOVIE[:20] + b"\0\0\0\x66moov\0\0\0\x5etrak\0\0\0\x56tkhd\1" + bytes(85)),
    ],
    ids=["a zero in a path", "a number for a list", "a short track header"],
)
def test_these_are_refused_too(name: str, data: bytes, tmp_path: Path) -> None:
    check(name, data, tmp_path)


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in ("seals", "marks")])
def test_seeds_are_sound(name: str, tmp_path: Path) -> None:
    """A seed that is refused at once would leave most of its reader untried."""
    for seed in TARGETS[name].seeds:
        TARGETS[name].read(seed, _emptied(tmp_path))


def _emptied(folder: Path) -> Path:
    fresh = folder / str(len(list(folder.iterdir())))
    fresh.mkdir()
    return fresh
