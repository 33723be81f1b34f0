"""A world as two real exports (`train`, `test`), with what is true of their clips and pictures beside them.

Every take is a clip with an in-pair sample (a reference from its own last frame), a cross-pair sample (references from clips of
other videos, and one that a model might have drawn) and, where the world turns, anchors of its long shot.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from backend.domain import content_id
from backend.exports.manifest import ExportManifest, artifact_path
from backend.exports.rows import (
    ExportAbout,
    ExportAnchor,
    ExportPair,
    ExportReference,
    ExportRows,
    ExportSample,
    ExportSide,
    ExportVideo,
)
from backend.media.images import encode_png
from backend.media.writer import write_video
from backend.store.artifacts import Artifacts
from bench.experiments.scenes import CLIP_SIDE, FPS, FRAMES, SIDE, Scene, Studio, side_of
from bench.experiments.worlds import TAKES_OF_ONE, Take, World

VERSION = 1
"""Of what an export holds: another one is made anew."""
LOSSLESS = 1  # crf
TAKES_OF_A_VIDEO = 25
HUE_SHIFT = 8  # of 180: what a model that draws references gets wrong about colours; our choice
HEAD_SHARE = 0.48  # of a bust's height, from its top: hair, face and neck


@dataclass(frozen=True, slots=True)
class Truth:
    """The take of each clip, and the scene of each picture by its path in the export."""

    clips: dict[str, Take] = field(default_factory=dict)
    pictures: dict[str, Scene] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exported:
    """Two export folders, and the truth of the second."""

    train: Path
    test: Path
    truth: Truth


def exported(world: World, folder: Path) -> Exported:
    """The world's exports below `folder`, made where they are not there yet."""
    train = _part(world, "train", folder)
    test, truth = held_out(world, folder)
    return Exported(train / "export", test, truth)


def held_out(world: World, folder: Path) -> tuple[Path, Truth]:
    """The world's second export and its truth alone."""
    part = _part(world, "test", folder)
    return part / "export", TRUTH.validate_json((part / "truth.json").read_bytes())


def _part(world: World, name: str, folder: Path) -> Path:
    part = folder / f"{world.name}-{VERSION}" / name
    if not (part / "truth.json").exists():
        truth = _Writer(part, world).write(world.train if name == "train" else world.test)
        (part / "truth.json").write_bytes(TRUTH.dump_json(truth))
    return part


TRUTH = TypeAdapter(Truth)


