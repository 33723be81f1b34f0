"""Deciding a study: which systems and cases, which items are drawn, what participants are given."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from backend.domain import Case, Generation, ProjectError, SettingsError, digest, resource
from backend.domain.studies import LANGUAGES, MAIN, PRACTICE, Rules, StudyDesign, StudyItem
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

TEXTS = "studies/texts.json"
GOLD_POOL = 10  # different gold items of a study, so that participants do not tell each other
IDENTICAL_POOL = 5
FEW = 100  # main items below which the summary says how wide intervals will be


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What `create_study` was asked for; None and empty take the default or the preset's."""

    name: str
    kind: str
    form: str
    aspects: tuple[str, ...]
    systems: tuple[str, ...]
    cases: str | None
    references: str | None
    benchmark: str
    preset: str
    pairs: int | None
    raters: int | None
    trials: int | None
    rules: tuple[str, ...]
    sequential: bool
    hold_out: float
    stop_half_width: float
    language: str
    seed: int


def decide(catalog: Catalog, asked: Asked) -> tuple[StudyDesign, tuple[str, ...]]:
    """The design, and what is worth knowing of it. Raises SettingsError and ProjectError in one sentence."""
    kind = kind_of(asked.kind)
    form = _checked(asked, kind)
    cases, generations, systems = _listed(catalog, asked)
    preset = designs.PRESETS[asked.preset] if asked.preset else None
    pool, lacking = designs.candidates(kind, cases, generations, systems)
    if not pool:
        raise ProjectError(
            f"no case has videos of {', '.join(systems)} to compare; give other systems or list their videos first"
        )
    num = asked.pairs or (preset.pairs if preset else designs.DEFAULT_PAIRS)
    items = designs.sample(pool, num, seed=asked.seed, one_per_case=bool(preset and preset.one_per_case))
    shown = study_form(
        form,
        language=asked.language,
        aspects=asked.aspects,
        slots=kind.slots(len(items[0].systems)),
        num_references=1,
        name=form,
    )
    aspects = tuple(question.name for question in shown.questions)
    gold = designs.checks(kind, items, aspects, num=GOLD_POOL + 1, seed=asked.seed)
    taught = [_as_practice(gold[-1])] if len(gold) > 1 else []
    decided = StudyDesign(
        name=asked.name.strip(),
        kind=kind.name,
        form=form,
        aspects=aspects,
        systems=tuple(systems),
        benchmark=cases[0].benchmark,
        cases_hash=digest(tuple(sorted(case.content for case in cases))),
        items=(
            *items,
            *(gold[:-1] if taught else gold),
            *designs.identical_pairs(kind, items, aspects, num=IDENTICAL_POOL, seed=asked.seed),
            *taught,
            *designs.practice_items(items, pool, num=1),
        ),
        seed=asked.seed,
        preset=asked.preset,
        raters_per_item=asked.raters or (preset.raters if preset else designs.DEFAULT_RATERS),
        trials=asked.trials or (preset.trials if preset else designs.DEFAULT_TRIALS),
        rules=rules_with(Rules(), asked.rules),
        sequential=asked.sequential,
        hold_out=asked.hold_out,
        stop_half_width=asked.stop_half_width,
        language=asked.language,
        consent=json.loads(resource(TEXTS).read_text("utf-8"))[asked.language]["consent"],
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    _require_media(decided.items)
    if asked.sequential:
        designs.require_sequential(decided)
    return decided, _remarks(items, num, len(pool), lacking, decided)


def _checked(asked: Asked, kind: StudyKind) -> str:
    """The form that fits. Refuses what cannot be before anything is listed."""
    if not asked.name.strip() or len(asked.name) > 100 or not asked.name.isprintable():
        raise SettingsError(f"name is {asked.name[:100]!r}; give the study a name of 1 to 100 letters")
    if asked.language not in LANGUAGES:
        raise SettingsError(f"language {asked.language[:40]!r} is none of {', '.join(LANGUAGES)}")
    form = asked.form or kind.forms[0]
    if form not in kind.forms:
        raise SettingsError(f"form {form[:80]!r} does not fit kind {kind.name}; take one of {', '.join(kind.forms)}")
    if asked.preset and asked.preset not in designs.PRESETS:
        raise SettingsError(f"preset {asked.preset[:80]!r} is none of {', '.join(designs.PRESETS)}")
    for name, value in (("pairs", asked.pairs), ("raters", asked.raters), ("trials", asked.trials)):
        if value is not None and not 1 <= value <= 100_000:
            raise SettingsError(f"{name} is {value}; give 1 to 100000")
    if not 0 <= asked.hold_out <= 1:
        raise SettingsError(f"hold_out is {asked.hold_out:g}; give a share of 0 to 1")
    if not 0 <= asked.stop_half_width < 100:  # NaN too is refused here
        raise SettingsError(f"stop_half_width is {asked.stop_half_width:g}; give half of an interval, as .2, or 0 for none")
    if not 0 <= asked.seed < 2**32:
        raise SettingsError(f"seed is {asked.seed}; give 0 to {2**32 - 1}")
    return form


def _listed(catalog: Catalog, asked: Asked) -> tuple[Sequence[Case], dict[tuple[str, str], Generation], list[str]]:
    """Cases, the first seed's generation of each case and system, and the systems in the order asked for."""
    named = [text.partition("=") for text in asked.systems]
    designs.require_distinct([name.strip() for name, *_ in named])
    folders = {name.strip(): folder for name, equals, folder in named if equals}
    if folders and not asked.cases:
        raise SettingsError(f"system {next(iter(folders))} is given with a folder; give its cases file too, by --cases")
    if asked.cases:
        told = load(CALLS["read_cases"])(Path(asked.cases), references=Path(asked.references) if asked.references else None)
        cases: Sequence[Case] = told.cases
        if not cases:
            raise ProjectError(f"{asked.cases} holds no cases; a study needs at least one")
        _add(catalog, cases, folders)
    else:
        cases = cases_of(catalog, asked.benchmark)
    rows = catalog.records(Generation, f"SELECT * FROM ({LATEST_GENERATIONS}) WHERE path <> '' ORDER BY seed DESC, id")
    ids = {case.id for case in cases}
    generations = {(row.case_id, row.system): row for row in rows if row.case_id in ids}
    known = sorted({system for _, system in generations})
    systems = [name.strip() for name, *_ in named] or known
    unknown = [system for system in systems if system not in known]
    if unknown:
        raise SettingsError(
            f"system {unknown[0][:80]!r} has no video of {cases[0].benchmark}{nearest(unknown[0], known)}; "
            "list it as NAME=FOLDER with --cases, or evaluate it first"
        )
    return cases, generations, systems


def _add(catalog: Catalog, cases: Sequence[Case], folders: dict[str, str]) -> None:
    """Lists cases and videos that the catalog does not know as they are now."""
    found = [
        row
        for system, folder in folders.items()
        for row in load(CALLS["find_generations"])(Path(folder), system, cases).generations
    ]
    with catalog.session():  # held over look and add
        places = {(row[0], row[1]) for row in catalog.query(f"SELECT id, path FROM ({LATEST_GENERATIONS})")}
        fresh = [*unlisted(catalog, cases), *(row for row in found if (row.id, row.path) not in places)]
        if fresh:
            catalog.add_records(fresh, work_key=f"{LISTED}:{uuid.uuid4().hex}")


def _as_practice(item: StudyItem) -> StudyItem:
    """A check whose answer is told: what a participant learns on."""
    return replace(item, role=PRACTICE)


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
        told.append(f"{wanted} items were asked for and {there} can be made: {len(items)} are used")
    if len(items) < FEW:
        row = next(row for row in designs.power_table(pairs=len(items), raters=design.raters_per_item) if row.chosen)
        told.append(
            f"{len(items)} items leave an interval of +-{row.half_width:.2f}: shares of wins closer to .5 than "
            f"{row.detectable - 0.5:.2f} will not be told from chance; more items help, more raters hardly"
        )
    if not any(item.role not in (MAIN, PRACTICE) for item in design.items):
        told.append("no gold trial can be made of these aspects; careless answers will be harder to see")
    return tuple(told)
