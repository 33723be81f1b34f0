"""Backups that somebody packed."""

import json
import shutil
from pathlib import Path

import pytest

from backend.domain import ImportRefused, ProjectError
from backend.store.packed_backups import backup_folder
from tests.backend.cli.test_commands import run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_a_packed_backup_is_restored(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, capsys, "init", "--project", tmp_path / "p")[0] == 0
    assert run(monkeypatch, capsys, "backup", "--out", tmp_path / "kept" / "one", "--project", tmp_path / "p")[0] == 0
    packed = shutil.make_archive(str(tmp_path / "packed"), kind, tmp_path / "kept")
    code, out, _ = run(monkeypatch, capsys, "restore", packed, "--project", tmp_path / "new" / "p", "--json")
    assert code == 0 and json.loads(out)["ok"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["p"], "nothing unpacked is left"


def test_a_folder_is_itself_and_another_file_is_named(tmp_path: Path) -> None:
    with backup_folder(tmp_path, beside=tmp_path / "p") as folder:
        assert folder == tmp_path
    (tmp_path / "x").write_text("no archive")
    with pytest.raises(ProjectError, match="is no backup"), backup_folder(tmp_path / "x", beside=tmp_path / "p"):
        pass


def test_a_damaged_archive_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"x" * 100_000)
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "tar", tmp_path / "in"))
    packed.write_bytes(packed.read_bytes()[:50_000])
    with pytest.raises(ImportRefused, match="packed"), backup_folder(packed, beside=tmp_path / "new" / "p"):
        pass
    assert list((tmp_path / "new").iterdir()) == []
