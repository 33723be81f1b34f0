"""Commands that read what others' tools wrote, and write as they do."""

from pathlib import Path
from typing import Annotated

import typer

from backend.cli.opening import opened
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say, warn
from backend.exports.opens2v_import import lay_beside

SCORE_FORMATS = ("opens2v-scores", "vbench")


def import_(
    format: Annotated[
        str,
        typer.Argument(
            help="opens2v (metadata JSON of its pipeline: captions); or scores: opens2v-scores (a folder), vbench (an _eval_results.json)."
        ),
    ],
    path: Annotated[Path, typer.Argument(help="What to read.")],
    videos: Annotated[
        Path | None,
        typer.Option("--videos", help="opens2v: the folder that holds the videos; sidecars are written beside them."),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="opens2v: licence of the videos.")] = None,
    attribution: Annotated[str | None, typer.Option(help="opens2v: whom to name.")] = None,
    system: Annotated[str | None, typer.Option("--system", help="Scores: whose they are.")] = None,
    cases: Annotated[
        Path | None, typer.Option("--cases", help="Scores: the cases that they are about, in OpenS2V-Eval's JSON.")
    ] = None,
    references: Annotated[
        Path | None, typer.Option("--references", help="Scores: where image paths start; the cases' folder.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Take in what others' tools wrote: OpenS2V's metadata with its videos, or scores of a system, which the leaderboard marks."""
    if format == "opens2v":
        if videos is None:
            raise typer.BadParameter("import opens2v asks for the folder that holds the videos", param_hint="--videos")
        _import_dataset(path, videos, licence, attribution, project, as_json)
        return
    if system is None or cases is None:
        missing = "--system" if system is None else "--cases"
        raise typer.BadParameter(f"import {format} asks for it", param_hint=missing)
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
