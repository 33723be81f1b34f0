"""What a training step costs beside diffusers, sampling with references beside none, and how long a trainer waits for data.

Both sides have the same weights, clip, text and three references. diffusers' model takes references as Phantom's code gives them: filled up
to the whole canvas and concatenated in time. Ours takes them as large as they are. Each side runs in a process of its own, in turns;
on the CPU with a tiny shape, on a GPU with Wan 1.3B at 81 x 480 x 832. The arithmetic of that shape stands beside it.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from backend.jobs.board import JobTicket
from bench.cost import cpu_and_peak
from bench.media import say
from training.building import arrangement_of
from training.conditioning import Conditions
from training.config import Model, Parallel, TrainConfig
from training.flow import TIMESTEPS, noised, velocity
from training.guidance import GuidanceChain
from training.layout import Segment
from training.model import build
from training.observe import read_metrics
from training.parallel import World, parallelize
from training.sampling import GuidedModel, Sampler, denoise
from training.shapes import WanShape, forward_flops, tiny, wan_1_3b
from training.trainer import BACKWARD

REPEATS = 3
REFERENCES = 3
BFLOAT16 = 2**-8  # how far apart losses of one computation may be; in float32 on the CPU they are equal
SIDES = ("ours", "diffusers", "ours-compiled", "diffusers-compiled")
Found = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a step works on: the model, and latents T, H, W of the clip and H, W of a reference cut to its own size."""

    model: WanShape
    clip: tuple[int, int, int]
    cut: tuple[int, int]
    text_tokens: int
    warm: int
    steps: int

    @property
    def tokens(self) -> tuple[int, int, int]:
        """Of the clip, of a reference as large as it, and of one as large as it is."""
        frames, rows, columns = self.clip
        canvas = rows * columns // 4
        return frames * canvas, canvas, self.cut[0] * self.cut[1] // 4


TINY = Shape(
    model=replace(
        tiny(), num_attention_heads=8, num_layers=4, ffn_dim=384, in_channels=48, out_channels=48
    ),  # recipe `tiny`
    clip=(9, 16, 16),
    cut=(8, 8),
    text_tokens=64,
    warm=2,
    steps=10,
)
FULL = Shape(model=wan_1_3b(), clip=(21, 60, 104), cut=(60, 60), text_tokens=512, warm=3, steps=10)


def run(*, repeats: int = REPEATS) -> list[Found]:
    """Rows of time, memory, sampling, waiting and arithmetic. Raises AssertionError where the two sides' losses differ."""
    on_gpu = torch.cuda.is_available()
    sides = SIDES if on_gpu else SIDES[:2]  # compiling for the CPU takes minutes and is nothing that anybody trains with
    found = [{side: _child(side) for side in sides} for _ in range(repeats)]  # in turns: a busy machine disturbs all alike
    sampled = [_child("sampling") for _ in range(repeats)]
    first = found[0]
    apart = abs(first["ours"]["loss"] / first["diffusers"]["loss"] - 1)
    assert apart <= (BFLOAT16 if on_gpu else 0.0), first
    what = "1.3B, 81 x 480 x 832" if on_gpu else f"{TINY.tokens[0]} tokens through {TINY.model.num_layers} tiny blocks"
    unit, peak = ("step_ms", "gpu_mib") if on_gpu else ("cpu_ms", "peak_mib")
    rows = [
        _pair(f"step, {what}", unit, "ms", found, "ours", "diffusers", 0.7),
        _pair(f"peak memory, {what}", peak, "MiB over imports", found, "ours", "diffusers", 0.85),
    ]
    if on_gpu:
        rows.append(_pair(f"step compiled, {what}", unit, "ms", found, "ours-compiled", "diffusers-compiled", 0.9))
        rows.append(_pair(f"step compiled, {what}", unit, "ms", found, "ours-compiled", "diffusers", 0.7))
    for row in rows:
        row["note"] = "three references, own size and full canvas" + (
            "" if on_gpu else "; targets are of the 1.3B on a GPU"
        )
    rows.append(
        {
            **_pair(
                f"sampling, isolated references, {what}", "given_ms", "ms a step", sampled, "", "", 1.2, other="none_ms"
            ),
            "peer_name": "no references",
        }
    )
    return [*rows, _waiting(), *arithmetic()]


