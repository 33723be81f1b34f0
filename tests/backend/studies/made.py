"""Cases and generations without files, for designs."""

from backend.domain import Case, Generation
from backend.domain.studies import StudyDesign, StudyItem
from backend.studies.design import candidates, checks, identical_pairs, practice_items, sample
from backend.studies.kinds import kind_of


def made_cases(num: int, categories: tuple[str, ...] = ("singlehuman", "singleobj")) -> list[Case]:
    return [
        Case(
            benchmark="toy",
            name=f"{categories[k % len(categories)]}_{k}",
            prompt=f"a prompt {k}",
            references=(f"/pictures/{k}.png",),
            category=categories[k % len(categories)],
        )
        for k in range(num)
    ]


def made_generations(cases: list[Case], systems: tuple[str, ...]) -> dict[tuple[str, str], Generation]:
    return {
        (case.id, system): Generation(
            case_id=case.id,
            system=system,
            seed=0,
            path=f"/videos/{system}/{case.name}.mp4",
            content_hash=f"{system}{case.name}",
            num_bytes=1,
        )
        for case in cases
        for system in systems
    }


def made_items(kind: str, num_cases: int, systems: tuple[str, ...]) -> list[StudyItem]:
    cases = made_cases(num_cases)
    return candidates(kind_of(kind), cases, made_generations(cases, systems), systems)[0]


def made_design(
    kind: str = "preference",
    *,
    num_cases: int = 24,
    pairs: int = 40,
    systems: tuple[str, ...] = ("one", "two", "three"),
    aspects: tuple[str, ...] = ("better",),
    form: str = "ab",
    **fields,
) -> StudyDesign:
    found = kind_of(kind)
    pool = made_items(kind, num_cases, systems)
    items = sample(pool, pairs, seed=fields.get("seed", 0))
    more = (
        *checks(found, items, aspects, num=4, seed=1),
        *identical_pairs(found, items, aspects, num=3, seed=1),
        *practice_items(items, pool, num=2),
    )
    return StudyDesign(
        name="toy",
        kind=kind,
        form=form,
        aspects=aspects,
        systems=systems,
        benchmark="toy",
        cases_hash="0",
        items=(*items, *more),
        **{"trials": 12, **fields},
    )
