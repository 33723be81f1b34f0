"""Whether lips follow the sound: Sync-C and Sync-D of the generated video's own sound."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

import cv2
import numpy as np

from backend.domain import Absent
from backend.domain.roles_faces import FaceRecognizer, SyncScorer
from backend.measures.lips import SAMPLES_PER_FRAME, SOUND_HZ, crop, judged
from backend.media.guard import guarded_sound
from metrics.framing import FramePlan
from metrics.spec import (
    Arrays,
    Collector,
    Entry,
    Feature,
    FileFeature,
    Found,
    Measured,
    Metric,
    Roles,
    VideoFacts,
    VideoFeature,
)
from metrics.speech_tracks import REACH, AtRate, Follower, Following, Track, centre_at


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSound(FileFeature):
    """The video's sound, int16 `(m,)` mono at 16 kHz; its first sample is heard with the first frame."""

    name: ClassVar[str] = "own_sound"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"

    def read(self, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> Found:
        sound = guarded_sound(entry.generation.path, SOUND_HZ)
        if isinstance(sound, Absent):
            return Absent(f"not applicable: {sound.reason}")
        if sound.is_silent:
            return Absent("not applicable: the video's sound is silent")
        return {"samples": sound.to_int16()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncDistances(VideoFeature):
    """Distances of lips and sound for each window of each face that can be followed.

    Arrays: `distance` float32 `(n, 31)`, column k with the sound `k - 15` frames later; `track` and `frame` int64 `(n,)`;
    `seen` float64 `()`, the share of frames on which a face is followed.
    """

    name: ClassVar[str] = "sync_distances"
    version: ClassVar[int] = 2
    of: ClassVar[str] = "video"

    following: Following = field(default_factory=Following)
    jpeg_quality: int | None = None
    max_faces: int = 8  # of a frame, as `FrameFaces`
    frames: FramePlan = field(default_factory=AtRate)

    @property
    def roles(self) -> tuple[str, ...]:
        return ("FaceRecognizer", "SyncScorer")

    @property
    def inputs(self) -> dict[str, Feature]:
        return {"sound": OwnSound()}

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> Collector:
        sound = given["sound"]
        if isinstance(sound, Absent):
            return _Unheard(sound)
        indices = self.frames.indices(facts.num_frames, facts.fps)
        if len(indices) <= self.following.min_frames:
            lasts, least = f"the video has {len(indices)} frames at 25 fps", self.following.min_frames
            return _Unheard(Absent(f"too short: {lasts}; more than {least} are needed"))
        return _CropCollector(self, indices, sound["samples"], roles)


class _Unheard:
    def __init__(self, reason: Absent) -> None:
        self._reason = reason

    def add(self, index: int, frame: np.ndarray) -> None:
        """Nothing is looked for."""

    def finish(self) -> Found:
        return self._reason


class _CropCollector:
    """Follows faces and cuts them out in one pass: frames are held until the median of the places around them is known."""

    def __init__(self, feature: SyncDistances, indices: list[int], samples: np.ndarray, roles: Roles) -> None:
        self._feature, self._indices, self._samples, self._roles = feature, indices, samples, roles
        self._recognizer = cast(FaceRecognizer, roles("FaceRecognizer"))
        self._follower = Follower(feature.following)
        self._crops: dict[Track, list[np.ndarray]] = {}
        self._held: dict[int, np.ndarray] = {}
        self._places: dict[int, list[int]] = defaultdict(list)
        for place, index in enumerate(indices):
            self._places[index].append(place)
        self._has_seen = False

    def add(self, index: int, frame: np.ndarray) -> None:
        faces = self._recognizer.recognize(frame)[: self._feature.max_faces]
        self._has_seen = self._has_seen or bool(faces)
        for place in self._places[index]:
            self._held[place] = frame
            self._follower.see(place, [np.asarray(face.box, np.float32) for face in faces])
            self._cut()

    def finish(self) -> Found:
        self._follower.end()
        self._cut()
        following = self._feature.following
        if not self._has_seen:
            return Absent("no detection: no face on any frame")
        if not self._follower.tracks:
            limits = f"more than {following.min_frames} frames at 25 fps and {following.min_size_px:g} px"
            return Absent(f"no detection: no face that can be followed for {limits}")
        scorer = cast(SyncScorer, self._roles("SyncScorer"))
        found: dict[str, list[np.ndarray]] = {"distance": [], "track": [], "frame": []}
        followed = np.zeros(len(self._indices), bool)
        for number, track in enumerate(self._follower.tracks):
            start, stop = track.start, track.last + 1
            followed[start:stop] = True
            sound = self._samples[start * SAMPLES_PER_FRAME : stop * SAMPLES_PER_FRAME]
            distance = scorer.distances(np.stack(self._crops[track]), sound)
            if isinstance(distance, Absent):
                continue
            found["distance"].append(distance)
            found["track"].append(np.full(len(distance), number))
            found["frame"].append(np.array(self._indices[start : start + len(distance)]))
        if not found["distance"]:
            return Absent("not applicable: the sound ends before any face can be judged")
        return {name: np.concatenate(parts) for name, parts in found.items()} | {"seen": np.array(followed.mean())}

    def _cut(self) -> None:
        """Cuts out what can be, and lets go of frames and crops that nothing waits for."""
        tracks = self._follower.tracks
        self._crops = {track: self._crops.get(track, []) for track in tracks}
        waiting = []
        for track, crops in self._crops.items():
            ready = len(track.boxes) - (0 if track.is_over else REACH)
            for number in range(len(crops), ready):
                picture = crop(self._held[track.start + number], centre_at(track, number))
                crops.append(self._passed(picture))
            if not track.is_over:
                waiting.append(track.start + len(crops))
        least = min(waiting, default=len(self._indices))
        self._held = {place: frame for place, frame in self._held.items() if place >= least}

    def _passed(self, picture: np.ndarray) -> np.ndarray:
        quality = self._feature.jpeg_quality
        if quality is None:
            return picture
        _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
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
