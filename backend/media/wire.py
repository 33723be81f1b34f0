"""Messages between a guarded child and its parent: JSON with raw arrays beside it, safe to read from anyone."""

import json
import struct
from typing import Any, BinaryIO, Protocol

import numpy as np

from backend.domain import MediaError

MAX_MESSAGE = 2**31
ARRAY_KINDS = "biuf"  # bool, integers, floats: never objects, which would need pickle


class Readable(Protocol):
    """Something that gives bytes; an empty answer means the end."""

    def read(self, size: int, /) -> bytes: ...


def send(stream: BinaryIO | Any, value: Any) -> None:
    """Writes one message. Raises TypeError for values other than None, bool, int, float, str, bytes, arrays, list, dict."""
    blobs: list[bytes] = []
    text = json.dumps(_pack(value, blobs)).encode()
    sizes = [len(text), *map(len, blobs)]
    stream.write(struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes))
    stream.write(text)
    for blob in blobs:
        stream.write(blob)
    stream.flush()


def receive(stream: Readable) -> Any:
    """Reads one message. Raises EOFError at the end of the stream and MediaError for a message that is malformed."""
    count = struct.unpack("<I", _exactly(stream, 4))[0]
    if not 1 <= count <= 100_000:
        raise MediaError(f"a guarded child sent {count} parts", kind="crash")
    sizes = struct.unpack(f"<{count}Q", _exactly(stream, 8 * count))
    if sum(sizes) > MAX_MESSAGE:
        raise MediaError(f"a guarded child sent {sum(sizes)} bytes, the limit is {MAX_MESSAGE}", kind="crash")
    text, *blobs = (_exactly(stream, size) for size in sizes)
    try:
        return _unpack(json.loads(text), blobs)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise MediaError(f"a guarded child sent a malformed answer: {error}", kind="crash") from error


def _exactly(stream: Readable, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _pack(value: Any, blobs: list[bytes]) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            blobs.append(value)
            return {"bytes": len(blobs) - 1}
        case np.ndarray() if value.dtype.kind in ARRAY_KINDS:
            blobs.append(np.ascontiguousarray(value).tobytes())
            return {"array": len(blobs) - 1, "dtype": value.dtype.str, "shape": value.shape}
        case np.generic():
            return _pack(value.item(), blobs)
        case list() | tuple():
            return [_pack(item, blobs) for item in value]
        case dict():
            return {"dict": [[str(key), _pack(item, blobs)] for key, item in value.items()]}
        case _:
            raise TypeError(f"a guarded call cannot carry {type(value).__name__}")


def _unpack(packed: Any, blobs: list[bytes]) -> Any:
    match packed:
        case {"bytes": number}:
            return blobs[number]
        case {"array": number, "dtype": str(code), "shape": list(shape)}:
            dtype = np.dtype(code)
            if dtype.kind not in ARRAY_KINDS:
                raise ValueError(f"array of {code}")
            return np.frombuffer(blobs[number], dtype).reshape(shape).copy()
        case {"dict": list(items)}:
            return {key: _unpack(item, blobs) for key, item in items}
        case list():
            return [_unpack(item, blobs) for item in packed]
        case dict():
            raise ValueError("unknown object")
        case _:
            return packed
