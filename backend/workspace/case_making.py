"""A benchmark from a project: its clips' captions as prompts, its pairs or anchors as references.

OUT/cases.json                    upstream's fields, `caption_by`, the clip, what each reference shows, who approved it
OUT/Images/CATEGORY/LABEL/N_K.png the pictures of references
OUT/Sounds, OUT/Frames            sound and first frame, where a skeleton asks for them
OUT/skeleton.json                 with a skeleton: its source, how many cases it states and how many there are, what is lacking
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain import Case, MediaError, ProjectError, SettingsError
from backend.domain.case_sets import CasesMade
from backend.media.images import encode_png, read_image
from backend.settings import nearest
from backend.store.artifacts import Artifacts
from backend.store.whole_file import write_whole
from backend.workspace.case_approving import APPROVE, PERSON, REJECT, Word, edits, review, words
from backend.workspace.case_drafts import Draft, Wanted, drafts_of
from backend.workspace.case_media import box_png, frame_png, sound_wav
from backend.workspace.case_schedules import of_captions, of_expressions
from backend.workspace.case_skeletons import FROM_PAIRS, Part, Skeleton, plain, skeleton
from backend.workspace.snapshot import Snapshot

CASES, SKELETON = "cases.json", "skeleton.json"
SIDECAR = "sidecar"
COUNT = 60  # as OpenS2V-Eval's human domain
SOURCES = {"pairs": FROM_PAIRS, "anchors": Wanted(anchors=True, inside="beside")}
PLAIN = Skeleton(source="no paper", parts=())


@dataclass(frozen=True, slots=True)
class Prepared:
    """A draft with its files' bytes, and the case that they make, without a name yet."""

    draft: Draft
    case: Case
    pictures: tuple[bytes, ...]
    sound: bytes | None
    first_frame: bytes | None


@dataclass(slots=True)
class Maker:
    """Turns drafts into cases, remembering why some could not be."""

    artifacts: Artifacts
    model: Skeleton
    said: Mapping[str, Word]
    edited: Callable[[Case], Case]
    approved_only: bool
    told: Counter[str] = field(default_factory=Counter)
    unread: list[str] = field(default_factory=list)
    """Why a draft's files could not be read, one line each."""
    done: dict[Draft, Prepared] = field(default_factory=dict)

    def usable(self, draft: Draft) -> bool:
        """Whether the draft's files can be read and people's word admits it; then it is in `done`."""
        try:
            found = self._prepared(draft)
        except MediaError as error:
            self.unread.append(str(error))
            return False
        word = self.said.get(found.case.content)
        if word is not None and word.verdict == REJECT:
            self.told["cases that a person rejected are left out"] += 1
            return False
        if self.approved_only and word is None:
            self.told["cases that nobody has approved are left out"] += 1
            return False
        self.done[draft] = found
        return True

    def _prepared(self, draft: Draft) -> Prepared:
        footage, model = draft.footage, self.model
        pictures = tuple(self._picture(draft, place) for place in range(len(draft.references)))
        span = (0.0, footage.video_s) if model.audio == "video" else (footage.start_s, footage.stop_s)
        sound = sound_wav(footage.uri, self.artifacts.get(footage.index), *span) if model.audio else None
        first = pictures[0] if model.first_frame else None
        kinds = tuple(reference.kind for reference in draft.references)
        case = Case(
            benchmark="",
            name="",
            prompt=draft.prompt,
            hashes=tuple(_hash(picture) for picture in pictures),
            labels=tuple(reference.label for reference in draft.references),
            kinds=kinds if all(kinds) else ("",) * len(kinds),
            language=draft.language,
            audio_hash=_hash(sound) if sound else "",
            duration_s=span[1] - span[0] if model.audio else None,
            subjects=tuple(draft.subjects.index(reference.subject) + 1 for reference in draft.references),
            inside=tuple(reference.inside for reference in draft.references),
            first_frame_hash=_hash(first) if first else "",
            schedule=tuple(what for _, _, what in draft.schedule),
            schedule_s=tuple((start, stop) for start, stop, _ in draft.schedule),
            caption_by=draft.author,
        )
        return Prepared(draft, self.edited(case), pictures, sound, first)

    def _picture(self, draft: Draft, place: int) -> bytes:
        reference = draft.references[place]
        filmed = reference.place
        if filmed is None:
            return encode_png(read_image(self.artifacts.get(reference.crop)))
        index = self.artifacts.get(filmed.index)
        if self.model.whole_frames and reference.inside:
            return frame_png(filmed.uri, index, filmed.frame)
        # Cut from the frame: a stored crop is drawn along its mask, and what lies outside of that is arbitrary
        return box_png(filmed.uri, index, filmed.frame, filmed.box)


