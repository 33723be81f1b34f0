"""What a study can be made of in a project, and what a draft of one would come to."""

from collections import Counter, defaultdict

from backend.domain import SettingsError
from backend.domain.studies import LANGUAGES
from backend.domain.study_plans import (
    AspectOption,
    BenchmarkOption,
    FormOption,
    PresetOption,
    StudyOptions,
    SystemOption,
)
from backend.store.catalog import Catalog
from backend.studies import STUDIES
from backend.studies import design as designs
from backend.studies.forms import load_form
from backend.studies.kinds import kind_of
from backend.studies.rules import rule_options
from backend.workspace.evaluating import LATEST_GENERATIONS, latest_cases
from backend.workspace.study_enrolling import GROUPS
from backend.workspace.study_votes import FORMATS


def options_of(catalog: Catalog, *, language: str) -> StudyOptions:
    """Raises SettingsError for a language that no form has."""
    if language not in LANGUAGES:
        raise SettingsError(f"language {language[:40]!r} is none of {', '.join(LANGUAGES)}")
    usual = PresetOption(
        name="", pairs=designs.DEFAULT_PAIRS, raters=designs.DEFAULT_RATERS, trials=designs.DEFAULT_TRIALS, source=""
    )
    presets = (
        PresetOption(name=name, pairs=one.pairs, raters=one.raters, trials=one.trials, source=one.source)
        for name, one in designs.PRESETS.items()
    )
    return StudyOptions(
        forms=tuple(_form(kind, form, language) for kind in STUDIES for form in kind_of(kind).forms),
        benchmarks=_benchmarks(catalog),
        presets=(usual, *presets),
        rules=rule_options(),
        languages=LANGUAGES,
        groups=GROUPS,
        vote_formats=FORMATS,
    )


def _form(kind: str, name: str, language: str) -> FormOption:
    found = load_form(name if language == "en" else f"{name}_{language}")
    asked = tuple(AspectOption(name=question.name, text=question.text) for question in found.questions)
    return FormOption(kind=kind, name=name, title=found.title, aspects=asked)


def _benchmarks(catalog: Catalog) -> tuple[BenchmarkOption, ...]:
    """Those that are listed, with the systems that the project knows videos of."""
    names = {case.id: case.benchmark for case in latest_cases(catalog)}
    answered: dict[str, Counter[str]] = defaultdict(Counter)
    for case_id, system in catalog.query(
        f"SELECT DISTINCT case_id, system FROM ({LATEST_GENERATIONS}) WHERE path <> '' ORDER BY system, case_id"
    ):
        if case_id in names:
            answered[names[case_id]][system] += 1
    return tuple(
        BenchmarkOption(
            name=name,
            cases=num,
            systems=tuple(SystemOption(name=system, cases=of) for system, of in answered[name].items()),
        )
        for name, num in Counter(names.values()).items()
    )
