"""Batches of equal shapes under a token budget, in an order that the seed and the epoch decide and nothing else.

Every rank knows the whole order. Position counts batches over all ranks, so a run may go on with another number of them.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from backend.domain import SettingsError, digest
from training.anchors import Candidate, SupersetAnchoring
from training.data.modes import Example, Picture
from training.layout import WAN_PATCH, Segment, anchor_segments


class Shown(NamedTuple):
    """A picture of an example as it is shown this time."""

    picture: Picture
    variant: str
    segment: Segment
    inside: bool | None = None
    """Of an anchor: whether it lies inside the clip; None: of a reference, or of anchors that were not drawn."""
    gap_s: float | None = None
    """To the nearer end of the clip; 0 inside."""


class Drawn(NamedTuple):
    """An example with what chance decided for it in one epoch."""

    example: Example
    shown: tuple[Shown, ...]

    @property
    def tokens(self) -> int:
        """Of the sequence: the clip's and the pictures'."""
        return _tokens(self.example.size) + sum(_tokens(shown.segment.size) for shown in self.shown)

    @property
    def group(self) -> tuple:
        """Equal for what can stand in one batch."""
        shown = tuple((each.segment.role, each.segment.size) for each in self.shown)
        return self.example.size, shown, self.example.has_audio


class Batch(NamedTuple):
    """Samples of one shape. `seed` decides noise and dropout: it is of the batch, whichever rank works on it."""

    samples: tuple[Drawn, ...]
    seed: int

    @property
    def tokens(self) -> int:
        return sum(sample.tokens for sample in self.samples)


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the data a run is: batches of `epoch` that are done, over all ranks."""

    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True, kw_only=True)
class BatchOrder:
    """The batches of every epoch. Raises SettingsError when a sample alone exceeds the budget."""

    examples: tuple[Example, ...]
    tokens: int
    """Of a batch on one rank, at most."""
    max_samples: int = 0
    """Of a batch; 0 sets no limit."""
    max_references: int = 3
    """Of one example (Kaleido's training configuration, max_subjects)."""
    all_references: bool = True
    """False: a random number of them, from one on, so that fewer are in the distribution too."""
    anchoring: SupersetAnchoring = field(default_factory=SupersetAnchoring)
    """How anchors are drawn, of examples in mode `anchors`."""
    anchor_timestep: float | None = None
    """Of the pictures; None: the video's."""
    seed: int = 0

    def __post_init__(self) -> None:
        largest = max((self.drawn(example, 0) for example in self.examples), key=lambda drawn: drawn.tokens)
        if largest.tokens > self.tokens:
            raise SettingsError(
                f"a sample of {largest.tokens:,} tokens ({largest.example.clip_id}, {len(largest.shown)} references) exceeds data.tokens = "
                f"{self.tokens:,}; raise it, or encode smaller clips"
            )

    def __hash__(self) -> int:
        return id(self)

    @lru_cache(maxsize=2)  # noqa: B019 - two epochs at a time, and the order lives as long as its run
    def epoch(self, number: int) -> tuple[Batch, ...]:
        """All batches of an epoch; what is left of a shape makes a smaller one."""
        groups: dict[tuple, list[Drawn]] = defaultdict(list)
        shuffled = self._rng("samples", number).permutation(len(self.examples))
        for index in shuffled:
            drawn = self.drawn(self.examples[index], number)
            groups[drawn.group].append(drawn)
        parts: list[tuple[Drawn, ...]] = []
        for group in sorted(groups, key=repr):
            members = groups[group]
            size = max(1, self.tokens // members[0].tokens)
            size = min(size, self.max_samples) if self.max_samples else size
            parts += [tuple(members[at : at + size]) for at in range(0, len(members), size)]
        order = self._rng("batches", number).permutation(len(parts))
        return tuple(
            Batch(parts[index], int(digest((self.seed, number, place), num_bytes=7), 16))
            for place, index in enumerate(order)
        )

    def at(self, position: Position, *, ranks: int) -> tuple[tuple[Batch, ...], Position]:
        """A batch for each rank, and the position after them; the end of an epoch is filled up from its start."""
        batches = self.epoch(position.epoch)
        taken = tuple(batches[(position.batch + rank) % len(batches)] for rank in range(ranks))
        after = position.batch + ranks
        return taken, Position(position.epoch + 1, 0) if after >= len(batches) else Position(position.epoch, after)

    def drawn(self, example: Example, epoch: int) -> Drawn:
        """What chance decides for an example in an epoch: which pictures, and which variant of each."""
        rng = self._rng("references", epoch, example.name)
        if example.candidates:
            return Drawn(example, self._anchors(example, rng))
        most = min(self.max_references, len(example.pictures))
        count = most if self.all_references or not most else int(rng.integers(1, most + 1))
        chosen = sorted(rng.permutation(len(example.pictures))[:count])
        pictures = sorted((example.pictures[index] for index in chosen), key=lambda picture: (picture.size, picture.target))
        segments = anchor_segments([("reference", "", picture.size) for picture in pictures], timestep=self.anchor_timestep)
        return Drawn(
            example,
            tuple(
                Shown(picture, picture.variants[int(rng.integers(len(picture.variants)))], segment)
                for picture, segment in zip(pictures, segments, strict=True)
            ),
        )

    def _anchors(self, example: Example, rng: np.random.Generator) -> tuple[Shown, ...]:
        chosen = self.anchoring.draw(example.candidates, example.clip_s, rng, frequencies=self._frequencies)
        plain = shown_anchors(example, [anchor.candidate for anchor in chosen], timestep=self.anchor_timestep)
        shown = [each._replace(inside=one.inside, gap_s=one.gap_s) for each, one in zip(plain, chosen, strict=True)]
        return tuple(sorted(shown, key=lambda each: (each.segment.role, each.segment.size, each.segment.slot)))

    @cached_property
    def _frequencies(self) -> Mapping[str, Mapping[str, int]]:
        """How often each category is there, by role."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for example in self.examples:
            for candidate in example.candidates:
                counts[candidate.role][candidate.category] += 1
        return counts

    def _rng(self, *about: object) -> np.random.Generator:
        return np.random.default_rng(int(digest((self.seed, *about), num_bytes=8), 16))


def shown_anchors(example: Example, anchors: Sequence[Candidate], *, timestep: float | None) -> list[Shown]:
    """These of an example's anchors, as they stand beside its clip."""
    pictures = {picture.subject_id: picture for picture in example.pictures}
    kinds = [(anchor.role, anchor.category, pictures[anchor.id].size) for anchor in anchors]
    return [
        Shown(pictures[anchor.id], pictures[anchor.id].variants[0], segment)
        for anchor, segment in zip(anchors, anchor_segments(kinds, timestep=timestep), strict=True)
    ]


def _tokens(size: tuple[int, int, int]) -> int:
    return int(np.prod([length // patch for length, patch in zip(size, WAN_PATCH, strict=True)]))
