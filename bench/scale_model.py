"""What a bank costs by its size: seconds of one core, from the operations of each step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from backend.stages.bank_shards import num_shards_for
from backend.store.banks_index import num_lists_for
from bench.scale_points import LENGTH, Point

Curve = dict[int, float]
"""Seconds of one core by size."""


@dataclass(frozen=True, slots=True)
class Model:
    """Seconds of one core, from the operations of each step; coefficients are seconds an operation.

    Training multiplies a sample that grows as the lists do with the lists; adding multiplies each vector with the lists; a query is
    multiplied with the lists, and compared with the codes of those it looks into.
    """

    train: float
    add: float
    add_each: float
    choose: float
    compare: float
    probes: int
    """Lists that a query looks into: the most of the points that it is fitted to."""

    @classmethod
    def fitted(cls, points: Sequence[Point]) -> "Model":
        """Least relative squares, no coefficient below 0."""
        (train,) = _fit([[float(p.lists) ** 2] for p in points], [p.train_s for p in points])
        add, add_each = _fit([[p.num * p.lists, p.num] for p in points], [p.add_s for p in points])
        choose, compare = _fit([[p.lists, p.num * p.probes / p.lists] for p in points], [p.query_s for p in points])
        coefficients = (float(each) for each in (train, add, add_each, choose, compare))
        return cls(*coefficients, probes=max(p.probes for p in points))

    def build_s(self, num: int) -> float:
        lists = num_lists_for(num)
        return self.train * lists**2 + self.add * num * lists + self.add_each * num

    def query_s(self, num: int) -> float:
        lists = num_lists_for(num)
        return self.choose * lists + self.compare * num * self.probes / lists


def bank_curves(points: Sequence[Point]) -> dict[str, Curve]:
    """Of all vectors: building the bank, and asking it for each of them."""
    return {
        "bank, built": {p.num: p.train_s + p.add_s for p in points},
        "bank, asked for all its rows": {p.num: p.query_s * p.num for p in points},
    }


def slope(curve: Mapping[int, float]) -> float:
    """Of the logarithm of seconds against that of size, by least squares: 1 is twice the time for twice the size."""
    sizes, seconds = np.log(list(curve)), np.log(list(curve.values()))
    return float(np.polyfit(sizes, seconds, 1)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a bank of `num` vectors takes, by the model; times are of one core."""

    num: int
    shard_views: int
    shards: int
    codes_gb: float
    vectors_gb: float
    build_hours: float
    query_ms: float
    hours_for_53_million: float


def planned(model: Model, num: int, shard_views: int, *, bytes_per_vector: float) -> Planned:
    """Shards of equal size, each of which every query asks."""
    shards = num_shards_for(num, shard_views)
    each = num // shards
    query_s = shards * model.query_s(each)
    return Planned(
        num=num,
        shard_views=shard_views,
        shards=shards,
        codes_gb=num * bytes_per_vector / 1e9,
        vectors_gb=num * LENGTH * 4 / 1e9,
        build_hours=shards * model.build_s(each) / 3600,
        query_ms=query_s * 1000,
        hours_for_53_million=query_s * 53e6 / 3600,
    )


def _fit(columns: Sequence[Sequence[float]], seconds: Sequence[float]) -> np.ndarray:
    matrix = np.array(columns, float) / np.array(seconds)[:, None]
    scale = matrix.max(axis=0)
    return nnls(matrix / scale, np.ones(len(seconds)))[0] / scale
