"""Files that claim much cost little: the header gate refuses them, and what a header hides the decoder's own limit stops."""

import io
from pathlib import Path

import pytest
from PIL import Image

from backend.domain import MediaError
from backend.media import container
from backend.media.guard import close_children, guarded_probe, run_guarded
from backend.media.images import MAX_PIXELS, read_rgba
from backend.media.index import decode_all
from backend.media.probe import Limits, is_picture
from backend.media.reader import VideoReader
from backend.media.writer import write_video
from tests.backend.media.counted_clips import barcode
from tests.promises import Tally
from tests.untrusted.bombs import HUGE, SMALL, gif, h264, png, write_many_streams
from tests.untrusted.reading import Survey, look_at, peak_bytes, read_with_ours, survey

MOST_BYTES = 400 * 2**20


def write_bombs(folder: Path, *, gif_frames: int) -> list[Path]:
    """Each of at most a few megabytes."""
    held = {
        "huge.h264": h264(HUGE),
        "later.h264": h264(SMALL, HUGE, SMALL, pictures=12),
        "huge.png": png(50_000, 50_000),
        "animated.png": png(64, 64, frames=1_000_000),
        "many.gif": gif(gif_frames),
    }
    for name, data in held.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in held]


@pytest.mark.promise(
    "a small file that claims 12000 x 12000 pixels at its start or later on, 50000 x 50000, or a million frames costs under 400 MiB",
    area="Untrusted files",
    goal="0 lost of 5 bombs, each within 10 s",
    control="tests/untrusted/test_bombs.py::test_without_the_decoders_limit_a_bomb_goes_off",
)
@pytest.mark.slow
def test_bombs_cost_little(tmp_path: Path, long: bool, tally: Tally) -> None:
    found = Survey()
    for path in write_bombs(tmp_path, gif_frames=1_000_000 if long else 20_000):
        close_children()  # the most that a child has held is counted over its life
        survey([path], look_at, found, most_bytes=MOST_BYTES)
    tally.record(found.tried, lost=len(found.lost), note=found.note)
    assert found.lost == []
    assert found.kinds["crash"] == found.kinds["memory"] == 0
    assert (
        found.kinds["frames"] + found.kinds["timeout"] == 2
    )  # of those that change size later, or are many: a slow machine


@pytest.mark.slow
def test_without_the_decoders_limit_a_bomb_goes_off(tmp_path: Path) -> None:
    (tmp_path / "bomb.h264").write_bytes(h264(SMALL, HUGE, pictures=2))
    close_children()
    found = survey([tmp_path / "bomb.h264"], read_without_limits, Survey(), most_bytes=MOST_BYTES)
    close_children()
    assert len(found.lost) == 1
    assert "MiB" in found.lost[0]


def read_without_limits(path: str) -> list[int]:
    """As it was before decoders had a limit of their own. For a child, which is not used afterwards."""
    container.DECODER_LIMITS.clear()
    return [sum(1 for _ in decode_all(path)), peak_bytes()]


def test_pictures_after_a_change_of_size_are_still_read(tmp_path: Path) -> None:
    (tmp_path / "later.h264").write_bytes(h264(SMALL, HUGE, SMALL, pictures=12))
    assert run_guarded(read_with_ours, (str(tmp_path / "later.h264"),))[0] == 24


def test_headers_are_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    write_many_streams(tmp_path / "many.mkv", 9)
    write_many_streams(tmp_path / "few.mkv", 8)
    write_video(tmp_path / "fast.mp4", [barcode(n) for n in range(12)], fps=250.0)
    assert refusal(tmp_path / "many.mkv") == (
        "header",
        "9 streams of picture and sound and 0 others, the limits are 8 and 64; write it with those that are needed",
    )
    assert refusal(tmp_path / "few.mkv")[0] == "no_video"
    kind, reason = refusal(tmp_path / "fast.mp4")
    assert kind == "header" and reason.startswith("claims 250 frames per second, the limit is 240; write it with fewer; ")
    for name in ("many.mkv", "fast.mp4"):  # what Studio and every other reader opens meets the same gate
        with pytest.raises(MediaError, match="limit"):
            VideoReader(tmp_path / name)
    write_video(tmp_path / "long.mkv", [barcode(n) for n in range(3)], fps=1.0, times_s=[0.0, 1.0, 8 * 86_400.0])
    kind, reason = refusal(tmp_path / "long.mkv")
    assert kind == "too_large" and "the limit is 604800 s; cut it into parts; if the header is wrong, " in reason
    with pytest.raises(MediaError, match="claims 12 frames, the limit is 11"):
        guarded_probe(tmp_path / "fast.mp4", limits=Limits(max_frames=11, max_fps=1000))


def refusal(path: Path) -> tuple[str, str]:
    with pytest.raises(MediaError) as raised:
        guarded_probe(path)
    return raised.value.kind, str(raised.value).partition(": ")[2]


def test_whoever_opens_a_picture_is_refused_one_that_claims_too_much() -> None:
    claims = png(10_001, MAX_PIXELS // 10_000)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(claims))
    with pytest.raises(MediaError, match="claims 100010000 pixels, the limit is 100 million") as raised:
        read_rgba(claims)
    assert raised.value.kind == "too_large"


def test_a_gif_is_not_counted_to_learn_that_it_moves(tmp_path: Path) -> None:
    (tmp_path / "cut.gif").write_bytes(gif(3)[:-30])  # its third picture is cut off: whoever counts meets the damage
    assert not is_picture(tmp_path / "cut.gif")
    (tmp_path / "one.gif").write_bytes(gif(1))
    assert is_picture(tmp_path / "one.gif")
