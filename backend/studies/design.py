"""Which items a study has, and which of them each participant is shown, in which order and with which sides.

Sampling is balanced over categories and sets of systems. Participants take slices of an endless sequence of shuffled
rounds over the main items, so that after any number of participants every item was shown equally often, give or take
one. Sides rotate from round to round, starting evenly: every pair is seen in both orders by as many people.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.domain import Case, Generation, SettingsError
from backend.domain.studies import GOLD, IDENTICAL, MAIN, PRACTICE, REPEAT, PowerRow, StudyDesign, StudyItem, StudyMedia
from backend.measures.power import half_width
from backend.studies.kinds import StudyKind

DEFAULT_PAIRS = 200  # 30 pairs leave an interval of +-.1, 200 one of +-.04 (a simulation with five raters each)
DEFAULT_RATERS = 5
DEFAULT_TRIALS = 30  # ten to fifteen minutes (OpenS2V-Nexus, D.6, asks for 30)
GAP = 5  # trials between an item and its repeat, so that nobody answers from memory of the last screen
_POWER_PAIRS = (30, 60, 100, 200, 400)
_REACH = (1.959964 + 0.841621) / 1.959964  # from an interval's half width to what is found 8 times of 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A published design. `one_per_case` shows each case once."""

    pairs: int
    raters: int
    trials: int
    one_per_case: bool
    source: str


PRESETS = {
    "opens2v": Preset(
        pairs=30, raters=173, trials=30, one_per_case=True, source="OpenS2V-Nexus, D.6: 30 samples, two videos each"
    )
}


@dataclass(frozen=True, slots=True)
class Assigned:
    """One trial of a participant: place k of the screen shows the item's system `order[k]`.

    An open one (a sequential study's) has neither item nor order until it is given out.
    """

    item_id: str
    role: str
    order: tuple[int, ...]
    held_out: bool = True
    """Whether the item came evenly; False where it was chosen by what its votes would tell."""

    @property
    def is_open(self) -> bool:
        return not self.item_id


def candidates(
    kind: StudyKind, cases: Sequence[Case], generations: Mapping[tuple[str, str], Generation], systems: Sequence[str]
) -> tuple[list[StudyItem], dict[str, int]]:
    """Every main item there could be, and how many cases each system lacks. `generations` by case id and system."""
    lacking = {system: sum((case.id, system) not in generations for case in cases) for system in systems}
    items = [
        _item(MAIN, case, [generations[case.id, system] for system in group])
        for case in cases
        for group in kind.groups(systems)
        if all((case.id, system) in generations for system in group)
    ]
    return items, {system: num for system, num in lacking.items() if num}


def sample(items: Sequence[StudyItem], num: int, *, seed: int, one_per_case: bool = False) -> list[StudyItem]:
    """Up to `num` items in random order, as even as possible over categories and sets of systems."""
    rng = np.random.default_rng([seed, 71])
    strata: dict[tuple[str, tuple[str, ...]], list[StudyItem]] = {}
    for place in rng.permutation(len(items)):
        strata.setdefault((items[place].category, items[place].systems), []).append(items[place])
    by_category: dict[str, list[list[StudyItem]]] = {}
    for key in sorted(strata):
        by_category.setdefault(key[0], []).append(strata[key])
    taken: list[StudyItem] = []
    seen: set[str] = set()
    turn = 0
    while by_category and len(taken) < num:
        for category in [list(by_category)[place] for place in rng.permutation(len(by_category))]:
            found = _next(by_category[category], turn, seen if one_per_case else set())
            if found is None:
                del by_category[category]
            elif len(taken) < num:
                taken.append(found)
                seen.add(found.case_id)
        turn += 1
    return [taken[place] for place in rng.permutation(len(taken))]


def checks(kind: StudyKind, items: Sequence[StudyItem], aspects: Sequence[str], *, num: int, seed: int) -> list[StudyItem]:
    """Up to `num` gold items: videos of which one was spoilt, or references of another category's case."""
    rng = np.random.default_rng([seed, 72])
    made: list[StudyItem] = []
    treatments = kind.check(len(items[0].systems)) if items else ()
    right = tuple((aspect, answers) for aspect in aspects if (answers := kind.right(aspect)))
    if not right:
        return []
    for place in rng.permutation(len(items)):
        item = items[place]
        if len(made) == num:
            break
        if treatments:
            media = [replace(item.media[0], treatment=t, system=treated(item.systems[0], t)) for t in treatments]
            made.append(_like(item, GOLD, media, right))
        else:
            others = [other for other in items if other.category != item.category and other.references]
            if others and item.references:
                other = others[int(rng.integers(len(others)))]
                made.append(replace(_like(item, GOLD, list(item.media), right), references=other.references))
    return made


def identical_pairs(
    kind: StudyKind, items: Sequence[StudyItem], aspects: Sequence[str], *, num: int, seed: int
) -> list[StudyItem]:
    """Up to `num` items that show one video on both sides: who finds one of them better looks elsewhere."""
    answers = kind.identical()
    if not answers or not items:
        return []
    rng = np.random.default_rng([seed, 73])
    right = tuple((aspect, answers) for aspect in aspects)
    chosen = [items[place] for place in rng.permutation(len(items))[:num]]
    return [_like(item, IDENTICAL, [item.media[0]] * len(item.media), right) for item in chosen]


def practice_items(items: Sequence[StudyItem], spare: Sequence[StudyItem], *, num: int) -> list[StudyItem]:
    """Items to learn on: such as were not drawn, or drawn ones when there are no others. Their answers are not counted."""
    drawn = {item.id for item in items}
    pool = [item for item in spare if item.id not in drawn] or list(items)
    return [replace(item, role=PRACTICE) for item in pool[:num]]


def treated(system: str, treatment: str) -> str:
    """What a spoilt copy of a system's video is called in votes."""
    return f"{system}~{treatment}" if treatment else system


def participants_needed(design: StudyDesign) -> int:
    """How many finish before every main item has its raters."""
    main = sum(item.role == MAIN for item in design.items)
    return math.ceil(main * design.raters_per_item / min(design.trials, main)) if main else 0


def trials_of(design: StudyDesign, place: int) -> list[Assigned]:
    """The trials of the participant in a place (from 0), practice first. Equal arguments give equal trials."""
    by_role = {role: [i for i in design.items if i.role == role] for role in (MAIN, GOLD, IDENTICAL, PRACTICE)}
    rng = np.random.default_rng([design.seed, 74, place])
    num = min(design.trials, len(by_role[MAIN]))
    main = _main_trials(design, by_role[MAIN], place, held_out_trials(design, num))
    main += [Assigned("", MAIN, ())] * (num - len(main))
    main = [main[k] for k in rng.permutation(len(main))]
    trials = list(main)
    extras = [
        *_by_turns(by_role[GOLD], GOLD, design.gold, place),
        *_by_turns(by_role[IDENTICAL], IDENTICAL, design.identical, place),
    ]
    for extra in extras:
        trials.insert(int(rng.integers(min(1, len(trials)), len(trials) + 1)), extra)
    wanted = [*(False for _ in range(design.repeats)), *(True for _ in range(design.flips))]
    early = [one for one in trials if one.role == MAIN][: max(0, len(main) - GAP)] or main[:1]
    for first, flipped in zip([early[k] for k in rng.permutation(len(early))], wanted, strict=False):
        order = first.order[::-1] if flipped else first.order
        earliest = min(trials.index(first) + 1 + GAP, len(trials))
        again = Assigned("", REPEAT, ()) if design.sequential else Assigned(first.item_id, REPEAT, order)
        trials.insert(int(rng.integers(earliest, len(trials) + 1)), again)
    return [*_by_turns(by_role[PRACTICE], PRACTICE, design.practice, place), *trials]


def held_out_trials(design: StudyDesign, num: int) -> int:
    """How many of `num` main trials come evenly: all, or a sequential study's share, which is at least one."""
    return min(num, max(1, round(design.hold_out * num))) if design.sequential else num


