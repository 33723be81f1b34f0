"""The report: one file that needs nothing else, shows what it is given, and never trusts a name."""

import base64
import io
import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import ClassVar

import numpy as np
import pytest
from markupsafe import Markup
from PIL import Image

from backend.api import Status
from backend.domain.status_rows import FailureRow, GateRow, StageRow
from backend.report import (
    AnchorCard,
    CurationData,
    Distribution,
    PairCard,
    Report,
    ScoreLine,
    Section,
    ShotCard,
    SubjectCard,
    Table,
    curation_report,
    render,
)
from backend.report.board_plots import spread
from backend.report.pictures import MASK_TINT, boxed_uri, data_uri, masked_uri
from backend.report.plots import Line, histogram

HOSTILE = "<script>alert(1)</script>\" onerror='x' {{ 7 * 7 }}"


def scenery(height: int = 90, width: int = 160, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ramp = np.linspace(40, 200, width)[None, :, None] * np.linspace(0.6, 1, height)[:, None, None]
    return np.clip(ramp + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)


def disc(height: int = 90, width: int = 160) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return (rows - 45) ** 2 + (columns - 80) ** 2 <= 30**2


def status(**changes: object) -> Status:
    return replace(
        Status(
            counts={"videos": 2, "clips": 9, "subjects": 4, "pairs": 1, "in_pairs": 1, "masks": 1200},
            states={"ok": 1, "failed": 1},
            failures=(
                FailureRow(
                    stage="probe_source",
                    item_id="source_1",
                    name="broken.mp4",
                    state="failed",
                    kind="truncated",
                    message="the index is missing",
                ),
            ),
            stages=(
                StageRow(stage="split_shots", over="video", pending=0, ok=2, warned=0, filtered=0, failed=1, seconds=100.0),
            ),
            gates=(
                GateRow(
                    record="clip",
                    score="motion",
                    comparison=">",
                    value=0.004,
                    source="OpenS2V-Nexus",
                    entering=10,
                    dropped=4,
                    unmeasured=1,
                ),
            ),
        ),
        **changes,
    )


def pair(**changes: object) -> PairCard:
    return replace(
        PairCard(
            target=scenery(seed=1),
            reference=scenery(seed=2),
            target_where="a.mp4 · 0:03",
            reference_where="b.mp4 · 1:20",
            target_caption="A dog runs.",
            reference_caption="A dog sleeps.",
            phrase="brown dog",
            kind="cross_video",
            status="one",
            verdict="same",
            scores=(
                ScoreLine(name="similarity", value=0.8, gates=((">=", 0.7), ("<", 0.97))),
                ScoreLine(name="face_similarity", value=None, reason="no face"),
            ),
        ),
        **changes,
    )


def data(**changes: object) -> CurationData:
    return replace(
        CurationData(
            project="walks",
            version="0.1.0",
            recipe="full",
            profile="embedded",
            made_at="21 November 2026",
            status=status(),
            shots=[
                ShotCard(image=scenery(), video="a.mp4", start_s=0.0, stop_s=61.5, opens_with="start"),
                ShotCard(
                    image=scenery(), video="a.mp4", start_s=61.5, stop_s=62.0, opens_with="gradual", dropped="too short"
                ),
            ],
            subjects=[SubjectCard(image=scenery(), mask=disc(), label="brown dog", where="a.mp4 at 0:03")],
            pairs=[pair(), pair(phrase="cat", dropped="similarity is 0.62, must be ≥ 0.7", verdict=None)],
            distributions=[
                Distribution(name="similarity", record="pair", values=np.array([0.1, 0.5, 0.75, 0.8]), gates=((">=", 0.7),))
            ],
            num_shots=9,
            num_subjects=4,
            num_pairs=3,
        ),
        **changes,
    )


class Page(HTMLParser):
    """Tags with their attributes, and the text outside styles."""

    VOID: ClassVar[set[str]] = {"meta", "img", "br", "path", "use", "rect", "line"}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.text = ""
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += f" {data}"


def page(**changes: object) -> Page:
    return Page(render(curation_report(data(**changes))))


def test_the_page_is_one_file_without_scripts_or_addresses() -> None:
    html = render(curation_report(data()))
    found = Page(html)
    assert not any(tag in ("script", "link", "iframe", "object", "embed", "base") for tag, _ in found.tags)
    for _, attributes in found.tags:
        for name in ("src", "href", "xlink:href", "srcset", "action"):
            assert (attributes.get(name) or "#").startswith(("data:image/", "#")), attributes
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"url\((?!#)", html)
    policy = next(a["content"] for tag, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:")


def test_every_tag_is_closed() -> None:
    found = page()
    assert (found.open, found.unbalanced) == ([], [])


def test_equal_data_give_equal_pages() -> None:
    assert render(curation_report(data())) == render(curation_report(data()))


def test_headline_gates_stages_and_failures_are_told() -> None:
    text = page().text
    assert "2 videos, 9 clips and 4 subjects gave 1 accepted pair. 1 input failed; they are listed at the end." in text
    assert "9 clips 4 subjects 1 pair 1 failed Also made: 1 in pair and 1,200 masks." in text
    assert "clip: motion > 0.004 OpenS2V-Nexus, 1 unmeasured 6 of 10" in text
    assert "split shots video 2 – – 1 – 1.7 min" in text
    assert "broken.mp4 probe source failed cut off the index is missing" in text


def test_a_gate_names_values_of_categories_and_says_when_nothing_was_measured() -> None:
    (gate,) = status().gates
    own = replace(gate, record="pair", by_category={"cup": 0.61, "dog": 0.3})
    text = page(status=status(gates=(own, replace(gate, entering=0, dropped=0, unmeasured=0)))).text
    assert "cup: 0.61" in text and "dog: 0.3" in text
    assert "6 of 10" in text and "nothing measured" in text and "0 of 0" not in text


def test_shots_stand_by_video_with_their_times() -> None:
    text = page().text
    assert "a.mp4 2 shots 0:00.0 – 1:01.5 too short 1:01.5 – 1:02.0 after a dissolve or fade" in text
    assert "7 more shots, not shown." in text


def test_anchors_stand_by_side_with_how_many_there_are() -> None:
    cards = [
        AnchorCard(image=scenery(seed=k), group=group, where=f"a.mp4, {k}.0 s", confidence=sure)
        for k, (group, sure) in enumerate([("viewpoint: back", 0.91), ("viewpoint: back", 0.6), ("global", None)])
    ]
    text = page(anchors=cards, num_anchors={"viewpoint: back": 14, "global": 1}).text
    assert "Viewpoint: back 14 pictures" in text and "and 12 more" in text and "confidence 0.91" in text
    assert "Global 1 picture" in text
    assert "No anchor was chosen." in page(anchors=[]).text


def test_pairs_show_both_sides_scores_and_verdict() -> None:
    found = page()
    assert (
        "brown dog cross video same one target a.mp4 · 0:03 A dog runs. reference b.mp4 · 1:20 A dog sleeps. "
        "similarity 0.80 face similarity no face"
    ) in found.text
    assert "Held back nearest to the gates first cat similarity is 0.62, must be ≥ 0.7 cross video not judged" in found.text
    assert "and 2 more, not shown." in found.text
    marks = [a["style"] for tag, a in found.tags if tag == "i"]
    assert marks[:2] == ["left: 70.00%", "left: 97.00%"]


@pytest.mark.parametrize(("value", "fails"), [(0.69, True), (0.7, False), (0.96, False), (0.97, True)])
def test_a_score_outside_its_gates_is_marked(value: float, fails: bool) -> None:
    scores = (ScoreLine(name="similarity", value=value, gates=((">=", 0.7), ("<", 0.97))),)
    found = page(pairs=[pair(scores=scores)])
    assert any(a.get("class") == "fails" for tag, a in found.tags if tag == "tr") is fails


def test_a_long_grid_is_folded() -> None:
    card = SubjectCard(image=scenery(18, 32), mask=None, label="dog", where="a.mp4")
    found = page(subjects=[card] * 40, num_subjects=50)
    assert [tag for tag, _ in found.tags].count("details") == 1
    assert "4 more dog" in found.text
    assert "and 10 more, not shown." in found.text


def test_nothing_curated_is_said_and_not_left_blank() -> None:
    empty = CurationData(
        project="new",
        version="0.1.0",
        recipe="full",
        profile="embedded",
        made_at="today",
        status=Status(counts={}, states={}, failures=()),
    )
    text = Page(render(curation_report(empty))).text
    for words in (
        "Nothing was curated yet.",
        "No pair passes the gates.",
        "No subject was found.",
        "No shot was found.",
        "No score was measured.",
        "No stage has run.",
        "Nothing failed.",
    ):
        assert words in text


def test_names_from_outside_stay_text() -> None:
    hostile = page(
        project=HOSTILE,
        pairs=[pair(phrase=HOSTILE, target_caption=HOSTILE, scores=(ScoreLine(name=HOSTILE, value=0.5),))],
        shots=[ShotCard(image=scenery(), video=HOSTILE, start_s=0, stop_s=1, opens_with="cut", dropped=HOSTILE)],
        subjects=[SubjectCard(image=scenery(), mask=None, label=HOSTILE, where=HOSTILE)],
        distributions=[Distribution(name=HOSTILE, record="pair", values=np.arange(5.0))],
        status=status(
            failures=(FailureRow(stage="x", item_id="x", name=HOSTILE, state="failed", kind="x", message=HOSTILE),)
        ),
    )
    assert not any(tag == "script" or "onerror" in attributes for tag, attributes in hostile.tags)
    assert hostile.text.count("{{ 7 * 7 }}") >= 7


def test_a_file_name_in_another_encoding_is_shown_as_far_as_it_can_be() -> None:
    shot = ShotCard(image=scenery(), video="caf\udce9.mp4", start_s=0, stop_s=1, opens_with="start")
    html = render(curation_report(data(shots=[shot])))
    assert b"caf?.mp4" in html.encode("utf-8")


def test_a_block_of_a_new_kind_needs_only_its_template() -> None:
    table = Table(head=("A", "B"), rows=(("x", "1"),), numeric=frozenset({1}), note="counted by hand")
    report = Report(title="t", kicker="k", sections=[Section(anchor="a", title="Own", blocks=[table])])
    assert "Own A B x 1 counted by hand" in Page(render(report)).text


def test_an_unknown_block_is_an_error() -> None:
    @dataclass(frozen=True)
    class Unknown:
        KIND: ClassVar[str] = "unknown"

    with pytest.raises(LookupError):
        render(Report(title="t", kicker="k", sections=[Section(anchor="a", title="x", blocks=[Unknown()])]))


# Pictures


def decoded(uri: str | None) -> np.ndarray:
    assert uri is not None
    head, _, body = uri.partition(",")
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB")).astype(int)


def test_a_picture_is_scaled_to_its_longer_side() -> None:
    assert decoded(data_uri(scenery(90, 160), long_side=80)).shape == (45, 80, 3)
    assert decoded(data_uri(scenery(90, 160), long_side=500)).shape == (90, 160, 3)
    assert decoded(data_uri(scenery(1, 4000), long_side=100)).shape == (1, 100, 3)


def test_a_cut_out_keeps_its_transparency() -> None:
    cut = np.dstack([scenery(), disc().astype(np.uint8) * 255])
    uri = data_uri(cut, long_side=160)
    assert uri is not None
    alpha = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))[..., 3]
    assert alpha[45, 80] == 255
    assert alpha[2, 2] == 0


