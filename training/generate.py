"""Videos of cases, each signed and beside a settings file that says how it was made.

A finished video is never made again. What is under way lies in a hidden folder of the output folder and gets its name when it is
whole, after its settings file: where a video stands, its settings stand beside it.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch

from backend.domain import Case, ProjectError, SettingsError, StudioError, digest
from backend.jobs.board import JobTicket
from backend.settings import parse_assignment
from training.config import with_settings
from training.energy import EnergyMeter, hardware
from training.generate_settings import GenerateSettings
from training.marking import Marking, marking
from training.probe import Looked
from training.systems import System, open_system

DEFAULT_SEED = 42  # OpenS2V-Nexus, section 5
WORKING = ".making"
SCHEMA = 1
PROBES = ("attention",)
PROBE_FOLDER = ".attention"
"""After a video's name: where what its probe saw lies."""
MESSAGE_DIGITS = 8  # of 16 values each: the 32 bits of a watermark


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeVideo:
    """What became of one case and seed."""

    case: str
    seed: int
    file: str
    state: str
    """made, kept (it was there) or failed."""
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateSummary:
    """What `generate` did."""

    system: str
    out: str
    videos: tuple[MadeVideo, ...]
    stopped: bool
    gpu_hours: float
    energy_wh: float | None
    energy_by: str

    def count(self, state: str) -> int:
        return sum(video.state == state for video in self.videos)

    @property
    def failures(self) -> tuple[str, ...]:
        return tuple(video.reason for video in self.videos if video.state == "failed")

    @property
    def text(self) -> str:
        """One line for people."""
        energy = "" if self.energy_wh is None else f", {self.energy_wh:.3g} Wh ({self.energy_by})"
        return (
            f"{self.count('made')} videos made, {self.count('kept')} were there, {self.count('failed')} failed; "
            f"{self.gpu_hours:.3f} GPU hours{energy}: {self.out}"
        )


def run_generate(
    ticket: JobTicket,
    *,
    system: str,
    cases: Sequence[Case],
    out: Path,
    name: str = "",
    seeds: Sequence[int] = (),
    assignments: Sequence[str] = (),
    limit: int = 0,
    watermark: str = "none",
    watermark_key: Path | None = None,
    probe: str = "",
) -> GenerateSummary:
    """A video for each case (the first `limit`, where above 0) and seed, into `out`.

    Without seeds it is `ID.mp4`, from seed 42; else `ID_seedK.mp4`. Cases that cannot be done are told, the rest is done.
    `watermark`: none, visible or invisible. `probe`: empty, or `attention` for where tokens looked, in `ID.attention` beside each
    video. Raises what `open_system` and `marking` raise, and ProjectError where `out` cannot be written or another command writes to it.
    """
    if any(seed < 0 for seed in seeds) or len(set(seeds)) < len(seeds):
        raise SettingsError(f"--seeds {','.join(map(str, seeds))}; give different whole numbers from 0 on")
    if probe not in ("", *PROBES):
        raise SettingsError(f"--probe is {probe!r}; there is {', '.join(PROBES)}")
    settings = _settings(assignments)
    marks = marking(watermark, watermark_key)
    name = name or Path(system.partition(":")[2]).name or "system"
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1)
    chosen = cases[:limit] if limit > 0 else cases
    tasks = [(case, seed) for case in chosen for seed in (seeds or (DEFAULT_SEED,))]
    with _working_in(out) as working:
        opened = open_system(system, settings, working=working)
        if probe and not opened.can_be_probed:
            raise SettingsError(f"--probe {probe} looks into runs of our own; {system} is a pipeline of diffusers")
        marks.require_room(opened.about["video"]["width"], opened.about["video"]["height"])
        maker = _Maker(
            system=opened,
            name=name,
            out=out,
            working=working,
            seeded=bool(seeds),
            marks=marks,
            probe=probe,
            meter=EnergyMeter(settings.compute.watts),
        )
        videos = []
        for done, (case, seed) in enumerate(tasks):
            if ticket.cancelled.is_set():
                break
            ticket.report("generate", done, len(tasks))
            videos.append(maker.video(case, seed))
        ticket.report("generate", len(videos), len(tasks))
    return GenerateSummary(
        system=name,
        out=str(out),
        videos=tuple(videos),
        stopped=len(videos) < len(tasks),
        gpu_hours=maker.gpu_hours,
        energy_wh=maker.meter.total_wh,
        energy_by=maker.meter.source,
    )


