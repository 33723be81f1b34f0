"""Recipes: functions that give a complete config. A figure without a source on its line is our choice.

Sources: Phantom-Data (section 5.1), Kaleido (section 5.1, and "code": its published training settings), Gloria (sections 4 and 5),
OpenS2V-Nexus (section 5, and "ConsisID": the settings of the model that it tunes). All start from Wan's weights: set `model.init`,
`data.latents.encoders.codec_weights` and `text_weights` to where they lie.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from backend.domain import SettingsError
from backend.settings import nearest
from training.anchors import SupersetAnchoring
from training.config import Conditioning, Data, Lora, Model, Optimizer, Parallel, Run, TrainConfig, Validation
from training.data.latent_settings import Encoders, Latents
from training.data.shapes import ClipShapes, PictureShapes
from training.times import TimeSampling

WAN_T2V_1_3B = "hub:Wan-AI/Wan2.1-T2V-1.3B-Diffusers"
WAN_T2V_14B = "hub:Wan-AI/Wan2.1-T2V-14B-Diffusers"
WAN_TI2V_5B = "hub:Wan-AI/Wan2.2-TI2V-5B-Diffusers"
WAN_I2V_14B = "hub:Wan-AI/Wan2.1-I2V-14B-480P-Diffusers"
WAV2VEC2 = "hub:facebook/wav2vec2-base-960h"
LORA_RATE = 1e-4  # our choice: adapters start at nothing and bear ten times the rate of whole weights


def tiny() -> TrainConfig:
    """Everything on a laptop's CPU, without weights: 64 x 64 pixels through the pixel codec, 4 blocks of width 192."""
    clips = ClipShapes(fps=8.0, frames=(9, 5), pixels=64 * 64, aspects=(16 / 9, 1.0, 9 / 16), multiple=8)
    pictures = PictureShapes(pixels=32 * 32, aspects=(1.0, 1 / 2), augmentations=4, faces=True)
    return TrainConfig(
        recipe="tiny",
        model=Model(shape="tiny", channels=48, heads=8, layers=4, feed_forward=384, text_tokens=64),
        data=Data(latents=Latents(clips=clips, pictures=pictures), tokens=2600, max_samples=4),
        conditioning=Conditioning(dropout="phantom"),
        optimizer=Optimizer(learning_rate=2e-3, weight_decay=0.0),
        validation=Validation(every=50, samples=4, videos=1, sampling_steps=8),
        run=Run(steps=100, save_every=50, ema_decay=0.99),
    )


def tiny_i2v() -> TrainConfig:
    """The same on a base that begins from a first frame, as Wan I2V does: mask and condition beside the noise, and image features."""
    small = tiny()
    latents = replace(small.data.latents, encoders=Encoders(image="embedded"))
    return replace(
        small,
        recipe="tiny_i2v",
        model=replace(small.model, shape="tiny_i2v", text_tokens=512),
        data=replace(small.data, latents=latents),
        conditioning=replace(small.conditioning, first_frame=1.0),
    )


def phantom_1_3b() -> TrainConfig:
    """Phantom-Wan 1.3B on cross-pairs: references after the video, three forwards at sampling."""
    return TrainConfig(
        recipe="phantom_1_3b",
        model=Model(shape="wan_1_3b", init=WAN_T2V_1_3B, positions="concat"),  # Phantom's code
        data=Data(
            latents=Latents(
                encoders=_wan_encoders(WAN_T2V_1_3B),
                clips=ClipShapes(fps=16.0, frames=(81, 49), pixels=480 * 832),  # 480p, 81 frames at 16 (Phantom-Data, code)
                pictures=PictureShapes(fit="canvas", augmentations=4, faces=True),  # letterboxed on white (code)
            ),
            max_references=4,
            all_references=False,
        ),
        times=TimeSampling(density="logit_normal", shift=5.0),  # shift: Wan's sampling
        conditioning=Conditioning(dropout="phantom"),
        optimizer=Optimizer(learning_rate=1e-5, betas=(0.9, 0.95), weight_decay=1e-4),
        parallel=Parallel(checkpointing="selective", compile=True, dtype="bfloat16"),
        validation=Validation(every=1000, samples=16, videos=4, sampling_steps=50),  # 50 (Phantom-Data)
        run=Run(steps=30_000, save_every=1000, ema_decay=0.9999),  # 30 k iterations (Phantom-Data)
    )


