"""Opening files with FFmpeg safely: local files only, known formats only, errors as MediaError."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import av
import av.logging
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Stream

from backend.domain import MediaError

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "avi",
    "mpeg",
    "mpegts",
    "mpegvideo",
    "flv",
    "asf",
    "ogg",
    "gif",
    "h264",
    "hevc",
    "av1",
    "obu",
    "ivf",
    "m4v",
    "mxf",
    "wav",
    "mp3",
    "aac",
    "flac",
)
"""Demuxers that may run. Playlists (concat, hls, dash) are left out: they can open other files and addresses."""

FilePath = str | os.PathLike[str]
MAX_PIXELS = 8192 * 4320
"""Of one picture. A stream can claim more at its start or change to it in the middle: 2 kB of H.264 take 700 MB as 12000 x 12000."""

DECODER_LIMITS = {"max_pixels": str(MAX_PIXELS)}
"""Options of every picture decoder, that of the trial decoding too: larger pictures are decode errors, not memory."""

# How refusals end, so that whoever reads one knows what to do.
NO_VIDEO = "no video stream; give the file that holds its pictures"
ANEW = "write the file anew (ffmpeg -i FILE -c copy NEW)"
IF_WRONG = f"if the header is wrong, {ANEW}"

# Decoder errors are counted through `av.logging.Capture`, which sees nothing while PyAV's logging is off.
av.logging.set_level(av.logging.ERROR)
av.logging.set_skip_repeated(False)
# Their lines are counted where they matter; a log of the application is no place for them.
logging.getLogger("libav").propagate = False
logging.getLogger("libav").addHandler(logging.NullHandler())


def open_container(path: FilePath, *, is_known: bool = False) -> InputContainer:
    """The opened file; close it (it is a context manager). Raises MediaError with a one-line reason.

    `is_known` leaves out the trial decoding by which FFmpeg learns what an index already tells; it saves 10 ms at 720p.
    """
    options = {"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS), **DECODER_LIMITS}
    if is_known:
        options["skip_frame"] = "all"  # reaches the trial decoder only; the stream's own decoder starts afresh
    try:
        container = av.open(
            "file:" + os.fspath(Path(path).absolute()),
            mode="r",
            options=options,
            metadata_errors="replace",
        )
    except FileNotFoundError as error:
        raise MediaError(f"{display_name(path)}: no such file; was it moved after the listing?", kind="missing") from error
    except PermissionError as error:
        raise MediaError(f"{display_name(path)}: no permission to read it", kind="permission") from error
    except (FFmpegError, ValueError) as error:
        raise MediaError(
            f"{display_name(path)}: not a video, image or sound that can be read", kind="unreadable"
        ) from error
    for stream in container.streams.video:
        if stream.codec_context is not None:
            stream.codec_context.options = dict(DECODER_LIMITS)
    return container


def packets_of(container: InputContainer, stream: Stream) -> Iterator[av.Packet]:
    """Every packet of a stream that holds data, to the end of the file or of its readable part."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, FFmpegError):
            return
        except IndexError:  # PyAV, when a damaged transport stream takes back the streams that it announced
            return
        if packet.size:
            yield packet


def display_name(path: FilePath) -> str:
    """The file's name for messages: bytes that are not UTF-8 are shown as escapes."""
    return os.fspath(Path(path).name).encode("utf-8", "backslashreplace").decode()
