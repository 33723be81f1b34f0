"""Whether faces decide that two people are one: where both sides are people of whom a model that knows people saw a face.

Phantom-Data (section 4.2.2) describes people by a vector of the face beside one of the appearance, which then stands for
their clothes; everything else it describes by its appearance alone.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.models.classical_embedder_face import ClassicalFace
from backend.models.taxonomy import load_taxonomy

DECIDED = "the faces decide"
APPEARANCE_DECIDES = "the appearance decides"


def may_be_person(category: str | None, is_living: bool | None) -> bool:
    """Whether a subject is a person as far as is known: nobody by its category, or a thing without one, is none."""
    known = load_taxonomy().categories.get(category or "")
    return is_living is not False if known is None else known.domain == "human"


@dataclass(frozen=True, slots=True)
class Faces:
    """Face vectors of rows, unit float32 or None, of the model that made them; `people` says which rows may be people."""

    vectors: Sequence[np.ndarray | None]
    model: str
    people: Sequence[bool]

    @property
    def tell_people(self) -> bool:
        """Whether the vectors are of who somebody is; the classical ones are of colours and coarse features."""
        return bool(self.model) and self.model != ClassicalFace.model_id

    def of(self, row: int) -> np.ndarray | None:
        """The vector that may speak for a row: of a model that tells people, people's alone."""
        return self.vectors[row] if self.people[row] or not self.tell_people else None


NOBODY = Faces((), "", ())
"""No rows at all."""


class FaceLikeness:
    """Cosine of the likest faces of two subjects, NaN where either shows none: one turned head does not decide."""

    def __init__(self, faces: Faces, subjects: Sequence[int]) -> None:
        self._rows: dict[int, list[int]] = defaultdict(list)
        for row, subject in zip(range(len(faces.vectors)), subjects):
            if faces.of(row) is not None:
                self._rows[subject].append(row)
        self._faces = faces

    def __call__(self, a: int, b: int) -> float:
        cosines = [self.of_rows(i, j) for i in self._rows[a] for j in self._rows[b] if i != j]
        return max(cosines, default=float("nan"))

    def of_rows(self, i: int, j: int) -> float:
        """Cosine of the faces of two rows, NaN where one shows none."""
        first, second = self._faces.of(i), self._faces.of(j)
        return float("nan") if first is None or second is None else float(first @ second)

    def why_none(self, a: Sequence[int], b: Sequence[int]) -> str:
        """Why the appearance decides on two subjects, by all their rows."""
        sides = (a, b)
        if not all(any(self._faces.people[row] for row in rows) for rows in sides):
            return f"one side is no person; {APPEARANCE_DECIDES}"
        missing = sum(all(self._faces.of(row) is None for row in rows) for rows in sides)
        shown = ("no other view shows a face", "one side shows no face", "neither side shows a face")[missing]
        return f"{shown} that can be used; {APPEARANCE_DECIDES}"
