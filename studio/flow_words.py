"""What is said of a stage's counts: short beside the picture, whole to those who hear it."""

from collections.abc import Sequence

from backend.domain.jobs import StageFlow
from studio.item_model import gate_words, stage_words
from studio.texts import counted, text, texts

MOST_GATES = 2  # beside the picture; the sentence names all


def kind_word(kind: str) -> str:
    """What records of a kind are called, in the plural."""
    key = f"jobs.kind_{kind}"
    return text(key) if key in texts("en") else kind.replace("_", " ")


def words_of(stage: StageFlow) -> tuple[tuple[tuple[str, str], ...], str]:
    """What became of the items that left a stage, as `(outcome, words)`, and which gates hold back what it gave."""
    outcomes = [
        (what, f"{mark} {text(f'jobs.flow_count_{what}', count=count)}")
        for mark, what, count in (
            ("✕", "failed", stage.failed),
            ("◌", "filtered", stage.filtered),
            ("…", "pending", stage.pending),
        )
        if count
    ]
    if stage.passed and not outcomes:
        outcomes.append(("passed", f"✓ {text('jobs.flow_all_passed')}"))
    gates = sorted(stage.held_back.items(), key=lambda one: (-one[1], one[0]))
    said = [f"▨ {count:,} {gate_words(gate)}" for gate, count in gates[:MOST_GATES] if count]
    left = sum(1 for _, count in gates[MOST_GATES:] if count)
    return tuple(outcomes), "   ".join([*said, *([f"+{left}"] if left else [])])


def sentence_of(stages: Sequence[StageFlow], number: int) -> str:
    """All counts of a stage in a sentence."""
    stage = stages[number]
    parts = [
        text(
            "jobs.flow_says",
            stage=stage_words(stage.stage),
            place=number + 1,
            total=len(stages),
            entering=counted(stage.over, stage.entering),
            passed=f"{stage.passed:,}",
        )
    ]
    for what, count in (("failed", stage.failed), ("filtered", stage.filtered), ("pending", stage.pending)):
        if count:
            parts.append(text(f"jobs.flow_count_{what}", count=count))
    given = [counted(kind, count) for kind, count in stage.gives.items() if count]
    if given:
        parts.append(text("jobs.flow_gives", given=", ".join(given)))
    parts += [
        text("jobs.flow_held_by", count=count, gate=gate_words(gate))
        for gate, count in sorted(stage.held_back.items(), key=lambda one: (-one[1], one[0]))
        if count
    ]
    if stage.seconds > 0:
        parts.append(text("jobs.flow_seconds", seconds=f"{stage.seconds:,.1f}"))
    return "; ".join(parts) + "."
