"""Logos on drawn cut-outs, and what pairs of them come to."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.domain import (
    Appearance,
    Filtered,
    Item,
    Mask,
    Ok,
    Pair,
    Score,
    Subject,
    Video,
)
from backend.domain.roles_logos import Logo
from backend.media.images import encode_png
from backend.models.classical_logos import ClassicalLogos
from backend.stages.bank_pairs import PairAcross
from backend.stages.logo_pairs import BAR, NAMES, MatchLogos, MatchLogosAcross
from backend.stages.logos import FindLogos, read_logos
from tests.backend.stages.bank_sources import World, unit
from tests.backend.stages.moving_things import FixedContext, MovingThings, clip_item

WORD = (30.0, 90.0, 230.0, 140.0)


class Context(FixedContext):
    def model_id(self, name: str) -> str:
        return getattr(self._roles.get(name), "model_id", "")


class Told:
    """A finder that gives what it was told, whatever it is shown; counts its calls."""

    model_id = "told-1"

    def __init__(self, *logos: Logo) -> None:
        self.logos, self.calls = list(logos), 0

    def find(self, cut_out: np.ndarray) -> list[Logo]:
        self.calls += 1
        return self.logos


def logo(box=WORD, *, score: float = 0.9, text: str | None = None, is_uncut: bool = True) -> Logo:
    return Logo(box=box, score=score, text=text, is_uncut=is_uncut)


def cut_out(word: str, *, light: float = 1.0) -> np.ndarray:
    """A board of 240 x 200 in a picture of 260 x 220, RGBA, with a word on it."""
    rgb = np.full((220, 260, 3), (40, 60, 130), np.uint8)
    cv2.putText(rgb, word, (30, 130), cv2.FONT_HERSHEY_TRIPLEX, 1.4, (240, 240, 235), 3, cv2.LINE_AA)
    alpha = np.zeros((220, 260), np.uint8)
    alpha[10:210, 10:250] = 255
    return np.dstack([(rgb * light).astype(np.uint8), alpha])


def context(finder: object | None) -> Context:
    return Context(MovingThings([]), **({"LogoFinder": finder} if finder else {}))


def shown(at: Context, word: str, number: int, *, is_living: bool | None = False, light: float = 1.0):
    subject = Subject(clip_id=f"c{number}", track_id=f"t{number}", phrase=None, category="bottle", is_living=is_living)
    view = Appearance(subject_id=subject.id, frame=number, box=(0, 0, 260, 220), confidence=1, origin="video")
    crop = at.artifacts.put(encode_png(cut_out(word, light=light)), f"{number}.png")
    return subject, view, Mask(appearance_id=view.id, author="drawn", height=220, width=260, counts=b"", crop=crop)


def found(at: Context, subject: Subject, view: Appearance, *masks: Mask, stage: FindLogos | None = None):
    item = Item(view.id, {Subject: (subject,), Appearance: (view,), Mask: masks})
    (result,) = (stage or FindLogos())([item], at)
    return result


def values(result) -> dict[str, tuple[float | None, str | None]]:
    assert isinstance(result, Ok), result
    return {row.name: (row.value, row.reason) for row in result.rows}


def test_logos_are_counted_measured_and_kept_as_evidence():
    at = context(Told(logo(text="KALO"), logo((0.0, 0.0, 20.0, 20.0), score=0.4, is_uncut=False)))
    result = found(at, *shown(at, "KALO", 1))
    assert values(result) == {
        "num_logos": (2.0, None),
        "logo_area": (pytest.approx(200 * 50 / (240 * 200)), None),
        "logo_uncut": (0.9, None),
    }
    (evidence,) = {row.evidence for row in result.rows}
    assert read_logos(at.artifacts.get(evidence)) == at.role("LogoFinder").logos
    patch = json.loads(at.artifacts.get(evidence))["logos"][0]["patch"]
    assert np.linalg.norm(patch) == pytest.approx(1, abs=1e-2)


def test_a_thing_without_logos_has_none_and_no_word_on_their_wholeness():
    at = context(Told())
    assert values(found(at, *shown(at, "", 1))) == {
        "num_logos": (0.0, None),
        "logo_area": (0.0, None),
        "logo_uncut": (None, "no logo on the cut-out"),
    }


def test_the_living_and_what_has_no_cut_out_are_passed_over():
    at = context(Told(logo()))
    living = shown(at, "KALO", 1, is_living=True)
    assert isinstance(found(at, *living), Filtered)
    subject, view, _ = shown(at, "KALO", 2)
    assert found(at, subject, view) == Filtered(view.id, "the appearance has no cut-out")
    assert at.role("LogoFinder").calls == 0


def test_without_a_finder_scores_are_null_and_say_why():
    at = context(None)
    found_values = values(found(at, *shown(at, "KALO", 1)))
    assert {value for value, _ in found_values.values()} == {None}
    assert all("LogoFinder" in (reason or "") for _, reason in found_values.values())


@pytest.mark.parametrize(
    "nonsense",
    [
        logo((-50.0, 0.0, 20.0, 20.0)),
        logo((0.0, 0.0, 900.0, 20.0)),
        logo((30.0, 30.0, 30.0, 60.0)),
        logo((float("nan"), 0.0, 20.0, 20.0)),
        logo(score=float("nan")),
        logo(score=0.1),
    ],
)
def test_boxes_off_the_picture_numbers_that_are_none_and_faint_marks_are_left_out(nonsense: Logo):
    at = context(Told(nonsense))
    assert values(found(at, *shown(at, "KALO", 1)))["num_logos"] == (0.0, None)


def matched(at: Context, *sides, stage: MatchLogos | None = None, scores=()):
    (a, va, ma), (b, vb, mb) = sides
    pair = Pair(
        target_subject_id=a.id, target_appearance_id=va.id, reference_subject_id=b.id, reference_appearance_id=vb.id,
        kind="cross_frame",
    )  # fmt: skip
    video = clip_item().one(Video)
    records = {Video: (video,), Subject: (a, b), Appearance: (va, vb), Mask: (ma, mb), Pair: (pair,), Score: tuple(scores)}
    (result,) = (stage or MatchLogos())([Item(video.id, records)], at)
    assert all(row.target == pair.id for row in result.rows)
    return values(result)


def test_one_logo_in_other_light_matches_and_another_does_not():
    at = context(ClassicalLogos())
    same = matched(at, shown(at, "KALOMI", 1), shown(at, "KALOMI", 2, light=0.7))
    assert same["logo_match"] == (1.0, None)
    assert (same["logo_inliers"][0] or 0) >= BAR.inliers
    assert same["logo_text"] == (None, "a side has no text that was read")
    other = matched(at, shown(at, "KALOMI", 1), shown(at, "BENTUR", 2))
    assert (other["logo_match"][0] or 0.0) < 1.0


@pytest.mark.parametrize(("read", "expected"), [("KALOMI", 1.0), ("KALQMI", 1.0), ("BENTUR", 0.0), ("KALO", 4 / 6 / 0.8)])
def test_letters_decide_where_both_sides_were_read(read: str, expected: float):
    at = context(None)
    sides = shown(at, "KALOMI", 1), shown(at, "KALOMI", 2)
    scores = []
    for side, text in zip(sides, ("KALOMI", read)):
        reading = context(Told(logo(text=text)))
        reading.artifacts = at.artifacts
        result = found(reading, *side)
        scores += result.rows
    told = Told()
    seeing = context(told)
    seeing.artifacts = at.artifacts
    result = matched(seeing, *sides, scores=scores)
    assert told.calls == 0, "the boxes and texts are those that FindLogos kept"
    assert result["logo_match"] == (pytest.approx(expected), None)


def test_a_side_without_a_whole_logo_gives_null():
    at = context(Told(logo(is_uncut=False)))
    result = matched(at, shown(at, "KALO", 1), shown(at, "KALO", 2))
    assert set(result) == set(NAMES)
    assert set(result.values()) == {(None, "a side shows no whole logo")}


def test_the_living_are_not_matched():
    at = context(Told(logo()))
    result = matched(at, shown(at, "KALO", 1, is_living=True), shown(at, "KALO", 2, is_living=True))
    assert result["logo_match"] == (None, "not applicable: neither side is known to be a thing, or one lives")
    assert at.role("LogoFinder").calls == 0


def test_a_video_without_pairs_of_two_clips_is_passed_over():
    at = context(Told())
    video = clip_item().one(Video)
    (result,) = MatchLogos()([Item(video.id, {Video: (video,)})], at)
    assert isinstance(result, Filtered)


def test_pairs_across_sources_take_their_cut_outs_from_the_banks(tmp_path: Path):
    world = World(tmp_path)
    mug = unit(1)
    world.add("a.mp4", {"body": mug, "look": 1, "is_living": False})
    world.add("b.mp4", {"body": unit(3, near=mug, cosine=0.8), "look": 2, "is_living": False})
    item = world.item("b.mp4")
    (paired,) = PairAcross()([item], world)  # type: ignore[arg-type]
    pairs = tuple(row for row in paired.rows if isinstance(row, Pair))
    at = context(Told(logo((10.0, 10.0, 80.0, 80.0), text="KALO")))
    at.artifacts = world.artifacts  # type: ignore[assignment]
    (result,) = MatchLogosAcross()([Item(item.id, {**item.records, Pair: pairs})], at)
    assert {row.target for row in result.rows} == {pair.id for pair in pairs}
    assert values(result)["logo_text"] == (1.0, None)
    assert at.role("LogoFinder").calls == 2
    (none,) = MatchLogosAcross()([item], at)
    assert none == Filtered(item.id, "no pair joins it with another source")