def test_a_mask_dims_what_it_leaves_out_and_draws_its_edge() -> None:
    bright = np.full((90, 160, 3), 230, np.uint8)
    drawn = decoded(masked_uri(bright, disc(), long_side=160))
    assert drawn.shape[0] == 90  # the disc of 61 pixels with a quarter on each side
    assert drawn.shape[1] == 93
    centre, corner = drawn[45, 46], drawn[3, 3]
    assert np.abs(centre - 230).max() < 12
    assert np.abs(corner - (128 + 0.38 * (230 - 128))).max() < 12
    assert np.abs(drawn[45, 46 - 30] - np.array(MASK_TINT)).max() < 60


def test_an_empty_mask_dims_everything() -> None:
    drawn = decoded(masked_uri(np.full((90, 160, 3), 230, np.uint8), np.zeros((90, 160), bool), long_side=160))
    assert drawn.max() < 185


def test_a_box_is_drawn_where_it_is() -> None:
    drawn = decoded(boxed_uri(np.full((100, 200, 3), 230, np.uint8), (40, 20, 160, 80), long_side=100))
    assert np.abs(drawn[25, 20] - np.array(MASK_TINT)).max() < 60
    assert np.abs(drawn[25, 50] - 230).max() < 12


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\x00" * 40])
def test_a_damaged_picture_is_shown_as_such(data: bytes) -> None:
    assert data_uri(data, long_side=64) is None
    assert masked_uri(data, disc(), long_side=64) is None
    assert "picture cannot be read" in page(pairs=[pair(target=data)]).text


