"""`import table`: rows of others' tables become captions of the videos that are here; wrong rows are sentences."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.domain import ImportRefused, SettingsError
from backend.exports.table_import import SIDECAR, take_table, write_missing
from backend.exports.table_map import TableMap, read_map, shipped_maps
from backend.exports.table_rows import TableRow, table_rows
from backend.stages.sidecars import SidecarReader, Told

PLAIN = TableMap(video="path", caption="text", start="from", stop="to", licence="terms", scores={"aesthetic": "aes"})
KOALA = """videoID,url,timestamp,caption,clarity_score,aesthetic_score,motion_score,video_training_suitability_score
w_HPjTkEUJg_48,https://www.youtube.com/watch?v=w_HPjTkEUJg,"['0:00:07.166', '0:01:12.900']","A fox, red, runs.",0.9,4.5,3.1,4.2
NRiRCe2ok0M_21,https://www.youtube.com/watch?v=NRiRCe2ok0M,"['0:00:00.000', '0:00:02.500']",A boat leaves.,0.7,3.5,2.0,
gone_1,https://www.youtube.com/watch?v=gone,"['0:00:01.000', '0:00:02.000']",Nobody has it.,0.9,4.9,1.0,4.0
"""


def films(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / "films" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"film")
    return folder / "films"


def captions(video: Path) -> list[Told]:
    told, warnings = SidecarReader().read(video)
    assert warnings == []
    return told


def rows_of(path: Path, told: TableMap = PLAIN) -> list[TableRow]:
    rows = list(table_rows(path, told))
    assert all(isinstance(row, TableRow) for row in rows), rows
    return [row for row in rows if isinstance(row, TableRow)]


def test_koala_rows_are_spans_of_the_whole_video_and_all_of_a_clip_that_is_alone(tmp_path: Path) -> None:
    table = tmp_path / "Koala_36M_1.csv"
    table.write_text(KOALA)
    folder = films(tmp_path, "w_HPjTkEUJg.mp4", "cut/NRiRCe2ok0M_21.mp4")
    found = take_table(table, folder, read_map("koala-36m"))
    assert captions(folder / "w_HPjTkEUJg.mp4") == [Told("A fox, red, runs.", (7.166, 72.9), in_seconds=True)]
    assert captions(folder / "cut" / "NRiRCe2ok0M_21.mp4") == [Told("A boat leaves.")]
    assert (found.rows, found.chosen, found.videos, found.captions, found.waiting) == (3, 3, 2, 2, ("gone",))
    sidecar = json.loads((folder / f"w_HPjTkEUJg{SIDECAR}").read_text())
    assert sidecar["captions"][0]["scores"] == {"clarity": 0.9, "aesthetic": 4.5, "motion": 3.1, "suitability": 4.2}


def test_scores_choose_rows_and_a_missing_one_chooses_none(tmp_path: Path) -> None:
    table = tmp_path / "k.csv"
    table.write_text(KOALA)
    folder = films(tmp_path, "w_HPjTkEUJg.mp4", "NRiRCe2ok0M.mp4")
    found = take_table(table, folder, read_map("koala-36m"), keep="aesthetic > 4 and suitability >= 4")
    assert (found.chosen, found.videos, found.waiting) == (2, 1, ("gone",))
    assert not (folder / f"NRiRCe2ok0M{SIDECAR}").exists()
    assert take_table(table, folder, read_map("koala-36m"), keep="suitability < 9").chosen == 2
    with pytest.raises(SettingsError, match="beauty"):
        take_table(table, folder, read_map("koala-36m"), keep="beauty > 1")


def test_what_arrives_later_is_taken_by_the_same_command_and_nothing_twice(tmp_path: Path) -> None:
    table = tmp_path / "k.csv"
    table.write_text(KOALA)
    folder = films(tmp_path, "w_HPjTkEUJg.mp4")
    assert (
        take_table(table, folder, read_map("koala-36m")).written,
        take_table(table, folder, read_map("koala-36m")).written,
    ) == (
        1,
        0,
    )
    films(tmp_path, "gone.webm")
    later = take_table(table, folder, read_map("koala-36m"))
    assert (later.written, later.waiting) == (1, ("NRiRCe2ok0M",))


def test_open_sora_plan_rows_are_spans_in_frames_with_several_captions(tmp_path: Path) -> None:
    row = {
        "path": "part 3/a b.mp4",
        "cap": ["One.", "Two."],
        "cut": [16, 97],
        "resolution": {"height": 720, "width": 1280},
        "aesthetic": 5.25,
        "tech": None,
        "motion": 0.5,
    }
    table = tmp_path / "anno.json"
    table.write_text(json.dumps([row]))
    folder = films(tmp_path, "part 3/a b.mp4", "part 4/a b.mp4")
    found = take_table(table, folder, read_map("open-sora-plan"), keep="motion > .4")
    assert captions(folder / "part 3" / "a b.mp4") == [Told("One.", (16.0, 97.0)), Told("Two.", (16.0, 97.0))]
    assert not (folder / "part 4" / f"a b{SIDECAR}").exists()
    assert found.captions == 2


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".parquet"])
def test_every_kind_of_table_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    rows: list[dict[str, Any]] = [
        {"path": "a.mp4", "text": "Ein Fuchs läuft.", "from": 1.5, "to": 3.0, "terms": "CC-BY-4.0", "aes": 4.0},
        {"path": "b.mp4", "text": "Two, with a comma", "from": 0.0, "to": 1.0, "terms": "CC0-1.0", "aes": None},
    ]
    table = tmp_path / f"table{suffix}"
    match suffix:
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), table)
        case ".json":
            table.write_text(json.dumps(rows))
        case ".jsonl":
            table.write_text("".join(json.dumps(row) + "\n" for row in rows))
        case _:
            mark = "," if suffix == ".csv" else "\t"
            lines = [list(rows[0]), *([f'"{row[name]}"' if row[name] is not None else "" for name in row] for row in rows)]
            table.write_text("".join(mark.join(line) + "\n" for line in lines))
    first, second = rows_of(table)
    assert (first.names, first.captions, first.span, first.licence) == (
        ("a.mp4",), ("Ein Fuchs läuft.",), (1.5, 3.0), "CC-BY-4.0"
    )  # fmt: skip
    assert (dict(first.scores), dict(second.scores)) == ({"aesthetic": 4.0}, {"aesthetic": None})


def test_a_row_that_is_wrong_is_a_sentence_and_the_others_are_taken(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    lines = [
        "path,text,from,to,terms,aes",
        ",no file,0,1,,",
        "a.mp4,backwards,5,2,,",
        "a.mp4,no time,soon,2,,",
        "a.mp4,good,0,2,,",
    ]
    table.write_text("\n".join(lines))
    folder = films(tmp_path, "a.mp4")
    found = take_table(table, folder, PLAIN)
    assert found.faults == (
        "t.csv, row 1: path names no file",
        "t.csv, row 2: ['5', '2'] is no span from a start to a later stop",
        "t.csv, row 3: 'soon' is no time",
    )
    assert captions(folder / "a.mp4") == [Told("good", (0.0, 2.0), in_seconds=True)]


def test_licences_that_rows_state_group_the_videos(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("path,text,terms\na.mp4,x,CC0-1.0\nb.mp4,y,CC-BY-4.0\nc.mp4,z,CC0-1.0\nc.mp4,z2,CC-BY-4.0\n")
    folder = films(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    found = take_table(table, folder, PLAIN)
    stated = {rights[0]: [path.name for path in paths] for rights, paths in found.stated.items()}
    assert stated == {"CC0-1.0": ["a.mp4"], "CC-BY-4.0": ["b.mp4"], None: ["c.mp4"]}
    assert found.faults == ("c.mp4 has rows under 2 licences or attributions; it is listed without any",)


def test_a_path_of_the_table_leads_nowhere_but_below_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").write_bytes(b"mine")
    table = tmp_path / "t.csv"
    table.write_text(f"path,text\n../secret.mp4,x\n{tmp_path}/secret.mp4,y\n")
    found = take_table(table, films(tmp_path, "a.mp4"), PLAIN)
    assert (found.videos, len(found.waiting)) == (0, 2)
    assert not list(tmp_path.glob("*_step_table.json"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.xlsx", b"PK", "is no table that is read here; give one of .csv"),
        ("t.csv", b"file,text\na,b\n", "has no column 'path'; it has file, text"),
        ("t.csv", "path,text\nä,ö\n".encode("latin-1"), "is not UTF-8"),
        ("t.jsonl", b'{"path": "a"}\n{"path"\n', "line 2 is no JSON"),
        ("t.jsonl", b"[1]\n", "row 1 is no object"),
        ("t.json", b'{"a": 1}', "is no list of rows"),
        ("t.json", b"[", "is no JSON"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImportRefused, match=words):
        list(table_rows(tmp_path / name, PLAIN))


def test_a_name_with_line_ends_is_one_line_of_what_is_missing(tmp_path: Path) -> None:
    table = tmp_path / "t.jsonl"
    names = ("a\nb.mp4", "c\r\u2028d\x85.mp4", "\udce9 ä.mp4")
    table.write_text("".join(json.dumps({"path": name, "text": "x"}) + "\n" for name in names))
    found = take_table(table, films(tmp_path, "z.mp4"), PLAIN)
    write_missing(found, tmp_path / "missing.txt")
    lines = (tmp_path / "missing.txt").read_text("utf-8").splitlines()
    assert lines == [r"a\nb.mp4", r"c\r\u2028d\x85.mp4", r"\udce9 ä.mp4"]


@pytest.mark.parametrize("time", ["9" * 400 + ":00:00", "9" * 5000 + ":00:00", "9" * 400, "1e400"])
def test_a_time_beyond_all_numbers_is_a_fault_of_its_row(tmp_path: Path, time: str) -> None:
    table = tmp_path / "t.csv"
    table.write_text(f"path,text,from,to\na.mp4,x,{time},{time}\nb.mp4,y,0:01,0:02\n")
    fault, row = table_rows(table, PLAIN)
    assert fault == f"t.csv, row 1: {time[:40]!r} is no time"
    assert isinstance(row, TableRow) and row.span == (1.0, 2.0)


def test_maps_are_shipped_read_from_files_and_refused_with_the_field(tmp_path: Path) -> None:
    assert shipped_maps() == ("koala-36m", "open-sora-plan")
    own = tmp_path / "own.toml"
    own.write_text('video = "path"\n[scores]\nsharp = "s"\n')
    assert read_map(str(own)).columns() == ("path", "s")
    own.write_text('video = "path"\nvideo_id = "x"\n')
    with pytest.raises(SettingsError, match=r"own\.toml: video_id: .*"):
        read_map(str(own))
    with pytest.raises(SettingsError, match="neither a file nor one of koala-36m, open-sora-plan"):
        read_map("koala")
