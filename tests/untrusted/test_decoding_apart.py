"""What stages and metrics look at is decoded in a child: a decoder that dies of a video takes no model and no owner along."""

import faulthandler
import os
import resource
import signal
from pathlib import Path

import av
import numpy as np
import pytest

from backend.domain import Item, MediaError, Source, Video
from backend.engine.context import WorkContext, WorkerSettings
from backend.media.index import build_index
from backend.media.reader import VideoReader
from tests.backend.engine.toy_stages import video
from tests.backend.media.counted_clips import constant_rate, number_of
from tests.promises import Tally

WAYS = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGKILL")


def die_at_the_next_frame(name: str) -> int:
    """For a child: whatever it decodes next, it dies of."""

    def dies(self: VideoReader, frame: av.VideoFrame, out: np.ndarray) -> None:
        os.kill(os.getpid(), getattr(signal, name))

    VideoReader._convert = dies  # type: ignore[method-assign]
    return os.getpid()


def item_of(context: WorkContext, path: Path) -> Item:
    index = context.artifacts.put(build_index(path).to_bytes(), "index")
    source = Source(uri=str(path), num_bytes=path.stat().st_size, modified_ns=path.stat().st_mtime_ns)
    made = video(path.name, source_id=source.id, index=index)
    return Item(made.id, {Video: (made,), Source: (source,)})


@pytest.mark.promise(
    "a decoder that dies of a video that a stage looks at takes nobody along; the item fails by name, the next is read",
    area="Untrusted files",
    goal="0 of 4 ways to die reach the process that holds models",
    control="tests/untrusted/test_decoding_apart.py::test_a_decoder_beside_the_models_takes_them_along",
)
@pytest.mark.slow
def test_a_stage_survives_its_decoder(tmp_path: Path, tally: Tally) -> None:
    (tmp_path / "artifacts").mkdir()
    context = WorkContext(WorkerSettings(artifacts=tmp_path / "artifacts", roles={}))
    path = constant_rate(tmp_path)
    reader = context.frames(item_of(context, path))
    for number, name in enumerate(WAYS):
        assert number_of(reader.at([number])[0]) == number
        child = context._source._child.run(die_at_the_next_frame, (name,), subject="", wall_s=20.0, cpu_s=20.0)
        assert child != os.getpid()
        with pytest.raises(MediaError, match=rf"{path.name}: the reading process died \({name}\)") as raised:
            reader.at([10 + number])
        tally.record(1, lost=raised.value.kind != "crash")
        assert raised.value.kind == "crash"
    assert number_of(reader.at([60])[0]) == 60
    context.close()


def test_a_decoder_beside_the_models_takes_them_along(tmp_path: Path) -> None:
    path = constant_rate(tmp_path)
    child = os.fork()
    if not child:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        die_at_the_next_frame("SIGSEGV")
        with VideoReader(path) as reader:
            reader.at([10])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGSEGV
