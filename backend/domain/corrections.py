"""What people put right: a value by a person in place of the machine's, and what they see of it before."""

from dataclasses import dataclass

from backend.domain.records import Box

OF_APPEARANCE, OF_SUBJECT, OF_CLIP, OF_CASE = ("box", "mask"), ("phrase", "category"), ("caption",), ("prompt",)
CORRECTED = (*OF_APPEARANCE, *OF_SUBJECT, *OF_CLIP, *OF_CASE)
"""What can be corrected. Labels of anchors are votes: several people may name one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One value by one person. `kind` is of `CORRECTED`; `item_id` is the appearance, subject, clip or content of a case that it is of.

    The last one made of an item and kind holds. The same `id` with a higher `rev` and `withdrawn` takes it back.
    """

    id: str
    rev: int
    kind: str
    item_id: str
    rater: str
    text: str = ""
    """A caption, a phrase, a case's prompt, or a category by its id or one of its words."""
    box: Box | None = None
    """In pixels of the displayed source frame."""
    counts: str = ""
    """A mask of the whole source frame as COCO compressed run lengths."""
    withdrawn: bool = False
    made_at: str = ""
    """ISO 8601 UTC, by the rater's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """An appearance as it stands now, people's corrections in it. Frame i of `clip_media` is source frame `start_frame + i`."""

    appearance_id: str
    subject_id: str
    clip_id: str
    clip_media: str
    picture_media: str | None
    """The cut-out."""
    frame: int
    """Of the source, on which box and mask lie."""
    start_frame: int
    width: int
    height: int
    box: Box
    counts: str
    """The mask; empty where the machine made none."""
    phrase: str
    category: str
    caption: str
    corrected: tuple[str, ...] = ()
    """Kinds of `CORRECTED` whose value is a person's."""
