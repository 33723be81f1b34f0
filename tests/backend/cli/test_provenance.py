"""`provenance` as people call it: sentences, exit codes, JSON, keys that go from one to another."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.cli.app import main
from backend.media.content import read_content, write_comment
from backend.media.writer import write_video
from backend.provenance import KeyRing, comment_of, make_mark


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Calls the command in a home of its own, and gives exit code, stdout and stderr."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["studio-backend", "provenance", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return call


@pytest.fixture
def signed(tmp_path: Path, called) -> Path:
    raw, path = tmp_path / "raw.mp4", tmp_path / "video.mp4"
    write_video(raw, np.random.default_rng(0).integers(0, 255, (5, 32, 32, 3), dtype=np.uint8), fps=8)
    made = {"schema": 1, "system": "squares", "case": "square_1", "seed": 42, "made_at": "2025-11-20T10:00:00+00:00"}
    write_comment(raw, path, comment_of(make_mark(read_content(raw), made, KeyRing().signer())))
    return path


def test_states_are_sentences_and_exit_codes(called, signed: Path, tmp_path: Path) -> None:
    code, out, _ = called(signed)
    assert (code, out.splitlines()[0]) == (0, f"{signed}: intact: the file is as it was signed by you")
    raw = tmp_path / "raw.mp4"
    code, out, _ = called(raw)
    assert code == 6
    assert "no mark" in out
    code, out, err = called(signed, raw, tmp_path / "none.mp4")
    assert code == 6, "the highest of all files'"
    assert "none.mp4: no such file" in err
    assert called(tmp_path / "none.mp4")[0] == 1


def test_json_is_one_document(called, signed: Path) -> None:
    code, out, _ = called(signed, "--keys", "--json")
    told = json.loads(out)
    (one,) = told["files"]
    assert (code, one["state"], one["exit_code"], one["signer"], one["mark_in"]) == (0, "intact", 0, "you", "file")
    assert one["made"]["system"] == "squares"
    assert one["watermark"]["message"] is None
    assert [key["name"] for key in told["keys"]] == ["you"]


def test_keys_go_from_one_to_another(called, signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = called("--export-key", tmp_path / "ann.pem")
    thumbprint = KeyRing().signer().public.id
    assert code == 0
    assert thumbprint in out
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another"))
    assert "no keys" in called("--keys")[1]
    code, out, _ = called(signed)
    assert code == 5
    assert thumbprint in out
    assert called("--trust", tmp_path / "ann.pem")[0] == 0
    code, out, _ = called(signed)
    assert code == 0
    assert "signed by ann" in out


def test_a_call_without_anything_says_what_is_wanted(called) -> None:
    code, _, err = called()
    assert code == 1
    assert "provenance needs a FILE" in err
