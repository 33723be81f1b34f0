"""Votes of studies as files: JSON lines, Parquet, CSV that spreadsheets can open safely, VBench-2.0's human_anno JSON."""

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from backend.domain import ImportRefused, ProjectError, SettingsError, Vote, content_id
from backend.domain.cells import unguarded, write_cells
from backend.domain.studies import MAIN, CodedVote, Participant, StudyDesign, StudyItem, VoteFiles
from backend.store.journal_schema import Event
from backend.store.study_events import assigned_event, chosen_event, consented_event, finished_event, joined_event
from backend.studies.book import StudyBook, trial_id
from backend.studies.kinds import order_of
from backend.studies.tally import IMPORTED
from backend.workspace.study_enrolling import GROUPS
from backend.workspace.study_shelf import StudyShelf

FORMATS = ("jsonl", "parquet", "csv", "vbench2")
TEXTS = {"a": 1.0, "tie": 0.5, "b": 0.0}
_NEEDED = ("case_id", "systems", "question", "rater", "choice")
MAX_FILE_BYTES = 512 << 20
PUBLIC = "public"
IMPORTED_PLACE = -1
"""Imported raters hold no place of the design: what they answered is what their file says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadVote:
    """A line of a file: a vote on a main item, its rater's group as it stands there, and whether the item had come evenly."""

    item: StudyItem
    vote: Vote
    group: str
    held_out: bool


def write_votes(votes: Sequence[CodedVote], design: StudyDesign, path: Path, *, format: str) -> int:
    """Writes a file, whole or not at all; gives the number of votes in it. Raises SettingsError for an unknown format."""
    match format:
        case "jsonl":
            data = "".join(json.dumps(asdict(vote), ensure_ascii=False) + "\n" for vote in votes).encode("utf-8", "replace")
        case "csv":
            data = _csv(votes)
        case "parquet":
            data = _parquet(votes)
        case "vbench2":
            main = [vote for vote in votes if vote.role == MAIN]
            data = json.dumps(human_anno(main, design), ensure_ascii=False, indent=1).encode("utf-8", "replace")
        case _:
            raise SettingsError(f"format {format[:40]!r} is none of {', '.join(FORMATS)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.new")
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        raise ProjectError(f"{path} cannot be written: {error.strerror}; choose another place or free space") from error
    return len(votes)


def human_anno(votes: Sequence[CodedVote], design: StudyDesign) -> dict[str, list[dict[str, Any]]]:
    """By question and case, what most voted for each ordered pair of systems: 1, .5 or 0."""
    found: dict[str, list[dict[str, Any]]] = {}
    for question in design.aspects:
        cases: dict[str, dict[str, dict[str, list[float]]]] = {}
        for vote in votes:
            if vote.question == question and len(vote.systems) == 2 and vote.value is not None:
                first, second = vote.systems
                case = cases.setdefault(vote.case_id, {})
                case.setdefault(first, {}).setdefault(second, []).append(vote.value)
                case.setdefault(second, {}).setdefault(first, []).append(1 - vote.value)
        prompts = {item.case_id: item.prompt for item in design.items}
        found[question] = [
            {
                "case_id": case,
                "prompt_en": prompts[case],
                "human_anno": {a: {b: _majority(values) for b, values in rivals.items()} for a, rivals in pairs.items()},
            }
            for case, pairs in sorted(cases.items())
        ]
    return found


def read_votes(path: Path, design: StudyDesign, *, format: str) -> list[ReadVote]:
    """Votes on the study's main items, as shown or as `a`, `b`. Raises ImportRefused naming the line that is wrong."""
    if format not in ("jsonl", "parquet", "csv", "vbench2"):
        raise SettingsError(f"format {format[:40]!r} is none of {', '.join(FORMATS)}")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ImportRefused(f"{path} holds more than {MAX_FILE_BYTES >> 20} MB; split it")
        rows = _rows(path, format)
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, pa.ArrowException, csv.Error) as error:
        raise ImportRefused(f"{path} is no {format} file of votes: {error}") from error
    items = {(item.case_id, frozenset(item.systems)): item for item in design.items if item.role == MAIN}
    numbered = [(row, f"{path}, vote {number}") for number, row in enumerate(rows, 1)]
    return [_vote(row, where, design, items) for row, where in numbered if _is_main(row)]


