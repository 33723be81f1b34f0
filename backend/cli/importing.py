"""Commands that read what others' tools wrote, and write as they do."""

from pathlib import Path
from typing import Annotated

import typer

from backend.cli.opening import opened
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say, warn
from backend.exports.image_bank import unpack_images
from backend.exports.opens2v_import import lay_beside
from backend.exports.table_import import TableTaken, take_table, write_missing
from backend.exports.table_map import read_map, shipped_maps
from backend.exports.vector_import import VectorsTaken, take_vectors
from backend.settings import nearest

SCORE_FORMATS = ("opens2v-scores", "vbench")
IMPORTS = ("opens2v", "table", "images", "vectors", *SCORE_FORMATS)


VideosOption = Annotated[
    Path | None,
    typer.Option("--videos", help="opens2v, table: the folder that holds the videos; sidecars are written beside them."),
]
MapOption = Annotated[
    str, typer.Option("--map", help=f"table: {', '.join(shipped_maps())}, or a TOML file that names the columns.")
]
KeepOption = Annotated[str, typer.Option("--keep", help='table: which rows, by the map\'s scores, as "aesthetic > 4.5".')]
NamesOption = Annotated[
    Path | None,
    typer.Option("--names", help="vectors: table of as many rows that names the pictures (Parquet, CSV, JSONL)."),
]
MissingOption = Annotated[
    Path | None, typer.Option("--missing", help="table: write the names of files that are not here yet, a line each.")
]
CasesOption = Annotated[
    Path | None, typer.Option("--cases", help="Scores: the cases that they are about, in OpenS2V-Eval's JSON.")
]
ReferencesOption = Annotated[
    Path | None, typer.Option("--references", help="Scores: where image paths start; the cases' folder.")
]


def import_(
    format: Annotated[
        str,
        typer.Argument(
            help="opens2v (metadata JSON of its pipeline: captions), table (CSV, JSONL, Parquet: captions), images (a tar or zip of"
            " pictures), vectors (.npy of pictures that are here); or scores: opens2v-scores (a folder), vbench (an _eval_results.json)."
        ),
    ],
    path: Annotated[Path, typer.Argument(help="What to read.")],
    videos: VideosOption = None,
    licence: Annotated[str | None, typer.Option(help="opens2v, table, images, vectors: licence of the media.")] = None,
    attribution: Annotated[str | None, typer.Option(help="opens2v, table, images, vectors: whom to name.")] = None,
    map_name: MapOption = "",
    keep: KeepOption = "",
    missing: MissingOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="images: new folder for the pictures.")] = None,
    names: NamesOption = None,
    column: Annotated[str, typer.Option("--column", help="vectors: the table's column of pictures' paths.")] = "image_path",
    pictures: Annotated[Path | None, typer.Option("--pictures", help="vectors: folder of the pictures.")] = None,
    model: Annotated[
        str, typer.Option("--model", help="vectors: what made them, as `doctor` names the AppearanceEmbedder.")
    ] = "",
    system: Annotated[str | None, typer.Option("--system", help="Scores: whose they are.")] = None,
    cases: CasesOption = None,
    references: ReferencesOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Take in what others' tools wrote: captions of videos, pictures, or scores of a system, which the leaderboard marks."""
    if format not in IMPORTS:
        raise typer.BadParameter(f"import format {format!r} does not exist{nearest(format, IMPORTS)}", param_hint="FORMAT")
    asked = {
        "opens2v": (("--videos", videos),),
        "table": (("--videos", videos), ("--map", map_name)),
        "images": (("--out", out),),
        "vectors": (("--names", names), ("--pictures", pictures), ("--model", model)),
    }.get(format, (("--system", system), ("--cases", cases)))
    if absent := [name for name, value in asked if not value]:
        raise typer.BadParameter(f"import {format} asks for it; docs/formats.md says what for", param_hint=absent[0])
    if format == "opens2v" and videos:
        _import_dataset(path, videos, licence, attribution, project, as_json)
    elif format == "table" and videos:
        taken = take_table(path, videos, read_map(map_name), keep=keep)
        _ingest_table(taken, licence, attribution, missing, project, as_json)
    elif format == "images" and out:
        _import_images(path, out, licence, attribution, project, as_json)
    elif format == "vectors" and names and pictures:
        taken = take_vectors(path, names, pictures, column=column, model=model)
        _ingest_vectors(taken, licence, attribution, project, as_json)
    elif system and cases:
        _import_scores(format, path, system, cases, references, project, as_json)