@dataclass(slots=True, kw_only=True)
class _Maker:
    system: System
    name: str
    out: Path
    working: Path
    seeded: bool
    marks: Marking
    probe: str
    meter: EnergyMeter
    gpu_hours: float = 0.0

    def video(self, case: Case, seed: int) -> MadeVideo:
        stem = f"{case.name}_seed{seed}" if self.seeded else case.name
        path = self.out / f"{stem}.mp4"
        asked = digest((_plain({**self.system.about, **self.marks.about}), case.content, seed))
        if path.exists():
            state, reason = _standing(path, asked)
            if state == "kept" and self.probe and not path.with_suffix(PROBE_FOLDER).exists():
                reason = f"{path.name} was made without --probe; name another folder with --out to make it again and look where it looks"
                state = "failed"
            return MadeVideo(case=case.name, seed=seed, file=path.name, state=state, reason=reason)
        started = time.perf_counter()
        reason = self.system.lacks(case)
        if not reason:
            try:
                self._make(case, seed, path, asked)
            except (StudioError, RuntimeError, ValueError) as error:
                reason = f"case {case.name} failed: {_line(error)}"
        return MadeVideo(
            case=case.name,
            seed=seed,
            file=path.name,
            state="failed" if reason else "made",
            reason=reason,
            seconds=round(time.perf_counter() - started, 3),
        )

    def _make(self, case: Case, seed: int, path: Path, asked: str) -> None:
        looked: list[Looked] | None = [] if self.probe else None
        with self.meter.measuring(self.system.device) as energy:
            frames = self.system.make(case, seed, looked)
        self.gpu_hours += energy.gpu_hours
        told = {
            "schema": SCHEMA,
            "system": self.name,
            "case": case.name,
            "benchmark": case.benchmark,
            "prompt": case.prompt,
            "references": [
                {"file": Path(file).name, "hash": found, "label": label}
                for file, found, label in zip(case.references, case.hashes, case.labels, strict=True)
            ],
            "seed": seed,
            **self.system.about,
            "video": {**self.system.about["video"], "frames": len(frames)},
            "asked": asked,
            "cost": asdict(energy),
            "hardware": hardware(self.system.device),
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "made_by": f"subject-studio {version('subject-studio')}",
        }
        try:
            message = int(asked[:MESSAGE_DIGITS], 16)
            self.marks.write(frames, self.working, path.stem, fps=self.system.fps, told=told, message=message)
            if looked is not None:
                self._write_probe(looked, path)
            (self.working / f"{path.stem}.json").replace(path.with_suffix(".json"))
            (self.working / path.name).replace(path)
        except OSError as error:
            raise ProjectError(
                f"{path} cannot be written: {error.strerror or error}; free some space and try again"
            ) from error

    def _write_probe(self, looked: Sequence[Looked], path: Path) -> None:
        from training.probe_report import write_probe

        made, place = self.working / f"{path.stem}{PROBE_FOLDER}", path.with_suffix(PROBE_FOLDER)
        write_probe(made, looked)
        shutil.rmtree(place, ignore_errors=True)  # of a command that was killed before the video had its name
        made.replace(place)


def _settings(assignments: Sequence[str]) -> GenerateSettings:
    values = dict(parse_assignment(text) for text in assignments)
    return cast(Any, with_settings)(GenerateSettings(), values)


def _standing(path: Path, asked: str) -> tuple[str, str]:
    """Whether a video that is there is the one that is asked for."""
    beside = path.with_suffix(".json")
    try:
        before = json.loads(beside.read_text("utf-8"))
    except (OSError, ValueError):
        return "failed", f"{path} is there without its settings; move it away, or name another folder with --out"
    if not isinstance(before, dict) or before.get("asked") != asked:
        return "failed", f"{path} was made with other settings ({beside.name} says which); name another folder with --out"
    return "kept", ""


@contextmanager
def _working_in(out: Path) -> Iterator[Path]:
    """A folder for what is under way, gone at the end; what a killed command left in it goes first."""
    working = out / WORKING
    try:
        working.mkdir(parents=True, exist_ok=True)
        lock = (working / "lock").open("w")
    except OSError as error:
        raise ProjectError(f"{out} cannot be written: {error.strerror}; name another folder with --out") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ProjectError(f"another command generates into {out}; wait for it, or name another folder") from error
        for left in working.iterdir():
            if left.name != "lock":
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield working
        finally:
            shutil.rmtree(working, ignore_errors=True)


def _plain(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