def kaleido_14b_pretrain() -> TrainConfig:
    """Kaleido's first stage: R-RoPE on a 14B, 2 M pairs."""
    return TrainConfig(
        recipe="kaleido_14b_pretrain",
        model=Model(shape="wan_14b", init=WAN_T2V_14B, positions="rrope_fixed", anchors_first=True),  # code
        data=Data(
            latents=Latents(
                encoders=_wan_encoders(WAN_T2V_14B),
                clips=ClipShapes(fps=16.0, frames=(81,), pixels=720 * 1280),  # code: 16 fps, 81 frames, 720 x 1280
                pictures=PictureShapes(fit="canvas"),  # letterboxed on white (code)
            ),
            tokens=90_000,
            max_samples=1,  # code
            max_references=3,  # code: max_subjects
        ),
        times=TimeSampling(density="logit_normal", mean=0.0, spread=1.0, shift="tokens"),  # code
        conditioning=Conditioning(dropout="kaleido"),  # code: text .1, references always
        optimizer=Optimizer(
            learning_rate=1e-5,  # section 5.1
            betas=(0.9, 0.95),  # code
            eps=1e-8,  # code
            weight_decay=1e-4,  # code
            max_norm=0.1,  # code
        ),
        parallel=Parallel(context=8, checkpointing="full", compile=True, dtype="bfloat16"),  # code: context 20
        validation=Validation(every=500, samples=16, videos=4, sampling_steps=50),  # 50 (code)
        run=Run(
            steps=10_000, accumulation=8, save_every=100
        ),  # 10 k steps (section 5.1), 8 and 100 (code); batch 256 with 256 ranks
    )


def kaleido_14b_sft() -> TrainConfig:
    """Kaleido's second stage: 0.5 M better pairs. Set `model.init=run:DIR` of the first."""
    first = kaleido_14b_pretrain()
    return replace(
        first,
        recipe="kaleido_14b_sft",
        optimizer=replace(first.optimizer, learning_rate=5e-6),  # section 5.1
        run=replace(first.run, steps=5000),  # section 5.1
    )


def gloria_s1_audio() -> TrainConfig:
    """Gloria's first stage: only the sound is new. On the 5B, whose first frame is a clean latent.

    The paper names half of the blocks, values at zero and a constant rate; rate, betas, steps and probabilities are ours.
    """
    encoders = replace(_wan_encoders(WAN_TI2V_5B), audio="paper", audio_weights=WAV2VEC2)
    return TrainConfig(
        recipe="gloria_s1_audio",
        model=Model(
            shape="wan_5b",
            init=WAN_TI2V_5B,
            audio_channels=768,
            positions="weak_condition",
            anchors_first=True,  # section 4.1
        ),
        data=Data(
            latents=Latents(
                encoders=encoders,
                clips=ClipShapes(fps=16.0, frames=(81,), pixels=480 * 832, multiple=32),
                pictures=PictureShapes(fit="own", background="own"),
            ),
            modes=("anchors",),  # from inside and outside the clip (section 4.1)
            anchors=SupersetAnchoring(kinds="global"),
        ),
        times=TimeSampling(density="logit_normal", shift=5.0),
        conditioning=Conditioning(dropout="gloria", first_frame=1.0),  # text and audio left out (section 4.4)
        optimizer=Optimizer(learning_rate=1e-5, betas=(0.9, 0.95), weight_decay=1e-4),  # constant rate (section 5.1)
        parallel=Parallel(context=4, checkpointing="full", compile=True, dtype="bfloat16"),
        validation=Validation(every=500, samples=16, videos=4, sampling_steps=50),
        run=Run(steps=10_000, save_every=500),
    )


def gloria_s2_global() -> TrainConfig:
    """Second stage: the global anchor, and four clean prefix latents with some probability (section 4.4)."""
    first = gloria_s1_audio()
    return replace(
        first,
        recipe="gloria_s2_global",
        conditioning=replace(first.conditioning, prefix=0.5, first_frame=0.5),
    )


def gloria_s3_mixed() -> TrainConfig:
    """Third stage, mixed: samples with one kind of anchor besides the global one (section 4.4)."""
    second = gloria_s2_global()
    return replace(
        second,
        recipe="gloria_s3_mixed",
        data=replace(second.data, anchors=SupersetAnchoring(kinds="one")),  # up to 4 views or 8 expressions (section 4.1)
    )


def gloria_s3_joint() -> TrainConfig:
    """Third stage, joint: a short tuning on samples with both kinds (section 4.4)."""
    mixed = gloria_s3_mixed()
    return replace(
        mixed,
        recipe="gloria_s3_joint",
        data=replace(mixed.data, anchors=SupersetAnchoring(kinds="both")),
        run=replace(mixed.run, steps=1000),
    )


