"""Labels of anchors: what the judge and people made of them, how right they are, how often each is to be drawn."""

from collections import Counter, defaultdict
from typing import NamedTuple

from backend.domain import ANCHORS_STUDY
from backend.domain.statistics import AnchorAccuracy, AnchorBalance, AnchorCheck
from backend.stages.anchor_verification import CORRECTED, GIVEN, LABEL, UNSURE
from backend.stages.balance import GLORIA_SHARES, anchor_weights, weighted_shares
from backend.workspace.snapshot import Snapshot

KINDS = ("viewpoint", "expression")
NONE = "none"

_ANCHORS = f"""
SELECT DISTINCT a.id, a.appearance_id, a.kind, a.label, a.id IN (SELECT id FROM kept_anchor) AS is_kept,
    a.id IN (SELECT target FROM live_score WHERE name = '{GIVEN}') AS is_given
FROM anchor a WHERE a.kind IN ('viewpoint', 'expression') AND a.appearance_id IN (SELECT id FROM kept_appearance) AND a.id IN (
    SELECT id FROM kept_anchor UNION SELECT id FROM gated WHERE kind = 'anchor' AND gate = 'anchor.{LABEL}.min')
"""
_KEPT = """
SELECT a.kind, a.label FROM kept_anchor k JOIN anchor_said a ON a.id = k.id AND a.work_key = k.work_key
WHERE a.kind IN ('viewpoint', 'expression')
"""
_JUDGED = f"""
SELECT max(value) FILTER (name = '{LABEL}') AS label, max(value) FILTER (name = '{CORRECTED}') AS corrected, count(*)
    FILTER (name = '{CORRECTED}') AS asked FROM live_score WHERE name IN ('{LABEL}', '{CORRECTED}') GROUP BY target
"""
_VOTES = """
SELECT v.question, a.appearance_id, v.choice FROM (
    SELECT * FROM vote WHERE study_id = ? AND rater_kind = 'person' QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1) v
JOIN (SELECT DISTINCT id, appearance_id, kind FROM anchor) a ON a.id = v.item_id AND a.kind = v.question WHERE v.choice NOTNULL
"""

_WORD = f"""
CREATE OR REPLACE TEMP VIEW anchor_word AS
WITH told AS (
    SELECT a.appearance_id, a.kind, v.choice, count(*) AS votes FROM (
        SELECT * FROM vote WHERE study_id = '{ANCHORS_STUDY}' AND rater_kind = 'person'
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1) v
    JOIN (SELECT DISTINCT id, appearance_id, kind FROM {{table}}) a ON a.id = v.item_id AND a.kind = v.question
    WHERE v.choice NOTNULL GROUP BY ALL
)
SELECT appearance_id, kind, min(choice) AS choice FROM told
WHERE votes = (SELECT max(votes) FROM told o WHERE o.appearance_id = told.appearance_id AND o.kind = told.kind)
GROUP BY 1, 2 HAVING count(*) = 1 AND min(choice) <> '{UNSURE}'
"""
"""The choice that most people made of a picture; nothing where two are even or most cannot tell."""
_NAMED = """
CREATE OR REPLACE TEMP VIEW {name} AS SELECT n.* REPLACE (coalesce(w.choice, n.label) AS label), n.rowid AS rowid
FROM {table} n LEFT JOIN anchor_word w ON w.appearance_id = n.appearance_id AND w.kind = n.kind {where}
"""


def create_anchor_views(now: Snapshot) -> None:
    """Makes `anchor_said`: anchors as exports and samples see them, with people's labels, without those that show none."""
    table = _make_words(now)
    now.query(_NAMED.format(name="anchor_said", table=table, where=f"WHERE w.choice IS DISTINCT FROM '{NONE}'"))


def show_named_anchors(now: Snapshot) -> None:
    """Gives every anchor that this snapshot reads the label of people; one that shows none is called that."""
    table = _make_words(now)
    now.query(_NAMED.format(name="anchor", table=table, where=""))


