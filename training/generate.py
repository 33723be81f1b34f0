"""Videos of cases, each beside a settings file that says how it was made.

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

import numpy as np
import torch

from backend.domain import Case, ProjectError, SettingsError, StudioError, digest
from backend.jobs.board import JobTicket
from backend.media.writer import write_video
from backend.settings import parse_assignment
from training.config import with_settings
from training.energy import EnergyMeter
from training.systems import GenerateSettings, System, open_system

DEFAULT_SEED = 42  # OpenS2V-Nexus, section 5
WORKING = ".making"
SCHEMA = 1
CRF = 18  # near lossless, so that scores do not measure the encoder; our choice


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


def generate(ticket: JobTicket, **arguments: Any) -> str:
    """The job: one line saying what it did. Arguments as of `run_generate`."""
    return run_generate(ticket, **arguments).text


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
) -> GenerateSummary:
    """A video for each case (the first `limit`, where above 0) and seed, into `out`.

    Without seeds it is `ID.mp4`, from seed 42; else `ID_seedK.mp4`. Cases that cannot be done are told, the rest is done. Raises
    what `open_system` raises, and ProjectError where `out` cannot be written or another command writes to it.
    """
    if any(seed < 0 for seed in seeds) or len(set(seeds)) < len(seeds):
        raise SettingsError(f"--seeds {','.join(map(str, seeds))}; give different whole numbers from 0 on")
    settings = _settings(assignments)
    name = name or Path(system.partition(":")[2]).name or "system"
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1)
    chosen = cases[:limit] if limit > 0 else cases
    tasks = [(case, seed) for case in chosen for seed in (seeds or (DEFAULT_SEED,))]
    with _working_in(out) as working:
        maker = _Maker(
            system=open_system(system, settings, working=working),
            name=name,
            out=out,
            working=working,
            seeded=bool(seeds),
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
    meter: EnergyMeter
    gpu_hours: float = 0.0

    def video(self, case: Case, seed: int) -> MadeVideo:
        stem = f"{case.name}_seed{seed}" if self.seeded else case.name
        path = self.out / f"{stem}.mp4"
        asked = digest((_plain(self.system.about), case.content, seed))
        if path.exists():
            state, reason = _standing(path, asked)
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
        with self.meter.measuring(self.system.device) as energy:
            frames = self.system.make(case, seed)
        self.gpu_hours += energy.gpu_hours
        try:
            self._write(case, seed, frames, path, {"asked": asked, "cost": asdict(energy)})
        except OSError as error:
            raise ProjectError(
                f"{path} cannot be written: {error.strerror or error}; free some space and try again"
            ) from error

    def _write(self, case: Case, seed: int, frames: np.ndarray, path: Path, about: Mapping[str, Any]) -> None:
        made = self.working / path.name
        write_video(made, frames, fps=self.system.fps, crf=CRF, bitexact=True)
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
            **about,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "made_by": f"subject-studio {version('subject-studio')}",
        }
        settings = self.working / f"{path.stem}.json"
        settings.write_text(json.dumps(told, indent=2, ensure_ascii=False), encoding="utf-8")
        settings.replace(path.with_suffix(".json"))
        made.replace(path)


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
