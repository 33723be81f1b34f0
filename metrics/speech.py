"""Whether lips follow the sound: Sync-C and Sync-D of the generated video's own sound."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

import cv2
import numpy as np

from backend.domain import Absent
from backend.domain.roles_faces import SyncScorer
from backend.media.audio import read_audio
from backend.media.index import build_index
from metrics.framing import FramePlan
from metrics.identity_faces import FrameFaces
from metrics.spec import Arrays, Entry, Feature, FileFeature, Found, Measured, Metric, Roles, VideoFacts, VideoFeature
from metrics.speech_tracks import AtRate, Following, crop, smoothed

SOUND_HZ = 16_000
SAMPLES_PER_FRAME = 640
MAX_SHIFT = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSound(FileFeature):
    """The video's sound, int16 `(m,)` mono at 16 kHz; its first sample is heard with the first frame."""

    name: ClassVar[str] = "own_sound"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"

    def read(self, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> Found:
        path = entry.generation.path
        sound = read_audio(path, SOUND_HZ)
        if isinstance(sound, Absent):
            return Absent(f"not applicable: {sound.reason}")
        if sound.is_silent:
            return Absent("not applicable: the video's sound is silent")
        samples = np.clip(np.round(sound.samples * 32768), -32768, 32767).astype(np.int16)
        late = round((sound.start_s - build_index(path).start_s) * SOUND_HZ)
        return {"samples": np.concatenate((np.zeros(max(0, late), np.int16), samples[max(0, -late) :]))}


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncDistances(VideoFeature):
    """Distances of lips and sound for each window of each face that can be followed.

    Arrays: `distance` float32 `(n, 31)`, column k with the sound `k - 15` frames later; `track` and `frame` int64 `(n,)`;
    `seen` float64 `()`, the share of frames on which a face is followed.
    """

    name: ClassVar[str] = "sync_distances"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"

    following: Following = field(default_factory=Following)
    jpeg_quality: int | None = None
    frames: FramePlan = field(default_factory=AtRate)

    @property
    def roles(self) -> tuple[str, ...]:
        return ("SyncScorer",)

    @property
    def inputs(self) -> dict[str, Feature]:
        return {"faces": FrameFaces(frames=self.frames), "sound": OwnSound()}

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_CropCollector":
        for found in given.values():
            if isinstance(found, Absent):
                return _CropCollector.of_nothing(found)
        faces, sound = cast(Arrays, given["faces"]), cast(Arrays, given["sound"])
        indices = self.frames.indices(facts.num_frames, facts.fps)
        if len(indices) <= self.following.min_frames:
            lasts, least = f"the video has {len(indices)} frames at 25 fps", self.following.min_frames
            return _CropCollector.of_nothing(Absent(f"not applicable: {lasts}; more than {least} are needed"))
        if not faces["num"].any():
            return _CropCollector.of_nothing(Absent("no detection: no face on any frame"))
        tracks = self.following.tracks([box[:num] for box, num in zip(faces["box"], faces["num"], strict=True)])
        if not tracks:
            limits = f"more than {self.following.min_frames} frames at 25 fps and {self.following.min_size_px:g} px"
            return _CropCollector.of_nothing(Absent(f"no detection: no face that can be followed for {limits}"))
        scorer = cast(SyncScorer, roles("SyncScorer"))
        return _CropCollector(tracks, indices, sound["samples"], scorer, self.jpeg_quality)


class _CropCollector:
    def __init__(
        self,
        tracks: list[tuple[int, np.ndarray]],
        indices: list[int],
        samples: np.ndarray,
        scorer: SyncScorer | None,
        jpeg_quality: int | None,
    ) -> None:
        self._starts = [start for start, _ in tracks]
        self._centres = [smoothed(track) for _, track in tracks]
        self._crops: list[list[np.ndarray]] = [[] for _ in tracks]
        self._indices, self._samples, self._scorer, self._jpeg_quality = indices, samples, scorer, jpeg_quality
        self._places: dict[int, list[int]] = defaultdict(list)
        for place, index in enumerate(indices):
            self._places[index].append(place)
        self.reason: Absent | None = None

    @classmethod
    def of_nothing(cls, reason: Absent) -> "_CropCollector":
        found = cls([], [], np.empty(0, np.int16), None, None)
        found.reason = reason
        return found

    def add(self, index: int, frame: np.ndarray) -> None:
        for place in self._places[index]:
            for start, centres, crops in zip(self._starts, self._centres, self._crops, strict=True):
                if start <= place < start + len(centres):
                    crops.append(self._passed(crop(frame, centres[place - start])))

    def finish(self) -> Found:
        if self.reason is not None:
            return self.reason
        assert self._scorer is not None, "there are tracks, so there is a scorer"
        found: dict[str, list[np.ndarray]] = {"distance": [], "track": [], "frame": []}
        for number, (start, crops) in enumerate(zip(self._starts, self._crops, strict=True)):
            stop = start + len(crops)
            sound = self._samples[start * SAMPLES_PER_FRAME : stop * SAMPLES_PER_FRAME]
            distance = self._scorer.distances(np.stack(crops), sound)
            if isinstance(distance, Absent):
                continue
            found["distance"].append(distance)
            found["track"].append(np.full(len(distance), number))
            found["frame"].append(np.array(self._indices[start : start + len(distance)]))
        if not found["distance"]:
            return Absent("not applicable: the sound ends before any face can be judged")
        followed = np.zeros(len(self._indices), bool)
        for start, crops in zip(self._starts, self._crops, strict=True):
            followed[start : start + len(crops)] = True
        return {name: np.concatenate(parts) for name, parts in found.items()} | {"seen": np.array(followed.mean())}

    def _passed(self, picture: np.ndarray) -> np.ndarray:
        if self._jpeg_quality is None:
            return picture
        _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self._jpeg_quality])
        return cv2.cvtColor(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncConfidence(Metric):
    """How much nearer lips and sound lie at their best shift than at the middling one; mean over the faces followed.

    The faces come from the bound recogniser where upstream takes S3FD, the crops from memory where upstream writes them
    through mpeg4, JPEG, XVID and JPEG; `jpeg_quality` sends them through JPEG once. Cuts are not looked for: a face that
    jumps ends its track.
    """

    id: ClassVar[str] = "sync_c"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Sync-C (SyncNet confidence)"
    source: ClassVar[str] = "syncnet_python, SyncNetInstance.py; Gloria, section 5.1"
    range: ClassVar[tuple[float | None, float | None]] = (0.0, None)
    of_track: ClassVar[str] = "confidence"

    following: Following = field(default_factory=Following)
    jpeg_quality: int | None = None

    @property
    def features(self) -> dict[str, Feature]:
        return {"sync": SyncDistances(following=self.following, jpeg_quality=self.jpeg_quality)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        sync = given["sync"]
        tracks = [judged(sync["distance"][sync["track"] == number]) for number in np.unique(sync["track"])]
        values = np.array([getattr(track, self.of_track) for track in tracks])
        return Measured(
            value=float(values.mean()),
            num_units=len(sync["distance"]),
            coverage=float(sync["seen"]),
            per_frame={"frame": sync["frame"], "confidence": np.concatenate([track.of_windows for track in tracks])},
            evidence={
                "confidence_of_each": np.array([track.confidence for track in tracks]),
                "distance_of_each": np.array([track.distance for track in tracks]),
                "offset_of_each": np.array([track.offset for track in tracks]),
                "mean_distance_by_shift": np.stack([track.curve for track in tracks]),
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncDistance(SyncConfidence):
    """The distance of lips and sound at their best shift; mean over the faces followed. Choices as for `sync_c`."""

    id: ClassVar[str] = "sync_d"
    title: ClassVar[str] = "Sync-D (SyncNet distance)"
    higher_is_better: ClassVar[bool] = False
    of_track: ClassVar[str] = "distance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One face. `offset` is how many frames the sound runs ahead of the lips, negative where it is late; `curve` the mean
    distance `(31,)` by shift, `of_windows` the confidence `(n,)` of each window at the best shift."""

    confidence: float
    distance: float
    offset: int
    curve: np.ndarray
    of_windows: np.ndarray


def judged(distance: np.ndarray) -> Judged:
    """Sync-D, Sync-C and offset of distances `(n, 31)`, as syncnet_python's evaluate."""
    curve = distance.astype(np.float64).mean(axis=0)
    best, middling = int(curve.argmin()), float(np.median(curve))
    return Judged(
        confidence=middling - float(curve[best]),
        distance=float(curve[best]),
        offset=MAX_SHIFT - best,
        curve=curve,
        of_windows=middling - distance[:, best].astype(np.float64),
    )
