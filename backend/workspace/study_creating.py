"""Deciding a study: which systems and cases, which items are drawn, what participants are given."""

import json
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from backend.domain import Case, Generation, ImportRefused, ProjectError, SettingsError, digest, resource
from backend.domain.studies import LANGUAGES, MAIN, PRACTICE, Rules, StudyDesign, StudyItem
from backend.domain.study_plans import StudyDraft
from backend.engine.context import load
from backend.jobs import CALLS
from backend.settings import nearest
from backend.store.catalog import Catalog
from backend.studies import design as designs
from backend.studies.forms import study_form
from backend.studies.kinds import StudyKind, kind_of
from backend.studies.rules import rules_with
from backend.workspace.evaluating import LATEST_GENERATIONS, LISTED, unlisted
from backend.workspace.ranking import cases_of
from backend.workspace.unsafe_cases import GATE

TEXTS = "studies/texts.json"
GOLD_POOL = 10  # different gold items of a study, so that participants do not tell each other
IDENTICAL_POOL = 5
FEW = 100  # main items below which the summary says how wide intervals will be


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A design, what is worth knowing of it, and the cases and videos that it was made of and that were named with it."""

    design: StudyDesign
    remarks: tuple[str, ...]
    cases: tuple[Case, ...]
    videos: tuple[Generation, ...]


def decide(catalog: Catalog, draft: StudyDraft, *, unsafe: Collection[str] = ()) -> Decided:
    """Reads alone: what was named is kept by `list_named`. Cases whose content is `unsafe` are left out.

    Raises SettingsError and ProjectError in one sentence.
    """
    kind = kind_of(draft.kind)
    form = _checked(draft, kind)
    told, videos = _named(draft)
    unlisted(catalog, told)  # refuses cases that are listed with other content
    listed: Sequence[Case] = told or cases_of(catalog, draft.benchmark)
    cases = [case for case in listed if case.content not in unsafe]
    if not cases:
        raise ProjectError(f"all {len(listed)} cases are of clips that the gate {GATE} holds back; draw others")
    generations, systems = _known(catalog, draft, cases, videos)
    preset = designs.PRESETS[draft.preset] if draft.preset else None
    pool, lacking = designs.candidates(kind, cases, generations, systems)
    if not pool:
        raise ProjectError(
            f"no case has videos of {', '.join(systems)} to compare; give other systems or list their videos first"
        )
    num = draft.pairs or (preset.pairs if preset else designs.DEFAULT_PAIRS)
    items = designs.sample(pool, num, seed=draft.seed, one_per_case=bool(preset and preset.one_per_case))
    shown = study_form(
        form,
        language=draft.language,
        aspects=draft.aspects,
        slots=kind.slots(len(items[0].systems)),
        num_references=1,
        name=form,
    )
    aspects = tuple(question.name for question in shown.questions)
    decided = StudyDesign(
        name=draft.name.strip(),
        kind=kind.name,
        form=form,
        aspects=aspects,
        systems=tuple(systems),
        benchmark=cases[0].benchmark,
        cases_hash=digest(tuple(sorted(case.content for case in cases))),
        items=_with_checks(kind, items, pool, aspects, seed=draft.seed),
        seed=draft.seed,
        preset=draft.preset,
        raters_per_item=draft.raters or (preset.raters if preset else designs.DEFAULT_RATERS),
        trials=draft.trials or (preset.trials if preset else designs.DEFAULT_TRIALS),
        rules=rules_with(Rules(), draft.rules),
        sequential=draft.sequential,
        hold_out=draft.hold_out,
        stop_half_width=draft.stop_half_width,
        language=draft.language,
        consent=json.loads(resource(TEXTS).read_text("utf-8"))[draft.language]["consent"],
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    _require_media(decided.items)
    if draft.sequential:
        designs.require_sequential(decided)
    remarks = _remarks(items, num, len(pool), lacking, decided)
    if len(cases) < len(listed):
        remarks = (
            f"{len(listed) - len(cases)} cases are left out: the gate {GATE} holds back clips that they show",
            *remarks,
        )
    return Decided(design=decided, remarks=remarks, cases=told, videos=videos)


def list_named(catalog: Catalog, decided: Decided) -> None:
    """Lists cases and videos that the catalog does not know as they are now."""
    with catalog.session():  # held over look and add
        places = {(row[0], row[1]) for row in catalog.query(f"SELECT id, path FROM ({LATEST_GENERATIONS})")}
        others = [row for row in decided.videos if (row.id, row.path) not in places]
        fresh = [*unlisted(catalog, decided.cases), *others]
        if fresh:
            catalog.add_records(fresh, work_key=f"{LISTED}:{uuid.uuid4().hex}")


def require_name(name: str) -> None:
    """Raises SettingsError for a name that no study can have."""
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise SettingsError(f"name is {name[:100]!r}; give the study a name of 1 to 100 letters")


def _checked(draft: StudyDraft, kind: StudyKind) -> str:
    """The form that fits. Refuses what cannot be before anything is listed."""
    if draft.language not in LANGUAGES:
        raise SettingsError(f"language {draft.language[:40]!r} is none of {', '.join(LANGUAGES)}")
    form = draft.form or kind.forms[0]
    if form not in kind.forms:
        raise SettingsError(f"form {form[:80]!r} does not fit kind {kind.name}; take one of {', '.join(kind.forms)}")
    if draft.preset and draft.preset not in designs.PRESETS:
        raise SettingsError(f"preset {draft.preset[:80]!r} is none of {', '.join(designs.PRESETS)}")
    for name, value in (("pairs", draft.pairs), ("raters", draft.raters), ("trials", draft.trials)):
        if value is not None and not 1 <= value <= 100_000:
            raise SettingsError(f"{name} is {value}; give 1 to 100000")
    if not 0 <= draft.hold_out <= 1:
        raise SettingsError(f"hold_out is {draft.hold_out:g}; give a share of 0 to 1")
    if not 0 <= draft.stop_half_width < 100:  # NaN too is refused here
        raise SettingsError(f"stop_half_width is {draft.stop_half_width:g}; give half of an interval, as .2, or 0 for none")
    if not 0 <= draft.seed < 2**32:
        raise SettingsError(f"seed is {draft.seed}; give 0 to {2**32 - 1}")
    return form


def _named(draft: StudyDraft) -> tuple[tuple[Case, ...], tuple[Generation, ...]]:
    """Cases of the file, and videos of the folders, that a draft names."""
    named = [text.partition("=") for text in draft.systems]
    designs.require_distinct([name.strip() for name, *_ in named])
    folders = {name.strip(): folder for name, equals, folder in named if equals}
    if folders and not draft.cases:
        raise SettingsError(f"system {next(iter(folders))} is given with a folder; give its cases file too, by --cases")
    if not draft.cases:
        return (), ()
    references = Path(draft.references) if draft.references else None
    cases = load(CALLS["read_cases"])(Path(draft.cases), references=references).cases
    if not cases:
        raise ProjectError(f"{draft.cases} holds no cases; a study needs at least one")
    find = load(CALLS["find_generations"])
    found = [find(Path(folder), system, cases) for system, folder in folders.items()]
    for one in (one for each in found for one in each.refused if one.case_id):
        raise ImportRefused(one.reason)  # which of two a study shows is for whoever made them to say
    return tuple(cases), tuple(row for each in found for row in each.generations)


def _known(
    catalog: Catalog, draft: StudyDraft, cases: Sequence[Case], videos: Sequence[Generation]
) -> tuple[dict[tuple[str, str], Generation], list[str]]:
    """The first seed's generation of each case and system, those named now before listed ones, and the systems asked for."""
    listed = catalog.records(Generation, f"SELECT * FROM ({LATEST_GENERATIONS}) WHERE path <> ''")
    latest = {(row.case_id, row.system, row.seed): row for row in (*listed, *videos)}
    ids = {case.id for case in cases}
    rows = sorted((row for row in latest.values() if row.case_id in ids), key=lambda row: (-row.seed, row.id))
    generations = {(row.case_id, row.system): row for row in rows}
    known = sorted({system for _, system in generations})
    systems = [text.partition("=")[0].strip() for text in draft.systems] or known
    unknown = [system for system in systems if system not in known]
    if unknown:
        raise SettingsError(
            f"system {unknown[0][:80]!r} has no video of {cases[0].benchmark}{nearest(unknown[0], known)}; "
            "list it as NAME=FOLDER with --cases, or evaluate it first"
        )
    return generations, systems