def _import_scores(
    format: str, path: Path, system: str, cases: Path, references: Path | None, project: Path, as_json: bool
) -> None:
    with opened(project, create=True) as api:
        found = api.import_scores(
            format=format,
            path=str(path.absolute()),
            system=system,
            cases=str(cases.absolute()),
            references=str(references.absolute()) if references else None,
        )
    for remark in found.remarks:
        warn(remark)
    if as_json:
        emit(found)
    else:
        say(f"{found.scores} scores of {found.cases} cases from {', '.join(found.files)}")


def _import_dataset(
    path: Path, videos: Path, licence: str | None, attribution: str | None, project: Path, as_json: bool
) -> None:
    found = lay_beside(path, videos)
    taken = known = 0
    with opened(project, create=True) as api:
        if found.videos:
            listed = api.ingest(paths=tuple(map(str, found.videos)), licence=licence, attribution=attribution)
            taken, known = listed.taken, listed.known
    for remark in (*found.remarks, *found.faults):
        warn(remark)
    if as_json:
        emit(
            {
                "videos": len(found.videos),
                "samples": found.num_samples,
                "captions": found.num_captions,
                "sidecars": found.written,
                "taken": taken,
                "known": known,
                "faults": list(found.faults),
                "remarks": list(found.remarks),
            }
        )
    else:
        say(
            f"{found.num_samples} samples of {len(found.videos)} videos with {found.num_captions} captions: "
            f"{found.written} sidecars written, {taken} files taken, {known} known already"
        )
    if found.faults:
        raise SystemExit(1)


def _ingest_table(
    found: TableTaken,
    licence: str | None,
    attribution: str | None,
    missing: Path | None,
    project: Path,
    as_json: bool,
) -> None:
    """Lists the videos under what their rows state, or else under what was said for all."""
    taken = known = 0
    if found.videos:
        with opened(project, create=True) as api:
            for (own, whose), paths in found.stated.items():
                listed = api.ingest(paths=tuple(map(str, paths)), licence=own or licence, attribution=whose or attribution)
                taken, known = taken + listed.taken, known + listed.known
    if missing is not None:
        write_missing(found, missing)
    for fault in found.faults:
        warn(fault)
    told = {
        "rows": found.rows,
        "chosen": found.chosen,
        "videos": found.videos,
        "captions": found.captions,
        "sidecars": found.written,
        "taken": taken,
        "known": known,
        "waiting": len(found.waiting),
    }
    if as_json:
        emit({**told, "faults": list(found.faults)})
    else:
        say(
            f"{found.chosen} of {found.rows} rows: {found.captions} captions of {found.videos} videos, {taken} files taken, "
            f"{known} known already; {len(found.waiting)} files are not here yet"
        )
    if not found.videos and not found.faults:
        warn("nothing is taken: no file of a chosen row lies below the videos' folder; --missing FILE lists them")
    if found.faults or not found.videos:
        raise SystemExit(1)


def _import_images(
    path: Path, out: Path, licence: str | None, attribution: str | None, project: Path, as_json: bool
) -> None:
    pictures = unpack_images(path, out)
    with opened(project, create=True) as api:
        listed = api.ingest(paths=(str(out.absolute()),), licence=licence, attribution=attribution)
    told = {"pictures": pictures, "taken": listed.taken, "known": listed.known}
    emit(told) if as_json else say(
        f"{pictures} pictures in {out}: {listed.taken} files taken, {listed.known} known already"
    )


def _ingest_vectors(
    found: VectorsTaken, licence: str | None, attribution: str | None, project: Path, as_json: bool
) -> None:
    taken = known = 0
    with opened(project, create=True) as api:
        if found.pictures:
            listed = api.ingest(paths=tuple(map(str, found.pictures)), licence=licence, attribution=attribution)
            taken, known = listed.taken, listed.known
    for fault in found.faults:
        warn(fault)
    told = {"rows": found.rows, "pictures": len(found.pictures), "sidecars": found.written, "waiting": found.waiting}
    emit({**told, "taken": taken, "known": known, "faults": list(found.faults)}) if as_json else say(
        f"{found.rows} vectors: {len(found.pictures)} of pictures that are here, {found.written} sidecars written, "
        f"{found.waiting} of pictures that are not; {taken} files taken, {known} known already"
    )
    if found.faults or not found.pictures:
        raise SystemExit(1)
