"""What machines say of a case before a person does: each check is a score, and the case is fit when none of them fails."""

from dataclasses import dataclass

from backend.domain import Case
from backend.media.images import image_size
from backend.models.taxonomy import Category, load_taxonomy
from backend.store.artifacts import Artifacts
from backend.workspace.case_approving import PutUp
from backend.workspace.snapshot import Snapshot

LEAST_SIDE_PX = 128  # Phantom-Data, section 4.2.1: the smallest subject that becomes a reference
NAMED, SIDE, INSIDE, KEPT = "references_named", "min_side_px", "references_inside", "clip_kept"


@dataclass(frozen=True, slots=True)
class Checked:
    """Scores of a case, None where a check says nothing of it, and the names of those that fail."""

    scores: tuple[tuple[str, float | None], ...]
    failed: tuple[str, ...]


def checked(now: Snapshot, artifacts: Artifacts, shown: PutUp) -> Checked:
    """Checks that the prompt names what the references show, that these are large enough and from elsewhere, and that no gate
    holds the clip back now."""
    inside = shown.case.inside
    scores = {
        NAMED: share_named(shown.case),
        SIDE: min((_shorter_side(artifacts, name) for name in shown.pictures), default=None),
        INSIDE: sum(inside) / len(inside) if inside else None,
        KEPT: None if shown.clip_id is None else float(_is_kept(now, shown.clip_id)),
    }
    fails = {
        NAMED: lambda share: share < 1,
        SIDE: lambda pixels: pixels < LEAST_SIDE_PX,
        INSIDE: lambda share: share > 0,
        KEPT: lambda kept: not kept,
    }
    failed = tuple(name for name, value in scores.items() if value is not None and fails[name](value))
    return Checked(tuple(scores.items()), failed)


def share_named(case: Case) -> float | None:
    """The share of references whose class the prompt names, itself, one above it or one below it.

    Of references with a label that the taxonomy knows; None where there is none.
    """
    taxonomy = load_taxonomy()
    labelled = [category for category in map(taxonomy.lookup, case.labels) if category is not None]
    if not labelled:
        return None
    said = [match.category.id for match in taxonomy.find(case.prompt)]
    above = {name for one in said for name in taxonomy.ancestors(one)}
    named = [category.id in above or bool(set(taxonomy.ancestors(category.id)) & set(said)) for category in labelled]
    return sum(named) / len(named)


def classes_of(case: Case) -> tuple[Category, ...] | None:
    """The categories of a case's labels; None where the taxonomy does not know one, or a reference has none."""
    found = [load_taxonomy().lookup(label) for label in case.labels]
    known = tuple(category for category in found if category is not None)
    return known if len(known) == len(case.references) > 0 else None


def _is_kept(now: Snapshot, clip_id: str) -> bool:
    return bool(now.query("SELECT 1 FROM kept_clip WHERE id = ? LIMIT 1", [clip_id]))


def _shorter_side(artifacts: Artifacts, name: str) -> float:
    width, height, _ = image_size(artifacts.get(name))
    return float(min(width, height))