class _Writer:
    """Writes one export, and remembers what is true of it."""

    def __init__(self, folder: Path, world: World) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._world = folder, world
        self._artifacts = Artifacts(folder / "artifacts", durable=False)
        self._studio, self._truth = Studio(), Truth()
        self._sides: dict[tuple[Scene, int, int], ExportSide] = {}
        self._told: dict[Scene, tuple[ExportAnchor, ...]] = {}

    def write(self, takes: Sequence[Take]) -> Truth:
        every = list(dict.fromkeys([*takes, *(Take(scene=r, shot=-1) for take in takes for r in take.references)]))
        shown = {take.scene: take for take in reversed(every)}
        self._clips = self._filmed(list(shown.values()))
        pairs: list[ExportPair] = []
        samples: list[ExportSample] = []
        for take in takes:
            own, crossed = self._in_pairs(take), self._cross_pairs(take)
            anchors = self._anchors(take, takes) if self._world.turns else ()
            pairs += own + crossed
            found = [self._sample("in_pair", take, own, anchors)]
            samples += [*found, self._sample("cross_pair", take, crossed, anchors)] if crossed else found
            self._truth.clips[found[0].clip_id] = take
        about = ExportAbout(project=self._world.name, version="0.1.0", recipe="full", profile="embedded")
        videos = {clip.video.video_id: clip.video for clip in self._clips.values()}
        ExportManifest().write(
            ExportRows(pairs=pairs, videos=videos.values(), about=about, samples=samples),
            out=self._folder / "export",
            artifacts=self._artifacts,
        )
        return self._truth

    def _filmed(self, takes: Sequence[Take]) -> dict[Scene, "_Clip"]:
        """Video files: a long shot each where the world turns, else many clips one after another, no two of an identity."""
        drawn = {take.scene: self._studio.clip(take.scene) for take in takes}
        files: dict[tuple[int, int], list[Scene]] = defaultdict(list)
        for take in takes:
            number = take.shot // TAKES_OF_ONE if take.shot >= 0 else take.scene.variant
            group = (take.shot, 0) if self._world.turns else (take.shot % TAKES_OF_ONE, number // TAKES_OF_A_VIDEO)
            files[group].append(take.scene)
        found = {}
        for group, scenes in files.items():
            path = self._folder / f"{group[0]}-{group[1]}.mp4"
            frames = np.concatenate([drawn[scene] for scene in scenes])
            write_video(path, frames, fps=FPS, crf=LOSSLESS, bitexact=True)
            video = _video(path, len(frames))
            for place, scene in enumerate(scenes):
                found[scene] = _Clip(video, place * FRAMES, scene.caption)
        return found

    def _in_pairs(self, take: Take) -> list[ExportPair]:
        last = FRAMES - 1
        return [
            _pair(
                "in_pair",
                self._side(take.scene, k, frame=0, shown=False),
                self._side(take.scene, k, frame=last),
                take.scene,
                k,
            )
            for k in range(len(take.scene.figures))
        ]

    def _cross_pairs(self, take: Take) -> list[ExportPair]:
        found = []
        for k, reference in enumerate(take.references):
            target = self._side(take.scene, k, frame=0, shown=False)
            found.append(_pair("cross_video", target, self._side(reference, 0, frame=FRAMES // 2), take.scene, k))
            if len(take.references) == 1:
                found.append(_pair("generated", target, self._drawn(take), take.scene, k))
        return found

    def _side(self, scene: Scene, number: int, *, frame: int, shown: bool = True) -> ExportSide:
        """A figure of a scene in one of its frames; `shown`: with its picture, whole, or cut out where the world says so."""
        key = (scene, number, frame)
        if key not in self._sides:
            clip = self._clips[scene]
            self._sides[key] = ExportSide(
                appearance_id=content_id("appearance", clip.video.video_id, clip.start_frame + frame, number),
                origin="video",
                source_uri=clip.video.uri,
                box=(0.0, 0.0, float(CLIP_SIDE), float(CLIP_SIDE)),
                subject_id=content_id("subject", clip.video.video_id, clip.start_frame, number),
                video_id=clip.video.video_id,
                video_hash=clip.video.content_hash,
                clip_id=clip.id,
                start_frame=clip.start_frame,
                stop_frame=clip.start_frame + FRAMES,
                start_s=clip.start_frame / FPS,
                stop_s=(clip.start_frame + FRAMES) / FPS,
                frame=clip.start_frame + frame,
                time_s=(clip.start_frame + frame) / FPS,
                crop=self._kept(self._rgba(scene, number, frame), scene) if shown else None,
                caption=clip.caption,
                caption_author="world",
            )
        return self._sides[key]

    def _rgba(self, scene: Scene, number: int, frame: int) -> np.ndarray:
        shot = self._studio.large(scene, frame)
        rgba = np.dstack([shot.picture, shot.masks[number].astype(np.uint8) * 255])
        return cut_out(rgba) if self._world.cut else rgba

    def _drawn(self, take: Take) -> ExportSide:
        """What a model might have drawn of the figure: on a plain ground, with colours slightly off."""
        figure = take.references[0].figures[0]
        picture = self._studio.drawn_alone(figure, hue_shift=HUE_SHIFT if figure.number % 2 else -HUE_SHIFT)
        rgba = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
        name = self._kept(rgba, take.references[0])
        box = (0.0, 0.0, float(SIDE), float(SIDE))
        return ExportSide(
            appearance_id=content_id("drawn", name), origin="generated", source_uri="drawn", box=box, crop=name
        )

    def _anchors(self, take: Take, takes: Sequence[Take]) -> tuple[ExportAnchor, ...]:
        """Of the long shot: a global one (a whole picture), the four sides, and the head with each expression."""
        others = [other.scene for other in takes if other.shot == take.shot]
        found = [replace(anchor, inside=scene == take.scene) for scene in others for anchor in self._anchors_of(scene)]
        return tuple(sorted(found, key=lambda anchor: (anchor.kind, anchor.label, anchor.crop)))

    def _anchors_of(self, scene: Scene) -> tuple[ExportAnchor, ...]:
        if scene not in self._told:
            clip, figure, frame = self._clips[scene], scene.figures[0], FRAMES // 2
            bust = self._rgba(scene, 0, frame)
            whole = np.dstack([self._studio.large(scene, frame).picture, np.full((SIDE, SIDE), 255, np.uint8)])
            pictures = {
                ("viewpoint", side_of(figure.azimuth_deg)): bust,
                ("expression", figure.expression): cut_out(bust[: round(HEAD_SHARE * len(bust))]),
                ("global", ""): whole,
            }
            self._told[scene] = tuple(
                ExportAnchor(
                    appearance_id=content_id("anchor", clip.id, kind),
                    kind=kind,
                    label=label,
                    inside=True,
                    frame=clip.start_frame + frame,
                    crop=self._kept(rgba, scene),
                    weight=1.0,
                )
                for (kind, label), rgba in pictures.items()
            )
        return self._told[scene]

    def _kept(self, rgba: np.ndarray, scene: Scene) -> str:
        name = self._artifacts.put(encode_png(np.ascontiguousarray(rgba)), "png")
        self._truth.pictures[artifact_path(name)] = scene
        return name

    def _sample(
        self, kind: str, take: Take, pairs: Sequence[ExportPair], anchors: tuple[ExportAnchor, ...]
    ) -> ExportSample:
        clip = self._clips[take.scene]
        references = [
            ExportReference(
                subject_id=pair.target.subject_id or "",
                appearance_id=pair.reference.appearance_id,
                pair_id=pair.pair_id,
            )
            for pair in pairs
        ]
        return ExportSample(
            sample_id=content_id("sample", clip.id, kind),
            kind=kind,
            clip_id=clip.id,
            video_id=clip.video.video_id,
            start_frame=clip.start_frame,
            stop_frame=clip.start_frame + FRAMES,
            caption=clip.caption,
            references=tuple(sorted(references, key=lambda reference: reference.subject_id)),
            anchors=anchors,
        )


@dataclass(frozen=True, slots=True)
class _Clip:
    """Where a scene lies."""

    video: ExportVideo
    start_frame: int
    caption: str

    @property
    def id(self) -> str:
        return content_id("clip", self.video.video_id, self.start_frame, self.start_frame + FRAMES)


def cut_out(rgba: np.ndarray) -> np.ndarray:
    """The part of a picture that its mask covers, `(H, W, 4)`."""
    rows, columns = np.flatnonzero(rgba[..., 3].any(axis=1)), np.flatnonzero(rgba[..., 3].any(axis=0))
    return rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _video(path: Path, num_frames: int) -> ExportVideo:
    content = hashlib.blake2b(path.read_bytes(), digest_size=32).hexdigest()
    return ExportVideo(
        video_id=content_id("video", content),
        content_hash=content,
        uri=str(path.resolve()),
        num_frames=num_frames,
        fps=FPS,
        duration_s=num_frames / FPS,
        width=CLIP_SIDE,
        height=CLIP_SIDE,
        source_id=f"source_{path.stem}",
    )


def _pair(kind: str, target: ExportSide, reference: ExportSide, scene: Scene, number: int) -> ExportPair:
    figure = scene.figures[number]
    return ExportPair(
        pair_id=content_id("pair", kind, target.appearance_id, reference.appearance_id),
        kind=kind,
        status="machine",
        verdict=None,
        num_votes=0,
        category=figure.kind,
        phrase=figure.kind,
        is_living=None,
        target=target,
        reference=reference,
    )
