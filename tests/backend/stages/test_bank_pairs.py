"""Pairs across sources, worked out by hand on vectors of known cosines."""

from pathlib import Path

import numpy as np
import pytest

from backend.domain import Filtered, Item, Source, StoreError
from backend.stages.bank_pairs import PairAcross
from backend.stages.banks import BuildBanks, read_part
from backend.store.artifacts import Artifacts
from tests.backend.stages.bank_sources import World, unit


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def ends(found: list) -> set[tuple[str, str]]:
    return {(target, reference) for target, reference, _ in found}


MUG, CAR = unit(1), unit(2)


def test_a_subject_is_paired_with_its_like_in_an_earlier_source(world: World) -> None:
    world.add("a.mp4", {"body": MUG, "place": unit(20)}, {"body": CAR})
    world.add("b.mp4", {"body": unit(3, near=MUG, cosine=0.8), "place": unit(21, near=unit(20), cosine=0.1)})
    assert world.pairs("a.mp4") == []
    ((target, reference, scores),) = world.pairs("b.mp4")
    assert (target, reference) == ("b.mp4/0", "a.mp4/0")
    assert scores["bank_cosine"] == pytest.approx(0.8, abs=1e-5)
    assert scores["appearance_cosine"] == pytest.approx(0.8, abs=1e-5)
    assert scores["context_diversity"] == pytest.approx(0.9, abs=1e-5)


def test_later_sources_change_nothing_for_earlier_ones(world: World) -> None:
    world.add("a.mp4", {"body": MUG})
    world.add("b.mp4", {"body": unit(3, near=MUG, cosine=0.8)})
    before = ends(world.pairs("b.mp4"))
    world.add("c.mp4", {"body": unit(4, near=MUG, cosine=0.8)})
    assert ends(world.pairs("b.mp4")) == before
    assert ("c.mp4/0", "a.mp4/0") in ends(world.pairs("c.mp4"))


@pytest.mark.parametrize(("cosine", "found"), [(0.39, 0), (0.41, 1), (0.94, 1), (0.96, 0)])
def test_the_band_is_half_open(world: World, cosine: float, found: int) -> None:
    world.add("a.mp4", {"body": MUG})
    world.add("b.mp4", {"body": unit(3, near=MUG, cosine=cosine)})
    assert len(world.pairs("b.mp4")) == found


def test_a_picture_is_a_reference_and_never_a_target(world: World) -> None:
    world.add("old.png", {"body": MUG}, picture=True)
    world.add("a.mp4", {"body": unit(3, near=MUG, cosine=0.8)})
    world.add("new.png", {"body": unit(4, near=MUG, cosine=0.8)}, picture=True)
    assert ends(world.pairs("a.mp4")) == {("a.mp4/0", "old.png/0")}
    assert ends(world.pairs("new.png")) == {("a.mp4/0", "new.png/0")}


ANN, ANNS_FACE = unit(5), unit(6, length=16)


def likes(vector: np.ndarray, cosine: float, seed: int) -> np.ndarray:
    return unit(seed, near=vector, cosine=cosine, length=vector.size)


def test_people_with_a_face_on_both_sides_are_compared_by_face_and_body(world: World) -> None:
    world.add("a.mp4", {"body": ANN, "face": ANNS_FACE, "is_living": True})
    world.add("b.mp4", {"body": likes(ANN, 0.3, 7), "face": likes(ANNS_FACE, 0.7, 8), "is_living": True})
    ((_, _, scores),) = world.pairs("b.mp4")
    assert scores["bank_cosine"] == pytest.approx(0.4 * 0.3 + 0.6 * 0.7, abs=1e-5)
    assert scores["face_cosine"] == pytest.approx(0.7, abs=1e-5)
    assert scores["clothing_cosine"] == pytest.approx(0.3, abs=1e-5)  # a gate of its own may see the change of clothes
    assert (scores["similarity"], scores["appearance_cosine"]) == (None, None)  # the faces decide
    assert scores["prior"] == 0.0  # the living are believed only within one source


