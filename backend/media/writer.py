"""Writing videos: H.264 or VP9 with BT.709 tags, whole or not at all."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from backend.domain import FrameReader
from backend.media.container import FilePath

ENCODERS = {"h264": "libx264", "vp9": "libvpx-vp9"}
AUDIO_ENCODERS = {"h264": ("aac", 48_000), "vp9": ("libopus", 48_000)}
BT709 = 1  # ITU-T H.273: matrix, primaries and transfer share the number 1
VFR_TIME_BASE = Fraction(1, 90_000)

Audio = tuple[np.ndarray, int]


def write_video(
    path: FilePath,
    frames: Iterable[np.ndarray],
    *,
    fps: float | Fraction,
    codec: str = "h264",
    gop: int = 48,
    audio: Audio | None = None,
    crf: int = 20,
    preset: str = "veryfast",
    times_s: Sequence[float] | None = None,
    threads: int = 1,
    bitexact: bool = False,
) -> int:
    """Writes RGB frames uint8 `(H, W, 3)` of one size; the number of frames written.

    The file's suffix chooses the container (.mp4, .mkv, .webm, .mov). Odd sizes get their last row or column repeated.
    `audio` is float32 samples `(n,)` or `(channels, n)` in [-1, 1] and their rate. `times_s` gives each frame's time for
    a variable rate. With `bitexact` the container names neither writer nor time. The file appears when it is complete and
    flushed to disk; on an error nothing is left.
    Raises ValueError for no frames, unequal sizes or an unknown codec.
    """
    if codec not in ENCODERS:
        raise ValueError(f"codec {codec!r} is not one of {sorted(ENCODERS)}")
    path = Path(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        options = {"movflags": "+faststart"} if path.suffix in (".mp4", ".mov") else {}
        settings = _encoder_options(codec, gop=gop, crf=crf, preset=preset)
        if bitexact:
            options["fflags"] = settings["flags"] = "+bitexact"
            if codec == "h264":  # else what it makes of equal frames hangs on where they lie in memory
                settings["x264-params"] = "cpu-independent=1"
        with av.open(name, "w", options=options) as container:
            rate = Fraction(fps).limit_denominator(1001)
            num = _write(container, iter(frames), codec, rate, settings, times_s, audio, threads)
        temporary.chmod(0o644)
        _flush(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush(path.parent)
    return num


def write_preview(
    reader: FrameReader,
    start: int,
    stop: int,
    path: FilePath,
    *,
    max_height: int = 720,
    gop: int = 12,
    codec: str = "h264",
) -> int:
    """Writes frames `[start, stop)` of a video no higher than `max_height`; the number of frames written.

    Frame i of the preview is frame `start + i` of the source, also for a variable rate, whose times are kept.
    """
    height = min(reader.height, max_height)
    width = max(2, round(reader.width * height / reader.height / 2) * 2)
    size = (width, max(2, height // 2 * 2)) if height < reader.height else None
    fps, times = pace(reader.times_s[start:stop])
    frames = (frame for _, chunk in reader.stream(start, stop, size=size, chunk=8) for frame in chunk)
    return write_video(path, frames, fps=fps, codec=codec, gop=gop, crf=23, times_s=times)


def pace(times_s: np.ndarray) -> tuple[float, list[float] | None]:
    """Frames a second of a span of frames, and each one's time from the first where they do not come evenly."""
    times = np.asarray(times_s, dtype=np.float64)
    steps = np.diff(times)
    mean = float(steps.mean()) if len(steps) else 1 / 25
    is_even = len(steps) == 0 or float(np.abs(steps - mean).max()) < mean / 10
    return 1 / mean, None if is_even else (times - times[0]).tolist()


def _encoder_options(codec: str, *, gop: int, crf: int, preset: str) -> dict[str, str]:
    if codec == "h264":
        return {"preset": preset, "crf": str(crf), "g": str(gop)}
    return {"crf": str(crf), "b": "0", "g": str(gop), "deadline": "realtime", "cpu-used": "6", "row-mt": "0"}


def _write(
    container: OutputContainer,
    frames: Iterator[np.ndarray],
    codec: str,
    rate: Fraction,
    options: dict[str, str],
    times_s: Sequence[float] | None,
    audio: Audio | None,
    threads: int,
) -> int:
    first = next(frames, None)
    if first is None:
        raise ValueError("no frames to write")
    stream = container.add_stream(ENCODERS[codec], rate=rate, options=options)
    assert isinstance(stream, VideoStream)
    height, width = first.shape[:2]
    stream.width, stream.height = width + width % 2, height + height % 2
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = threads
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = ColorRange.MPEG
    time_base = 1 / rate if times_s is None else VFR_TIME_BASE
    context.time_base = stream.time_base = time_base
    sound = None
    if audio is not None:
        kept = {"flags": options["flags"]} if "flags" in options else None
        sound = container.add_stream(AUDIO_ENCODERS[codec][0], rate=AUDIO_ENCODERS[codec][1], options=kept)
        assert isinstance(sound, av.AudioStream)
    reformatter = VideoReformatter()
    count = 0
    for count, pixels in enumerate(_chain(first, frames), start=1):
        if pixels.shape != first.shape:
            raise ValueError(f"frame {count - 1} is {pixels.shape}, the first one {first.shape}")
        frame = av.VideoFrame.from_ndarray(_padded(pixels), format="rgb24")
        frame = reformatter.reformat(
            frame, format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG, threads=1
        )
        frame.pts = count - 1 if times_s is None else round(float(times_s[count - 1]) / float(time_base))
        frame.time_base = time_base
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
    if audio is not None and sound is not None:
        _write_audio(container, sound, audio)
    return count


def _chain(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest


def _padded(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(pixels)


def _write_audio(container: OutputContainer, stream: av.AudioStream, audio: Audio) -> None:
    samples, rate = audio
    samples = np.atleast_2d(np.asarray(samples, dtype=np.float32))
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples), format="fltp", layout="mono" if len(samples) == 1 else "stereo"
    )
    frame.sample_rate = rate
    frame.pts = 0
    frame.time_base = Fraction(1, rate)
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _flush(path: FilePath) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
