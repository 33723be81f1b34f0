"""What a user can do with the items of a project: look through them, and act on those chosen."""

from typing import Protocol

from backend.domain.erasing import ErasedItems, ErasureForecast
from backend.domain.library import (
    Excluded,
    ExportSummary,
    ItemDetail,
    ItemKind,
    ItemPage,
    Selection,
    Thumbnail,
    VerificationAsked,
)
from backend.domain.privacy import TRAINING


class LibraryApi(Protocol):
    """Operations on videos, clips, subjects, anchors and pairs: what the current plan keeps and what its gates hold back.

    While a large project is being curated, items are as of a moment ago; `ItemPage.moment` says when that changes.
    """

    def item_kind(self, *, kind: str) -> ItemKind:
        """The columns of a kind of item (video, clip, subject, anchor, pair). Raises SettingsError for another."""
        ...

    def items(
        self, *, kind: str, where: str = "", search: str = "", order: str = "", offset: int = 0, limit: int = 200
    ) -> ItemPage:
        """A window of the items that match: `where` as in `export`, over the columns of the kind; each word of `search` occurs.

        `order` is a column, `-column` for the largest first, or empty for the order of the footage; what has no value
        comes last, equal ones in the order of the footage. Raises SettingsError for an unknown column or a wrong `where`.
        """
        ...

    def item(self, *, kind: str, item_id: str) -> ItemDetail:
        """One item with its footage, what was found in it, and what made it. Raises ProjectError for an id that is none."""
        ...

    def thumbnails(self, *, kind: str, ids: tuple[str, ...]) -> tuple[Thumbnail, ...]:
        """Small pictures of items, in the order of `ids`; frames of clips and videos are read when first asked for."""
        ...

    def ask_verification(self, *, selection: Selection, rater: str) -> VerificationAsked:
        """Puts the pairs of the chosen items (themselves, or those of a subject, clip, video or anchor) first in everybody's queue; chosen subjects also in that of subjects."""
        ...

    def export_formats(self) -> tuple[str, ...]:
        """Names of the formats that `export` and `export_items` write."""
        ...

    def export_items(
        self, *, selection: Selection, format: str, out: str, split: str = "", purpose: str = TRAINING
    ) -> ExportSummary:
        """Exports the accepted pairs of the chosen items, as `export` does. Raises ProjectError when they have none."""
        ...

    def exclude(self, *, selection: Selection, rater: str, reason: str = "", excluded: bool = True) -> Excluded:
        """Takes items, and all that is theirs, out of queues, counts and exports; with `excluded` false, in again. Journalled."""
        ...

    def foresee_erasure(self, *, selection: Selection) -> ErasureForecast:
        """What `erase_items` would remove, and which copies it cannot reach. Changes nothing. Raises as that does."""
        ...

    def erase_items(self, *, selection: Selection, rater: str, delete_backups: bool = False) -> ErasedItems:
        """Removes every byte of footage from the project: rows, pictures, indexes, and what people said of it. For good.

        Chosen are files (kind `source`, by path or id), videos, clips or subjects: a video goes with every copy of its file,
        a subject with the clip that shows it. The files themselves stay where they are, and are not taken again by `ingest`.
        Raises SettingsError for another kind, ProjectError for what is not there and while a job or a report reads.
        """
        ...
