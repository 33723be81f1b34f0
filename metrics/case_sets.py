"""What a cases file holds, counted as OpenS2V-Nexus's Fig. 3 does, and what is odd about it."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.domain import Case
from backend.domain.case_sets import CaseStats
from backend.models.taxonomy import load_taxonomy
from backend.settings import nearest
from metrics.benchmark import read_cases
from metrics.json_files import read_json
from metrics.leaderboard import is_human

MAX_REFERENCES = 3  # OpenS2V-Nexus, section 3.2: most models take no more
APPROVED, WAITING, REJECTED = "approved", "wait for a person's approval", "were rejected by a person"
CHANGED = "changed since they were approved and need a new approval"
UNSIGNED = "say that they are approved but not by whom"
NAMED = 3  # cases named in one note
CLOUD_WORDS = 120  # more than a cloud can show
WORD = re.compile(r"[^\W\d_]{3,}(?:['’-][^\W\d_]+)*")
SMALL_WORDS = frozenset(
    [
        "the",
        "and",
        "his",
        "her",
        "its",
        "their",
        "with",
        "for",
        "from",
        "that",
        "this",
        "they",
        "she",
        "him",
        "them",
        "who",
        "whom",
        "which",
        "while",
        "are",
        "was",
        "were",
        "has",
        "have",
        "had",
        "been",
        "being",
        "not",
        "but",
        "into",
        "onto",
        "over",
        "under",
        "then",
        "than",
        "there",
        "here",
        "when",
        "where",
        "what",
        "how",
        "all",
        "any",
        "some",
        "both",
        "each",
        "other",
        "such",
        "very",
        "more",
        "most",
        "about",
        "against",
        "between",
        "through",
        "during",
        "before",
        "after",
        "above",
        "below",
        "again",
        "further",
        "once",
        "only",
        "own",
        "same",
        "too",
        "can",
        "will",
        "just",
        "should",
        "now",
        "out",
        "off",
        "down",
        "upon",
        "within",
        "without",
        "toward",
        "towards",
        "along",
        "across",
        "around",
        "near",
        "behind",
        "beside",
        "between",
        "also",
        "still",
        "yet",
        "our",
        "your",
        "you",
        "one",
        "two",
    ]
)
UNBALANCED = 4.0  # times as many cases in the largest category as in the smallest; OpenS2V-Eval has 2


@dataclass(frozen=True, slots=True)
class CaseCheck:
    """Problems keep a file from being evaluated whole; notes do not. One line each."""

    cases: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def stats(path: str, references: str | None = None) -> CaseStats:
    """Counts of a file. Raises ImportRefused for a malformed one."""
    cases = _read(path, references).cases
    words = tuple(len(case.prompt.split()) for case in cases)
    sources = {True: "synthetic", False: "real", None: "unsaid"}
    told = _with_fields(path, cases)
    durations = [case.duration_s for case in cases if case.duration_s is not None]
    return CaseStats(
        benchmark=cases[0].benchmark,
        cases=len(cases),
        categories=dict(sorted(Counter(case.category for case in cases).items())),
        references={str(n): count for n, count in sorted(Counter(len(case.references) for case in cases).items())},
        kinds=_counted(kind or "unsaid" for case in cases for kind in case.kinds),
        prompt_words=_spread(words),
        words=words,
        cloud=cloud(case.prompt for case in cases),
        labels=_counted(label for case in cases for label in case.labels),
        domains=_counted(_domain(label) for case in cases for label in case.labels),
        sources=dict(Counter(sources[case.synthetic] for case in cases)),
        subjects=dict(Counter("human" if is_human(case) else "other" for case in cases)),
        languages=dict(Counter(case.language for case in cases)),
        captions=_counted(str(fields.get("caption_kind", "unsaid")) for _, fields in told),
        durations=_spread(durations),
        approved=sum(_approval(case, fields) == APPROVED for case, fields in told),
    )


def unapproved(path: str, references: str | None = None) -> tuple[str, ...]:
    """Names of cases that no person has approved as they are now, by what the file says."""
    told = _with_fields(path, _read(path, references).cases)
    return tuple(case.name for case, fields in told if _approval(case, fields) != APPROVED)


def cloud(prompts: Iterable[str]) -> dict[str, int]:
    """How often texts say a word of three letters or more, small words left out; the most frequent first."""
    found = Counter(word for prompt in prompts for word in WORD.findall(prompt.lower()) if word not in SMALL_WORDS)
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0]))[:CLOUD_WORDS])


def check(path: str, references: str | None = None) -> CaseCheck:
    """What is wrong or odd in a file. Raises ImportRefused for one that cannot be read at all."""
    found = _read(path, references)
    missing = [
        f"{case.name}: {place} is missing"
        for case in found.cases
        for place, digest in zip(case.references, case.hashes, strict=True)
        if not digest
    ]
    notes = [remark for remark in found.remarks if "are missing below" not in remark]
    notes += _label_notes(found.cases) + _prompt_notes(found.cases) + _balance_notes(found.cases)
    many = [case for case in found.cases if len(case.references) > MAX_REFERENCES]
    notes += [f"{case.name}: {len(case.references)} references; most models take {MAX_REFERENCES}" for case in many]
    notes += _inside_notes(found.cases) + _approval_notes(path, found.cases)
    return CaseCheck(len(found.cases), tuple(missing), tuple(notes))


def _read(path: str, references: str | None):
    return read_cases(Path(path), references=Path(references) if references else None)


def _with_fields(path: str, cases: Sequence[Case]) -> list[tuple[Case, dict]]:
    raw = read_json(Path(path))
    return [(case, raw[case.name]) for case in cases]


def _approval(case: Case, fields: dict) -> str:
    """Where a case stands, by its file; empty where that says nothing. An approval is of a content."""
    if "approved" not in fields and "approval" not in fields and "rejection" not in fields:
        return ""
    if "rejection" in fields:
        return REJECTED
    said = fields.get("approval")
    if fields.get("approved") is not True:
        return WAITING
    if not isinstance(said, dict) or not said.get("by"):
        return UNSIGNED
    return APPROVED if said.get("content") == case.content else CHANGED


def _approval_notes(path: str, cases: Sequence[Case]) -> list[str]:
    """What lacks approval, of cases whose file speaks of it: one line a state, naming the first few."""
    by_state: dict[str, list[str]] = {}
    for case, fields in _with_fields(path, cases):
        by_state.setdefault(_approval(case, fields), []).append(case.name)
    notes = []
    for state in (WAITING, CHANGED, UNSIGNED, REJECTED):
        names = by_state.get(state, [])
        if names:
            shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
            notes.append(f"{len(names)} cases {state}: {shown}")
    return notes


def _inside_notes(cases: Sequence[Case]) -> list[str]:
    inside = [case.name for case in cases if any(case.inside)]
    return [f"{len(inside)} cases show a frame of the clip that their prompt describes, as {inside[0]}"] if inside else []


def _counted(found: Iterable[str]) -> dict[str, int]:
    """Counts, the largest first."""
    return dict(sorted(Counter(found).items(), key=lambda one: (-one[1], one[0])))


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Least, mean, median, most; nothing of nothing."""
    if not values:
        return {}
    return {
        "least": float(min(values)),
        "mean": float(np.mean(values)),
        "median": float(np.median(values)),
        "most": float(max(values)),
    }


