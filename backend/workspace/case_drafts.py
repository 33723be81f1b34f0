"""Cases that a project could become: clips with captions, and pictures of their subjects from accepted pairs or anchors."""

import functools
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from backend.domain import Box
from backend.models.taxonomy import load_taxonomy
from backend.workspace.snapshot import Snapshot

MAX_REFERENCES = 3  # OpenS2V-Nexus, section 3.2: "no more than three", for what models take
HUMAN = "human"
KINDS = {"global": "global", "viewpoint": "view", "view": "view", "expression": "expression"}
"""Kinds of anchors, as cases write them."""
VIEWS = ("front", "back", "left", "right")  # Gloria, section 3
EXPRESSIONS = ("surprise", "angry", "disgust", "fear", "contempt", "sad", "neutral", "happy")  # Gloria, section 3

Span = tuple[float, float, str]
"""First and last second, and what is to happen in between."""

_CLIPS = """
SELECT k.id, t.text, t.author, t.language, c.start_s, c.stop_s, v.id, v.duration_s,
    v.has_audio, v."index", s.uri
FROM kept_clip k JOIN clip c ON c.id = k.id AND c.work_key = k.work_key
JOIN kept_video kv ON kv.id = k.video_id JOIN video v ON v.id = kv.id AND v.work_key = kv.work_key
JOIN source_now s ON s.id = v.source_id JOIN clip_caption n ON n.clip_id = k.id
JOIN caption t ON t.id = n.caption_id AND t.clip_id = k.id WHERE trim(t.text) <> ''
QUALIFY row_number() OVER (PARTITION BY k.id ORDER BY t.work_key) = 1 ORDER BY v.id, c.start_frame
"""
_SUBJECTS = """
SELECT k.id, k.clip_id, s.category, s.phrase, s.is_living
FROM kept_subject k JOIN subject s ON s.id = k.id AND s.work_key = k.work_key ORDER BY 2, 1
"""
_FROM_PAIRS = """
SELECT p.target_clip_id, p.target_subject_id, arg_max(m.crop, coalesce(p.similarity, 0)), '' AS kind, '' AS label,
    false AS inside, arg_max(a.origin, coalesce(p.similarity, 0)) <> 'video', arg_max(a.id, coalesce(p.similarity, 0)),
    bool_or(v.verdict = 'same') AS said_same, max(p.similarity) AS likeness
FROM pair_shown p JOIN appearance a ON a.id = p.reference_appearance_id
JOIN kept_mask k ON k.appearance_id = a.id JOIN mask m ON m.id = k.id AND m.work_key = k.work_key
LEFT JOIN pair_status v ON v.pair_id = p.pair_id
WHERE p.kind <> 'in_pair' AND p.reference_clip_id IS DISTINCT FROM p.target_clip_id AND coalesce(v.verdict, 'same') = 'same'
GROUP BY 1, 2 ORDER BY 1, 9 DESC NULLS LAST, 10 DESC, 2
"""
"""Per target clip and subject: the likest reference of an accepted pair that nobody has judged otherwise."""