def make_cases(
    now: Snapshot,
    artifacts: Artifacts,
    out: Path,
    *,
    count: int | None = None,
    seed: int = 0,
    draw_from: str = "pairs",
    skeleton: str = "",
    approved_only: bool = False,
) -> CasesMade:
    """Writes a balanced set, and no file when there is no case. Deterministic per project, seed and what people said.

    Raises ProjectError when nothing of the project can become a case and no skeleton is asked for, SettingsError for an
    unknown name.
    """
    if draw_from not in SOURCES:
        raise SettingsError(f"cases cannot be drawn from {draw_from!r}{nearest(draw_from, SOURCES)}")
    model = _model(skeleton)
    drafts = drafts_of(now, model.wanted if skeleton else SOURCES[draw_from])
    if model.schedule == "captions":
        drafts = of_captions(drafts, now)
    if model.schedule == "expressions":
        drafts = of_expressions(drafts, now, artifacts)
    if not drafts and not skeleton:
        what = "anchor stands for a subject of" if draw_from == "anchors" else "accepted pair links"
        raise ProjectError(f"no {what} a captioned clip with another one; curate more or move the gates")
    parts = model.scaled(count) if skeleton else plain(drafts, count or COUNT)
    maker = Maker(artifacts, model, words(now), edits(now).applied, approved_only)
    most = sum(part.count for part in parts) if skeleton else count or COUNT
    chosen = balanced(drafts, parts, most, np.random.default_rng(seed), usable=maker.usable)
    try:
        _write(out, chosen, maker.done)
    except OSError as error:
        raise ProjectError(f"{out} cannot be written: {error.strerror}; check its owner and the space left") from error
    if chosen:
        review(now, out / CASES, None, write=True)
    lacking = model.lacking(parts, chosen) if skeleton else ()
    found = Counter(category for category, _ in chosen)
    wanted = {part.category: part.count for part in parts} if skeleton else {}
    if skeleton:
        told = {"skeleton": skeleton, "source": model.source, "wanted": wanted, "cases": dict(found), "lacking": lacking}
        write_whole(out / SKELETON, json.dumps(told, indent=4, ensure_ascii=False))
    return CasesMade(
        path=str(out / CASES),
        cases=len(chosen),
        categories=dict(sorted(found.items())),
        wanted=wanted,
        lacking=lacking,
        remarks=_remarks(maker, chosen, most, skeleton),
    )


def balanced(
    drafts: Sequence[Draft],
    parts: Sequence[Part],
    count: int,
    rng: np.random.Generator,
    *,
    usable: Callable[[Draft], bool] = lambda draft: True,
) -> list[tuple[str, Draft]]:
    """At most `count` drafts with their part's category, by turns from the part that is least full.

    Each clip, prompt and subject is used once; `usable` is asked of a draft before it is taken.
    """
    order = [drafts[k] for k in rng.permutation(len(drafts))]
    free = [(draft, part) for draft in order for part in parts if part.fits(draft)]
    filled: Counter[str] = Counter()
    taken: set[str] = set()
    refused: set[Draft] = set()
    chosen: list[tuple[str, Draft]] = []
    while len(chosen) < count:
        free = [(d, p) for d, p in free if filled[p.category] < p.count and d not in refused and not taken & d.claims]
        if not free:
            break
        # Of equally full parts, the one that is hardest to fill goes first
        supply = Counter(part.category for _, part in free)
        keys = {p.category: (filled[p.category] / p.count, supply[p.category], p.category) for _, p in free}
        draft, part = min(free, key=lambda one: keys[one[1].category])
        if not usable(draft):
            refused.add(draft)
            continue
        chosen.append((part.category, draft))
        filled[part.category] += 1
        taken |= draft.claims
    return sorted(chosen, key=lambda one: (one[0], one[1].footage.clip))