def _domain(label: str) -> str:
    taxonomy = load_taxonomy()
    known = taxonomy.lookup(label) or next((match.category for match in taxonomy.find(label)), None)
    return known.domain if known else "unknown"


def _label_notes(cases: Sequence[Case]) -> list[str]:
    """Labels that the taxonomy does not know, and spellings that differ by capitals only."""
    taxonomy = load_taxonomy()
    by_label: dict[str, list[str]] = {}
    for case in cases:
        for label in dict.fromkeys(case.labels):
            by_label.setdefault(label, []).append(case.name)
    forms = [form for category in taxonomy.categories.values() for form in category.forms]
    notes = []
    for label, names in by_label.items():
        if taxonomy.lookup(label) is None:
            close = nearest(label.lower(), forms)
            guess = close if close.startswith("; did") else ""
            notes.append(f"label {label!r} of {names[0]} is not in the taxonomy{guess}")
    spellings: dict[str, set[str]] = {}
    for label in by_label:
        spellings.setdefault(label.lower(), set()).add(label)
    notes += [f"one label is spelt {' and '.join(sorted(s))}" for s in spellings.values() if len(s) > 1]
    return notes


def _prompt_notes(cases: Sequence[Case]) -> list[str]:
    by_prompt: dict[str, list[str]] = {}
    for case in cases:
        by_prompt.setdefault(" ".join(case.prompt.split()).lower(), []).append(case.name)
    return [f"{' and '.join(names)} have the same prompt" for names in by_prompt.values() if len(names) > 1]


def _balance_notes(cases: Sequence[Case]) -> list[str]:
    counts = Counter(case.category for case in cases).most_common()
    if len(counts) < 2 or counts[0][1] < UNBALANCED * counts[-1][1]:
        return []
    (most, n), (least, m) = counts[0], counts[-1]
    return [f"{most} has {n} cases and {least} {m}: a mean over all cases is mostly {most}'s"]
