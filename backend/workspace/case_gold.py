"""Cases that are faulty on purpose, mixed in with those that wait: they tell how often a rater sees what is wrong.

One person's word ends a case, so that others' agreement, which makes answers known elsewhere, does not come about. What is
known is made instead: the prompt of one case with the references of another that shows things of no domain of the first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from backend.domain import CASES_STUDY, digest
from backend.models.taxonomy import load_taxonomy
from backend.store.case_events import planted_event
from backend.store.journal_schema import Event
from backend.workspace.case_approving import REJECT, PutUp
from backend.workspace.case_checks import classes_of
from backend.workspace.gold import with_gold
from backend.workspace.snapshot import Snapshot

_SAID = """
SELECT item_id, arg_max(choice, seq) AS choice FROM (SELECT * FROM vote WHERE study_id = ? AND rater = ? AND rater_kind = 'person'
QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1) WHERE choice NOTNULL GROUP BY 1
"""


def gold_score(now: Snapshot, *, rater: str) -> tuple[int, int]:
    """How many faulty cases this rater judged, and how many of these they refused."""
    sql = f"SELECT count(*), count(*) FILTER (choice = '{REJECT}') FROM ({_SAID}) WHERE item_id IN (SELECT content FROM case_planted)"
    return now.query(sql, [CASES_STUDY, rater])[0]


def planted(now: Snapshot, shown: Mapping[str, PutUp], *, rater: str, count: int) -> dict[str, tuple[PutUp, Event]]:
    """The next faulty cases of a rater by content, each with the event that says that it is one, to be stored when it is shown.

    Those that the rater judged, or wrote another prompt for, are left out. None where all cases show things of one domain.
    """
    done = {name for name, _ in now.query(_SAID, [CASES_STUDY, rater])}
    done |= {name for (name,) in now.query("SELECT item_id FROM correction WHERE what = 'prompt' AND rater = ?", [rater])}
    found: dict[str, tuple[PutUp, Event]] = {}
    for faulty, event in _made(shown, rater):
        if len(found) == count:
            break
        content = faulty.case.content
        if content not in done and content not in shown:
            found[content] = faulty, event
    return found


def mixed(order: Sequence[str], faulty: Sequence[str], *, place: int) -> list[str]:
    """A rater's queue with one faulty case at every tenth place, and none behind the last real one."""
    found = with_gold([*order, *faulty], set(faulty), place=place)
    last = max((at for at, name in enumerate(found) if name not in faulty), default=-1)
    return found[: last + 1]


def _made(shown: Mapping[str, PutUp], rater: str) -> Iterator[tuple[PutUp, Event]]:
    """Faulty cases in an order of the rater's own; the references for a prompt are the same for everybody."""
    classes = {content: classes_of(one.case) for content, one in shown.items()}
    domains = {content: {one.domain for one in known} for content, known in classes.items() if known}
    for content in sorted(domains, key=lambda name: digest((rater, name))):
        prompted = shown[content]
        said = {match.category.domain for match in load_taxonomy().find(prompted.case.prompt)}
        others = [name for name in domains if said and not domains[name] & (said | domains[content])]
        if others:
            other = min(others, key=lambda name: digest((content, name)))
            faulty = _crossed(prompted, shown[other])
            yield faulty, planted_event(faulty.case.content, prompt_of=content, pictures_of=other)


def _crossed(prompted: PutUp, pictured: PutUp) -> PutUp:
    """One case's prompt with another's references."""
    other = pictured.case
    case = replace(
        prompted.case,
        references=other.references,
        hashes=other.hashes,
        labels=other.labels,
        kinds=other.kinds,
        subjects=other.subjects,
        inside=(False,) * len(other.references) if prompted.case.inside else (),
    )
    return PutUp(case, prompted.clip_id, pictured.pictures)
