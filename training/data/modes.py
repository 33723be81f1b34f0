"""Which pictures a clip is shown with: the switch between in-pair and cross-pair data.

`in_pair` takes references from the clip itself, `augmented` variants of these; `cross_pair` takes them from elsewhere,
`face_cross_pair` their faces alone (Phantom-Data, section 5.2, compares these four); `generated` takes pictures that a model made
(OpenS2V-Nexus, section 4). `anchors` takes no references but the anchors of the clip's long shot, as `training.anchors` draws
them (Gloria, section 4.1). `text` shows the caption alone, as bases learn. Several modes together give a clip an example in each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from backend.domain import SettingsError
from backend.exports.manifest import artifact_path
from backend.settings import nearest
from training.anchors import Candidate
from training.data.latents import Encoded
from training.data.listing import ClipSample, Reference, clip_samples

CROSS = ("cross_frame", "cross_video")
ANCHORS = "anchors"
TEXT = "text"

MODES: Mapping[str, Callable[[ClipSample, Reference], bool]] = {
    "in_pair": lambda sample, found: sample.kind == "in_pair" and found.pair_kind == "in_pair",
    "augmented": lambda sample, found: sample.kind == "in_pair" and found.pair_kind == "in_pair",
    "cross_pair": lambda sample, found: sample.kind == "cross_pair" and found.pair_kind in CROSS,
    "face_cross_pair": lambda sample, found: sample.kind == "cross_pair" and found.pair_kind in CROSS and found.is_person,
    "generated": lambda sample, found: sample.kind == "cross_pair" and found.pair_kind == "generated",
    ANCHORS: lambda sample, found: False,
    TEXT: lambda sample, found: False,
}
"""Whether a mode takes a reference of a sample."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A reference as it can be shown: the tensors that it may be drawn from, and the latent's height and width."""

    subject_id: str
    """Or the anchor's id."""
    target: str
    variants: tuple[str, ...]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Example:
    """A clip with the pictures that one mode gives it. `size`: T, H, W of its latents."""

    clip_id: str
    mode: str
    size: tuple[int, int, int]
    pictures: tuple[Picture, ...]
    has_audio: bool
    candidates: tuple[Candidate, ...] = ()
    """Of mode `anchors`: what each of the pictures is, and ..."""
    clip_s: tuple[float, float] = (0.0, 0.0)
    """... when the clip begins and ends among them."""

    @property
    def name(self) -> str:
        return f"{self.clip_id}:{self.mode}"


def examples_of(
    encoded: Encoded, modes: Sequence[str], *, split: str | None = None, num_frames: Sequence[int] = ()
) -> list[Example]:
    """All examples of an export in these modes, by name, those alone whose latents are there.

    `num_frames`: latent frames of the buckets wanted; all without. Raises SettingsError for an unknown mode, or where nothing
    is left, saying what there is.
    """
    for mode in modes:
        if mode not in MODES:
            raise SettingsError(f"data.modes names {mode!r}, which is no mode{nearest(mode, MODES)}")
    samples = clip_samples(encoded.reader, split=split)
    found = [example for mode in modes for sample in samples for example in _example(encoded, sample, mode)]
    found = [example for example in found if not num_frames or example.size[0] in num_frames]
    if not found:
        kinds = sorted({f"{sample.kind} of {found.pair_kind}" for sample in samples for found in sample.references})
        told = f" ({'; '.join(encoded.remarks[:2])})" if encoded.remarks else ""
        raise SettingsError(
            f"no sample of {encoded.reader.folder}{f', split {split!r},' if split else ''} can be trained on in mode "
            f"{', '.join(modes)}; it has {len(samples)} samples with references {', '.join(kinds) or 'of no kind'}{told}: "
            "choose another data.modes, or smaller latents.clips.frames"
        )
    return sorted({example.name: example for example in found}.values(), key=lambda example: example.name)


def _example(encoded: Encoded, sample: ClipSample, mode: str) -> list[Example]:
    clip = encoded.cache.find(encoded.keys.clips, sample.clip_id)
    text = encoded.cache.find(encoded.keys.texts, sample.clip_id)
    if clip is None or text is None:
        return []
    frames, rows, columns = clip.shapes["video"][1:]
    size, has_audio = (frames, rows, columns), "audio" in clip.shapes
    if mode == ANCHORS:
        there = [(each.candidate, _picture(encoded, each.candidate.id, each.picture, mode)) for each in sample.anchors]
        known = [(candidate, found[0]) for candidate, found in there if found]
        if not known:
            return []
        candidates, pictures = zip(*known, strict=True)
        return [Example(sample.clip_id, mode, size, pictures, has_audio, candidates, sample.clip_s)]
    if mode == TEXT:
        return [Example(sample.clip_id, mode, size, (), has_audio)]
    takes = MODES[mode]
    references = [found for found in sample.references if takes(sample, found)]
    pictures = {picture for found in references for picture in _picture(encoded, found.subject_id, found.picture, mode)}
    if not pictures:
        return []
    ordered = tuple(sorted(pictures, key=lambda picture: (picture.subject_id, picture.target)))
    return [Example(sample.clip_id, mode, size, ordered, has_audio)]


def _picture(encoded: Encoded, of: str, artifact: str, mode: str) -> list[Picture]:
    """The picture as this mode shows it; none where it was not encoded or has no such variant."""
    target = artifact_path(artifact)
    entry = encoded.cache.find(encoded.keys.pictures, target)
    wanted = {"augmented": "augmented.", "face_cross_pair": "face"}.get(mode, "plain")
    if entry is None:
        return []
    variants = tuple(sorted(name for name in entry.shapes if name.startswith(wanted) and not name.endswith(".mask")))
    if not variants:
        return []
    return [Picture(of, target, variants, (entry.shapes[variants[0]][2], entry.shapes[variants[0]][3]))]
