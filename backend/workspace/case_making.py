"""A benchmark from a project: accepted pairs become cases, their target's caption the prompt.

OUT/cases.json                upstream's fields, `caption_by`, the clip, and `approved: false` until a person says otherwise
OUT/Images/CATEGORY/N_K.png   the pictures of references, each from another context than the prompt's clip
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.api import CasesMade
from backend.domain import ProjectError
from backend.media.images import decode_image, encode_png
from backend.models.taxonomy import load_taxonomy
from backend.store.artifacts import Artifacts
from backend.workspace.snapshot import Snapshot

CASES = "cases.json"
MAX_REFERENCES = 3  # OpenS2V-Nexus, section 4.1
HUMAN = "human"

_CANDIDATES = """
SELECT p.target_clip_id, c.text, c.author, p.target_subject_id, arg_max(m.crop, coalesce(p.similarity, 0)), max(p.similarity),
    any_value(p.category), any_value(p.phrase), bool_or(coalesce(p.is_living, false)), bool_or(v.verdict = 'same')
FROM pair_shown p JOIN clip_caption c ON c.clip_id = p.target_clip_id
JOIN kept_mask k ON k.appearance_id = p.reference_appearance_id JOIN mask m ON m.id = k.id AND m.work_key = k.work_key
LEFT JOIN pair_status v ON v.pair_id = p.pair_id
WHERE p.kind <> 'in_pair' AND p.reference_clip_id IS DISTINCT FROM p.target_clip_id AND trim(c.text) <> ''
    AND coalesce(v.verdict, 'same') = 'same'
GROUP BY ALL ORDER BY 1, 10 DESC NULLS LAST, 6 DESC, 4
"""
"""Per target clip and subject: the likest reference of an accepted pair that nobody has judged otherwise."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture of a subject of a clip."""

    subject: str
    crop: str
    label: str
    human: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """A case that a clip could become."""

    clip: str
    prompt: str
    author: str
    references: tuple[Reference, ...]

    @property
    def category(self) -> str:
        """As OpenS2V-Eval's ids begin."""
        humans = sum(reference.human for reference in self.references)
        if len(self.references) == 1:
            return "singlehuman" if humans else "singleobj"
        return "multihuman" if humans == len(self.references) else "humanobj" if humans else "multiobject"


def make_cases(now: Snapshot, artifacts: Artifacts, out: Path, *, count: int, seed: int) -> CasesMade:
    """Writes at most `count` cases, as many of each category as there can be. Deterministic per project and seed.

    Raises ProjectError when no accepted pair has a captioned target in another clip.
    """
    drafts = _drafts(now)
    if not drafts:
        raise ProjectError("no accepted pair links a captioned clip with another one; curate more or move the gates")
    chosen = balanced(drafts, count, np.random.default_rng(seed))
    numbers: Counter[str] = Counter()
    cases = {}
    for draft in chosen:
        numbers[draft.category] += 1
        name = f"{draft.category}_{numbers[draft.category]}"
        images = []
        for place, reference in enumerate(draft.references, 1):
            image = f"Images/{draft.category}/{numbers[draft.category]}_{place}.png"
            (out / image).parent.mkdir(parents=True, exist_ok=True)
            pixels = decode_image(artifacts.get(reference.crop))[..., :3]  # its surroundings too, as users' pictures have
            (out / image).write_bytes(encode_png(np.ascontiguousarray(pixels)))
            images.append(image)
        cases[name] = {
            "img_paths": images,
            "prompt": draft.prompt,
            "synthesis_flag": "False",
            "class_label": [reference.label for reference in draft.references],
            "caption_by": draft.author,
            "clip": draft.clip,
            "approved": False,
        }
    (out / CASES).write_text(json.dumps(cases, indent=4, ensure_ascii=False), encoding="utf-8")
    remarks = ["no case is approved yet: a person sets `approved` to true"]
    if len(chosen) < count:
        remarks.append(f"{len(chosen)} of {count} cases: a clip and a subject are used once")
    return CasesMade(
        path=str(out / CASES), cases=len(chosen), categories=dict(sorted(numbers.items())), remarks=tuple(remarks)
    )


def balanced(drafts: Sequence[Draft], count: int, rng: np.random.Generator) -> list[Draft]:
    """At most `count` drafts, by turns from the category that has the fewest; each clip, prompt and subject once."""
    order = [drafts[k] for k in rng.permutation(len(drafts))]
    chosen: list[Draft] = []
    taken: set[str] = set()
    while len(chosen) < count:
        filled = Counter(draft.category for draft in chosen)
        free = [draft for draft in order if not taken & _claims(draft)]
        if not free:
            break
        # Of equally filled categories, the one that is hardest to fill goes first
        supply = Counter(draft.category for draft in free)
        best = min(free, key=lambda draft: (filled[draft.category], supply[draft.category], draft.category))
        chosen.append(best)
        taken |= _claims(best)
    return sorted(chosen, key=lambda draft: (draft.category, draft.clip))


def _claims(draft: Draft) -> set[str]:
    return {draft.clip, draft.prompt, *(reference.subject for reference in draft.references)}


def _drafts(now: Snapshot) -> list[Draft]:
    """For each clip a case of each of its subjects, and one of up to MAX_REFERENCES together."""
    taxonomy = load_taxonomy()
    clips: dict[str, tuple[str, str, list[Reference]]] = {}
    for clip, text, author, subject, crop, _, category, phrase, living, _ in now.query(_CANDIDATES):
        known = taxonomy.lookup(category or phrase or "")
        human = known.domain == HUMAN if known else bool(living)
        label = (phrase or category or ("person" if living else "object")).replace("_", " ").capitalize()
        clips.setdefault(clip, (text, author, []))[2].append(Reference(subject, crop, label, human))
    drafts = []
    for clip, (text, author, references) in clips.items():
        drafts += [Draft(clip, text, author, (reference,)) for reference in references]
        if len(references) > 1:
            drafts.append(Draft(clip, text, author, tuple(references[:MAX_REFERENCES])))
    return drafts