def gloria_17b_s1_audio() -> TrainConfig:
    """The first stage on the paper's own base, Wan I2V 14B: with sound 17 B. The first frame stands beside the noise."""
    return _on_wan_i2v(gloria_s1_audio())


def gloria_17b_s2_global() -> TrainConfig:
    """The second stage on Wan I2V 14B."""
    return _on_wan_i2v(gloria_s2_global())


def gloria_17b_s3_mixed() -> TrainConfig:
    """The third stage on Wan I2V 14B, mixed."""
    return _on_wan_i2v(gloria_s3_mixed())


def gloria_17b_s3_joint() -> TrainConfig:
    """The third stage on Wan I2V 14B, joint."""
    return _on_wan_i2v(gloria_s3_joint())


def opens2v_consisid_1_3b() -> TrainConfig:
    """How OpenS2V-Nexus checks its data: Wan 2.1 1.3B tuned as ConsisID is, by the plain squared error, on single people."""
    first = phantom_1_3b()
    return replace(
        first,
        recipe="opens2v_consisid_1_3b",
        data=replace(first.data, modes=("in_pair", "cross_pair"), max_references=1, all_references=True),
        conditioning=Conditioning(dropout="kaleido"),
        optimizer=Optimizer(learning_rate=3e-6, betas=(0.9, 0.95), weight_decay=1e-4),  # rate and betas: ConsisID
        run=replace(first.run, steps=10_000, ema_decay=0.0),
    )


def phantom_1_3b_lora() -> TrainConfig:
    """The same with adapters only."""
    return _with_lora(phantom_1_3b())


def kaleido_14b_sft_lora() -> TrainConfig:
    """The same with adapters only."""
    return _with_lora(kaleido_14b_sft())


def tiny_lora() -> TrainConfig:
    """The same with adapters only."""
    return _with_lora(tiny())


RECIPES: Mapping[str, Callable[[], TrainConfig]] = {
    "tiny": tiny,
    "tiny_lora": tiny_lora,
    "tiny_i2v": tiny_i2v,
    "phantom_1_3b": phantom_1_3b,
    "phantom_1_3b_lora": phantom_1_3b_lora,
    "kaleido_14b_pretrain": kaleido_14b_pretrain,
    "kaleido_14b_sft": kaleido_14b_sft,
    "kaleido_14b_sft_lora": kaleido_14b_sft_lora,
    "gloria_s1_audio": gloria_s1_audio,
    "gloria_s2_global": gloria_s2_global,
    "gloria_s3_mixed": gloria_s3_mixed,
    "gloria_s3_joint": gloria_s3_joint,
    "gloria_17b_s1_audio": gloria_17b_s1_audio,
    "gloria_17b_s2_global": gloria_17b_s2_global,
    "gloria_17b_s3_mixed": gloria_17b_s3_mixed,
    "gloria_17b_s3_joint": gloria_17b_s3_joint,
    "opens2v_consisid_1_3b": opens2v_consisid_1_3b,
}


def recipe(name: str) -> TrainConfig:
    """The config of a recipe. Raises SettingsError naming those there are."""
    if name not in RECIPES:
        raise SettingsError(f"there is no training recipe {name!r}{nearest(name, RECIPES)}")
    return RECIPES[name]()


def _wan_encoders(pipeline: str) -> Encoders:
    return Encoders(codec="paper", codec_weights=pipeline, text="paper", text_weights=pipeline, dtype="bfloat16")


def _on_wan_i2v(config: TrainConfig) -> TrainConfig:
    """A stage of Gloria on the base of its section 4: Wan I2V 14B with Wan 2.1's VAE, and CLIP's features of the first frame."""
    encoders = replace(
        _wan_encoders(WAN_I2V_14B), audio="paper", audio_weights=WAV2VEC2, image="paper", image_weights=WAN_I2V_14B
    )
    latents = config.data.latents
    return replace(
        config,
        recipe=config.recipe.replace("gloria_", "gloria_17b_"),
        model=replace(config.model, shape="wan_i2v_14b", init=WAN_I2V_14B),
        data=replace(config.data, latents=replace(latents, encoders=encoders, clips=replace(latents.clips, multiple=16))),
        parallel=replace(config.parallel, context=8),
    )


def _with_lora(config: TrainConfig) -> TrainConfig:
    return replace(
        config,
        recipe=f"{config.recipe}_lora",
        lora=Lora(rank=64),
        optimizer=replace(config.optimizer, learning_rate=LORA_RATE, weight_decay=0.0),
        run=replace(config.run, ema_decay=0.0),
    )
