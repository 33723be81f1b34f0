"""Small files that claim much: pictures larger than any screen, frames without number, streams without end."""

import struct
import zlib
from pathlib import Path

import av
import numpy as np

SMALL, HUGE = 64, 12_000
GIF_PICTURE = bytes.fromhex("21f9040004000000" "2c000000000800080000" "0216 8c2d99872a1cdc33a00275ec95faa8de608c04914c0100".replace(" ", ""))  # fmt: skip


def h264(*sizes: int, pictures: int = 8) -> bytes:
    """A stream of square pictures, so many of each size: parameter sets and intra slices whose blocks are noise."""
    return b"".join(_sps(size) + _pps() + _slice(n % 2) for size in sizes for n in range(pictures))


def png(width: int, height: int, *, frames: int = 0) -> bytes:
    """A header for so many pixels and next to no data; with `frames`, of an animation of so many."""
    animation = _chunk(b"acTL", struct.pack(">II", frames, 0)) if frames else b""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + animation + _chunk(b"IDAT", zlib.compress(bytes(100))) + _chunk(b"IEND", b"")


def gif(frames: int) -> bytes:
    """An animation of 8 x 8 pixels, 43 bytes a frame."""
    head = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + GIF_PICTURE * frames + b"\x3b"


def write_many_streams(path: Path, count: int) -> Path:
    """A Matroska file of `count` sounds of a tenth of a second."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(count)]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
            frame.sample_rate = 8000
            container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _sps(size: int) -> bytes:
    """Constrained baseline, level 5.1 (ITU-T H.264, 7.3.2.1.1)."""
    blocks = size // 16 - 1
    bits = f"{66:08b}{0xC0:08b}{51:08b}" + "".join(map(_golomb, (0, 0, 2, 1))) + "0" + _golomb(blocks) + _golomb(blocks)
    return b"\0\0\0\1\x67" + _payload(bits + "1100")


def _pps() -> bytes:
    """One slice group, CAVLC, no deblocking control (7.3.2.2)."""
    bits = _golomb(0) * 2 + "00" + _golomb(0) * 3 + "000" + _golomb(0) * 3 + "000"
    return b"\0\0\0\1\x68" + _payload(bits)


def _slice(idr: int) -> bytes:
    """The header of an intra slice (7.3.3), and noise."""
    bits = _golomb(0) + _golomb(7) + _golomb(0) + "0000" + _golomb(idr) + "00" + _golomb(0)
    return b"\0\0\0\1\x65" + _payload(bits) + b"\x55" * 200


def _golomb(value: int) -> str:
    """Unsigned Exp-Golomb (9.1)."""
    digits = f"{value + 1:b}"
    return "0" * (len(digits) - 1) + digits


def _payload(bits: str) -> bytes:
    """With its stop bit, and bytes that keep start codes out of it (7.3.1)."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    found, zeros = bytearray(), 0
    for byte in int(bits, 2).to_bytes(len(bits) // 8, "big"):
        if zeros >= 2 and byte <= 3:
            found.append(3)
            zeros = 0
        found.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(found)
