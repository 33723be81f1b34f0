"""Encoders of crops, many at a time: as one by one, in order, in passes of one size, whoever asks with whom."""

import dataclasses
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from backend.domain import CLIP_PREP, Absent, Box, Failed, Item, Mask, Ok
from backend.domain.errors import ModelFailed
from backend.engine.run import BATCH_ITEMS
from backend.jobs.model_ladder import Ladder
from backend.jobs.model_queue import Waiting
from backend.measures.projection import FittedProjection
from backend.models.appearance_encoders import (
    DinoV2Appearance,
    DinoV3Appearance,
    OpenClipAppearance,
    ProjectedAppearance,
    write_projection,
)
from backend.models.background_encoders import DinoV2Background
from backend.models.borders import networks
from backend.models.call_wire import Ask, BoundModel
from backend.models.clip import ClipL14
from backend.models.devices import model_bytes
from backend.models.pictures import TOGETHER
from backend.models.places import ModelPlace
from backend.models.residency import ModelKey, Residency
from backend.stages.embedding import EmbedAppearances, see_view
from tests.backend.models import tiny_vision
from tests.backend.stages.drawn_clips import draw_video

OTHER_PREP = dataclasses.replace(CLIP_PREP, short_px=256)
RNG = np.random.default_rng(3)
NUM = 11
EMPTY = 4
"""The view whose mask is empty, or (of a background) holds the whole frame."""


def views(*, whole: bool = False) -> list[tuple[np.ndarray, np.ndarray, Box]]:
    """Frames with a subject each, none like another; of one there is nothing to see."""
    found = []
    for n in range(NUM):
        frame = RNG.integers(0, 256, (60 + 6 * n, 120, 3), np.uint8)
        mask = np.zeros(frame.shape[:2], bool)
        mask[10:40, 20 : 60 + 2 * n] = True
        if n == EMPTY:
            mask[:] = whole
        found.append((frame, mask, (20.0, 10.0, 60.0 + 2 * n, 40.0)))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("crops")
    tiny_vision.save_open_clip(root / "clip")
    for kind in ("dinov2", "dinov3_vit"):
        tiny_vision.save_dino(root / kind, kind)
    base = made(DinoV2Appearance, root / "dinov2")
    width = base.embed(*views()[0]).size
    matrix = np.linalg.qr(RNG.standard_normal((width, width)))[0].astype(np.float32)
    fitted = FittedProjection(matrix, True, "by hand", 30, 30, 30, 0.5, 0.9, 0.1)
    write_projection(
        root / "projected", fitted, implementation="dinov2", location=str(root / "dinov2"), base_model_id=base.model_id
    )
    return root


def made(kind: Any, path: Path) -> Any:
    return kind(ModelPlace("AppearanceEmbedder", str(path)), device="cpu", dtype="float32")


KINDS = {
    "open_clip": (OpenClipAppearance, "clip"),
    "dinov2": (DinoV2Appearance, "dinov2"),
    "dinov3": (DinoV3Appearance, "dinov3_vit"),
    "projected": (ProjectedAppearance, "projected"),
    "background": (DinoV2Background, "dinov2"),
}


@pytest.fixture(params=KINDS)
def embedder(request: pytest.FixtureRequest, folder: Path) -> Any:
    kind, name = KINDS[request.param]
    return made(kind, folder / name)


def filled(model: Any) -> Any:
    """The model as it is on a GPU: passes of one size."""
    inner = model
    while part := getattr(inner, "_base", None) or getattr(inner, "_encoder", None):
        inner = part
    inner.fills_batches = True
    return model


@contextmanager
def passes(model: Any) -> Iterator[list[int]]:
    """Pictures of each forward pass of the model's network."""
    sizes: list[int] = []
    (network,) = networks(model)

    def note(_: object, args: tuple, named: dict) -> None:
        sizes.append(len(args[0] if args else named["pixel_values"]))

    hook = network.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield sizes
    finally:
        hook.remove()


def bits(found: Sequence[np.ndarray | Absent]) -> list[bytes]:
    return [one.tobytes() if isinstance(one, np.ndarray) else one.reason.encode() for one in found]


