"""The command that checks provenance marks, and shows, gives and takes the keys that they hang on."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from backend.cli.options import JsonOption
from backend.cli.output import emit, say, warn
from backend.domain import MediaError, SettingsError, StudioError


def provenance(
    files: Annotated[list[Path] | None, typer.Argument(help="Videos to check.")] = None,
    watermark_key: Annotated[
        Path | None,
        typer.Option("--watermark-key", help="File with the key of the watermark to look for; the public one without."),
    ] = None,
    keys: Annotated[bool, typer.Option("--keys", help="List the keys that are trusted.")] = False,
    export_key: Annotated[
        Path | None, typer.Option("--export-key", help="Write your public key for others, as PEM.")
    ] = None,
    trust: Annotated[Path | None, typer.Option("--trust", help="Trust another's public key from now on.")] = None,
    name: Annotated[str, typer.Option("--name", help="What to call the key of --trust; its file's name.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Say how a video was made, and whether it is as it was signed: exit 0 intact, 3 file changed, 4 mark changed, 5 unknown signer, 6 no mark."""
    from backend.measures.watermark import PUBLIC_KEY
    from backend.provenance import KeyRing, check_file
    from backend.provenance.watermark_keys import read_key

    if not (files or keys or export_key or trust):
        raise SettingsError("provenance needs a FILE, or one of --keys, --export-key, --trust")
    ring = KeyRing()
    answer: dict[str, Any] = {}
    if trust:
        known = ring.trust(trust, name or trust.stem.removesuffix(".pub"))
        answer["trusted"] = {"name": name or trust.stem.removesuffix(".pub"), "thumbprint": known.id}
    if export_key:
        answer["exported"] = {"path": str(export_key), "thumbprint": ring.export(export_key).id}
    if keys:
        answer["keys"] = [{"name": name, "thumbprint": key.id} for name, key in ring.known().items()]
        answer["folder"] = str(ring.folder)
    code, found = 0, []
    key = read_key(watermark_key) if watermark_key else PUBLIC_KEY
    for path in files or ():
        try:
            one = check_file(path, ring, watermark_key=key)
            found.append({**asdict(one), "exit_code": one.exit_code})
            code = max(code, one.exit_code)
        except (MediaError, OSError) as error:
            found.append({"file": str(path), "state": "unreadable", "sentences": (_line(error),), "exit_code": 1})
            code = max(code, 1)
    if files:
        answer["files"] = found
    if as_json:
        emit(answer)
    else:
        _show(answer)
    raise SystemExit(code)


def _show(answer: dict[str, Any]) -> None:
    if "trusted" in answer:
        say(f"trusted from now on as {answer['trusted']['name']}: {answer['trusted']['thumbprint']}")
    if "exported" in answer:
        say(
            f"written: {answer['exported']['path']}; its thumbprint, to read out to who asks: {answer['exported']['thumbprint']}"
        )
    if "keys" in answer:
        for one in answer["keys"]:
            say(f"{one['name']:<20} {one['thumbprint']}")
        if not answer["keys"]:
            say(f"no keys in {answer['folder']} yet; the first `generate`, or --export-key, makes yours")
    for one in answer.get("files", ()):
        first, *rest = one["sentences"]
        (warn if one["state"] == "unreadable" else say)(f"{one['file']}: {first}")
        for sentence in rest:
            say(f"  {sentence}")


def _line(error: StudioError | OSError) -> str:
    return f"{error.strerror}; name a video" if isinstance(error, OSError) and error.strerror else str(error)