def _model(name: str) -> Skeleton:
    return skeleton(name) if name else PLAIN


def _write(out: Path, chosen: Sequence[tuple[str, Draft]], done: Mapping[Draft, Prepared]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    numbers: Counter[str] = Counter()
    cases = {}
    for category, draft in chosen:
        numbers[category] += 1
        number = numbers[category]
        cases[f"{category}_{number}"] = _fields(out, category, number, done[draft])
    if cases:
        write_whole(out / CASES, json.dumps(cases, indent=4, ensure_ascii=False))


def _fields(out: Path, category: str, number: int, made: Prepared) -> dict[str, Any]:
    """A case's fields in the file, after its pictures and its sound were written."""
    case, draft = made.case, made.draft
    images = [
        _put(out, f"Images/{category}/{_slug(reference.label)}/{number}_{place}.png", picture)
        for place, (reference, picture) in enumerate(zip(draft.references, made.pictures, strict=True), 1)
    ]
    fields: dict[str, Any] = {
        "img_paths": images,
        "prompt": case.prompt,
        "synthesis_flag": str(any(reference.synthetic for reference in draft.references)),
        "class_label": list(case.labels),
        "subjects": list(case.subjects),
        "inside": list(case.inside),
        "language": case.language,
        "caption_by": case.caption_by,
        "caption_kind": PERSON if case.prompt != draft.prompt else SIDECAR if draft.author == SIDECAR else "model",
        "clip": draft.footage.clip,
    }
    if all(case.kinds):
        fields["kinds"] = list(case.kinds)
    if any(reference.appearance for reference in draft.references):
        fields["appearances"] = [reference.appearance for reference in draft.references]
    if made.first_frame:
        fields["first_frame"] = _put(out, f"Frames/{category}_{number}.png", made.first_frame)
    if made.sound:
        fields["audio"] = _put(out, f"Sounds/{category}_{number}.wav", made.sound)
    if case.duration_s is not None:
        fields["duration_s"] = case.duration_s
    if case.schedule:
        spans = zip(case.schedule_s, case.schedule, strict=True)
        fields["schedule"] = [{"start_s": start, "stop_s": stop, "what": what} for (start, stop), what in spans]
    return fields


def _put(out: Path, place: str, data: bytes) -> str:
    (out / place).parent.mkdir(parents=True, exist_ok=True)
    (out / place).write_bytes(data)
    return place


def _remarks(maker: Maker, chosen: Sequence[tuple[str, Draft]], count: int, skeleton: str) -> tuple[str, ...]:
    told = [f"{number} {line}" for line, number in maker.told.items()]
    if maker.unread:
        told.append(f"{len(maker.unread)} drafts cannot be read and are left out, as {maker.unread[0]}")
    said = [maker.said.get(maker.done[draft].case.content) for _, draft in chosen]
    approved = sum(word is not None and word.verdict == APPROVE for word in said)
    if approved < len(chosen):
        told.append(f"{len(chosen) - approved} of {len(chosen)} cases wait for a person: `studio-backend cases approve`")
    if len(chosen) < count and not skeleton:
        told.append(f"{len(chosen)} of {count} cases: a clip and a subject are used once")
    return tuple(told)


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:40] or "thing"


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()  # as the reader of cases files does
