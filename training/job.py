"""Training as a job: from a recipe and an export to a run folder, on one process or under torchrun."""

import logging
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from backend.domain import LatentCodec, ProjectError, SettingsError
from backend.engine.context import WorkContext
from backend.exports.reader import read_manifest
from backend.jobs.board import JobTicket
from backend.settings import parse_assignment
from training.building import arrangement_of, build_model, shape_of
from training.config import TrainConfig, differences, from_json, to_json, with_settings
from training.data.batches import BatchOrder
from training.data.latent_settings import Latents
from training.data.latents import Encoded, cache_folder, encode, existing, worker_settings
from training.data.loader import TensorReader
from training.data.modes import Example, examples_of
from training.parallel import World, make_world, parallelize
from training.recipes import recipe as recipe_config
from training.resuming import EXPORT_OF_RUN, check_export, keep, keep_export, working_name
from training.trainer import Trainer
from training.validate import Validation

log = logging.getLogger(__name__)
CONFIG = "config.json"
CHANGEABLE = (
    "run.steps",
    "run.accumulation",
    "run.log_every",
    "run.save_every",
    "run.keep",
    "run.tensorboard",
    "parallel.",
    "validation.",
)
"""What may change when a run goes on. Accumulation, so that fewer ranks can make the same steps."""


@dataclass(frozen=True, slots=True)
class TrainSummary:
    """How a run stands."""

    run: str
    recipe: str
    state: str
    """done or stopped."""
    step: int
    steps: int
    resumed: bool
    samples: int
    tokens: int
    seconds: float
    examples: int
    failed: int
    """Items that could not be encoded."""
    remarks: tuple[str, ...]
    """What could not be encoded, and what is not as it was when the run went on, in words."""

    @property
    def text(self) -> str:
        """One line for people."""
        went = "trained" if self.state == "done" else "stopped: go on with --resume;"
        return f"{self.recipe} {went} {self.step} of {self.steps} steps on {self.examples} examples: {self.run}"


@dataclass(frozen=True, slots=True)
class LatentsSummary:
    """What encoding left."""

    cache: str
    items: int
    failed: int
    """Items that could not be encoded."""
    remarks: tuple[str, ...]
    """What could not be encoded, in words."""

    @property
    def text(self) -> str:
        """One line for people."""
        return f"{self.items} items in {self.cache}, {self.failed} failed"


def run_latents(ticket: JobTicket, *, data: Path, assignments: Sequence[str] = ()) -> LatentsSummary:
    """Encodes what an export needs, with settings as `clips.fps=8`. Raises what `encode` raises, SettingsError for a wrong setting."""
    values = dict(parse_assignment(text) for text in assignments)
    wanted = with_settings(TrainConfig(), {f"data.latents.{name}": value for name, value in values.items()})
    found = encode(ticket, export=data, settings=wanted.data.latents)
    return LatentsSummary(str(found.cache.folder), len(found.cache), found.failed, found.remarks)


