"""What every entry of EXPORTS keeps to."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.domain import ProjectError, SettingsError
from backend.engine.context import load
from backend.exports import EXPORTS
from backend.exports.rows import Exporter, ExportRows, ExportVideo
from tests.backend.exports.made_pairs import ABOUT, film_pair, film_sample, made_clip, made_films, store

NUM = 4


@pytest.fixture(params=EXPORTS)
def exporter(request: pytest.FixtureRequest) -> Exporter:
    return load(EXPORTS[request.param])()


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[ExportVideo]:
    return made_films(tmp_path_factory.mktemp("films") / "of all", 2 * NUM)


def export(exporter: Exporter, films: list[ExportVideo], folder: Path, name: str = "out", **changes: Any) -> Path:
    about = changes.pop("about", ABOUT)
    step = -1 if changes.pop("backwards", False) else 1
    artifacts = store(folder)
    pairs = [film_pair(films[2 * n], films[2 * n + 1], artifacts) for n in range(NUM)]
    rows = ExportRows(
        pairs=iter(pairs[::step]),
        videos=iter(films[::step]),
        about=about,
        samples=[film_sample(pair) for pair in pairs][::step],
        clips=[made_clip(film, artifacts) for film in films],
    )
    done = exporter.write(rows, out=folder / name, artifacts=artifacts)
    assert done.out == str(folder / name)
    assert done.pairs == NUM
    assert done.files == len([path for path in (folder / name).rglob("*") if path.is_file()])
    assert Path(done.manifest).is_file()
    return folder / name


def test_equal_rows_give_equal_bytes_in_any_order(exporter: Exporter, films: list[ExportVideo], tmp_path: Path) -> None:
    one, two = export(exporter, films, tmp_path, "one"), export(exporter, films, tmp_path, "two", backwards=True)
    done = subprocess.run(["diff", "-r", one, two], check=False, capture_output=True)
    assert done.stdout == b""


def test_every_file_is_listed_with_its_checksum(exporter: Exporter, films: list[ExportVideo], tmp_path: Path) -> None:
    out = export(exporter, films, tmp_path)
    listed = {entry.split("  ", 1)[1] for entry in (out / "MANIFEST.sha256").read_text().splitlines()}
    assert listed == {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()} - {"MANIFEST.sha256"}
    assert (
        subprocess.run(["sha256sum", "-c", "--quiet", "--strict", "MANIFEST.sha256"], cwd=out, check=False).returncode == 0
    )


def test_an_earlier_export_is_replaced_and_other_files_are_not(
    exporter: Exporter, films: list[ExportVideo], tmp_path: Path
) -> None:
    out = export(exporter, films, tmp_path)
    (out / "left.txt").write_text("by the first")
    export(exporter, films, tmp_path)
    assert not (out / "left.txt").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(ProjectError, match="holds files that are no export"):
        export(exporter, films, tmp_path, "mine")
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_a_wrong_split_writes_nothing(exporter: Exporter, films: list[ExportVideo], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="add up to"):
        export(exporter, films, tmp_path, about=replace(ABOUT, split="train=.5"))
    assert not (tmp_path / "out").exists()


def test_nothing_to_write_is_said_with_what_left_nothing_and_an_earlier_export_stays(
    exporter: Exporter, films: list[ExportVideo], tmp_path: Path
) -> None:
    out = export(exporter, films, tmp_path)
    about = replace(ABOUT, left_out=(("where", 7), ("licence not stated", 9)))
    with pytest.raises(
        ProjectError, match=r"nothing is exported: .* 9 licence not stated; 7 do not meet the condition of --where"
    ):
        exporter.write(ExportRows(pairs=[], videos=iter(films), about=about), out=out, artifacts=store(tmp_path))
    assert (out / "MANIFEST.sha256").is_file()


def test_the_card_and_the_rows_name_source_licence_attribution_and_terms(
    exporter: Exporter, films: list[ExportVideo], tmp_path: Path
) -> None:
    out = export(exporter, films, tmp_path)
    card = (out / "README.md").read_text()
    assert "CC-BY-4.0" in card
    assert "A. \\[Maker\\]" in card
    rest = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "README.md")
    assert all(word in rest for word in (b"source_000", b"CC-BY-4.0", b"A. [Maker]"))
