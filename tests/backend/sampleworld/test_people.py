"""Drawn people are people to OpenCV's cascade, and look different from one another and from each side."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.sampleworld.cast import Identity, Wardrobe, draw_cast, draw_sprite, size_of
from backend.sampleworld.faces import EXPRESSIONS, FaceShape, paint_face
from backend.sampleworld.noise import patch
from backend.sampleworld.people import PersonLook, PersonState, draw_person_look, head_box
from backend.sampleworld.products import ProductLook
from backend.sampleworld.script import plan_world
from backend.sampleworld.shading import Light

CASCADE = str(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml")
FACE_PX = (64, 90, 140)


def portrait(look: PersonLook, state: PersonState, face_px: float, azimuth_deg: float, seed: int) -> np.ndarray:
    """A grey picture of a head and shoulders before a rough wall; the face is `face_px` wide."""
    middle, half_width, _ = head_box(look)
    scale = face_px / (2 * half_width)
    identity = Identity(id="x", category=look.kind, look=look, twin=None)
    sprite = draw_sprite(
        identity,
        state,
        Wardrobe(),
        azimuth_deg=azimuth_deg,
        elevation_deg=3,
        scale=scale,
        light=Light(),
        lowest=middle - 0.4,
    )
    h, w = sprite.rgba.shape[0] + 60, sprite.rgba.shape[1] + 80
    wall = np.clip(120 + 25 * patch(np.random.default_rng(seed), (h, w)), 0, 255)[..., None].repeat(3, axis=2)
    alpha = sprite.rgba[..., 3:] / 255
    area = wall[50 : 50 + sprite.rgba.shape[0], 40 : 40 + sprite.rgba.shape[1]]
    area[:] = area * (1 - alpha) + sprite.rgba[..., :3] * alpha
    return cv2.cvtColor(wall.astype(np.uint8), cv2.COLOR_RGB2GRAY)


def is_found(grey: np.ndarray, face_px: float) -> bool:
    """Whether the cascade finds a face whose middle lies on the head (in the upper third, half a head around the axis)."""
    cascade = cv2.CascadeClassifier(CASCADE)
    found = cascade.detectMultiScale(
        grey, 1.08, 3, minSize=(round(face_px * 0.6),) * 2, maxSize=(round(face_px * 2.2),) * 2
    )
    head_y, head_x = 50 + 0.75 * face_px, grey.shape[1] / 2
    return any(
        abs(x + w / 2 - head_x) < 0.5 * face_px and abs(y + h / 2 - head_y) < 0.8 * face_px and w > 0.7 * face_px
        for x, y, w, h in found
    )


@pytest.mark.thorough
@pytest.mark.slow
def test_frontal_cascade_fires_on_95_percent_of_frontal_faces():
    rng = np.random.default_rng(5)
    hits = []
    for number in range(20):
        look = draw_person_look(rng, ("man", "woman")[number % 2])
        for k, expression in enumerate(EXPRESSIONS):
            face_px = FACE_PX[(number + k) % len(FACE_PX)]
            grey = portrait(look, PersonState(expression=expression), face_px, float(rng.uniform(-10, 10)), number)
            hits.append(is_found(grey, face_px))
    assert np.mean(hits) >= 0.95, f"{sum(hits)} of {len(hits)}"


def test_cascade_finds_no_face_on_backs_of_heads():
    rng = np.random.default_rng(6)
    looks = [draw_person_look(rng, kind) for kind in ("man", "woman", "man", "woman")]
    found = [is_found(portrait(look, PersonState(), 90, 180, k), 90) for k, look in enumerate(looks)]
    assert not any(found)


def test_every_expression_draws_another_face():
    shape = FaceShape(skin=(0.8, 0.6, 0.5), hair=(0.2, 0.1, 0.1), iris=(0.3, 0.2, 0.1), lips=(0.6, 0.3, 0.3))
    faces = [paint_face(shape, expression) for expression in EXPRESSIONS]
    differences = [np.abs(a - b).mean() for i, a in enumerate(faces) for b in faces[:i]]
    assert min(differences) > 0.002


def test_mouth_opens_and_eyes_close():
    shape = FaceShape(skin=(0.8, 0.6, 0.5), hair=(0.2, 0.1, 0.1), iris=(0.3, 0.2, 0.1), lips=(0.6, 0.3, 0.3))
    shut, ajar, blink = (paint_face(shape, "neutral", mouth_open=m, blink=b) for m, b in ((0, 0), (1, 0), (0, 1)))
    moved = np.abs(ajar - shut).mean(axis=2)
    assert moved[220:280, 110:210].mean() > 20 * moved[:160].mean()
    assert np.abs(blink - shut).mean(axis=2)[120:180].mean() > 20 * np.abs(blink - shut).mean(axis=2)[220:].mean()


def test_cast_has_people_animals_products_and_mutual_twins():
    cast_list = draw_cast(3)
    by_id = {i.id: i for i in cast_list}
    assert len(by_id) == len(cast_list) >= 12
    assert {i.category for i in cast_list} >= {"man", "woman", "dog", "cat", "horse", "cow", "mug", "shoe", "bottle"}
    twins = [i for i in cast_list if i.twin]
    assert len(twins) >= 8
    for i in twins:
        assert by_id[i.twin or ""].twin == i.id
        assert by_id[i.twin or ""].category == i.category
        assert by_id[i.twin or ""].look != i.look


@pytest.mark.slow
def test_every_identity_can_be_drawn_from_all_sides():
    for identity in draw_cast(1):
        wide, tall = size_of(identity.look)
        assert 0.05 < tall < 3 and 0.02 < wide < 3
        sprites = [_side(identity, azimuth, 90 / tall) for azimuth in (0, 90, 180, 270)]
        front, back = sprites[0], sprites[2]
        assert all((sprite[..., 3] > 128).mean() > 0.1 for sprite in sprites)
        h, w = min(front.shape[0], back.shape[0]), min(front.shape[1], back.shape[1])
        assert np.abs(front[:h, :w].astype(int) - back[:h, :w]).mean() > 0.5


def _side(identity: Identity, azimuth_deg: float, scale: float) -> np.ndarray:
    from backend.sampleworld.creatures import AnimalLook, AnimalState

    look = identity.look
    state = PersonState() if isinstance(look, PersonLook) else AnimalState() if isinstance(look, AnimalLook) else None
    return draw_sprite(
        identity, state, Wardrobe(), azimuth_deg=azimuth_deg, elevation_deg=5, scale=scale, light=Light()
    ).rgba


def test_logo_look_alikes_differ_in_name_and_emblem_only():
    by_id = {i.id: i for i in draw_cast(3)}
    relabelled = [i for i in by_id.values() if i.relabels]
    assert {i.category for i in relabelled} == {"bottle", "can", "handbag"}
    for other in relabelled:
        own, look = by_id[other.relabels or ""].look, other.look
        assert isinstance(own, ProductLook) and isinstance(look, ProductLook)
        assert by_id[other.relabels or ""].twin == other.id
        assert (look.name, look.emblem) != (own.name, own.emblem) and look.name != own.name and look.emblem != own.emblem
        marks = {"name": own.name, "emblem": own.emblem, "font": own.font, "seed": own.seed}
        assert replace(look, **marks) == own
        assert size_of(look) == size_of(own)


def test_a_products_second_video_shows_its_logo_look_alike():
    plan = plan_world(3, 16, 15.0, 24)
    shown = [{s.identity.id for shot in v.shots for s in shot.subjects if not s.identity.is_living} for v in plan.videos]
    other = {i.relabels: i.id for i in plan.identities if i.relabels}
    assert {name for video in shown[:8] for name in video} == {
        i.id for i in plan.identities if not i.is_living and not i.relabels
    }
    assert set(other.values()) <= {name for video in shown[8:] for name in video}
