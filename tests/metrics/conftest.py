"""Small videos and cases for metric tests."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from backend.domain import Case, Generation
from backend.media.writer import write_video
from metrics.spec import Entry

MakeEntry = Callable[..., Entry]


@pytest.fixture
def entry_of(tmp_path: Path) -> MakeEntry:
    """Makes an entry of frames uint8 `(T, H, W, 3)` (written nearly without loss) or of a file."""

    def make(frames: Iterable[np.ndarray] | Path, *, name: str = "singleobj_1", fps: float = 25.0, **case: object) -> Entry:
        path = frames if isinstance(frames, Path) else tmp_path / f"{name}.mp4"
        if not isinstance(frames, Path):
            write_video(path, frames, fps=fps, crf=1)
        fields = {"prompt": "a thing moves", **case}
        task = Case(benchmark="test", name=name, **fields)  # pyright: ignore[reportArgumentType]
        content = hashlib.blake2b(path.read_bytes()).hexdigest()
        made = Generation(
            case_id=task.id, system="s", seed=0, path=str(path), content_hash=content, num_bytes=path.stat().st_size
        )
        return Entry(task, made)

    return make