def test_a_picture_that_claims_too_many_pixels_is_not_decoded() -> None:
    file = io.BytesIO()
    Image.new("1", (9000, 9000)).save(file, "PNG")
    assert data_uri(file.getvalue(), long_side=64) is None


# Plots


def test_a_histogram_fades_what_a_gate_drops_and_follows_the_theme() -> None:
    svg = histogram(np.linspace(0, 1, 200), [Line(">=", 0.5)], label="pair.similarity")
    assert isinstance(svg, Markup)
    assert "var(--accent)" in svg
    assert "var(--faded)" in svg
    assert "≥ 0.5" in svg
    assert not re.search(r"#0[0-9a-f]{5}", svg)
    assert 'aria-label="Histogram of pair.similarity, 200 values"' in svg


def test_half_of_an_even_spread_is_faded_by_a_gate_in_the_middle() -> None:
    svg = str(histogram(np.linspace(0, 1, 2000), [Line(">=", 0.5)], label="x"))
    bars = re.findall(r"fill: var\(--(accent|faded)\)", svg)
    assert bars.count("accent") == bars.count("faded") == 17, "36 bins, one at each end being empty"


def named(svg: str, axis: str) -> list[float]:
    """The numbers at an axis's ticks."""
    ticks = re.findall(rf'<g id="{axis}tick_\d+">.*?<text[^>]*>([^<]+)</text>', svg, re.DOTALL)
    return [float(tick.replace("\N{MINUS SIGN}", "-")) for tick in ticks]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([1, 1, 2], [1, 2]), ([3, 3, 3], [3]), ([0, 1, 0], [0, 1]), ([1, 2, 3, 4, 4], [1, 2, 3, 4])],
    ids=["one and two", "one value", "no and yes", "a few"],
)
def test_whole_numbers_are_named_by_whole_numbers(values: list[int], ticks: list[int]) -> None:
    svg = histogram(np.array(values), label="subjects")
    assert named(svg, "x") == ticks
    assert all(tick.is_integer() for tick in named(svg, "y"))


