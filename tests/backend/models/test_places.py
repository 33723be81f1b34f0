"""Where weights lie, what names them, and what is said when they are missing."""

from pathlib import Path

import pytest

from backend.domain import ModelUnavailable
from backend.models.places import EDGE_BYTES, ModelPlace


def test_unset_place_says_what_to_set() -> None:
    with pytest.raises(ModelUnavailable, match=r'set models\.ClipB32 in project\.toml.*"hub:openai/clip"'):
        ModelPlace("ClipB32", "", "openai/clip").path()


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="nowhere"):
        ModelPlace("ClipB32", str(tmp_path / "nowhere")).path()


def test_hub_is_never_asked_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="hf download nobody/nothing"):
        ModelPlace("ClipB32", "hub:nobody/nothing").path()


def test_digest_follows_content_and_not_the_folder(tmp_path: Path) -> None:
    digests = []
    for name, config in (("a", "{}"), ("b", "{}"), ("c", '{"x": 1}')):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(config)
        (folder / "model.safetensors").write_bytes(b"w" * 100)
        digests.append(ModelPlace("ClipB32", str(folder)).digest())
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("place", [0, -1])
def test_large_weights_are_told_apart_by_their_ends(tmp_path: Path, place: int) -> None:
    path = tmp_path / "model.safetensors"
    data = bytearray(3 * EDGE_BYTES)
    path.write_bytes(data)
    before = ModelPlace("X", str(path)).digest()
    data[place] = 1
    path.write_bytes(data)
    assert ModelPlace("X", str(path)).digest() != before
    assert ModelPlace("X", str(path)).model_id("clip").startswith("clip@")


def test_missing_weights_have_an_id_too(tmp_path: Path) -> None:
    assert ModelPlace("X", str(tmp_path / "no")).model_id("clip") == "clip@missing"


def test_endpoint_is_named_without_a_path() -> None:
    place = ModelPlace("Judge", "openai:gpt-4o-2024-11-20@https://api.example.com/v1/")
    assert place.endpoint() == ("gpt-4o-2024-11-20", "https://api.example.com/v1")
    assert place.model_id("openai") == "openai@gpt-4o-2024-11-20@https://api.example.com/v1"
    assert ModelPlace("Judge", "openai:local/model@http://127.0.0.1:8000/v1").endpoint()[0] == "local/model"


@pytest.mark.parametrize(
    "location",
    [
        "", "openai:", "openai:gpt-4o", "openai:@https://host/v1", "gpt-4o@https://host/v1",
        "openai:m@http://far.example.com/v1", "openai:m@ftp://host", "openai:m@https://", "openai:m@https://user:word@host/v1",
        "openai:m@https://[::1/v1", "openai:m@https://host:99999/v1",
    ],
)  # fmt: skip
def test_endpoint_that_is_none_or_unsafe_is_refused(location: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"models\.Judge names no endpoint"):
        ModelPlace("Judge", location).endpoint()
    assert ModelPlace("Judge", location).model_id("openai") == "openai@missing"
