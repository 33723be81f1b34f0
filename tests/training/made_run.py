"""Runs of recipe `tiny` on the small export, with everything small."""

import os
import signal
import threading
from pathlib import Path

from backend.jobs.board import JobTicket
from training.job import TrainSummary, run_training

SMALL = (
    "data.latents.engine=inline",
    "data.latents.clips.fps=12.0",
    "data.latents.clips.frames=[9]",
    "data.latents.clips.pixels=1024",
    "data.latents.clips.aspects=[1.0]",
    "data.latents.pictures.pixels=256",
    "data.latents.pictures.aspects=[1.0]",
    "data.latents.pictures.augmentations=2",
    "data.latents.pictures.faces=false",
    "data.max_samples=2",
    "model.heads=2",
    "model.layers=2",
    "model.feed_forward=64",
    "validation.every=0",
    "run.tensorboard=false",
    "run.ema_decay=0.5",
)


def trained(
    export: Path,
    out: Path,
    *settings: str,
    resume: bool = False,
    recipe: str = "tiny",
    stop_at: int = 0,
    signal_at: int = 0,
) -> TrainSummary:
    """A run with these settings; asked to stop after step `stop_at`, or sent SIGTERM after `signal_at`, where above 0."""
    cancelled = threading.Event()

    def report(stage: str, done: int, total: int) -> None:
        if stage == "train" and done == stop_at:
            cancelled.set()
        if stage == "train" and done == signal_at:
            os.kill(os.getpid(), signal.SIGTERM)

    ticket = JobTicket(report, cancelled)
    given = settings if resume else (*SMALL, *settings)
    return run_training(ticket, recipe=recipe, data=export, out=out, assignments=given, resume=resume)