def _with_checks(
    kind: StudyKind, items: Sequence[StudyItem], pool: Sequence[StudyItem], aspects: tuple[str, ...], *, seed: int
) -> tuple[StudyItem, ...]:
    """The main items, then gold, identical and practice ones; one gold item becomes practice, on which its answer is told."""
    gold = designs.checks(kind, items, aspects, num=GOLD_POOL + 1, seed=seed)
    taught = [replace(gold[-1], role=PRACTICE)] if len(gold) > 1 else []
    return (
        *items,
        *(gold[:-1] if taught else gold),
        *designs.identical_pairs(kind, items, aspects, num=IDENTICAL_POOL, seed=seed),
        *taught,
        *designs.practice_items(items, pool, num=1),
    )


def _require_media(items: Sequence[StudyItem]) -> None:
    """Raises ProjectError naming the first file that is not there."""
    files = dict.fromkeys(path for item in items for path in (*(one.path for one in item.media), *item.references))
    missing = [path for path in files if not Path(path).is_file()]
    if missing:
        raise ProjectError(
            f"{len(missing)} of the study's {len(files)} files are missing, first {missing[0]}; put them back, or list "
            "the videos again where they lie now"
        )


def _remarks(
    items: Sequence[StudyItem], wanted: int, there: int, lacking: dict[str, int], design: StudyDesign
) -> tuple[str, ...]:
    told = [f"{system} lacks videos of {num} cases; those are left out" for system, num in lacking.items()]
    if len(items) < wanted:
        why = f"{there} can be made" if there < wanted else "the preset shows each case once"
        told.append(f"{wanted} items were asked for and {why}: {len(items)} are used")
    if len(items) < FEW:
        row = next(row for row in designs.power_table(pairs=len(items), raters=design.raters_per_item) if row.chosen)
        told.append(
            f"{len(items)} items leave an interval of +-{row.half_width:.2f}: shares of wins closer to .5 than "
            f"{row.detectable - 0.5:.2f} will not be told from chance; more items help, more raters hardly"
        )
    if not any(item.role not in (MAIN, PRACTICE) for item in design.items):
        told.append("no gold trial can be made of these aspects; careless answers will be harder to see")
    return tuple(told)