_FROM_ANCHORS = """
WITH linked AS (
    SELECT DISTINCT target_clip_id AS clip_id, target_subject_id AS subject_id, reference_subject_id AS other_id
    FROM pair_shown p LEFT JOIN pair_status v USING (pair_id) WHERE kind <> 'in_pair' AND coalesce(v.verdict, 'same') = 'same'
    UNION SELECT reference_clip_id, reference_subject_id, target_subject_id
    FROM pair_shown p LEFT JOIN pair_status v USING (pair_id) WHERE kind <> 'in_pair' AND coalesce(v.verdict, 'same') = 'same'
)
SELECT n.clip_id, coalesce(own.id, labelled.id, l.subject_id), m.crop, n.kind,
    CASE WHEN n.kind = 'global' THEN '' ELSE n.label END, n.inside, a.origin <> 'video', a.id
FROM kept_anchor k JOIN anchor_said n ON n.id = k.id AND n.work_key = k.work_key
JOIN appearance a ON a.id = n.appearance_id
JOIN kept_mask km ON km.appearance_id = a.id JOIN mask m ON m.id = km.id AND m.work_key = km.work_key
LEFT JOIN kept_subject own ON own.id = a.subject_id AND own.clip_id = n.clip_id
LEFT JOIN kept_subject labelled ON labelled.id = n.label AND labelled.clip_id = n.clip_id
LEFT JOIN linked l ON l.clip_id = n.clip_id AND l.other_id = a.subject_id
WHERE coalesce(own.id, labelled.id, l.subject_id) NOTNULL
QUALIFY row_number() OVER (PARTITION BY n.id, coalesce(own.id, labelled.id, l.subject_id) ORDER BY m.author, m.id) = 1
ORDER BY 1, 2, n.inside, n.kind, 5, n.id
"""
"""Anchors of each clip with the subject of it that they stand for: their own, the one they name, or one a pair links."""

_PLACES = """
SELECT a.id, a.frame, a.box, v."index", s.uri
FROM kept_appearance k JOIN appearance a ON a.id = k.id AND a.work_key = k.work_key
JOIN kept_video kv ON kv.id = k.video_id JOIN video v ON v.id = kv.id AND v.work_key = kv.work_key
JOIN source_now s ON s.id = v.source_id WHERE a.frame NOTNULL AND a.origin = 'video'
"""
"""Where each appearance lies: its video's file and frame index, its frame, its box."""


@dataclass(frozen=True, slots=True)
class Place:
    """A box on a frame of a video. `index` is an artifact."""

    frame: int
    box: Box
    index: str
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A picture of a subject of a clip. `crop` is an artifact."""

    subject: str
    crop: str
    label: str
    domain: str
    """Of the taxonomy; `human`, `animal`, ... or empty."""
    kind: str = ""
    """`global`, `view:front`, `expression:happy`; empty for one from a pair."""
    inside: bool = False
    synthetic: bool = False
    place: Place | None = None
    """Where it was filmed; None for a picture from elsewhere."""
    appearance: str = ""
    """Its id in the project."""

    @property
    def is_face(self) -> bool:
        """Expression anchors are cropped to the head (Gloria, section 3)."""
        return self.kind.startswith("expression:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """The clip that a prompt describes, and its video."""

    clip: str
    start_s: float
    stop_s: float
    video: str
    video_s: float
    has_audio: bool
    index: str
    uri: str
    humans: int = 0
    """Subjects that are people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A case that a clip could become. `schedule` says what is to happen when: sentences, or expressions of a face."""

    footage: Footage
    prompt: str
    author: str
    language: str = "en"
    references: tuple[Reference, ...]
    schedule: tuple[Span, ...] = ()
    whole_video: bool = False
    """Whether the schedule is of the video, not of the clip alone."""

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(reference.subject for reference in self.references))

    @property
    def num_human(self) -> int:
        return len({reference.subject for reference in self.references if reference.domain == HUMAN})

    @property
    def category(self) -> str:
        """As OpenS2V-Eval's ids begin."""
        faces = any(reference.is_face for reference in self.references)
        human = "face" if faces and all(r.is_face for r in self.references if r.domain == HUMAN) else "human"
        if len(self.subjects) == 1:
            return f"single{human}" if self.num_human else "singleobj"
        if self.num_human == len(self.subjects):
            return f"multi{human}"
        return f"{human}obj" if self.num_human else "multiobject"

    @property
    def claims(self) -> frozenset[str]:
        """What no two cases of a set share: clip (the whole video where the case is of it), prompt, subjects."""
        whole = (self.footage.video,) if self.whole_video else ()
        return frozenset((self.footage.clip, self.prompt, *self.subjects, *whole))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which pictures a case may have."""

    anchors: bool = False
    """Anchors, several a subject; else the likest reference of each subject's pairs."""
    inside: str = "never"
    """Anchors from the clip itself: never, beside those from elsewhere where the subject has one, also, or only."""
    kinds: tuple[str, ...] = ("global", "view", "expression")
    max_references: int = MAX_REFERENCES
    max_globals: int = MAX_REFERENCES


