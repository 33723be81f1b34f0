"""Rows of a status: what failed, how far stages are, what they remark, and what gates hold back."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """One item that failed, was skipped or was filtered as not applicable."""

    stage: str
    item_id: str
    name: str
    """The file's name or the record's id, for people."""
    state: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """How far one stage of the current plan is. Seconds are work time summed over workers."""

    stage: str
    over: str
    pending: int
    ok: int
    warned: int
    filtered: int
    failed: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RemarkRow:
    """Why a stage passed items over (`filtered`), or what it says of items that it did (`warned`).

    Reasons that differ in their numbers alone are counted together; `reason` is that of one of the items.
    """

    stage: str
    over: str
    state: str
    reason: str
    num_items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """What one gate of the recipe holds back now: `score comparison value` over `entering` records; `by_category` holds instead."""

    record: str
    score: str
    comparison: str
    value: float
    source: str
    entering: int
    dropped: int
    unmeasured: int
    by_category: dict[str, float] = field(default_factory=dict)
    is_own: bool = True
    """False where no value is known for the model that measures: `source` says what stands there."""
