"""Going on with a run: what has to be as it was, and what is told where it is not.

A place in the data counts batches of one export. Over another export it would name other samples, so that one is refused; other
numbers of ranks go on, with a sentence where their steps see more or fewer batches than before.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from backend.domain import ProjectError, SettingsError
from backend.exports.folder import MANIFEST
from backend.store.whole_file import write_whole

EXPORT_OF_RUN = "export.json"
"""In a run's folder, beside its config: which export it is trained on."""
SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Parts:
    """What makes the batches of a step. `ranks`: those that read batches of their own; 0: of a checkpoint that did not keep it."""

    ranks: int = 0
    accumulation: int = 0

    @property
    def batches(self) -> int:
        """Of a step, on all ranks."""
        return self.ranks * self.accumulation


def check_export(run: Path, export: Path) -> str:
    """A remark for a run that kept no word of its export. Raises ProjectError where it was trained on another.

    Exports are told apart by their list of checksums, so one may lie elsewhere now; what was erased from it since (`removed.jsonl`) is
    not in that list, and does not stop a run.
    """
    digest = _digest(export)
    try:
        told = json.loads((run / EXPORT_OF_RUN).read_text("utf-8"))
        before, place = str(told["manifest_sha256"]), str(told["folder"])
    except FileNotFoundError:
        return (
            f"{run} was begun by a version that did not keep which export it is trained on: it goes on with {export}, and keeps that "
            "from now on; if that is another export, start a new run with another --out"
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{run / EXPORT_OF_RUN} cannot be read: {error}; remove it if {export} is what the run was trained on"
        ) from error
    if before == digest:
        return ""
    raise ProjectError(
        f"{run} was trained on another export: its samples are those of {place} ({MANIFEST} {before[:SHOWN_DIGITS]}), not of {export} "
        f"({digest[:SHOWN_DIGITS]}), and the place where it stopped would name other ones; go on with --data {place}, or start a new "
        "run with another --out"
    )


def keep_export(run: Path, export: Path) -> None:
    """Writes into the run's folder which export it is trained on. Raises ProjectError where the disk is full."""
    told = {"folder": str(export.absolute()), "manifest_sha256": _digest(export)}
    keep(run / EXPORT_OF_RUN, json.dumps(told, indent=2) + "\n")


def keep(path: Path, text: str) -> None:
    """Writes a file by which a run goes on, whole or not at all; missing folders are made. Raises ProjectError where it cannot.

    Its working name is always the same: what a killed run left is written over by the one that goes on.
    """
    write_whole(path, text, working=working_name(path))


def working_name(path: Path) -> Path:
    return path.with_name(f".{path.name}")


def changed_steps(before: Parts, now: Parts) -> str:
    """A remark where a step sees another number of batches than before, with the setting that gives the same; else empty."""
    if not before.batches or before.batches == now.batches:
        return ""
    fitting, rest = divmod(before.batches, now.ranks)
    what_to_do = (
        f"no run.accumulation gives the same steps by {now.ranks}"
        if rest
        else f"set run.accumulation={fitting} for the same steps"
    )
    return (
        f"trained by {before.ranks}, now by {now.ranks} (ranks that read batches of their own; run.accumulation {before.accumulation}, "
        f"now {now.accumulation}): a step is of {now.batches} batches in place of {before.batches}; {what_to_do}"
    )


def _digest(export: Path) -> str:
    try:
        return hashlib.sha256((export / MANIFEST).read_bytes()).hexdigest()
    except OSError as error:
        raise ProjectError(
            f"{export} is no export: {MANIFEST} cannot be read; name a folder that `export manifest` wrote"
        ) from error
