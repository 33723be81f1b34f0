"""Videos whose every frame shows its own number as a barcode, in the forms in which real files come."""

import struct
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

BITS = 10
FPS = 30
LONG = 70


def barcode(number: int, *, width: int = 320, height: int = 176) -> np.ndarray:
    """A frame uint8 (H, W, 3) whose top quarter shows `number` as ten black and white blocks; a stripe moves below."""
    frame = np.full((height, width, 3), 128, dtype=np.uint8)
    frame[:, number * 3 % width] = 200
    for bit in range(BITS):
        left, right = round(bit * width / BITS), round((bit + 1) * width / BITS)
        frame[: height // 4, left:right] = 255 if number >> bit & 1 else 0
    return frame


def number_of(frame: np.ndarray) -> int:
    """The number that a frame of any size shows."""
    height, width = frame.shape[:2]
    row = frame[height // 8].mean(axis=-1)
    return sum(int(row[int((bit + 0.5) * width / BITS)] > 127) << bit for bit in range(BITS))


def encode(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pixel_format: str = "yuv420p",
    pts: Sequence[int] | None = None,
    rotation: int = 0,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Writes frames through PyAV with the encoder's own options; `pts` are in thirtieths of a second."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream: VideoStream | None = None
        for i, pixels in enumerate(frames):
            if stream is None:
                added = container.add_stream(codec, rate=FPS, options=options or {})
                assert isinstance(added, VideoStream)
                stream = added
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = pixel_format
                stream.codec_context.time_base = Fraction(1, FPS)
                if rotation:
                    stream.set_display_rotation(rotation)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts = i if pts is None else pts[i]
            frame.time_base = Fraction(1, FPS)
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode(None))
    return path


def _numbers(count: int = LONG, **size: int) -> Iterable[np.ndarray]:
    return (barcode(i, **size) for i in range(count))


def constant_rate(folder: Path) -> Path:
    return encode(folder / "constant.mp4", _numbers(), options={"g": "24"})


def no_b_frames(folder: Path) -> Path:
    return encode(folder / "plain.mp4", _numbers(), options={"g": "24", "bf": "0"})


def one_key_frame(folder: Path) -> Path:
    return encode(folder / "one_key.mp4", _numbers(), options={"g": "999", "sc_threshold": "0"})


def open_gop(folder: Path) -> Path:
    options = {"g": "12", "x264-params": "open-gop=1:bframes=5:b-adapt=0:scenecut=0"}
    return encode(folder / "open_gop.mkv", _numbers(), options=options)


VARIABLE_PTS = [i + i // 3 + 40 * (i > 30) for i in range(LONG)]


def variable_rate(folder: Path) -> Path:
    return encode(folder / "variable.mp4", _numbers(), options={"g": "24"}, pts=VARIABLE_PTS)


HIDDEN = 7


def edit_list(folder: Path) -> Path:
    """The container's edit list is moved on by seven frames, so that a player begins with frame 7."""
    path = encode(folder / "edited.mp4", _numbers(), options={"g": "24", "bf": "2"})
    data = bytearray(path.read_bytes())
    scale = struct.unpack_from(">I", data, data.index(b"mdhd") + 16)[0]
    place = data.index(b"elst") + 12
    duration, media_time = struct.unpack_from(">Ii", data, place)
    movie_scale = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)[0]
    struct.pack_into(">Ii", data, place, duration - HIDDEN * movie_scale // FPS, media_time + HIDDEN * scale // FPS)
    path.write_bytes(data)
    return path


def _rotated(folder: Path, turns: int) -> Path:
    frames = (np.rot90(barcode(i, width=176, height=320), turns) for i in range(20))
    return encode(folder / f"rotated_{turns * 90}.mp4", frames, rotation=-90 * turns, options={"g": "8"})


def rotated_90(folder: Path) -> Path:
    return _rotated(folder, 1)


def rotated_180(folder: Path) -> Path:
    return _rotated(folder, 2)


def rotated_270(folder: Path) -> Path:
    return _rotated(folder, 3)


def single_frame(folder: Path) -> Path:
    return encode(folder / "single.mp4", _numbers(1))


def odd_size(folder: Path) -> Path:
    return encode(folder / "odd.mp4", _numbers(12, width=321, height=181), pixel_format="yuv444p")


def transport_stream(folder: Path) -> Path:
    return encode(folder / "stream.ts", _numbers(), options={"g": "24"})


def webm_vp9(folder: Path) -> Path:
    return encode(folder / "nine.webm", _numbers(40), codec="libvpx-vp9", options={"g": "16", "deadline": "realtime"})


HIDDEN_VP8 = (5, 21)


def webm_vp8_hidden_pictures(folder: Path) -> Path:
    """Two pictures are marked as not shown, as encoders mark those that others only refer to (RFC 6386, section 9.1)."""
    plain = encode(folder / "shown.webm", _numbers(40), codec="libvpx", options={"g": "16", "deadline": "realtime"})
    path = folder / "eight.webm"
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.dts is None:
                continue
            data = bytearray(bytes(packet))
            if number in HIDDEN_VP8:
                data[0] &= ~0x10
            changed = av.Packet(bytes(data))
            changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
            changed.is_keyframe, changed.stream = packet.is_keyframe, stream
            target.mux(changed)
    return path


def hevc(folder: Path) -> Path:
    options = {"x265-params": "keyint=20:bframes=4:log-level=none:pools=1:frame-threads=1", "preset": "ultrafast"}
    return encode(folder / "high.mp4", _numbers(50), codec="libx265", options=options)


def ten_bit(folder: Path) -> Path:
    return encode(folder / "ten.mp4", _numbers(30), pixel_format="yuv420p10le", options={"g": "12"})


def grey(folder: Path) -> Path:
    return encode(folder / "grey.mp4", _numbers(30), pixel_format="gray", options={"g": "12"})


def avi_mpeg4(folder: Path) -> Path:
    return encode(folder / "old.avi", _numbers(30), codec="mpeg4", options={"g": "12", "bf": "2"})


def raw_h264(folder: Path) -> Path:
    return encode(folder / "raw.h264", _numbers(30), options={"g": "12"}, container_options={})


def depth_of_reordering_unstated(folder: Path) -> Path:
    """B-frames that refer to B-frames, in a stream whose parameters do not say how deep they are nested."""
    options = {"g": "24", "profile": "main", "x264-params": "b-pyramid=normal:bframes=4:b-adapt=0:ref=4"}
    path = encode(folder / "unstated.mp4", _numbers(), options=options)
    data = bytearray(path.read_bytes())
    start = data.index(b"avcC") + 12
    _clear_restrictions(data, start, int.from_bytes(data[start - 2 : start], "big"))
    path.write_bytes(data)
    return path


def _clear_restrictions(data: bytearray, start: int, size: int) -> None:
    """Clears bitstream_restriction_flag in the parameter set at `start` (ITU-T H.264, 7.3.2.1.1 and E.1.1, main profile)."""
    places = [i for i in range(start + 4, start + size) if not (data[i] == 3 and data[i - 2 : i] == b"\0\0")]
    bits = "".join(f"{data[i]:08b}" for i in places)
    at = 0

    def fixed(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at], 2)

    def golomb() -> int:
        zeros = bits.index("1", at) - at
        return fixed(2 * zeros + 1) - 1

    golomb()  # seq_parameter_set_id
    golomb()  # log2_max_frame_num
    if golomb() == 0:  # pic_order_cnt_type
        golomb()
    golomb()  # max_num_ref_frames
    fixed(1)
    golomb()  # width
    golomb()  # height
    if not fixed(1):  # frame_mbs_only
        fixed(1)
    fixed(1)
    if fixed(1):  # cropping
        for _ in range(4):
            golomb()
    assert fixed(1), "no video usability information"
    if fixed(1) and fixed(8) == 255:  # aspect ratio
        fixed(32)
    if fixed(1):  # overscan
        fixed(1)
    if fixed(1):  # video signal type
        fixed(4)
        if fixed(1):
            fixed(24)
    if fixed(1):  # chroma location
        golomb()
        golomb()
    if fixed(1):  # timing
        fixed(65)
    assert not fixed(2), "buffering parameters are not expected"
    fixed(1)  # pic_struct_present
    assert bits[at] == "1", "the restrictions are not stated in the first place"
    data[places[at // 8]] &= ~(0x80 >> at % 8)


CLIPS: dict[str, tuple[Callable[[Path], Path], list[int]]] = {
    make.__name__: (make, list(numbers))
    for make, numbers in (
        (constant_rate, range(LONG)),
        (no_b_frames, range(LONG)),
        (one_key_frame, range(LONG)),
        (open_gop, range(LONG)),
        (depth_of_reordering_unstated, range(LONG)),
        (variable_rate, range(LONG)),
        (edit_list, range(HIDDEN, LONG)),
        (rotated_90, range(20)),
        (rotated_180, range(20)),
        (rotated_270, range(20)),
        (single_frame, range(1)),
        (odd_size, range(12)),
        (transport_stream, range(LONG)),
        (webm_vp9, range(40)),
        (webm_vp8_hidden_pictures, [i for i in range(40) if i not in HIDDEN_VP8]),
        (hevc, range(50)),
        (ten_bit, range(30)),
        (grey, range(30)),
        (avi_mpeg4, range(30)),
        (raw_h264, range(30)),
    )
}
"""Maker and the numbers that a player shows, in order."""