def power_table(*, pairs: int, raters: int) -> tuple[PowerRow, ...]:
    """What designs could tell about one share of wins near .5, and the chosen one among them."""
    rows = []
    for num, who in sorted({*((n, DEFAULT_RATERS) for n in _POWER_PAIRS), (pairs, raters)}):
        width = half_width(num, who)
        rows.append(
            PowerRow(
                pairs=num,
                raters=who,
                votes=num * who,
                half_width=min(0.5, width),
                detectable=min(1.0, 0.5 + _REACH * width),
                chosen=(num, who) == (pairs, raters),
            )
        )
    return tuple(rows)


def require_distinct(systems: Sequence[str]) -> None:
    """Raises SettingsError for two systems of one name: their votes could not be told apart."""
    repeated = sorted({system for system in systems if list(systems).count(system) > 1})
    if repeated:
        raise SettingsError(f"two systems are called {repeated[0]!r}; give each a name of its own")


def require_sequential(design: StudyDesign) -> None:
    """Raises SettingsError for a study in which there is nothing to choose among."""
    if len(design.systems) < 3 or any(len(item.systems) != 2 for item in design.items):
        raise SettingsError(
            f"a sequential study chooses among pairs of three or more systems; this one is of kind {design.kind} with "
            f"{', '.join(design.systems)}"
        )


def _item(role: str, case: Case, generations: Sequence[Generation]) -> StudyItem:
    media = tuple(
        StudyMedia(system=g.system, path=g.path, content_hash=g.content_hash, seed=g.seed, generation_id=g.id)
        for g in generations
    )
    return StudyItem(
        role=role,
        case_id=case.name,
        category=case.category,
        systems=tuple(g.system for g in generations),
        media=media,
        prompt=case.prompt,
        references=case.references,
    )


def _like(
    item: StudyItem, role: str, media: Sequence[StudyMedia], right: tuple[tuple[str, tuple[str, ...]], ...]
) -> StudyItem:
    return replace(item, role=role, media=tuple(media), systems=tuple(one.system for one in media), gold=right)


def _next(strata: list[list[StudyItem]], turn: int, seen: set[str]) -> StudyItem | None:
    """The next item of a category, from its sets of systems by turns, of a case that was not seen if there is one."""
    for step in range(len(strata)):
        stratum = strata[(turn + step) % len(strata)]
        while stratum:
            found = stratum.pop()
            if found.case_id not in seen:
                return found
    return None


def _main_trials(design: StudyDesign, items: Sequence[StudyItem], place: int, num: int) -> list[Assigned]:
    """The next `num` of the rounds."""
    if not num:
        return []
    first, last = place * num, (place + 1) * num
    rounds = _rounds(len(items), num, last, design.seed)
    start = np.random.default_rng([design.seed, 75]).permutation(len(items))  # half of them start on each side
    trials = []
    for ordinal in range(first, last):
        turn, item = ordinal // len(items), rounds[ordinal // len(items)][ordinal % len(items)]
        width = len(items[item].systems)
        base = np.random.default_rng([design.seed, 76, item]).permutation(width) if width > 2 else np.arange(width)
        trials.append(Assigned(items[item].id, MAIN, tuple(int(k) for k in np.roll(base, turn + start[item]))))
    return trials


def _rounds(num_items: int, num: int, last: int, seed: int) -> list[list[int]]:
    """Shuffled rounds that reach to ordinal `last`; no slice of `num` that spans two of them holds an item twice."""
    rounds: list[list[int]] = []
    while len(rounds) * num_items < last:
        order = [int(k) for k in np.random.default_rng([seed, 77, len(rounds)]).permutation(num_items)]
        tail = len(rounds) * num_items % num  # items of the slice that lie in the round before
        if rounds and tail:
            late = set(rounds[-1][-tail:])
            head = [k for k in order if k not in late][: num - tail]
            order = [*head, *(k for k in order if k not in set(head))]
        rounds.append(order)
    return rounds


def _by_turns(items: Sequence[StudyItem], role: str, num: int, place: int) -> list[Assigned]:
    """`num` of the items, others for the next participant, their sides rotating with the participant."""
    chosen = [items[(place * num + k) % len(items)] for k in range(min(num, len(items)))]
    return [
        Assigned(item.id, role, tuple(int(s) for s in np.roll(np.arange(len(item.systems)), place + k)))
        for k, item in enumerate(chosen)
    ]
