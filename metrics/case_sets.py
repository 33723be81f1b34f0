"""What a cases file holds, counted as OpenS2V-Nexus's Fig. 3 does, and what is odd about it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.domain import Case
from backend.models.taxonomy import load_taxonomy
from backend.settings import nearest
from metrics.benchmark import read_cases
from metrics.json_files import read_json
from metrics.leaderboard import is_human

MAX_REFERENCES = 3  # OpenS2V-Nexus, section 4.1: most models take no more
UNBALANCED = 4.0  # times as many cases in the largest category as in the smallest; OpenS2V-Eval has 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStats:
    """Counts of a cases file. `prompt_words` are least, mean, median and most; `sources` count cases."""

    cases: int
    categories: dict[str, int]
    references: dict[str, int]
    """Cases by their number of references."""
    prompt_words: dict[str, float]
    labels: dict[str, int]
    """References by what they show, the most frequent first."""
    sources: dict[str, int]
    """real, synthetic, unsaid."""
    subjects: dict[str, int]
    """human, other."""
    languages: dict[str, int]
    approved: int
    """Cases that a person has approved."""


@dataclass(frozen=True, slots=True)
class CaseCheck:
    """Problems keep a file from being evaluated whole; notes do not. One line each."""

    cases: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def stats(path: str, references: str | None = None) -> CaseStats:
    """Counts of a file. Raises ImportRefused for a malformed one."""
    cases = _read(path, references).cases
    words = [len(case.prompt.split()) for case in cases]
    sources = {True: "synthetic", False: "real", None: "unsaid"}
    return CaseStats(
        cases=len(cases),
        categories=dict(sorted(Counter(case.category for case in cases).items())),
        references={str(n): count for n, count in sorted(Counter(len(case.references) for case in cases).items())},
        prompt_words={
            "least": float(min(words)),
            "mean": float(np.mean(words)),
            "median": float(np.median(words)),
            "most": float(max(words)),
        },
        labels=dict(Counter(label for case in cases for label in case.labels).most_common()),
        sources=dict(Counter(sources[case.synthetic] for case in cases)),
        subjects=dict(Counter("human" if is_human(case) else "other" for case in cases)),
        languages=dict(Counter(case.language for case in cases)),
        approved=sum(_approvals(path).values()),
    )


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
    waiting = [name for name, approved in _approvals(path).items() if not approved]
    if waiting:
        notes.append(f"{len(waiting)} cases wait for a person's approval, as {waiting[0]}")
    return CaseCheck(len(found.cases), tuple(missing), tuple(notes))


def _read(path: str, references: str | None):
    return read_cases(Path(path), references=Path(references) if references else None)


def _approvals(path: str) -> dict[str, bool]:
    """Whether a person approved a case, of those that say so."""
    return {name: fields["approved"] is True for name, fields in read_json(Path(path)).items() if "approved" in fields}


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