def test_numbers_of_videos_are_whole() -> None:
    svg = spread({"a": np.array([0.5, 0.7])}, None, label="score")
    assert named(svg, "y") == [0, 1]
    assert not all(tick.is_integer() for tick in named(svg, "x"))


def test_other_numbers_are_named_by_fractions_too() -> None:
    assert {0.0, 0.2, 0.4} <= set(named(histogram(np.linspace(0, 1, 50), label="similarity"), "x"))


@pytest.mark.parametrize(
    ("comparison", "value", "kept"), [(">=", 3, 3), (">", 3, 2), ("<=", 3, 3), ("<", 3, 2), (">=", 2.5, 3), ("<", 2.5, 2)]
)
def test_a_gate_parts_whole_numbers_as_it_keeps_them(comparison: str, value: float, kept: int) -> None:
    svg = str(histogram(np.arange(1, 6), [Line(comparison, value)], label="words"))
    bars = re.findall(r"fill: var\(--(accent|faded)\)", svg)
    assert (bars.count("accent"), bars.count("faded")) == (kept, 5 - kept), "a bar for each of five numbers"


def test_wide_whole_numbers_share_bins_evenly() -> None:
    svg = str(histogram(np.arange(100), label="words", num_bins=10))
    heights = {
        round(max(tops) - min(tops), 1)
        for path in re.findall(r'<path d="(M[^"]*)"[^>]*style="fill: var\(--accent\)', svg)
        for tops in [[float(y) for y in re.findall(r"[ML] \S+ (\S+)", path)]]
    }
    assert len(heights) == 1, "ten numbers in each of ten bins"


@pytest.mark.parametrize("values", [np.array([]), np.array([0.3]), np.array([np.nan, np.inf, 1.0]), np.zeros(50)])
def test_a_histogram_of_little_is_still_a_plot(values: np.ndarray) -> None:
    assert histogram(values, [Line("<", 0.97)], label="x").startswith("<svg ")


@pytest.mark.parametrize(
    ("comparison", "kept"),
    [(">=", [False, True, True]), (">", [False, False, True]), ("<=", [True, True, False]), ("<", [True, False, False])],
)
def test_a_line_keeps_one_side(comparison: str, kept: list[bool]) -> None:
    assert Line(comparison, 1.0).keeps(np.array([0.0, 1.0, 2.0])).tolist() == kept


def test_an_unknown_comparison_is_an_error() -> None:
    with pytest.raises(ValueError, match="none of"):
        Line("~", 1.0).keeps(np.array([1.0]))
