"""What every entry of EXPORTS keeps to."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain import ProjectError, SettingsError
from backend.engine.context import load
from backend.exports import EXPORTS
from backend.exports.rows import Exporter
from tests.backend.exports.made_pairs import ABOUT, made_pair, made_video, store

NUM = 4


@pytest.fixture(params=EXPORTS)
def exporter(request: pytest.FixtureRequest) -> Exporter:
    return load(EXPORTS[request.param])()


def export(exporter: Exporter, folder: Path, name: str = "out", *, about=ABOUT, backwards: bool = False) -> Path:
    artifacts = store(folder)
    pairs = [made_pair(2 * n, 2 * n + 1, artifacts) for n in range(NUM)]
    videos = [made_video(n) for n in range(2 * NUM)]
    if backwards:
        pairs, videos = pairs[::-1], videos[::-1]
    done = exporter.write(iter(pairs), iter(videos), out=folder / name, artifacts=artifacts, about=about)
    assert done.out == str(folder / name)
    assert done.files == len([path for path in (folder / name).rglob("*") if path.is_file()])
    assert Path(done.manifest).is_file()
    return folder / name


def test_equal_rows_give_equal_bytes_in_any_order(exporter: Exporter, tmp_path: Path) -> None:
    one, two = export(exporter, tmp_path, "one"), export(exporter, tmp_path, "two", backwards=True)
    done = subprocess.run(["diff", "-r", one, two], check=False, capture_output=True)
    assert done.stdout == b""


def test_every_file_is_listed_with_its_checksum(exporter: Exporter, tmp_path: Path) -> None:
    out = export(exporter, tmp_path)
    listed = {entry.split("  ", 1)[1] for entry in (out / "MANIFEST.sha256").read_text().splitlines()}
    assert listed == {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()} - {"MANIFEST.sha256"}
    assert (
        subprocess.run(["sha256sum", "-c", "--quiet", "--strict", "MANIFEST.sha256"], cwd=out, check=False).returncode == 0
    )


def test_an_earlier_export_is_replaced_and_other_files_are_not(exporter: Exporter, tmp_path: Path) -> None:
    out = export(exporter, tmp_path)
    (out / "left.txt").write_text("by the first")
    export(exporter, tmp_path)
    assert not (out / "left.txt").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(ProjectError, match="holds files that are no export"):
        export(exporter, tmp_path, "mine")
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_a_wrong_split_writes_nothing(exporter: Exporter, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="add up to"):
        export(exporter, tmp_path, about=replace(ABOUT, split="train=.5"))
    assert not (tmp_path / "out").exists()