def import_votes(shelf: StudyShelf, study: str, path: Path, *, format: str) -> VoteFiles:
    """Journals a file's votes, each rater as a participant who finished. The same file again changes nothing."""
    book = shelf.book(study)
    by_rater: dict[str, list[ReadVote]] = {}
    for one in read_votes(path, book.design, format=format):
        _check_choice(book, one.item, one.vote, path)
        by_rater.setdefault(one.vote.rater, []).append(one)
    groups = {rater: _group(given, path) for rater, given in by_rater.items()}
    num = 0
    with shelf.once:
        for rater, given in by_rater.items():
            person = Participant(
                id=content_id("p", book.id, IMPORTED, rater),
                study_id=book.id,
                group=groups[rater],
                invited_by=IMPORTED,
            )
            num += _import_rater(shelf, book, person, given, path)
    told = () if num else ("every vote of the file was imported before",)
    return VoteFiles(path=str(path), format=format, votes=num, remarks=told)


def _import_rater(shelf: StudyShelf, book: StudyBook, person: Participant, given: Sequence[ReadVote], path: Path) -> int:
    if person.id not in book.enrolled:
        agreed = consented_event(person, text=f"imported from {path.name[:200]}")
        shelf.append(book, [joined_event(person), agreed, *_trial_events(book, person, given)])
    enrolment = book.enrolled[person.id]
    trial_ids = {trial.item_id: name for trial, name in zip(enrolment.trials, enrolment.trial_ids, strict=True)}
    strange = [one.item.case_id for one in given if one.item.id not in trial_ids]
    if strange:
        raise ImportRefused(
            f"{path}: rater {given[0].vote.rater!r} was imported before without case {strange[0]}; give all votes of a "
            "rater in one file"
        )
    votes = [replace(one.vote, rater=person.id, trial_id=trial_ids[one.item.id]) for one in given]
    before = shelf.journal.head().seq
    receipts = shelf.journal.append_votes(votes, redactable=True)
    for vote in votes:
        shelf.keep_answer(vote)
    if enrolment.participant.state != "finished":
        shelf.append(book, [finished_event(person, code="")])
    return sum(receipt.seq > before for receipt in receipts)


def _group(given: Sequence[ReadVote], path: Path) -> str:
    """The one group of a rater's votes."""
    groups = {one.group for one in given}
    if len(groups) > 1 or not groups <= set(GROUPS):
        raise ImportRefused(
            f"{path}: rater {given[0].vote.rater!r} is of group {', '.join(sorted(groups))[:80]}; give each rater one of "
            f"{', '.join(GROUPS)}, or none for {PUBLIC}"
        )
    return groups.pop()


def _trial_events(book: StudyBook, person: Participant, given: Sequence[ReadVote]) -> list[Event]:
    """The items that a rater answered as their trials, those that were chosen for them apart."""
    orders = {one.item.id: (order_of(one.vote, one.item.systems), one.held_out) for one in reversed(given)}
    trials = [(item_id, MAIN, order) if even else ("", MAIN, ()) for item_id, (order, even) in orders.items()]
    chosen = [
        chosen_event(person, trial_id=trial_id(book.id, person.id, k), position=k, item_id=item_id, role=MAIN, order=order)
        for k, (item_id, (order, even)) in enumerate(orders.items())
        if not even
    ]
    return [assigned_event(person, place=IMPORTED_PLACE, trials=trials), *chosen]


def _check_choice(book: StudyBook, item: StudyItem, vote: Vote, path: Path) -> None:
    question = next(question for question in book.form_of(item).questions if question.name == vote.question)
    if vote.choice not in {choice.value for choice in question.choices}:
        raise ImportRefused(
            f"{path}: {vote.choice!r} of rater {vote.rater!r} on case {item.case_id} is no choice of {question.name}"
        )