def arithmetic(shape: Shape = FULL) -> list[Found]:
    """Tokens and FLOP of the 1.3B at 81 x 480 x 832 with three references of 480 x 480, beside references that fill the canvas."""
    clip, canvas, cut = shape.tokens
    ours, theirs = clip + REFERENCES * cut, clip + REFERENCES * canvas

    def flops(tokens: int) -> float:
        return forward_flops(shape.model, tokens, text_tokens=shape.text_tokens)

    beside = 4 * clip * REFERENCES * cut * shape.model.width * shape.model.num_layers  # the stream looks at kept keys
    name = "1.3B, 81 x 480 x 832, three references"
    return [
        _counted(f"{name}: tokens", ours, theirs, "full canvas", "tokens"),
        _counted(f"{name}: step", BACKWARD * flops(ours) / 1e12, BACKWARD * flops(theirs) / 1e12, "full canvas", "TFLOP"),
        _counted(
            f"{name}: sampling, isolated", (flops(clip) + beside) / 1e12, flops(clip) / 1e12, "no references", "TFLOP"
        ),
        _counted(f"{name}: sampling, joint", flops(ours) / 1e12, flops(clip) / 1e12, "no references", "TFLOP"),
    ]


def _counted(name: str, ours: float, peer: float, peer_name: str, unit: str) -> Found:
    return {
        "name": name, "ours": ours, "unit": unit, "peer": peer, "peer_name": peer_name, "ratio": ours / peer,
        "note": "arithmetic (training/shapes.py)",
    }  # fmt: skip


def _pair(
    name: str, unit: str, label: str, found: list[Found], side: str, peer: str, target: float, *, other: str = ""
) -> Found:
    """The median of each side, and of the ratios of runs that stood beside each other."""
    ours = [(each[side] if side else each)[unit] for each in found]
    theirs = [(each[peer] if peer else each)[other or unit] for each in found]
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {
        "name": name,
        "ours": statistics.median(ours),
        "unit": label,
        "peer": statistics.median(theirs),
        "peer_name": f"{peer}, eager" if peer == "diffusers" else peer,
        "ratio": statistics.median(ratios),
        "target": f"ratio <= {target:g}",
        "spread": f"{min(ratios):.2f}-{max(ratios):.2f}",
        "n": len(found),
    }


def _waiting() -> Found:
    """Share of the time that a run of recipe `tiny` waits for its batches, once it is warm."""
    from bench.experiments.exports import exported
    from bench.experiments.worlds import WORLDS
    from training.job import run_training

    with tempfile.TemporaryDirectory() as folder:
        data = exported(WORLDS["people_x10"](), Path(folder)).train
        ticket = JobTicket(lambda stage, done, total: None, threading.Event())
        settings = ("run.steps=40", "validation.every=0", "data.latents.engine=inline", "run.tensorboard=false")
        run_training(ticket, recipe="tiny", data=data, out=Path(folder) / "run", assignments=settings)
        waits = [line["data_wait"] for line in read_metrics(Path(folder) / "run") if line["step"] > 10]
    share = statistics.fmean(waits)
    return {
        "name": "data wait, recipe tiny", "value": share, "unit": "of a step", "target": "< .02", "n": len(waits),
        "spread": f"{min(waits):.4f}-{max(waits):.4f}",
    }  # fmt: skip


def _child(side: str) -> Found:
    command = [sys.executable, "-m", "bench.training", side]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """One side's measurement, as JSON."""
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shape = FULL if device.type == "cuda" else TINY
    side = sys.argv[1]
    say(json.dumps(_sampling(shape, device) if side == "sampling" else _training(shape, device, side)))


def _training(shape: Shape, device: torch.device, side: str) -> Found:
    """Time of a step and the peak of memory over what is held before there is a model."""
    found: Found = {}

    def work() -> None:
        torch.manual_seed(0)
        step, loss_of_canvas = _stepper(shape, device, side)
        found["loss"] = loss_of_canvas
        for _ in range(shape.warm):
            step()
        _wait_for(device)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(shape.steps):
            step()
        _wait_for(device)
        found["step_ms"] = (time.perf_counter() - wall) / shape.steps * 1e3
        found["cpu_ms"] = (time.process_time() - cpu) / shape.steps * 1e3

    peak = cpu_and_peak(work)["peak_mib"]
    gpu = torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else 0.0
    return {**found, "peak_mib": peak, "gpu_mib": gpu}