def run_training(
    ticket: JobTicket, *, recipe: str, data: Path, out: Path, assignments: Sequence[str] = (), resume: bool = False
) -> TrainSummary:
    """Encodes what an export needs, and trains. A run that is there goes on only with `resume`, and only with its own export.

    Raises what `encode`, `build_model` and `Trainer.run` raise, SettingsError for a wrong setting, and ProjectError where the run's
    folder does not fit what was asked.
    """
    config = _config(recipe, out, assignments, resume=resume)
    told = [check_export(out, data)] if (out / CONFIG).exists() else []
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or max(1, (os.cpu_count() or 1) // _ranks_here()))
    world = make_world(config.parallel)
    encoded = _encoded(ticket, data, config.data.latents, world)
    examples = tuple(examples_of(encoded, config.data.modes, split=config.data.split or None))
    model = parallelize(build_model(config, encoded, examples), world, config.parallel)
    reader = TensorReader(encoded, text_tokens=config.model.text_tokens, images=shape_of(config).takes_image_channels)
    order, validation = _order(config, examples), _validation(config, encoded, examples, reader, world)
    if world.is_first:
        keep_export(out, data)
        keep(out / CONFIG, to_json(config))  # from now on the folder is a run's, which goes on with --resume
    trainer = Trainer(
        config=config,
        shape=shape_of(config),
        model=model,
        world=world,
        order=order,
        reader=reader,
        folder=out,
        validation=validation,
        codec=_codec(data, config, world),
        report=ticket.report,
        cancelled=ticket.cancelled,
    )
    resumed = resume and trainer.resume()
    told = [remark for remark in (*told, trainer.resumed_otherwise) if remark]
    for remark in told if world.is_first else ():  # now as well as at the end, which may be weeks away
        log.warning("%s: %s", out, remark)
    with _stopping(ticket.cancelled):
        ended = trainer.run()
    return TrainSummary(
        run=str(out),
        recipe=config.recipe,
        state="done" if ended else "stopped",
        step=trainer.progress.step,
        steps=config.run.steps,
        resumed=resumed,
        samples=trainer.progress.samples,
        tokens=trainer.progress.tokens,
        seconds=trainer.progress.seconds,
        examples=len(examples),
        failed=encoded.failed,
        remarks=(*told, *encoded.remarks),
    )


def _config(recipe: str, out: Path, assignments: Sequence[str], *, resume: bool) -> TrainConfig:
    values = dict(parse_assignment(text) for text in assignments)
    kept = out / CONFIG
    if not kept.exists():
        if out.exists() and not {path.name for path in out.iterdir()} <= _begun(out):
            raise ProjectError(f"{out} holds files that are no run; name a new or empty folder with --out")
        return with_settings(recipe_config(recipe), values)
    if not resume:
        raise ProjectError(f"{out} holds a run; go on with --resume, or name a new folder with --out")
    before = from_json(kept.read_bytes())
    if before.recipe != recipe:
        raise ProjectError(f"{out} holds a run of recipe {before.recipe}, not {recipe}; name that one, or a new folder")
    wanted = with_settings(before, values)
    changed = [name for name in differences(before, wanted) if not name.startswith(CHANGEABLE)]
    if changed:
        raise SettingsError(f"{changed[0]} cannot change while a run goes on; start a new one with another --out")
    return wanted


def _encoded(ticket: JobTicket, data: Path, settings: Latents, world: World) -> Encoded:
    """The first rank encodes, the others wait and read."""
    found: Encoded | None = None
    if world.is_first:
        try:
            found = encode(ticket, export=data, settings=settings)
        finally:
            failed = world.summed(torch.tensor([float(found is None)], dtype=torch.float64))
    else:
        failed = world.summed(torch.zeros(1, dtype=torch.float64))
    if failed.item():
        raise ProjectError("the first rank could not encode the latents; it says why")
    return found or existing(read_manifest(data, verify=False), data, settings)


def _order(config: TrainConfig, examples: tuple[Example, ...]) -> BatchOrder:
    return BatchOrder(
        examples=examples,
        tokens=config.data.tokens,
        max_samples=config.data.max_samples,
        max_references=config.data.max_references,
        all_references=config.data.all_references,
        anchoring=config.data.anchors,
        anchor_timestep=config.model.anchor_timestep,
        seed=config.run.seed,
    )


def _validation(
    config: TrainConfig, encoded: Encoded, examples: tuple[Example, ...], reader: TensorReader, world: World
) -> Validation | None:
    if not config.validation.every:
        return None
    split = config.data.validation_split
    shown = tuple(examples_of(encoded, config.data.modes, split=split)) if split else examples
    return Validation(
        order=_order(config, shown[: config.validation.samples]),
        reader=reader,
        arrangement=arrangement_of(config),
        config=config,
        world=world,
    )


def _codec(data: Path, config: TrainConfig, world: World) -> LatentCodec | None:
    """Of the first rank, where videos are to be looked at."""
    if not (world.is_first and config.validation.every and config.validation.videos):
        return None
    settings = worker_settings(cache_folder(data, config.data.latents), config.data.latents)
    return cast(LatentCodec, WorkContext(settings).role("LatentCodec"))


def _begun(out: Path) -> set[str]:
    """What a run that was killed while it began can have left."""
    return {EXPORT_OF_RUN, *(working_name(out / name).name for name in (EXPORT_OF_RUN, CONFIG))}


def _ranks_here() -> int:
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


class _stopping:  # noqa: N801 - it reads as a statement
    """SIGTERM and Ctrl-C ask for a stop at the end of a step, once; in other threads than the main one nothing changes."""

    def __init__(self, cancelled: threading.Event) -> None:
        self._cancelled = cancelled
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, lambda *_: self._cancelled.set())

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
