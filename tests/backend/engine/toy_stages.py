"""Small stages over made-up sources and videos, importable by spawned workers."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from backend.domain import Clip, Context, Failed, Filtered, Item, Ok, Region, Resources, Result, Score, Source, Video


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeVideo:
    """One video per source; its content is its name, so that `copy-of-X` has the content of `X`."""

    name: ClassVar[str] = "make_video"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Video,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        index = context.artifacts.put(b"toy", "index")
        return [self._one(item, index) for item in items]

    def _one(self, item: Item, index: str) -> Result:
        source = item.one(Source)
        if source.uri.endswith(".txt"):
            return Filtered(item.id, "not media: text")
        return Ok(item.id, (video(source.uri.removeprefix("copy-of-"), source_id=source.id, index=index),))


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitEvenly:
    """Cuts a video of 100 frames into clips of `frames`, scored by their length and position."""

    name: ClassVar[str] = "split_evenly"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Clip, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()
    frames: int = 25
    seconds: float = 0.0

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Result:
        time.sleep(self.seconds)
        rows = []
        for n, start in enumerate(range(0, 100, self.frames)):
            stop = start + self.frames
            clip = Clip(
                video_id=item.id, start_frame=start, stop_frame=stop, start_s=start / 25, stop_s=stop / 25, opens_with="cut"
            )
            value = None if start == 50 else float(n)
            rows += [
                clip,
                Score(target=clip.id, name="position", value=value, producer="toy", reason=None if value else "odd"),
            ]
        return Ok(item.id, tuple(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class CountClips:
    """Counts the clips of a video: a stage that gathers."""

    name: ClassVar[str] = "count_clips"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Clip, Score)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [
            Ok(
                item.id,
                (
                    Score(target=item.id, name="num_clips", value=float(len(item.all(Clip))), producer="toy"),
                    Score(target=item.id, name="num_scores", value=float(len(item.all(Score))), producer="toy"),
                ),
            )
            for item in items
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkClips:
    """Over clips: as many regions as the clip has whole quarters before it, and their number as a score."""

    name: ClassVar[str] = "mark_clips"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Region, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Result:
        num = item.one(Clip).start_frame // 25
        boxes = [(float(n), 0.0, n + 1.0, 1.0) for n in range(num)]
        rows = [Region(clip_id=item.id, kind="overlay", box=box, confidence=1.0) for box in boxes]
        return Ok(item.id, (*rows, Score(target=item.id, name="num_marks", value=float(num), producer="toy")))


@dataclass(frozen=True, slots=True, kw_only=True)
class SumMarks:
    """Over clips, gathering regions: the sum of their left edges."""

    name: ClassVar[str] = "sum_marks"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Region,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        sums = [(item.id, sum(region.box[0] for region in item.all(Region))) for item in items]
        return [Ok(id_, (Score(target=id_, name="sum_marks", value=value, producer="toy"),)) for id_, value in sums]


@dataclass(frozen=True, slots=True, kw_only=True)
class TellWorker:
    """Over clips: the process that works on it, some of them for longer."""

    name: str = "tell_worker"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        time.sleep(0.02 if items[0].one(Clip).start_frame < 50 else 0.05)
        pid = float(os.getpid())
        return [Ok(item.id, (Score(target=item.id, name=self.name, value=pid, producer="toy"),)) for item in items]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Over clips: what happens at the clip that starts at `at`: error, fail, filter, segfault, exit, hang or nothing."""

    name: ClassVar[str] = "trouble"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()
    what: str = "nothing"
    at: int = 50

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Result:
        if item.one(Clip).start_frame == self.at:
            match self.what:
                case "error":
                    raise RuntimeError("planted error")
                case "fail":
                    return Failed(item.id, "unreadable", "planted failure")
                case "filter":
                    return Filtered(item.id, "planted: does not apply")
                case "segfault":
                    os.write(2, b"about to die\n")
                    os.kill(os.getpid(), signal.SIGSEGV)
                case "exit":
                    os._exit(7)
                case "hang":
                    time.sleep(60)
        return Ok(item.id, (Score(target=item.id, name="fine", value=1.0, producer="toy"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moody:
    """Over clips: a score, which says at the clip that starts at 50 that it failed. What comes of another try is `then`:
    value, no value, fail or unavailable."""

    name: ClassVar[str] = "moody"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()
    then: str = "value"

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Result:
        score = Score(target=item.id, name="mood", value=1.0, producer="toy")
        match self.then if item.again else "no value" if item.one(Clip).start_frame == 50 else "value":
            case "value":
                return Ok(item.id, (score,))
            case "no value":
                return Ok(item.id, (replace(score, value=None, reason="failed: planted"),), ("failed: planted",))
        return Failed(item.id, self.then, "planted failure")


@dataclass(frozen=True, slots=True, kw_only=True)
class MoodyWithRegions(Moody):
    """The same, as a stage that makes more than scores."""

    makes: ClassVar[tuple[type, ...]] = (Region, Score)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulky:
    """Items and outcomes of about a megabyte: more than a pipe holds."""

    name: ClassVar[str] = "bulky"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()
    ballast: str = "x" * 1_000_000

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        made = [Score(target=item.id, name="big", value=1.0, producer="toy", reason=self.ballast) for item in items]
        return [Ok(item.id, (score,)) for item, score in zip(items, made, strict=True)]


def source(name: str) -> Source:
    return Source(uri=name, num_bytes=1, modified_ns=1)


def video(name: str, *, source_id: str, index: str) -> Video:
    return Video(
        content_hash=name,
        source_id=source_id,
        num_frames=100,
        fps=25.0,
        duration_s=4.0,
        width=64,
        height=48,
        rotation=0,
        codec="toy",
        has_audio=False,
        index=index,
    )
