import dataclasses

import numpy as np
import pytest

from backend.domain import Appearance, Failed, Filtered, Item, Mask, Ok, Source, Video
from backend.media.images import encode_png
from backend.stages.embedding import FRAME_HASH_SPACE, EmbedAppearances
from tests.backend.stages.drawn_clips import draw_video


@pytest.fixture(scope="module")
def drawn():
    return draw_video()


def test_each_appearance_gets_a_unit_vector_in_each_space(drawn):
    results = EmbedAppearances()(drawn.appearance_items(), drawn.context)
    assert len(results) == 8
    for item, result in zip(drawn.appearance_items(), results):
        assert isinstance(result, Ok)
        assert {row.space for row in result.rows} == {"appearance", "background", FRAME_HASH_SPACE}  # type: ignore[attr-defined]
        for row in result.rows:
            assert row.appearance_id == item.id  # type: ignore[attr-defined]
            assert row.vector.dtype == np.float32  # type: ignore[attr-defined]
            assert np.linalg.norm(row.vector) == pytest.approx(1.0, abs=1e-5)  # type: ignore[attr-defined]


def test_equal_inputs_give_equal_bits(drawn):
    first, second = (EmbedAppearances()(drawn.appearance_items()[:1], drawn.context)[0] for _ in range(2))
    for a, b in zip(first.rows, second.rows):  # type: ignore[union-attr]
        assert a.vector.tobytes() == b.vector.tobytes()


def test_an_appearance_without_a_mask_is_not_applicable(drawn):
    item = drawn.appearance_items()[0]
    bare = Item(item.id, {**item.records, Mask: ()})
    assert EmbedAppearances()([bare], drawn.context) == [Filtered(item.id, "the appearance has no mask")]


def test_a_mask_of_another_size_fails_alone(drawn):
    items = drawn.appearance_items()
    wrong = dataclasses.replace(items[0].one(Mask), height=90, width=640)
    broken = Item(items[0].id, {**items[0].records, Mask: (wrong,)})
    results = EmbedAppearances()([broken, items[1]], drawn.context)
    assert isinstance(results[0], Failed)
    assert results[0].kind == "mask_size"
    assert isinstance(results[1], Ok)


def test_a_persons_mask_goes_before_a_models(drawn):
    item = drawn.appearance_items()[0]
    theirs = dataclasses.replace(item.one(Mask), author="person:ann", counts=drawn.records[Mask][1].counts)
    both = Item(item.id, {**item.records, Mask: (theirs, item.one(Mask))})
    only = Item(item.id, {**item.records, Mask: (theirs,)})
    a, b = EmbedAppearances()([both, only], drawn.context)
    assert a.rows[1].vector.tobytes() == b.rows[1].vector.tobytes()  # type: ignore[union-attr]


def test_an_external_picture_is_embedded_from_its_artifact(drawn):
    frame = drawn.context.pictures[1]
    inside = drawn.records[Mask][0]
    picture = drawn.context.artifacts.put(encode_png(frame), "png")
    own = drawn.records[Appearance][0]
    external = Appearance(subject_id=None, frame=None, box=own.box, confidence=1.0, origin="external", artifact=picture)
    mask = dataclasses.replace(inside, appearance_id=external.id)
    item = Item(external.id, {Appearance: (external,), Mask: (mask,), Video: (), Source: ()})
    a, b = EmbedAppearances()([item, drawn.appearance_items()[0]], drawn.context)
    assert a.rows[0].vector.tobytes() == b.rows[0].vector.tobytes()  # type: ignore[union-attr]
