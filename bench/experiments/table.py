"""Every experiment: what is trained (arms), what is tested of it (rows), and what was expected before (hypotheses).

An arm is the product's recipe `tiny` with settings; arms that two experiments share are trained once. All arms of a seed start from one
base, which learned from captions alone, as the papers' start from a text-to-video model.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large models and runs are."""

    name: str
    heads: int
    """Of 24 channels each: 8 can pass a token of the pixel codec on whole."""
    layers: int
    feed_forward: int
    base_steps: int
    steps: int
    batch: int
    """Samples of one frame; of clips of five, half as many where single frames are clips of one."""
    single_frames: int
    """Of the clips of A, B, E and F. The other experiments' have five."""
    sampling_steps: int


SCALES: Mapping[str, Scale] = {
    "cpu": Scale(
        name="cpu",
        heads=8,
        layers=3,
        feed_forward=192,
        base_steps=800,
        steps=300,
        batch=8,
        single_frames=1,
        sampling_steps=10,
    ),
    "cuda": Scale(
        name="cuda",
        heads=16,
        layers=12,
        feed_forward=1536,
        base_steps=4000,
        steps=2000,
        batch=64,
        single_frames=5,
        sampling_steps=30,
    ),
}

COMMON = (
    "model.text_tokens=20",
    "data.latents.engine=inline",
    "data.latents.clips.fps=8.0",
    "data.latents.clips.pixels=4096",
    "data.latents.clips.aspects=[1.0]",
    "data.latents.pictures.aspects=[1.0]",
    "data.tokens=1000000",
    "times.shift=3.0",
    "conditioning.dropout=none",
    "optimizer.learning_rate=0.001",
    "optimizer.warmup_steps=20",
    "validation.every=0",
    "run.ema_decay=0.0",
    "run.save_every=1000000",
    "run.keep=1",
    "run.tensorboard=false",
)
WHOLE = (
    'data.latents.pictures.fit="canvas"',
    'data.latents.pictures.background="own"',
    "data.latents.pictures.augmentations=4",
    "data.latents.pictures.faces=true",
)
CUT = (
    "data.latents.pictures.pixels=1024",
    "data.latents.pictures.augmentations=0",
    "data.latents.pictures.faces=false",
)
TURNING = (
    *CUT,
    'data.modes=["anchors"]',
    'data.anchors.kinds="both"',
    "data.anchors.min_gap_s=0.0",
    "conditioning.prefix=0.5",
    "conditioning.prefix_latents=2",
    "model.anchors_first=true",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One training run of a seed."""

    world: str
    settings: tuple[str, ...]
    has_time: bool = False
    """Whether clips have five frames at every scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An arm under a test of `bench.experiments.tests`; `left_out`: an anchor's role that is not given."""

    arm: str
    test: str
    left_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """`of` has this much more of a measure than `than`."""

    says: str
    measure: str
    of: str
    than: str
    least: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Rows that are compared with each other."""

    title: str
    rows: Mapping[str, Row]
    measures: tuple[str, ...]
    hypotheses: tuple[Hypothesis, ...]


def _singles(world: str, *modes: str) -> Arm:
    named = ", ".join(f'"{mode}"' for mode in modes)
    return Arm(world=world, settings=(*WHOLE, f"data.modes=[{named}]"))


def _pairs(positions: str) -> Arm:
    return Arm(world="pairs", settings=(*CUT, 'data.modes=["cross_pair"]', f'model.positions="{positions}"'))


def _turns(positions: str, outside: float) -> Arm:
    settings = (*TURNING, f'model.positions="{positions}"', f"data.anchors.outside={outside}")
    return Arm(world="turns", settings=settings, has_time=True)


BASE = Arm(world="people", settings=(*WHOLE, 'data.modes=["text"]'))
ARMS: Mapping[str, Arm] = {
    "in_pair": _singles("people", "in_pair"),
    "augmented": _singles("people", "augmented"),
    "face_cross_pair": _singles("people", "face_cross_pair"),
    "cross_pair": _singles("people", "cross_pair"),
    "with_generated": _singles("people", "cross_pair", "generated"),
    "data_x1": _singles("people_x1", "cross_pair"),
    "data_x10": _singles("people_x10", "cross_pair"),
    "kinds_people": _singles("kinds_people", "cross_pair"),
    "kinds_living": _singles("kinds_living", "cross_pair"),
    "kinds_all": _singles("kinds_all", "cross_pair"),
    "pairs_concat": _pairs("concat"),
    "pairs_shift_w": _pairs("shift_w"),
    "pairs_shift_h": _pairs("shift_h"),
    "pairs_rrope": _pairs("rrope"),
    "turns": _turns("weak_condition", 0.7),
    "turns_inside": _turns("weak_condition", 0.0),
    "turns_concat": _turns("concat", 0.7),
}

CHANGED: Mapping[str, int] = {"turns_concat": 2}
"""Arms whose training has changed though their settings have not. 2: anchors stand one after another, not all at one place."""

_RETURNING = ("copy_paste_index", "embedded_decoupling", "embedded_prompt_background")
EVALUATED: Mapping[str, tuple[str, ...]] = {
    "leak": (*_RETURNING, "embedded_quality"),
    "kinds": (*_RETURNING, "embedded_quality"),
    "two": ("embedded_quality",),
    "sides": ("embedded_decoupling", "embedded_quality", "temporal_flickering"),
    "choice": ("embedded_decoupling", "embedded_quality", "temporal_flickering"),
    "chunks": ("embedded_quality", "temporal_flickering"),
}
"""By test, the metrics that `evaluate` is asked for: those that say something at this size (docs/adr/0011)."""
WHOLE_PICTURES = ("leak", "kinds")
"""Tests whose references are whole pictures."""

LEAK = ("background_leak", "background_followed", "position_copied", "identity_error", "identity_error_anywhere")
KINDS = ("identity_error_people", "identity_error_animals", "identity_error_products")

EXPERIMENTS: Mapping[str, Experiment] = {
    "A": Experiment(
        title="Where references come from",
        rows={
            "in-pair": Row(arm="in_pair", test="leak"),
            "in-pair, augmented": Row(arm="augmented", test="leak"),
            "face cross-pair": Row(arm="face_cross_pair", test="leak"),
            "cross-pair": Row(arm="cross_pair", test="leak"),
        },
        measures=LEAK,
        hypotheses=(
            Hypothesis(
                says="in-pairs teach to bring the reference's background back, cross-pairs do not",
                measure="background_leak", of="in-pair", than="cross-pair", least=0.5,
            ),
            Hypothesis(
                says="in-pairs teach to bring its position back",
                measure="position_copied", of="in-pair", than="cross-pair", least=0.3,
            ),
            Hypothesis(
                says="augmentation does not mend it",
                measure="background_leak", of="in-pair, augmented", than="cross-pair", least=0.2,
            ),
            Hypothesis(
                says="a face does not tell the clothes",
                measure="identity_error", of="face cross-pair", than="cross-pair", least=0.05,
            ),
            Hypothesis(
                says="cross-pairs cost no identity where it was asked for",
                measure="identity_error", of="in-pair", than="cross-pair", least=-0.05,
            ),
            Hypothesis(
                says="`evaluate` sees that in-pairs bring back more of the reference",
                measure="copy_paste_index", of="in-pair", than="cross-pair", least=0.08,
            ),
            Hypothesis(
                says="that cross-pairs leave the reference's background",
                measure="embedded_decoupling", of="cross-pair", than="in-pair", least=0.3,
            ),
            Hypothesis(
                says="and that they show the background that was asked for",
                measure="embedded_prompt_background", of="cross-pair", than="in-pair", least=0.28,
            ),
        ),
    ),
    "B": Experiment(
        title="Where references stand, two subjects",
        rows={
            "concat": Row(arm="pairs_concat", test="two"),
            "shift_w": Row(arm="pairs_shift_w", test="two"),
            "shift_h": Row(arm="pairs_shift_h", test="two"),
            "rrope": Row(arm="pairs_rrope", test="two"),
        },
        measures=("own_error", "other_error", "swapped"),
        hypotheses=(
            Hypothesis(
                says="R-RoPE keeps subjects apart better than concatenation", measure="swapped", of="concat", than="rrope",
                least=0.1,
            ),
            Hypothesis(
                says="R-RoPE keeps each nearer to its reference", measure="own_error", of="concat", than="rrope", least=0.02
            ),
            Hypothesis(
                says="shifting both axes is better than shifting the width alone", measure="own_error", of="shift_w",
                than="rrope", least=0.01,
            ),
        ),
    ),
    "C": Experiment(
        title="Superset content anchoring",
        rows={"superset": Row(arm="turns", test="sides"), "inside alone": Row(arm="turns_inside", test="sides")},
        measures=("side_copied", "identity_error", "background_error"),
        hypotheses=(
            Hypothesis(
                says="with anchors from inside alone a model repeats the side that it is shown",
                measure="side_copied", of="inside alone", than="superset", least=0.2,
            ),
        ),
    ),
    "D": Experiment(
        title="Positions as weak condition",
        rows={"weak_condition": Row(arm="turns", test="choice"), "concat": Row(arm="turns_concat", test="choice")},
        measures=("side_copied", "identity_error", "background_error"),
        hypotheses=(
            Hypothesis(
                says="positions by type and category tell which of four views was asked for",
                measure="side_copied", of="concat", than="weak_condition", least=0.1,
            ),
            Hypothesis(
                says="and bring identity nearer", measure="identity_error", of="concat", than="weak_condition", least=0.02
            ),
        ),
    ),
    "E": Experiment(
        title="Kinds of subjects, and amounts of data",
        rows={
            "people": Row(arm="kinds_people", test="kinds"),
            "and animals": Row(arm="kinds_living", test="kinds"),
            "and products": Row(arm="kinds_all", test="kinds"),
            "people x1": Row(arm="data_x1", test="leak"),
            "people x10": Row(arm="data_x10", test="leak"),
            "people x100": Row(arm="cross_pair", test="leak"),
        },
        measures=(*KINDS, "identity_error", "background_leak"),
        hypotheses=(
            Hypothesis(
                says="what was never seen is learned worst: animals", measure="identity_error_animals", of="people",
                than="and animals", least=0.05,
            ),
            Hypothesis(
                says="and products", measure="identity_error_products", of="and animals", than="and products", least=0.05
            ),
            Hypothesis(
                says="ten times the identities are better", measure="identity_error", of="people x1", than="people x10",
                least=0.05,
            ),
            Hypothesis(
                says="and ten times more again", measure="identity_error", of="people x10", than="people x100", least=0.05
            ),
        ),
    ),
    "F": Experiment(
        title="Generated references",
        rows={
            "cross-pair": Row(arm="cross_pair", test="leak"),
            "and generated": Row(arm="with_generated", test="leak"),
        },
        measures=LEAK,
        hypotheses=(
            Hypothesis(
                says="generated references beside cross-pairs bring identity nearer", measure="identity_error",
                of="cross-pair", than="and generated", least=0.02,
            ),
        ),
    ),
    "G": Experiment(
        title="Anchors over four chunks",
        rows={
            "all anchors": Row(arm="turns", test="chunks"),
            "no global": Row(arm="turns", test="chunks", left_out="global"),
            "no view": Row(arm="turns", test="chunks", left_out="view"),
            "no expression": Row(arm="turns", test="chunks", left_out="expression"),
        },
        measures=("identity_error_1", "identity_error_4", "background_error_1", "background_error_4"),
        hypotheses=(
            Hypothesis(
                says="the global anchor keeps the place", measure="background_error_4", of="no global", than="all anchors",
                least=0.1,
            ),
            Hypothesis(
                says="view anchors keep the person", measure="identity_error_4", of="no view", than="all anchors", least=0.02
            ),
            Hypothesis(
                says="expression anchors keep the person", measure="identity_error_4", of="no expression",
                than="all anchors", least=0.02,
            ),
        ),
    ),
}  # fmt: skip


def changed(arm: str) -> tuple[int, ...]:
    """What tells apart results of an arm from before its training changed; nothing where it has not."""
    return (CHANGED[arm],) if arm in CHANGED else ()


def settings_of(arm: Arm, scale: Scale, *, base: str, seed: int) -> tuple[str, ...]:
    """The config of an arm but for its steps, as `--set` of `train` takes it. `base`: the run to start from; empty: random weights."""
    frames = 5 if arm.has_time else scale.single_frames
    batch = max(1, scale.batch // 2) if frames > scale.single_frames else scale.batch
    return (
        *COMMON,
        f"model.heads={scale.heads}",
        f"model.layers={scale.layers}",
        f"model.feed_forward={scale.feed_forward}",
        f"data.latents.clips.frames=[{frames}]",
        f"data.max_samples={batch}",
        f"run.seed={seed}",
        *((f'model.init="run:{base}"',) if base else ()),
        *arm.settings,
    )
