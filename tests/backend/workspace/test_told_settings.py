"""Settings that a child tells are kept, and asked anew when the code is another or the file is damaged."""

import json
from pathlib import Path

import pytest

from backend.workspace import told_settings
from backend.workspace.told_settings import training_settings


@pytest.mark.slow
def test_child_is_asked_once_for_one_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "index" / "told.json"
    told = training_settings(kept)
    assert "tiny" in told.recipes
    rate = next(field for field in told.recipes["tiny"].settings if field.name == "optimizer.learning_rate")
    assert (rate.type, float(rate.default)) == ("number", 0.002)
    asked: list[object] = []
    plain = json.loads(kept.read_text())
    monkeypatch.setattr(told_settings, "tell", lambda command: asked.append(command) or plain["told"])
    assert training_settings(kept) == told
    assert asked == [], "the file is of this code"
    for damaged in (
        "",
        "[]",
        '{"code": 1}',
        json.dumps({**plain, "code": "other"}),
        json.dumps({**plain, "told": {"recipes": 3}}),
    ):
        kept.write_text(damaged)
        assert training_settings(kept) == told
    assert asked == [["recipes"]] * 5
    assert json.loads(kept.read_text()) == plain
