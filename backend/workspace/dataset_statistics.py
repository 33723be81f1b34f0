"""The papers' dataset figures, counted over the rows of the current plan."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.domain.statistics import DatasetRow, DatasetStatistics, Spread
from backend.engine.plan import Gate, Plan
from backend.models.taxonomy import load_taxonomy
from backend.workspace.anchor_statistics import anchor_accuracy, anchor_balance, anchor_checks
from backend.workspace.judge_statistics import judge_agreement
from backend.workspace.snapshot import Snapshot

KEPT_VALUES = 2000  # of a spread: more makes no histogram finer
SHOWN_WORDS = 80
COMMON_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "behind",
        "by",
        "for",
        "from",
        "has",
        "have",
        "he",
        "her",
        "his",
        "in",
        "into",
        "is",
        "it",
        "its",
        "of",
        "on",
        "one",
        "or",
        "over",
        "she",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "they",
        "this",
        "through",
        "to",
        "under",
        "up",
        "was",
        "were",
        "while",
        "who",
        "with",
        "two",
        "very",
    ]
)
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
HAN = re.compile(r"[\u4e00-\u9fff]")
HEIGHTS = (240, 360, 480, 512, 720, 1080, 1440, 2160)
"""Names of resolutions by the shorter side, as datasets are compared."""

_CLIPS = """
SELECT c.stop_s - c.start_s, least(v.width, v.height), m.motion FROM kept_clip k JOIN clip c ON c.id = k.id AND c.work_key = k.work_key
JOIN kept_video kv ON kv.id = k.video_id JOIN video v ON v.id = kv.id AND v.work_key = kv.work_key
LEFT JOIN (SELECT target, max(value) AS motion FROM live_score WHERE name = 'motion' GROUP BY 1) m ON m.target = k.id
"""
_SUBJECTS = """
SELECT k.clip_id, coalesce(s.category, CASE WHEN s.is_living THEN 'person' END, 'unlabelled') FROM kept_subject k
JOIN subject s ON s.id = k.id AND s.work_key = k.work_key
"""
_SAMPLES = "SELECT s.kind, s.subject_ids, s.reference_ids FROM kept_sample k JOIN sample s ON s.id = k.id AND s.work_key = k.work_key"
_ANCHORS = """
SELECT CASE WHEN a.kind IN ('viewpoint', 'expression') THEN a.kind || ': ' || a.label ELSE a.kind END, a.inside, count(*) FROM kept_anchor k
JOIN anchor a ON a.id = k.id AND a.work_key = k.work_key GROUP BY ALL ORDER BY 3 DESC, 1
"""


def dataset_statistics(now: Snapshot, plan: Plan, *, name: str) -> DatasetStatistics:
    """Figures of the plan's kept rows; nothing is decoded."""
    clips = now.query(_CLIPS)
    lengths = [row[0] for row in clips]
    samples = [row for row in now.query(_SAMPLES) if row[0] == "cross_pair"]
    captions = now.query("SELECT text, author FROM clip_caption")
    subjects = now.query(_SUBJECTS)
    diversity = [
        row[0] for row in now.query("SELECT diversity FROM pair_shown WHERE kind <> 'in_pair' AND diversity NOTNULL")
    ]
    spreads = {
        "clip length": _spread(lengths, "s"),
        "shorter side": _spread([row[1] for row in clips], "px"),
        "motion": _spread([row[2] for row in clips if row[2] is not None], "of the picture's width a frame"),
        "caption length": _spread([num_words(text) for text, _ in captions], "words"),
        "subjects of a clip": _spread(list(Counter(clip for clip, _ in subjects).values()), "subjects"),
        "references of a subject": _spread(
            [count for _, ids, _ in samples for count in Counter(ids).values()], "references"
        ),
        "context diversity": _spread(diversity, "1 - cosine of the backgrounds"),
    }
    counts = {
        "resolutions": _counted(resolution(side) for _, side, _ in clips),
        "captions by author": _counted(author for _, author in captions),
        "subject categories": _counted(category for _, category in subjects),
        "kinds of subjects": _counted(_domain(category) for _, category in subjects),
        "subject-type combinations": _counted(combinations(subjects)),
        "subjects of a sample": _counted(_number(len(set(ids)), "subject") for _, ids, _ in samples),
        "pairs by kind": dict(now.query("SELECT kind, count(*) FROM pair_shown GROUP BY 1 ORDER BY 2 DESC, 1")),
        "anchors": {f"{label}, {'inside' if inside else 'outside'}": count for label, inside, count in now.query(_ANCHORS)},
        "plates": dict(now.query("SELECT author, count(*) FROM plate p SEMI JOIN kept_plate k ON k.id = p.id GROUP BY 1")),
    }
    return DatasetStatistics(
        row=DatasetRow(
            name=name,
            kind="Subject-to-Video",
            resolution=next(iter(counts["resolutions"]), ""),
            clips=len(clips),
            average_length_s=round(float(np.mean(lengths)), 2) if lengths else None,
            duration_h=round(sum(lengths) / 3600, 4),
        ),
        spreads={name: spread for name, spread in spreads.items() if spread.number},
        counts={name: found for name, found in counts.items() if found},
        words=_words(text for text, _ in captions),
        scores={f"{each.record}.{each.name}": _spread(each.values, "") for each in gated_scores(now, plan)},
        anchor_checks=anchor_checks(now),
        anchor_accuracy=anchor_accuracy(now),
        anchor_balance=anchor_balance(now),
        judge_agreement=judge_agreement(now),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedScore:
    """Every value of a score that gates stand on, float64 `(N,)`."""

    record: str
    name: str
    values: np.ndarray
    unmeasured: int
    gates: tuple[Gate, ...]


def gated_scores(now: Snapshot, plan: Plan) -> list[GatedScore]:
    """In the order of the gates."""
    by_score: dict[tuple[str, str], list[Gate]] = {}
    for gate in dict.fromkeys(plan.gates()):
        by_score.setdefault((gate.record, gate.score), []).append(gate)
    found = []
    for (record, name), gates in by_score.items():
        rows = now.query("SELECT value FROM live_score WHERE name = ? AND starts_with(target, ?)", [name, f"{record}_"])
        values = np.array([value for (value,) in rows if value is not None], dtype=np.float64)
        found.append(
            GatedScore(record=record, name=name, values=values, unmeasured=len(rows) - len(values), gates=tuple(gates))
        )
    return found


def resolution(short_side_px: int) -> str:
    """`720p` and the like: the largest named height that the shorter side reaches; smaller ones by their pixels."""
    reached = [height for height in HEIGHTS if short_side_px >= height]
    return f"{reached[-1]}p" if reached else f"{short_side_px} px"


def num_words(text: str) -> int:
    """Words of a text; each Chinese character counts as one."""
    return len(HAN.findall(text)) + len(WORD.findall(HAN.sub(" ", text)))


def combinations(subjects: Iterable[tuple[str, str]]) -> list[str]:
    """For each clip the kinds of its subjects, as `animal + human`."""
    kinds: dict[str, set[str]] = {}
    for clip, category in subjects:
        kinds.setdefault(clip, set()).add(_domain(category))
    return [" + ".join(sorted(found)) for found in kinds.values()]


def _domain(category: str) -> str:
    known = load_taxonomy().categories.get(category)
    return known.domain if known is not None else "unlabelled"


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _spread(values: Sequence[Any] | np.ndarray, unit: str) -> Spread:
    ordered = np.sort(np.asarray(values, np.float64))
    if not len(ordered):
        return Spread(unit=unit, number=0, mean=None, least=None, most=None)
    places = np.unique(np.linspace(0, len(ordered) - 1, min(len(ordered), KEPT_VALUES)).round().astype(int))
    return Spread(
        unit=unit,
        number=len(ordered),
        mean=float(ordered.mean()),
        least=float(ordered[0]),
        most=float(ordered[-1]),
        values=tuple(ordered[places].round(5).tolist()),
    )


def _words(texts: Iterable[str]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for text in texts:
        found.update(word for word in WORD.findall(text.lower()) if word not in COMMON_WORDS and len(word) > 1)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_WORDS])