def test_on_the_cpu_many_are_one_by_one_to_the_bit(embedder: Any) -> None:
    asked = views(whole=isinstance(embedder, DinoV2Background))
    alone = [embedder.embed(*view) for view in asked]
    with passes(embedder) as sizes:
        together = embedder.embed_all(asked)
    assert sizes == [1] * (NUM - 1)
    assert bits(together) == bits(alone)
    assert [n for n, one in enumerate(together) if isinstance(one, Absent)] == [EMPTY]


def test_in_passes_of_one_size_each_vector_is_its_own_whoever_comes_along(embedder: Any) -> None:
    asked = views(whole=isinstance(embedder, DinoV2Background))
    alone = [embedder.embed(*view) for view in asked]
    filled(embedder)
    with passes(embedder) as sizes:
        together = embedder.embed_all(asked)
    assert sizes == [TOGETHER, TOGETHER], "ten pictures: two passes, the second filled up"
    for a, b in zip(alone, together, strict=True):
        assert type(a) is type(b)
        assert isinstance(a, Absent) or np.allclose(a, b, atol=1e-5)
    for cut in ([asked[:3], asked[3:]], [[view] for view in asked], [asked[1::2], asked[::2]]):
        found = {id(view[0]): one for part in cut for view, one in zip(part, embedder.embed_all(part), strict=True)}
        assert bits([found[id(view[0])] for view in asked]) == bits(together)


def test_a_pass_is_as_large_as_the_engines_batches() -> None:
    assert TOGETHER == BATCH_ITEMS


def test_of_a_frame_nothing_but_the_crop_is_kept(embedder: Any) -> None:
    frame, mask, box = views()[0]
    held = weakref.ref(frame)
    seen = see_view("a", frame, mask, box, [embedder])
    del frame
    assert held() is None
    assert isinstance(seen.parts[0], np.ndarray)


class Crews:
    """A ladder over one tiny encoder."""

    def __init__(self, model: Any) -> None:
        self.said: list[str] = []
        self.model = model
        residency = Residency(model_bytes(model), make=lambda key, role: model)
        self.ladder = Ladder(residency=residency, cpu_allowed=False, say=lambda kind, text: self.said.append(text))

    def __call__(self, method: str, *calls: tuple) -> list[Any]:
        bound = BoundModel("AppearanceEmbedder", "x:Encoder", "", "float32")
        asked = [Waiting(Ask(str(n), "bulk", bound, method, args), reply=print) for n, args in enumerate(calls)]
        return self.ladder(ModelKey("x:Encoder", "", "cpu", "float32"), asked)


@pytest.mark.usefixtures("frozen_heap")
def test_calls_of_several_crews_go_in_common_passes(folder: Path) -> None:
    model = made(DinoV2Appearance, folder / "dinov2")
    asked = [view for n, view in enumerate(views()) if n != EMPTY]
    expected = [model.embed(*view) for view in asked]
    crops = [model.cut(*view) for view in asked]
    filled(model)
    with passes(model) as sizes:
        single = Crews(model)("embed", *asked)
        lists = Crews(model)("embed_crops", (crops[:3],), (crops[3:4],), ([],), (crops[4:],))
    assert sizes == [TOGETHER] * 4
    assert [len(part) for part in lists] == [3, 1, 0, 6]
    assert bits([one for part in lists for one in part]) == bits(single)
    assert np.allclose(single, expected, atol=1e-5)


class Narrow(DinoV2Appearance):
    """Runs out of memory on more than `room` pictures a pass."""

    room: ClassVar[int] = 2

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        super().__init__(place, device=device, dtype=dtype)
        (network,) = networks(self)
        network.register_forward_pre_hook(self._refuse, with_kwargs=True)

    def _refuse(self, _: object, args: tuple, named: dict) -> None:
        if len(named["pixel_values"]) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.mark.usefixtures("frozen_heap")
def test_where_memory_runs_out_a_pass_is_halved(folder: Path) -> None:
    asked = [view for n, view in enumerate(views()) if n != EMPTY]
    expected = [made(DinoV2Appearance, folder / "dinov2").embed(*view) for view in asked]
    model = filled(made(Narrow, folder / "dinov2"))
    crew = Crews(model)
    (found,) = crew("embed_crops", ([model.cut(*view) for view in asked],))
    role = "AppearanceEmbedder"
    wanted = ["cache emptied", "4 at a time instead of 8", "2 at a time instead of 4"]
    assert crew.said == [f"{role}: {rung}" for rung in wanted]
    assert np.allclose(found, expected, atol=1e-5) and model.batch == 2


