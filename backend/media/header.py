"""What a header may claim before anything of a file is decoded: the gate of every reader."""

from dataclasses import asdict, dataclass
from typing import Any

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from backend.domain import MediaError
from backend.media.container import IF_WRONG, MAX_PIXELS, FilePath, display_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is refused before anything is decoded, and how much is decoded to find damage."""

    max_pixels: int = MAX_PIXELS
    max_fps: float = 240.0
    """As the header states them. Of a file whose own times come faster, a warning says so."""
    max_streams: int = 8
    """Of picture and sound; those that nobody reads count to `max_other_streams`."""
    max_other_streams: int = 64
    max_frames: int = 2_000_000
    """A day at 23 frames per second."""
    max_duration_s: float = 7 * 86_400.0
    min_side_px: int = 8
    max_bad_share: float = 0.5
    """Refuse when more than this share of the stored pictures cannot be decoded."""
    check_pixels: int = 500_000_000
    """Pixels decoded to look for damage: all of a shorter video, groups spread evenly over a longer one."""
    check_frames: int = 20_000
    """As many at most, however small they are."""
    plausible_fps: tuple[float, float] = (1.0, 240.0)
    max_aspect: float = 8.0
    max_late_audio_s: float = 0.1
    silence_s: float = 30.0
    """How much of the sound is looked at for silence."""

    def to_plain(self) -> dict[str, Any]:
        """The limits as JSON values."""
        return asdict(self)

    @staticmethod
    def from_plain(plain: dict[str, Any]) -> "Limits":
        return Limits(**{**plain, "plausible_fps": tuple(plain["plausible_fps"])})


DEFAULT_LIMITS = Limits()


def check_header(container: InputContainer, path: FilePath, limits: Limits) -> None:
    """Raises MediaError of kind `header` or `too_large` for streams, pixels, rates, frames or durations beyond the limits."""
    name = display_name(path)
    num_read = len(container.streams.video) + len(container.streams.audio)
    num_others = len(container.streams) - num_read
    if num_read > limits.max_streams or num_others > limits.max_other_streams:
        found = f"{num_read} streams of picture and sound and {num_others} others"
        allowed = f"{limits.max_streams} and {limits.max_other_streams}"
        raise MediaError(f"{name}: {found}, the limits are {allowed}; write it with those that are needed", kind="header")
    claimed_s = (container.duration or 0) / 1e6
    if claimed_s > limits.max_duration_s:
        claimed = f"{claimed_s:g} s, the limit is {limits.max_duration_s:g} s"
        raise MediaError(f"{name}: its header claims {claimed}; cut it into parts; {IF_WRONG}", kind="too_large")
    for stream in container.streams.video:
        context = stream.codec_context
        if context is not None and context.width * context.height > limits.max_pixels:
            claimed = f"{context.width}x{context.height} pixels, the limit is {limits.max_pixels}"
            raise MediaError(f"{name}: its header claims {claimed}; scale it down; {IF_WRONG}", kind="too_large")
        if stream.average_rate and stream.average_rate > limits.max_fps and not is_cover(stream):
            claimed = f"{float(stream.average_rate):g} frames per second, the limit is {limits.max_fps:g}"
            raise MediaError(f"{name}: claims {claimed}; write it with fewer; {IF_WRONG}", kind="header")
        if stream.frames > limits.max_frames:
            claimed = f"{stream.frames} frames, the limit is {limits.max_frames}"
            raise MediaError(f"{name}: claims {claimed}; cut it into parts; {IF_WRONG}", kind="too_large")


def is_cover(stream: VideoStream) -> bool:
    """Whether a picture stream is the cover of a sound: one picture, whatever rate it claims."""
    return bool(stream.disposition & Disposition.attached_pic)
