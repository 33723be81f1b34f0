"""Guidance as a chain of conditions that come one after another, each with its scale.

From nothing to all: v = v_0 + s_1 (v_1 - v_0) + s_2 (v_2 - v_1) + ..., where v_k has the first k conditions of the chain. What the
chain does not name is always given. Phantom's three forwards are a chain of two, common classifier-free guidance one of one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.layout import ANCHOR_ROLES

if TYPE_CHECKING:  # configs name the chains, and are read without torch
    import torch

CONDITIONS = ("text", "image", "audio", *ANCHOR_ROLES)
"""What can be left out: a dropped text is the empty or the negative prompt, dropped anchors are zeros or gone."""

Dropped = frozenset[str]


@dataclass(frozen=True, slots=True)
class Guided:
    """Conditions that come together, and how far to go in their direction. 1: no guidance."""

    conditions: tuple[str, ...]
    scale: float


@dataclass(frozen=True, slots=True)
class GuidanceChain:
    """Raises ValueError for a condition that is unknown or named twice."""

    links: tuple[Guided, ...] = ()

    def __post_init__(self) -> None:
        named = [name for link in self.links for name in link.conditions]
        unknown = sorted(set(named) - set(CONDITIONS))
        if unknown or len(set(named)) < len(named) or not all(link.conditions for link in self.links):
            raise ValueError(f"guidance names each of {', '.join(CONDITIONS)} at most once, not {named}")

    @property
    def needed(self) -> tuple[Guided, ...]:
        """The same guidance with the fewest forwards: links of one scale are one, and a first link of scale 1 is none."""
        links: list[Guided] = []
        for link in self.links:
            if links and links[-1].scale == link.scale:
                links[-1] = Guided(links[-1].conditions + link.conditions, link.scale)
            else:
                links.append(link)
        return tuple(links[1:] if links and links[0].scale == 1 else links)

    def of(self, given: Collection[str]) -> "GuidanceChain":
        """The chain for a case that has these conditions only: no forward is spent on what is not there."""
        links = [Guided(tuple(name for name in link.conditions if name in given), link.scale) for link in self.links]
        return GuidanceChain(tuple(link for link in links if link.conditions))

    def branches(self) -> tuple[Dropped, ...]:
        """What each forward leaves out, from most to nothing."""
        links = self.needed
        return tuple(
            frozenset(name for link in links[given:] for name in link.conditions) for given in range(len(links) + 1)
        )

    def combined(self, velocities: Sequence["torch.Tensor"]) -> "torch.Tensor":
        """The guided velocity of those of the branches, in their order."""
        guided = velocities[0]
        for link, before, after in zip(self.needed, velocities, velocities[1:], strict=False):
            guided = guided + link.scale * (after - before)
        return guided


GUIDANCE: Mapping[str, GuidanceChain] = {
    "none": GuidanceChain(),
    # Phantom's generate: no reference and negative prompt, then references (5.0), then text (7.5)
    "phantom": GuidanceChain((Guided(("reference",), 5.0), Guided(("text",), 7.5))),
    # Kaleido's sampling: references always given
    "kaleido": GuidanceChain((Guided(("text",), 6.0),)),
    # Gloria drops text and audio in training; order and scales are our choice (5 is Wan's for text)
    "gloria": GuidanceChain((Guided(("text",), 5.0), Guided(("audio",), 4.0))),
    "wan": GuidanceChain((Guided(("text",), 5.0),)),
}
