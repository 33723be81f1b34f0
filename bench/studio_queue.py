"""A project with 100,128 pairs, served by a process of its own: `python -m bench.studio_queue FOLDER [QUEUE]` until its input ends.

One stage plants everything: 28 clips of a real video with 16 subjects each, and every pair of the 448 subjects, or what
QUEUE says as JSON of `PlantQueue`. The rest is the product's own: catalog, queue, previews, journal, HTTP.
"""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, cast

import numpy as np

from backend.api import Api
from backend.domain import Appearance, Clip, Context, Item, Mask, Ok, Pair, Record, Resources, Result, Score, Subject, Video
from backend.engine.plan import Plan, Step
from backend.geometry.rle import encode
from backend.media.images import encode_png
from backend.media.writer import write_video
from backend.service import serving
from backend.stages.ingest import ProbeSource
from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated

CROP_PX, FPS = 240, 24
READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantQueue:
    """Every clip, subject and pair of the video at once, each pair with its place in the audit: so many clips of so many frames and pixels, so many subjects in each."""

    name: ClassVar[str] = "plant_queue"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Clip, Subject, Appearance, Mask, Pair, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()
    clips: int = 28
    frames: int = 24
    subjects: int = 16
    width: int = 640
    height: int = 360

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, tuple(_rows(item, context, self))) for item in items]


def _rows(video: Item, context: Context, queue: PlantQueue) -> Iterator[Record]:
    draw = np.random.default_rng(0)
    mask = np.zeros((queue.height, queue.width), bool)
    mask[60:300, 200:440] = True
    counts = encode(mask)
    seen: list[tuple[Subject, Appearance]] = []
    for number in range(queue.clips):
        start = number * queue.frames
        clip = Clip(
            video_id=video.id,
            start_frame=start,
            stop_frame=start + queue.frames,
            start_s=start / FPS,
            stop_s=(start + queue.frames) / FPS,
            opens_with="cut",
        )
        yield clip
        for track in range(queue.subjects):
            subject = Subject(
                clip_id=clip.id, track_id=f"track_{track}", phrase="a red mug", category="mug", is_living=False
            )
            box = (200.0, 60.0, 440.0, 300.0)
            appearance = Appearance(subject_id=subject.id, frame=start + track, box=box, confidence=0.8, origin="video")
            small = draw.integers(0, 256, (12, 12, 4), dtype=np.uint8)
            small[..., 3] = 255
            crop = np.kron(small, np.ones((CROP_PX // 12, CROP_PX // 12, 1), np.uint8))
            kept = context.artifacts.put(encode_png(crop), "png")
            yield subject
            yield appearance
            yield Mask(
                appearance_id=appearance.id,
                author="planted",
                height=queue.height,
                width=queue.width,
                counts=counts,
                crop=kept,
            )
            seen.append((subject, appearance))
    for (subject, target), (other, reference) in itertools.combinations(seen, 2):
        pair = Pair(
            target_subject_id=subject.id,
            target_appearance_id=target.id,
            reference_subject_id=other.id,
            reference_appearance_id=reference.id,
            kind="cross_frame",
        )
        yield pair
        similarity = float(draw.random())
        placed = {
            "similarity": similarity,
            "audit_stratum": float(int(similarity * 10)),
            "audit_draw": float(draw.random()),
        }
        for name, value in placed.items():
            yield Score(target=pair.id, name=name, value=value, producer="planted")


def _video(path: Path, queue: PlantQueue) -> Path:
    """A brighter square that moves over soft noise; one that is there stays."""
    if path.exists():
        return path
    rows = np.random.default_rng(1).integers(40, 120, (queue.height // 20, queue.width // 20, 3), dtype=np.uint8)
    ground = np.kron(rows, np.ones((20, 20, 1), np.uint8))

    def frames() -> Iterator[np.ndarray]:
        for number in range(queue.clips * queue.frames):
            frame = ground.copy()
            x = number * 3 % (queue.width - 120)
            frame[120:240, x : x + 120] = (220, 180, 40)
            yield frame

    write_video(path, frames(), fps=FPS, preset="ultrafast")
    return path


def plant(workspace: Workspace, queue: PlantQueue) -> None:
    """Gives a workspace the queue: its video is made beside the project."""
    root = workspace.layout.root
    workspace.plan = Plan(steps=(Step(ProbeSource()), Step(queue)))
    workspace.ingest(paths=(str(_video(root.with_suffix(".mp4"), queue)),), licence="CC0-1.0")
    curated(cast(Api, workspace))


def main() -> None:
    """Makes the project in the folder, unless it is there, and serves it."""
    said = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    workspace = Workspace(Path(sys.argv[1]), create=True)
    plant(workspace, PlantQueue(**said))
    with serving(cast(Api, workspace), workspace.layout.root):
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        sys.stdin.read()
    workspace.close()


@contextmanager
def served(project: Path, queue: PlantQueue) -> Iterator[Path]:
    """The project's folder while another process serves it."""
    with start(project, queue) as process:
        yield project
        process.communicate()


def start(project: Path, queue: PlantQueue) -> subprocess.Popen[str]:
    """A process that serves the project until its input is closed; it answers when this returns."""
    command = [sys.executable, "-m", "bench.studio_queue", str(project), json.dumps(asdict(queue))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == READY, "the service of the queue did not start"
    return process


if __name__ == "__main__":
    main()
