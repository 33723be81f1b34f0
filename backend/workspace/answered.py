"""What a rater answered of a standing study's items, and which of these they left half answered."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from heapq import nlargest

from backend.domain import Form, Question, Trial, Vote
from backend.store.schema import VOTE_SCHEMA
from backend.workspace.snapshot import Snapshot

LATEST = 5
"""So many items that a rater answered last are asked about to the end, though the project may not know the question yet."""
_ANSWERED = """
WITH newest AS (
    SELECT item_id, question, choice, seq FROM vote WHERE study_id = $study AND rater = $rater
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1
), items AS (SELECT item_id, {choices}, max(seq) AS seq FROM newest WHERE choice NOTNULL GROUP BY 1)
SELECT list(item_id), list(seq), {names} FROM items GROUP BY ALL
"""
_SINCE = "SELECT question, min(seq) FROM vote WHERE study_id = ? AND rater_kind = 'person' GROUP BY 1"


def half_answered(
    now: Snapshot, *, study_id: str, rater: str, questions: Sequence[str], form_of: Callable[[str], Form]
) -> tuple[str, ...]:
    """Items of which the rater answered something, and `form_of` the item still asks something; the latest first.

    `questions` names what forms of the study ask. A question that was added to a form later is not asked again of
    everything that was judged before it: an item counts only where somebody had answered the open question in this
    project before the rater's last answer about the item, or where it is one of the `LATEST` that the rater answered.
    """
    since: dict[str, int] = dict(now.query(_SINCE, [study_id]))
    names = [f"choice_{number}" for number in range(len(questions))]
    choices = [f"arg_max(choice, seq) FILTER (question = ${name}) AS {name}" for name in names]
    rows = now.query(
        _ANSWERED.format(choices=", ".join(choices), names=", ".join(names)),
        {"study": study_id, "rater": rater, **dict(zip(names, questions, strict=True))},
    )
    latest = nlargest(LATEST, (seq for _, seqs, *_ in rows for seq in seqs))
    found: list[tuple[int, str]] = []
    for items, seqs, *said in rows:
        answers = dict(zip(questions, said, strict=True))
        opens: dict[str, Question | None] = {}
        for item, seq in zip(items, seqs, strict=True):
            form = form_of(item)
            if form.name not in opens:
                opens[form.name] = form.open_question(answers)
            question = opens[form.name]
            if question is not None and (seq >= latest[-1] or seq > since.get(question.name, seq)):
                found.append((seq, item))
    return tuple(item for _, item in sorted(found, reverse=True))


def with_answers(now: Snapshot, trials: tuple[Trial, ...], *, rater: str, half: Collection[str]) -> tuple[Trial, ...]:
    """The trials of one study, those of the items `half` with what the rater answered of them."""
    items = [trial.item_id for trial in trials if trial.item_id in half]
    if not items:
        return trials
    said: dict[str, dict[str, Vote]] = {}
    for vote in standing_votes(now, study_id=trials[0].study_id, items=items, rater=rater):
        said.setdefault(vote.item_id, {})[vote.question] = vote  # in journal order: the last one holds
    return tuple(replace(trial, answers=tuple(said.get(trial.item_id, {}).values())) for trial in trials)


def standing_votes(
    now: Snapshot, *, study_id: str, items: Sequence[str] | None = None, rater: str | None = None
) -> tuple[Vote, ...]:
    """Votes of a study that hold, of all items and raters unless some are named, in journal order."""
    names = [name for name in VOTE_SCHEMA.names if name not in ("seq", "received_at")]
    rows = now.query(
        f"""SELECT {", ".join(names)} FROM (SELECT * FROM vote WHERE study_id = $study
            AND ($items IS NULL OR list_contains($items::VARCHAR[], item_id)) AND ($rater IS NULL OR rater = $rater)
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1) WHERE choice NOTNULL ORDER BY seq""",
        {"study": study_id, "items": None if items is None else list(items), "rater": rater},
    )
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return tuple(
        Vote(**{**row, "reasons": tuple(row["reasons"] or ()), "shown_order": tuple(row["shown_order"] or ())})
        for row in found
    )
