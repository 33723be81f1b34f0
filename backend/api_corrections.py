"""What a person can put right, beside verdicts: boxes, masks, captions, phrases, categories, and prompts of cases."""

from typing import Protocol

from backend.domain.corrections import Correction, Outline
from backend.domain.people import Receipt


class CorrectionApi(Protocol):
    """Corrections are events of the journal. In queues, the library and exports a person's value takes the machine's place."""

    def outline(self, *, study_id: str, item_id: str, slot: str = "") -> Outline:
        """What stands on a panel (`slot`) of a trial of pairs, subjects or anchors. Raises ProjectError for what has no clip."""
        ...

    def correct(self, *, corrections: tuple[Correction, ...]) -> tuple[Receipt, ...]:
        """Stores corrections durably before returning, all or none; the same `(id, rev)` again changes nothing.

        A box or a mask cuts the picture out anew; a case with another prompt is another content, which needs its own
        approval. Raises SettingsError for a value that cannot be, EventRefused for an item that the project does not have.
        """
        ...

    def categories(self) -> tuple[str, ...]:
        """Ids of the categories that a subject can have, in alphabetical order."""
        ...
