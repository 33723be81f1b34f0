"""Painters and synthesizers: real loading of tiny checkpoints, what stays as it was, and what bad answers become."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.domain import Absent, ModelUnavailable
from backend.media.images import encode_png
from backend.models.classical_painter import TeleaPainter
from backend.models.classical_variants import AugmentedVariants
from backend.models.endpoint_calls import Limits
from backend.models.gpt_frames import GptFrames
from backend.models.outgoing import AllowedEndpoints
from backend.models.places import ModelPlace
from tests.metrics.checkpoints_language import dripping, endpoint, sent

torch: Any = pytest.importorskip("torch")

FRAME = np.random.default_rng(0).integers(0, 256, (53, 90, 3)).astype(np.uint8)
HOLE = np.zeros((53, 90), bool)
HOLE[20:40, 30:60] = True


def cut_out(height: int = 48, width: int = 40) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    inside = ((x - width / 2) / (width / 2.5)) ** 2 + ((y - height / 2) / (height / 2.5)) ** 2 < 1
    colours = np.dstack([x * 5, y * 5, np.full_like(x, 90)]).astype(np.uint8)
    return np.dstack([colours, inside * 255]).astype(np.uint8)


def place(path: Path, role: str = "Inpainter") -> ModelPlace:
    return ModelPlace(role, str(path), "what the papers take")


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


class TestTelea:
    def test_an_even_ground_is_carried_into_the_hole(self):
        ground = np.full((60, 80, 3), (10, 200, 90), np.uint8)
        spoiled = np.where(_hole(60, 80)[..., None], 0, ground).astype(np.uint8)
        painted = TeleaPainter().paint(spoiled, _hole(60, 80))
        assert np.abs(painted.astype(int) - ground).max() <= 2

    def test_nothing_changes_outside_of_the_hole(self):
        painted = TeleaPainter().paint(FRAME, HOLE)
        assert np.array_equal(painted[~HOLE], FRAME[~HOLE])
        assert not np.array_equal(painted[HOLE], FRAME[HOLE])

    @pytest.mark.parametrize("hole", [np.zeros((53, 90), bool), np.ones((53, 90), bool)])
    def test_without_a_hole_or_without_a_ground_the_frame_comes_back(self, hole):
        assert np.array_equal(TeleaPainter().paint(FRAME, hole), FRAME)


def _hole(height: int, width: int) -> np.ndarray:
    hole = np.zeros((height, width), bool)
    hole[height // 3 : height // 2, width // 3 : width // 2] = True
    return hole


class TestVariants:
    def test_equal_seeds_give_equal_pictures_and_all_differ_from_the_source(self):
        source = cut_out()
        first, again = (AugmentedVariants().make(source, phrase="", num=3, seed=5) for _ in range(2))
        assert [picture.tobytes() for picture in first] == [picture.tobytes() for picture in again]  # type: ignore[union-attr]
        assert len({picture.tobytes() for picture in first}) == 3  # type: ignore[union-attr]

    def test_the_subject_keeps_its_size_and_most_of_its_area(self):
        source = cut_out(120, 100)
        area = (source[..., 3] > 127).sum()
        for picture in AugmentedVariants().make(source, phrase="", num=8, seed=1):
            assert isinstance(picture, np.ndarray)
            assert picture.shape[2] == 4
            assert 0.6 < (picture[..., 3] > 127).sum() / area < 1.6

    def test_an_empty_cut_out_gives_nothing(self):
        (found,) = AugmentedVariants().make(np.zeros((9, 9, 4), np.uint8), phrase="", num=1, seed=1)
        assert isinstance(found, Absent)


class TestLama:
    def test_sides_are_filled_up_and_cut_off_again(self, tmp_path):
        from backend.models.lama import Lama
        from tests.backend.models.tiny_flux import save_lama

        painter = Lama(place(save_lama(tmp_path / "big-lama.pt")), device="cpu", dtype="float32")
        painted = painter.paint(FRAME, HOLE)
        assert painted.shape == FRAME.shape
        assert np.array_equal(painted[~HOLE], FRAME[~HOLE])
        grown = np.pad(FRAME, ((0, 3), (0, 6), (0, 0)), mode="symmetric").astype(float)
        known = ~np.pad(HOLE, ((0, 3), (0, 6)), mode="symmetric")
        np.testing.assert_allclose(painted[HOLE], np.tile(grown[known].mean(axis=0), (HOLE.sum(), 1)), atol=0.6)

    def test_what_is_no_torchscript_is_named(self, tmp_path):
        from backend.models.lama import Lama

        (tmp_path / "big-lama.pt").write_bytes(b"PK\x03\x04 not a model")
        with pytest.raises(ModelUnavailable, match="is no TorchScript file"):
            Lama(place(tmp_path / "big-lama.pt"), device="cpu", dtype="float32")

    def test_another_network_is_named(self, tmp_path):
        from backend.models.lama import Lama

        class Other(torch.nn.Module):
            def forward(self, image, mask):
                return image[:, :, :4]

        torch.jit.script(Other()).save(str(tmp_path / "other.pt"))
        with pytest.raises(ModelUnavailable, match="another network"):
            Lama(place(tmp_path / "other.pt"), device="cpu", dtype="float32").paint(FRAME, HOLE)


@pytest.mark.slow
class TestFlux:
    def test_fill_changes_only_the_hole_and_repeats_itself(self, tmp_path):
        from backend.models.flux import FluxFill
        from tests.backend.models.tiny_flux import save_flux

        painter = FluxFill(
            place(save_flux(tmp_path / "fill", "FluxFillPipeline")), device="cpu", dtype="float32", num_steps=2
        )
        painted, again = painter.paint(FRAME, HOLE), painter.paint(FRAME, HOLE)
        assert painted.shape == FRAME.shape
        assert np.array_equal(painted[~HOLE], FRAME[~HOLE])
        assert np.array_equal(painted, again)

    def test_kontext_makes_pictures_of_the_asked_size(self, tmp_path):
        from backend.models.flux import FluxKontext
        from tests.backend.models.tiny_flux import save_flux

        folder = save_flux(tmp_path / "kontext", "FluxKontextPipeline")
        maker = FluxKontext(place(folder), device="cpu", dtype="float32", num_steps=2)
        first, second = maker.make(cut_out(), phrase="dog", num=2, seed=1)
        assert isinstance(first, np.ndarray)
        assert isinstance(second, np.ndarray)
        assert first.shape == second.shape == (48, 32, 4)
        assert not np.array_equal(first, second)
        (again,) = maker.make(cut_out(), phrase="dog", num=1, seed=1)
        assert isinstance(again, np.ndarray)
        assert np.array_equal(again, first)

    def test_redux_reads_the_picture_in_place_of_a_text(self, tmp_path):
        from backend.models.flux import FluxRedux
        from tests.backend.models.tiny_flux import save_redux

        maker = FluxRedux(place(save_redux(tmp_path)), device="cpu", dtype="float32", num_steps=2)
        (made,) = maker.make(cut_out(), phrase="dog", num=1, seed=1)
        (other,) = maker.make(np.rot90(cut_out()).copy(), phrase="dog", num=1, seed=1)
        assert isinstance(made, np.ndarray)
        assert isinstance(other, np.ndarray)
        assert made.shape == (48, 32, 4)
        assert other.shape == (32, 48, 4)

    def test_a_folder_of_another_pipeline_or_half_of_it_is_named(self, tmp_path):
        from backend.models.flux import FluxFill, FluxRedux

        (tmp_path / "redux").mkdir()
        with pytest.raises(ModelUnavailable, match="has no folder base"):
            FluxRedux(place(tmp_path), device="cpu", dtype="float32")
        (tmp_path / "model_index.json").write_text('{"_class_name": "OtherPipeline"}')
        with pytest.raises(ModelUnavailable, match="is no FluxFillPipeline"):
            FluxFill(place(tmp_path), device="cpu", dtype="float32")


class TestGptFrames:
    @pytest.fixture
    def asked(self, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789")
        with endpoint() as service:
            yield (
                service,
                lambda: GptFrames(
                    ModelPlace("ReferenceSynthesizer", f"openai:gpt-image-1@{service.url}", ""),
                    device="cpu",
                    dtype="float32",
                    limits=Limits(tries=1, attempt_s=2.0),
                ),
            )

    def answered(self, asked, answer):
        service, make = asked
        service.answers = [answer]
        (found,) = make().make(cut_out(), phrase="red car", num=1, seed=0)
        return found

    def test_the_picture_of_the_answer_is_read(self, asked):
        made = encode_png(cut_out(30, 20))
        body = json.dumps({"created": 1, "data": [{"b64_json": base64.b64encode(made).decode()}]})
        found = self.answered(asked, sent(200, body))
        assert np.array_equal(found, cut_out(30, 20))

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (sent(200, json.dumps({"created": 1, "data": []})), "holds no picture"),
            (sent(200, json.dumps({"created": 1, "data": [{"b64_json": "!!!"}]})), "cannot be read"),
            (
                sent(200, json.dumps({"created": 1, "data": [{"b64_json": base64.b64encode(b"no picture").decode()}]})),
                "cannot be read",
            ),
            (sent(200, json.dumps({"created": 1, "data": [{"url": "http://elsewhere"}]})), "holds no picture"),
            (sent(200, "<html>"), "holds no picture: <html>"),
            (sent(429, json.dumps({"error": {"message": "slow down sk-canary-0123456789"}})), "HTTP 429"),
            (sent(500, "oops"), "HTTP 500"),
            (dripping, "no whole answer within 2 s"),
        ],
    )
    def test_anything_else_is_a_named_absence_without_the_key(self, asked, answer, words):
        found = self.answered(asked, answer)
        assert isinstance(found, Absent)
        assert words in found.reason
        assert "canary" not in found.reason

    def test_a_refused_key_is_said_once_for_all(self, asked):
        with pytest.raises(ModelUnavailable, match="refuses the key"):
            self.answered(asked, sent(401, json.dumps({"error": {"message": "bad key sk-canary-0123456789"}})))

    def test_without_a_key_nothing_is_sent(self, monkeypatch):
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        AllowedEndpoints().allow("https://example.org")
        with pytest.raises(ModelUnavailable, match="needs a key"):
            GptFrames(
                ModelPlace("ReferenceSynthesizer", "openai:m@https://example.org/v1", footage_may_leave=True),
                device="cpu",
                dtype="float32",
            )
