"""How far a judge's word on pairs agrees with people's, criterion by criterion."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from backend.domain import VERIFY_STUDY
from backend.domain.statistics import JudgeAgreement
from backend.measures.agreement import Answers, cohen_kappa
from backend.measures.intervals import wilson
from backend.stages.pair_verification import CONTEXT, IDENTITY, OF_THINGS
from backend.studies.forms import IDENTITY_QUESTION
from backend.workspace.snapshot import Snapshot

SAME = ("same", "near_duplicate")
REASONS: Mapping[str, str] = {
    "face": "face",
    "clothing": "clothing",
    "markings": "markings",
    "colour": "colour",
    "packaging": "shape",
    "text": "logo_or_text",
}
"""By criterion the reason that people tick where it speaks against one identity."""
CRITERIA = ("identity", *dict.fromkeys(sum(IDENTITY.values(), ())), *OF_THINGS, "clothing", "context", *CONTEXT)

_PEOPLE = f"""
WITH answers AS (
    SELECT * FROM vote WHERE study_id = '{VERIFY_STUDY}' AND question = '{IDENTITY_QUESTION}' AND rater_kind = 'person'
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1
), ticked AS (
    SELECT item_id, unnest(reasons) AS reason FROM (
        SELECT * FROM answers WHERE choice NOTNULL
        QUALIFY row_number() OVER (PARTITION BY item_id, rater ORDER BY seq DESC) = 1)
)
SELECT s.pair_id, s.verdict, any_value(x.other_context), list(DISTINCT t.reason) FILTER (t.reason NOTNULL)
FROM pair_status s LEFT JOIN pair_context x USING (pair_id) LEFT JOIN ticked t ON t.item_id = s.pair_id
WHERE s.verdict NOTNULL GROUP BY 1, 2
"""
_JUDGE = """
SELECT target, substr(name, 8), value FROM live_score WHERE starts_with(name, 'judged_')
AND substr(name, 8) IN (SELECT unnest(?::VARCHAR[])) AND (value NOTNULL OR starts_with(reason, 'unsure'))
"""


def judge_agreement(now: Snapshot) -> tuple[JudgeAgreement, ...]:
    """Of each criterion of pairs that both told, and of what the answers come to. Needs the pair views.

    People are asked for all criteria at once. Where they agree on the same, each criterion of identity holds, save
    clothing, which one and the same may change; where they agree on another, only those they ticked are denied. That
    contexts are alike speaks against another scene and another pose; that they differ, for neither alone.
    """
    people = {
        pair_id: _told(verdict, other_context, frozenset(reasons or ()))
        for pair_id, verdict, other_context, reasons in now.query(_PEOPLE)
    }
    counts = {name: Counter[tuple[bool, float | None]]() for name in CRITERIA}
    for pair_id, name, value in now.query(_JUDGE, [list(CRITERIA)]):
        said = people.get(pair_id, {}).get(name)
        if said is not None:
            counts[name][said, value] += 1
    return tuple(_row(name, found) for name, found in counts.items() if found)


def _told(verdict: str, other_context: str | None, reasons: frozenset[str]) -> dict[str, bool]:
    """What people say of each criterion; those that they leave open are not in it."""
    told: dict[str, bool] = {}
    if verdict in SAME:
        told |= {"identity": True} | {name: True for name in REASONS if name != "clothing"}
    elif verdict == "different":
        told |= {"identity": False} | {name: False for name, reason in REASONS.items() if reason in reasons}
    if other_context == "yes":
        told["context"] = True
    elif other_context == "no" or verdict == "near_duplicate":
        told |= dict.fromkeys(("context", *CONTEXT), False)
    return told


def _row(name: str, found: Counter[tuple[bool, float | None]]) -> JudgeAgreement:
    both_yes, both_no = found[True, 1.0], found[False, 0.0]
    only_people, only_judge = found[True, 0.0], found[False, 1.0]
    num = both_yes + both_no + only_people + only_judge
    share = (both_yes + both_no) / num if num else None
    interval = wilson(share, num) if share is not None else None
    told = [pair for pair, count in found.items() if pair[1] is not None for _ in range(count)]
    answers = Answers(
        units=np.tile(np.arange(num), 2),
        raters=np.repeat([0, 1], num),
        values=np.array([int(people) for people, _ in told] + [int(judge or 0) for _, judge in told], int),
    )
    return JudgeAgreement(
        criterion=name,
        both_yes=both_yes,
        both_no=both_no,
        only_people=only_people,
        only_judge=only_judge,
        unsure=found[True, None] + found[False, None],
        agreement=share,
        agreement_low=interval[0] if interval else None,
        agreement_high=interval[1] if interval else None,
        kappa=cohen_kappa(answers, 0, 1).value if num else None,
    )
