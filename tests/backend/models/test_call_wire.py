"""What comes through a socket as it went in, and what may not come at all."""

import os
import pickle
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from backend.domain import Absent, Detection, Footage, MediaError, ModelUnavailable
from backend.domain.errors import ModelFailed
from backend.models import call_wire
from backend.models.call_wire import Answer, Ask, BoundModel, CallWire, Fault, Frames, Read, ReadersHere, portable
from backend.models.remote_role import plain_attributes
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, clip_item

MODEL = BoundModel("Detector", "module:Class", "", "float32")


@pytest.fixture
def ends() -> Iterator[tuple[CallWire, CallWire]]:
    ours, theirs = socket.socketpair()
    yield CallWire(ours), CallWire(theirs)
    ours.close()
    theirs.close()


def through(ends: tuple[CallWire, CallWire], message: object) -> object:
    ends[0].send(message)
    return ends[1].receive()


def test_arrays_come_as_they_went(ends: tuple[CallWire, CallWire]) -> None:
    arrays = (
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        np.array([True, False]),
        np.array([np.nan, -0.0], np.float32),
        np.zeros((0, 5), np.float64),
        np.float32(0.1),
    )
    back = through(ends, Ask("1", "bulk", MODEL, "m", arrays)).args  # type: ignore[attr-defined]
    for went, came in zip(arrays, back, strict=True):
        assert (came.dtype, came.shape, came.tobytes()) == (went.dtype, went.shape, went.tobytes())
    back[0][0] = 7  # as a model's own arrays, they may be written to


def test_slices_and_transposed_arrays_keep_their_values(ends: tuple[CallWire, CallWire]) -> None:
    whole = np.arange(60, dtype=np.int32).reshape(6, 10)
    for view in (whole[::2, 1:5], whole.T, whole[:, ::-1]):
        assert (through(ends, Answer("1", view)).value == view).all()  # type: ignore[attr-defined]


def test_records_and_reasons_come_as_they_went(ends: tuple[CallWire, CallWire]) -> None:
    found = [Detection(frame=3, box=(0.0, 1.0, 2.0, 3.5), score=0.5, kind="object", label="a mug")]
    assert through(ends, Answer("1", found)) == Answer("1", found)
    assert through(ends, Answer("1", Absent("no face"))).value.reason == "no face"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "error",
    [
        MediaError("clip ends", kind="truncated"),
        ModelFailed("too much", kind="out_of_memory"),
        ModelUnavailable("set models.Detector"),
        ValueError("3 boxes"),
        KeyError("face"),
    ],
)
def test_errors_come_as_they_went(ends: tuple[CallWire, CallWire], error: Exception) -> None:
    came = through(ends, Fault("1", portable(error))).error  # type: ignore[attr-defined]
    assert (type(came), str(came), getattr(came, "kind", "")) == (type(error), str(error), getattr(error, "kind", ""))


def test_error_of_a_library_becomes_its_words() -> None:
    class StrangeError(Exception):
        pass

    assert repr(portable(StrangeError("odd"))) == "RuntimeError('StrangeError: odd')"


class _Runs:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize("harmful", [_Runs(), os.system, pickle.Unpickler, eval, socket.socket])
def test_what_could_run_code_is_not_read(ends: tuple[CallWire, CallWire], harmful: object) -> None:
    with pytest.raises(pickle.UnpicklingError, match="may not come"):
        through(ends, Answer("1", harmful))


@pytest.mark.parametrize("name", ["json.codecs.builtins.eval", "json", "json.loads", "hashlib.new"])
def test_no_way_leads_through_what_a_module_imports(ends: tuple[CallWire, CallWire], name: str) -> None:
    """As a hostile peer would write it: `backend.domain.people` imports json, which imports codecs, which imports builtins."""
    called = b"\x80\x04\x8c\x15backend.domain.people\x8c" + bytes([len(name)]) + name.encode() + b"\x93\x8c\x031+1\x85R."
    ends[0].socket.sendall(call_wire._HEAD.pack(len(called), 0) + called)
    with pytest.raises(pickle.UnpicklingError, match="may not come"):
        ends[1].receive()


def test_other_end_that_has_gone_is_an_end_of_file(ends: tuple[CallWire, CallWire]) -> None:
    ends[0].close()
    with pytest.raises(EOFError):
        ends[1].receive()


def test_readers_stay_where_they_are() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (7, 4, 6, 3), np.uint8)
    footage = StageContext(ArrayReader(frames)).footage(clip_item(frames))
    ours, theirs = socket.socketpair()
    readers: list[object] = []
    CallWire(ours).send(Ask("1", "bulk", MODEL, "detect", (footage, [1, 2], footage)), readers=readers)
    here = ReadersHere(readers)
    came = CallWire(theirs, ask_back=lambda asked: here(asked)).receive()
    remote: Footage = came.args[0]
    assert len(readers) == 1
    assert (remote.reader.num_frames, remote.reader.width, remote.reader.height) == (7, 6, 4)
    assert (remote.reader.times_s == footage.reader.times_s).all()
    assert (remote.reader.at([5, 0]) == frames[[5, 0]]).all()
    streamed = list(remote.reader.stream(1, 7, step=2, chunk=2))
    assert [first for first, _ in streamed] == [first for first, _ in footage.reader.stream(1, 7, step=2, chunk=2)]
    assert (np.concatenate([part for _, part in streamed]) == frames[1:7:2]).all()
    ours.close()
    theirs.close()


def test_reader_answers_only_what_readers_do() -> None:
    with pytest.raises(ValueError, match="no 'close'"):
        ReadersHere([object()])(Read(0, "close"))
    assert Frames(None).error is None


def test_public_numbers_and_texts_of_a_model_are_told() -> None:
    class Model:
        @property
        def num_frames(self) -> int:
            return 8

        def __init__(self) -> None:
            self.model_id, self._secret, self.network = "x@1", 1, object()

    assert plain_attributes(Model()) == {"model_id": "x@1", "num_frames": 8}