def _stepper(shape: Shape, device: torch.device, side: str) -> tuple[Callable[[], None], float]:
    """A training step of a side, and its loss with references that fill the canvas before any step, which both sides must share."""
    on_gpu = device.type == "cuda"
    dtype = torch.bfloat16 if on_gpu else torch.float32
    x, noise, t, text, canvases, cuts = _data(shape, device, dtype)
    parallel = Parallel(compile=side.endswith("compiled"), checkpointing="selective" if on_gpu else "none")
    ours = _placed(build(shape.model), device, dtype)
    if side.startswith("ours"):
        arrangement = arrangement_of(TrainConfig(model=Model(positions="concat")))
        model: Any = parallelize(ours, World(0, 1, device, 0, 1, None, None), parallel)

        def predicted(pictures: list[torch.Tensor]) -> torch.Tensor:
            conditions = _conditions(text, pictures, timestep=None)
            return arrangement.velocity(model, noised(x, noise, t).to(dtype), t * TIMESTEPS, conditions)

        shown = cuts
    else:
        model = _diffusers(shape, ours, device, dtype, parallel)
        frames = x.shape[2]

        def predicted(pictures: list[torch.Tensor]) -> torch.Tensor:
            together = torch.cat((noised(x, noise, t).to(dtype), *pictures), dim=2)
            return model(together, t * TIMESTEPS, text, return_dict=False)[0][:, :, :frames]

        shown = canvases

    def loss(pictures: list[torch.Tensor]) -> torch.Tensor:
        return (predicted(pictures).float() - velocity(x, noise).float()).square().mean()

    with torch.no_grad():
        shared = float(loss(canvases))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(shown).backward()
        optimizer.step()

    return step, shared


def _diffusers(shape: Shape, ours: Any, device: torch.device, dtype: torch.dtype, parallel: Parallel) -> Any:
    """diffusers' own class with our weights."""
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

    own = ("audio_dim", "audio_width", "audio_every", "isolated_anchors")
    settings = {name: value for name, value in asdict(shape.model).items() if name not in own}
    model: Any = WanTransformer3DModel(**settings)
    model.load_state_dict(ours.state_dict())
    _placed(model, device, dtype)
    if parallel.checkpointing != "none":
        model.enable_gradient_checkpointing()
    if parallel.compile:
        model.compile_repeated_blocks()
    return model.train()


def _placed(model: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """On the device and in the type, but for the parts that Wan keeps in float32."""
    for name, parameter in model.named_parameters():
        kept = any(part in name for part in model._keep_in_fp32_modules)
        parameter.data = parameter.data.to(device, torch.float32 if kept else dtype)
    return model.to(device)


def _sampling(shape: Shape, device: torch.device) -> Found:
    """Time of a denoising step without references, and with three isolated ones, in turns."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    torch.manual_seed(0)
    model = _placed(build(replace(shape.model, isolated_anchors=True)), device, dtype).eval()
    arrangement = arrangement_of(TrainConfig(model=Model(positions="concat")))
    x, _, _, text, _, cuts = _data(shape, device, dtype)
    times: dict[str, list[float]] = {"given_ms": [], "none_ms": []}
    for turn in range(shape.warm + 3):
        for name, pictures in (("none_ms", []), ("given_ms", cuts)):
            conditions = _conditions(text, pictures, timestep=0.0)
            guided = GuidedModel(model=model, arrangement=arrangement, conditions=conditions, chain=GuidanceChain())
            wall, cpu = time.perf_counter(), time.process_time()
            denoise(guided, x.to(dtype), Sampler(steps=shape.steps))
            _wait_for(device)
            spent = time.perf_counter() - wall if device.type == "cuda" else time.process_time() - cpu
            if turn >= shape.warm:
                times[name].append(spent / shape.steps * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def _data(shape: Shape, device: torch.device, dtype: torch.dtype) -> tuple[Any, ...]:
    """Clip, noise, time, text, and the references on the canvas and cut out; normal numbers, equal on both sides."""
    generator = torch.Generator().manual_seed(1)
    channels, text = shape.model.out_channels, (1, shape.text_tokens, shape.model.text_dim)

    def draw(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator).to(device)

    clip = (1, channels, *shape.clip)
    canvases = [draw(1, channels, 1, *shape.clip[1:]).to(dtype) for _ in range(REFERENCES)]
    cuts = [draw(1, channels, 1, *shape.cut).to(dtype) for _ in range(REFERENCES)]
    return draw(*clip), draw(*clip), torch.tensor([0.5], device=device), draw(*text).to(dtype), canvases, cuts


def _conditions(text: torch.Tensor, pictures: list[torch.Tensor], *, timestep: float | None) -> Conditions:
    anchors = tuple(
        Segment(role="reference", size=(1, picture.shape[3], picture.shape[4]), slot=slot, timestep=timestep)
        for slot, picture in enumerate(pictures)
    )
    return Conditions(text_BLA=text, empty_text_BLA=text, anchors=(anchors,), anchor_latents=tuple(pictures))


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