def drafts_of(now: Snapshot, wanted: Wanted) -> list[Draft]:
    """For each captioned clip a case of each of its subjects, and those of two or more subjects with a picture each."""
    by_clip: dict[str, list[Reference]] = defaultdict(list)
    about = {row[0]: row[2:] for row in now.query(_SUBJECTS)}
    places = {row[0]: Place(row[1], tuple(row[2]), row[3], row[4]) for row in now.query(_PLACES)}
    for row in now.query(_FROM_ANCHORS if wanted.anchors else _FROM_PAIRS):
        clip, subject, crop, stored, label, inside, synthetic, appearance = row[:8]
        kind = KINDS.get(stored, "")
        if wanted.inside == ("never" if inside else "only") or (kind and kind not in wanted.kinds):
            continue
        name, domain = shown(*about[subject])
        by_clip[clip].append(
            Reference(
                subject=subject,
                crop=crop,
                label=name,
                domain=domain,
                kind=f"{kind}:{label}" if label else kind,
                inside=inside,
                synthetic=synthetic,
                place=places.get(appearance),
                appearance=appearance,
            )
        )
    drafts: list[Draft] = []
    for footage, text, author, language in clips(now):
        about_clip = {"footage": footage, "prompt": text, "author": author, "language": language}
        of_subject = _kinds_once(by_clip.get(footage.clip, ()), wanted.max_globals)
        if wanted.inside == "beside":
            of_subject = {name: own for name, own in of_subject.items() if not own[0].inside}
        drafts += [Draft(**about_clip, references=tuple(own[: wanted.max_references])) for own in of_subject.values()]
        if len(of_subject) > 1:
            together = [own[0] for own in of_subject.values()]
            numbers = range(2, min(wanted.max_references, len(together)) + 1)
            drafts += [Draft(**about_clip, references=tuple(together[:number])) for number in numbers]
    return drafts


def clips(now: Snapshot) -> list[tuple[Footage, str, str, str]]:
    """Captioned clips of the plan with caption, its author and language, by video and time."""
    rows = now.query(_SUBJECTS)
    humans = Counter(clip for _, clip, *about in rows if shown(*about)[1] == HUMAN)
    found = []
    for clip, text, author, language, start, stop, video, length, audio, index, uri in now.query(_CLIPS):
        footage = Footage(
            clip=clip,
            start_s=start,
            stop_s=stop,
            video=video,
            video_s=length,
            has_audio=audio,
            index=index,
            uri=uri,
            humans=humans[clip],
        )
        found.append((footage, text, author, language))
    return found


def shown(category: str | None, phrase: str | None, is_living: bool | None) -> tuple[str, str]:
    """A subject's label for people, and its domain in the taxonomy."""
    label = (category or phrase or ("person" if is_living else "object")).replace("_", " ").capitalize()
    return label, _domain(category or phrase or "") or (HUMAN if is_living and not (category or phrase) else "")


@functools.cache
def _domain(name: str) -> str:
    taxonomy = load_taxonomy()
    known = taxonomy.lookup(name) or next((match.category for match in reversed(taxonomy.find(name))), None)
    return known.domain if known else ""


def _kinds_once(references: Iterable[Reference], max_globals: int) -> dict[str, list[Reference]]:
    """By subject, in the given order: one reference of each view and expression, a few global ones, no picture twice."""
    found: dict[str, list[Reference]] = {}
    for reference in references:
        own = found.setdefault(reference.subject, [])
        alike = sum(reference.kind == other.kind for other in own)
        most = max_globals if reference.kind == "global" else 1
        if alike < most and all(reference.crop != other.crop for other in own):
            own.append(reference)
    return found