def _make_words(now: Snapshot) -> str:
    """The name of the catalog's own table of anchors, once `anchor_word` is made."""
    ((catalog,),) = now.query("SELECT current_database()")
    table = f'"{catalog}".main.anchor'
    now.query(_WORD.format(table=table))
    return table


def anchor_balance(now: Snapshot) -> tuple[AnchorBalance, ...]:
    """Of the anchors that are kept, by kind and label in the published order; labels that were not found are left out."""
    rows = now.query(_KEPT)
    found = []
    for kind, shares in GLORIA_SHARES.items():
        labels = [label for of_kind, label in rows if of_kind == kind]
        weights = anchor_weights(labels, shares)
        drawn = weighted_shares(labels, weights)
        counts, wanted = Counter(labels), sum(shares.values())
        found += [
            AnchorBalance(
                kind=kind,
                label=label,
                number=counts[label],
                share=counts[label] / len(labels),
                published=share / wanted,
                weight=weights[label],
                drawn=drawn[label],
            )
            for label, share in shares.items()
            if counts[label]
        ]
    return tuple(found)


class MachineAnchor(NamedTuple):
    """A viewpoint or expression anchor that stands, or that the judge holds back; `is_given`: its label is the judge's."""

    id: str
    picture: str
    kind: str
    label: str
    is_kept: bool
    is_given: bool


def anchor_checks(now: Snapshot) -> tuple[AnchorCheck, ...]:
    """Labels that the judge and that people kept, corrected and dropped; nothing for whom nobody asked."""
    judged = Counter(_fate(label, corrected) for label, corrected, asked in now.query(_JUDGED) if asked)
    found = [AnchorCheck(kind="expression", by="judge", **judged)] if judged else []
    told = people_told(now)
    first = machine_anchors(now)
    for kind in KINDS:
        fates = Counter(
            _fate_by(told[row.kind, row.picture], row.label)
            for row in first
            if row.kind == kind and (row.kind, row.picture) in told
        )
        found += [AnchorCheck(kind=kind, by="people", **fates)] if fates else []
    return tuple(found)


def anchor_accuracy(now: Snapshot) -> tuple[AnchorAccuracy, ...]:
    """For each kind that people looked at. Without a judge before and after are one."""
    told = {key: choice for key, choice in people_told(now).items() if choice != UNSURE}
    rows = _rows(now)
    found = []
    for kind in KINDS:
        of_kind = [row for row in rows if row.kind == kind and (kind, row.picture) in told]
        before = [told[kind, row.picture] == row.label for row in of_kind if not row.is_given]
        after = [told[kind, row.picture] == row.label for row in of_kind if row.is_kept]
        if of_kind:
            found.append(
                AnchorAccuracy(
                    kind=kind,
                    told_before=len(before),
                    right_before=sum(before),
                    told_after=len(after),
                    right_after=sum(after),
                    before=sum(before) / len(before) if before else None,
                    after=sum(after) / len(after) if after else None,
                )
            )
    return tuple(found)


def machine_anchors(now: Snapshot) -> list[MachineAnchor]:
    """Anchors with the labels that they had before the judge looked."""
    return [row for row in _rows(now) if not row.is_given]


def people_told(now: Snapshot) -> dict[tuple[str, str], str]:
    """By kind and picture the choice that most people made; `unsure` where two are even."""
    votes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for kind, picture, choice in now.query(_VOTES, [ANCHORS_STUDY]):
        votes[kind, picture][choice] += 1
    told = {}
    for key, counts in votes.items():
        (best, most), *others = counts.most_common()
        told[key] = UNSURE if others and others[0][1] == most else best
    return told


def _rows(now: Snapshot) -> list[MachineAnchor]:
    return [MachineAnchor(*row) for row in now.query(_ANCHORS)]


def _fate(label: float | None, corrected: float | None) -> str:
    if label is None:
        return UNSURE
    return "kept" if label == 1.0 else "corrected" if corrected == 1.0 else "dropped"


def _fate_by(choice: str, label: str) -> str:
    if choice == UNSURE:
        return UNSURE
    return "kept" if choice == label else "dropped" if choice == NONE else "corrected"