def test_a_missing_face_is_no_difference(world: World) -> None:
    world.add("a.mp4", {"body": ANN, "face": ANNS_FACE})
    world.add("b.mp4", {"body": likes(ANN, 0.6, 7)})
    world.add("c.mp4", {"body": likes(ANN, 0.6, 9), "face": likes(ANNS_FACE, 0.0, 8)})
    ((_, _, scores),) = world.pairs("b.mp4")
    assert scores["bank_cosine"] == pytest.approx(0.6, abs=1e-5)
    assert scores["face_cosine"] is None
    assert ("c.mp4/0", "a.mp4/0") not in ends(world.pairs("c.mp4"))  # .4 * .6 + 0 lies under the floor


def test_a_face_alone_is_compared_with_faces(world: World) -> None:
    world.add("a.mp4", {"body": ANN, "face": ANNS_FACE})
    world.add("b.mp4", {"face": likes(ANNS_FACE, 0.7, 8)})
    ((_, _, scores),) = world.pairs("b.mp4")
    assert scores["bank_cosine"] == pytest.approx(0.7, abs=1e-5)
    assert scores["appearance_cosine"] is None
    assert scores["similarity"] is None


def test_one_logo_meets_the_prior_and_another_does_not(world: World) -> None:
    world.add("a.mp4", {"body": MUG, "look": 1, "is_living": False})
    world.add("b.mp4", {"body": likes(MUG, 0.8, 3), "look": 1, "is_living": False})
    world.add("c.mp4", {"body": likes(MUG, 0.8, 4), "look": 2, "is_living": False})
    priors = {reference: scores["prior"] for _, reference, scores in world.pairs("b.mp4")}
    assert priors["a.mp4/0"] == 1.0
    others = {reference: scores["prior"] or 0.0 for _, reference, scores in world.pairs("c.mp4")}
    assert max(others.values()) < 1.0


def test_only_the_likest_links_are_kept(world: World) -> None:
    for k in range(5):
        world.add(f"{k}.mp4", {"body": likes(MUG, 0.5 + 0.05 * k, 30 + k)})
    world.add("z.mp4", {"body": MUG})
    found = world.pairs("z.mp4", PairAcross(links_per_subject=2))
    assert ends(found) == {("z.mp4/0", "4.mp4/0"), ("z.mp4/0", "3.mp4/0")}


def test_the_margin_over_chance_shrinks_as_the_bank_grows(world: World) -> None:
    world.add("mug.mp4", {"body": MUG})
    world.add("few.mp4", *({"body": unit(100 + k)} for k in range(20)))
    world.add("b.mp4", {"body": likes(MUG, 0.8, 3)})
    world.add("many.mp4", *({"body": unit(200 + k)} for k in range(200)))
    world.add("c.mp4", {"body": likes(MUG, 0.8, 4)})

    def margin(name: str) -> float:
        return next(s["bank_margin"] or 0.0 for _, reference, s in world.pairs(name) if reference == "mug.mp4/0")

    assert margin("c.mp4") < margin("b.mp4") < 0.8


def test_views_are_spread_over_a_subject(world: World) -> None:
    part = world.add("a.mp4", {"body": MUG, "frames": 9})
    assert read_part(world.artifacts.get(part.artifact)).column("frame").to_pylist() == [0, 4, 8]


def test_equal_sources_give_equal_parts(tmp_path: Path) -> None:
    first, second = (World(tmp_path / name).add("a.mp4", {"body": MUG, "face": ANNS_FACE}) for name in "xy")
    assert first == second


def test_a_source_without_vectors_is_in_no_bank(world: World) -> None:
    source = Source(uri="x", num_bytes=1, modified_ns=1)
    item = Item(source.id, {Source: (source,)})
    assert BuildBanks()([item], world) == [Filtered(source.id, "no appearance with a vector")]  # type: ignore[arg-type]
    assert PairAcross()([item], world) == [Filtered(source.id, "nothing of it is in the banks")]  # type: ignore[arg-type]


def test_a_lost_part_is_named(world: World) -> None:
    part = world.add("a.mp4", {"body": MUG})
    world.add("b.mp4", {"body": likes(MUG, 0.8, 3)})
    Artifacts(world.project / "artifacts").path(part.artifact).unlink()
    with pytest.raises(StoreError, match="is missing"):
        world.pairs("b.mp4")


def test_bytes_that_are_no_part_are_refused() -> None:
    with pytest.raises(StoreError, match="build_banks"):
        read_part(b"not arrow")
