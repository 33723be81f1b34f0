"""Splits that do not leak: whatever shares a source, a duplicate or an identity falls into one split.

The split of a connected component is read off a hash of its smallest member, so that it depends on no order and
on no other component: adding data never moves what it does not connect to. A component that grows keeps its split
unless the new member has the smallest hash (chance 1 / size).
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.domain import SettingsError
from backend.exports.rows import ExportPair, ExportSide, ExportVideo

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
TOLERANCE = 1e-6  # how far the parts' sum may be from 1 after decimal rounding


@dataclass(frozen=True, slots=True)
class Split:
    """Named parts with their shares, in the order given. `Split.parse("train=.9,val=.05,test=.05")`."""

    parts: tuple[tuple[str, float], ...]

    @staticmethod
    def parse(text: str) -> "Split | None":
        """The split that a text describes, None for an empty one. Raises SettingsError naming the part."""
        if not text.strip():
            return None
        parts = [_part(piece) for piece in text.split(",")]
        names = [name for name, _ in parts]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise SettingsError(f"split {text!r} names {repeated[0]} twice; give each part its own name")
        total = sum(share for _, share in parts)
        if abs(total - 1) > TOLERANCE:
            raise SettingsError(f"the shares of split {text!r} add up to {total:g}; they must add up to 1")
        return Split(tuple(parts))

    def of(self, key: str) -> str:
        """The part that a component with this key falls into."""
        place = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8, person=b"split").digest(), "big") / 2**64
        for name, share in self.parts:
            place -= share
            if place < 0:
                return name
        return self.parts[-1][0]


def split_of_nodes(
    pairs: Sequence[ExportPair],
    videos: Sequence[ExportVideo],
    duplicates: Sequence[tuple[str, str]],
    *,
    split: Split,
) -> dict[str, str]:
    """The part of each node; nodes are those of `nodes_of` and `video_node`."""
    return {node: split.of(key) for node, key in groups_of_nodes(pairs, videos, duplicates).items()}


def groups_of_nodes(
    pairs: Sequence[ExportPair], videos: Sequence[ExportVideo], duplicates: Sequence[tuple[str, str]]
) -> dict[str, str]:
    """The key of each node's connected component: what a split keeps together."""
    components = _Components()
    for video in videos:
        components.join((video_node(video.video_id), f"content:{video.content_hash}", f"source:{video.uri}"))
    for one, other in duplicates:
        components.join((video_node(one), video_node(other)))
    for pair in pairs:
        components.join(nodes_of(pair))
    return components.keys()


def identities(joined: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The identity of each subject: subjects that pairs join are one. It is called after one of them."""
    components = _Components()
    for pair in joined:
        components.join(pair)
    return components.keys()


def nodes_of(pair: ExportPair) -> list[str]:
    """What a pair touches: both sides' source, content, subject and picture, and its identity."""
    nodes = [*_side_nodes(pair.target), *_side_nodes(pair.reference)]
    return [*nodes, f"identity:{pair.identity}"] if pair.identity else nodes


def video_node(video_id: str) -> str:
    """The node of a video."""
    return f"video:{video_id}"


def _side_nodes(side: ExportSide) -> Iterable[str]:
    yield f"source:{side.source_uri}"
    if side.video_id:
        yield video_node(side.video_id)
    if side.video_hash:
        yield f"content:{side.video_hash}"
    if side.subject_id:
        yield f"subject:{side.subject_id}"
    if side.crop:
        yield f"crop:{side.crop}"


class _Components:
    """Union-find; a component's key is its member with the smallest hash."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def join(self, nodes: Iterable[str]) -> None:
        roots = [self._root(node) for node in nodes]
        for root in roots[1:]:
            first, other = sorted((self._root(roots[0]), self._root(root)), key=_order)
            self._parent[other] = first

    def keys(self) -> dict[str, str]:
        return {node: self._root(node) for node in list(self._parent)}

    def _root(self, node: str) -> str:
        self._parent.setdefault(node, node)
        root = node
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[node] != root:
            self._parent[node], node = root, self._parent[node]
        return root


def _order(node: str) -> bytes:
    return hashlib.blake2b(node.encode("utf-8", "surrogatepass"), digest_size=8, person=b"component").digest()


def _part(piece: str) -> tuple[str, float]:
    name, sign, share = (part.strip() for part in piece.partition("="))
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not sign or not _NAME.fullmatch(name) or not 0 < value <= 1:
        raise SettingsError(f"split part {piece.strip()!r} is not NAME=SHARE with a share over 0; write train=.9,test=.1")
    return name, value