def _rows(path: Path, format: str) -> list[Mapping[str, Any]]:
    if format == "parquet":
        return pq.read_table(path, page_checksum_verification=True).to_pylist()
    text = path.read_bytes().decode("utf-8-sig")  # as it is: names may hold any kind of line break
    if format == "jsonl":
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    if format == "csv":
        lists = ("systems", "shown", "reasons")
        found = []
        for row in csv.DictReader(io.StringIO(text, newline="")):
            plain = {name: unguarded(value or "") for name, value in row.items() if name}
            found.append({n: ([p for p in v.split("|") if p] if n in lists else v) for n, v in plain.items()})
        return found
    rows = []
    for question, cases in json.loads(text).items():
        for case in cases:
            for first, rivals in case["human_anno"].items():
                for second, value in rivals.items():
                    if first < second:  # each pair stands there twice
                        choice = {v: k for k, v in TEXTS.items()}.get(float(value), str(value))
                        about = {"case_id": case["case_id"], "question": question, "rater": "human_anno"}
                        rows.append({**about, "systems": [first, second], "choice": choice})
    return rows


def _vote(
    row: Mapping[str, Any], where: str, design: StudyDesign, items: Mapping[tuple[str, frozenset[str]], StudyItem]
) -> ReadVote:
    if not isinstance(row, Mapping) or any(not row.get(name) for name in _NEEDED):
        raise ImportRefused(f"{where}: it needs {', '.join(_NEEDED)}")
    for name in ("systems", "shown", "reasons"):
        if not isinstance(row.get(name) or [], list | tuple):
            raise ImportRefused(f"{where}: {name} is {str(row[name])[:80]!r}; give a list")
    systems = [str(name) for name in row["systems"]]
    item = items.get((str(row["case_id"]), frozenset(systems)))
    if item is None:
        raise ImportRefused(
            f"{where}: study {design.name} has no item of case {row['case_id']!r} with {', '.join(systems)}"
        )
    question, rater, choice = (str(row[name]) for name in ("question", "rater", "choice"))
    if question not in design.aspects:
        raise ImportRefused(f"{where}: {question[:80]!r} is not asked; the study asks {', '.join(design.aspects)}")
    shown = [str(name) for name in row.get("shown") or systems]
    if sorted(shown) != sorted(item.systems) or sorted(systems) != sorted(item.systems):
        raise ImportRefused(f"{where}: systems {', '.join(shown)} are not those of the item")
    if choice in ("a", "b"):
        choice, shown = "left" if choice == "a" else "right", systems
    vote = Vote(
        id=content_id("vote", design.id, rater, item.id, question),
        rev=1,
        study_id=design.id,
        trial_id="",
        item_id=item.id,
        rater=rater,
        rater_kind="person",
        question=question,
        choice=choice,
        reasons=tuple(str(reason) for reason in row.get("reasons") or ()),
        comment=str(row.get("comment") or ""),
        shown_order=tuple(shown),
    )
    even = str(row.get("held_out", True)).lower() != "false"
    return ReadVote(item=item, vote=vote, group=str(row.get("group") or PUBLIC), held_out=even)


def _is_main(row: object) -> bool:
    """Checks and repeats of an exported file are left out: they belong to the participants whom they checked."""
    return not isinstance(row, Mapping) or row.get("role", MAIN) == MAIN


def _majority(values: Sequence[float]) -> float:
    wins, losses = sum(v == 1 for v in values), sum(v == 0 for v in values)
    return 1.0 if wins > losses else 0.0 if losses > wins else 0.5


def _csv(votes: Sequence[CodedVote]) -> bytes:
    names = [field.name for field in fields(CodedVote)]
    file = io.StringIO(newline="")
    write_cells(file, (names, *([_cell(getattr(vote, name)) for name in names] for vote in votes)))
    return file.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> Any:
    return "|".join(value) if isinstance(value, tuple) else value


def _parquet(votes: Sequence[CodedVote]) -> bytes:
    kinds = {"tuple[str, ...]": pa.list_(pa.string()), "bool": pa.bool_(), "float": pa.float64(), "str": pa.string()}
    kinds |= {"float | None": pa.float64(), "int | None": pa.int64()}
    schema = pa.schema([(field.name, kinds[_name_of(field.type)]) for field in fields(CodedVote)])
    sink = io.BytesIO()
    table = pa.Table.from_pylist([asdict(vote) for vote in votes], schema=schema)
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def _name_of(kind: Any) -> str:
    return (
        kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind)) if kind in (str, bool, float) else str(kind)
    )