def test_the_category_check_asks_for_many(tmp_path: Path) -> None:
    clip = made(ClipL14, tiny_vision.save_clip(tmp_path))
    crops = [RNG.integers(0, 256, (40 + n, 70, 3), np.uint8) for n in range(NUM)]
    alone = [clip.images([crop], CLIP_PREP)[0] for crop in crops]
    assert bits(clip.crops(crops, CLIP_PREP)) == bits(alone)
    filled(clip)
    sizes: list[int] = []
    vision: Any = networks(clip)[0].vision_model
    vision.register_forward_pre_hook(lambda _, args, named: sizes.append(len(named["pixel_values"])), with_kwargs=True)
    several = clip.crops_together([(crops[:4], CLIP_PREP), (crops[4:6], OTHER_PREP), (crops[6:], CLIP_PREP)])
    assert sizes == [TOGETHER] * 3, "nine of one preparation, two of the other"
    assert [len(part) for part in several] == [4, 2, 5]
    assert np.allclose(several[0], alone[:4], atol=1e-5) and np.allclose(several[2], alone[6:], atol=1e-5)


class OnStage:
    """The context of drawn clips with other embedders."""

    def __init__(self, context: Any, roles: dict[str, Any]) -> None:
        self._context, self._roles = context, roles

    def role(self, name: str) -> Any:
        return self._roles.get(name) or self._context.role(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def vectors_of(results: Sequence[Any], space: str) -> list[bytes]:
    return [row.vector.tobytes() for result in results for row in result.rows if row.space == space]


def test_a_stage_asks_once_for_its_batch_and_other_batches_give_equal_bits(folder: Path) -> None:
    drawn = draw_video()
    items = drawn.appearance_items()
    model = filled(made(DinoV2Appearance, folder / "dinov2"))
    context: Any = OnStage(drawn.context, {"AppearanceEmbedder": model})
    bare = Item(items[2].id, {**items[2].records, Mask: ()})
    with passes(model) as sizes:
        whole = EmbedAppearances()([*items[:2], bare, *items[3:]], context)
    assert sizes == [TOGETHER] and len(items) == 8
    assert [result.item_id for result in whole] == [item.id for item in items]
    assert [isinstance(result, Ok) for result in whole] == [True, True, False, *[True] * 5]
    parts = [EmbedAppearances()(part, context) for part in (items[:1], items[1:2], items[3:7], items[7:])]
    found = vectors_of([result for part in parts for result in part], "appearance")
    assert found == vectors_of([one for one in whole if isinstance(one, Ok)], "appearance") and len(found) == 7


class Picky:
    """Breaks when one of its crops is of a certain brightness."""

    model_id: ClassVar[str] = "picky"
    space: ClassVar[str] = "appearance"
    takes_crops: ClassVar[bool] = True

    def __init__(self) -> None:
        self.asked: list[list[float]] = []
        self.disliked = -1.0

    @staticmethod
    def cut(frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray:
        return frame[mask]

    def embed_crops(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        self.asked.append([float(crop.mean()) for crop in crops])
        if self.disliked in self.asked[-1]:
            raise ModelFailed("a pass broke")
        return [np.full(4, 0.5, np.float32) for _ in crops]


def test_a_fault_is_told_apart_item_by_item() -> None:
    drawn = draw_video()
    items = drawn.appearance_items()[:3]
    picky = Picky()
    context: Any = OnStage(drawn.context, {"AppearanceEmbedder": picky})
    assert all(isinstance(result, Ok) for result in EmbedAppearances()(items, context))
    (brightness,) = picky.asked
    picky.disliked = brightness[1]
    results = EmbedAppearances()(items, context)
    assert [isinstance(result, Ok) for result in results] == [True, False, True]
    assert isinstance(results[1], Failed) and results[1].kind == "crash"
    assert [len(call) for call in picky.asked[1:]] == [3, 1, 1, 1]
