"""Files that name other files and addresses: nothing but the file itself is opened."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from av.error import FFmpegError

from backend.domain import MediaError
from backend.media.container import FORMATS
from backend.media.guard import guarded_probe
from backend.media.index import build_index
from backend.media.writer import write_video
from tests.backend.media.counted_clips import barcode
from tests.promises import Tally

SUFFIXES = (".mp4", ".m3u8", ".ts", ".mkv", ".webm", ".txt", ".ffconcat", ".mpd", ".sdp", ".gif", ".wav")


class Trap:
    """A server on loopback that counts who comes, and a file that tells whether somebody has read it."""

    def __init__(self, folder: Path) -> None:
        self.secret = folder / "secret.ts"
        write_video(folder / "secret.mkv", [barcode(n) for n in range(4)], fps=25.0)
        with av.open(str(folder / "secret.mkv")) as read, av.open(str(self.secret), "w") as written:
            stream = written.add_stream_from_template(read.streams.video[0])
            for packet in read.demux(read.streams.video[0]):
                if packet.size:
                    packet.stream = stream
                    written.mux(packet)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.connections = 0
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def set(self) -> None:
        """A reading of the secret that gives no frames is seen by its time of access, where the disk keeps those."""
        os.utime(self.secret, (0, self.secret.stat().st_mtime))
        self.connections = 0

    @property
    def caught(self) -> int:
        """How often somebody came or read."""
        return self.connections + (self.secret.stat().st_atime > 1)

    def close(self) -> None:
        self._server.close()

    def _listen(self) -> None:
        while True:
            try:
                came, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            came.close()


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trap]:
    found = Trap(tmp_path_factory.mktemp("trap"))
    yield found
    found.close()


def playlists(trap: Trap) -> dict[str, str]:
    """Texts that FFmpeg's demuxers would follow: to a file, to an address, and to both through the protocols that nest."""
    address = f"http://127.0.0.1:{trap.port}/x.ts"
    targets = (address, f"file://{trap.secret}", str(trap.secret), "file:///etc/passwd", f"tcp://127.0.0.1:{trap.port}",
               f"concat:{trap.secret}|{address}", f"subfile,,start,0,end,0,,:{trap.secret}", f"crypto+{address}", f"async:{address}")  # fmt: skip
    texts: dict[str, Callable[[str], str]] = {
        "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n".format,
        "hls key": (
            '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="{}"\n#EXTINF:1,\nx.ts\n#EXT-X-ENDLIST\n'
        ).format,
        "concat": "ffconcat version 1.0\nfile '{}'\n".format,
        "dash": (
            '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"><Period>'
            '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{}</BaseURL><SegmentBase/>'
            "</Representation></AdaptationSet></Period></MPD>"
        ).format,
        "smil": '<smil><body><video src="{}"/></body></smil>'.format,
    }
    return {f"{kind} {target}": text(target) for kind, text in texts.items() for target in targets}


def follow(trap: Trap, folder: Path, open_file: Callable[[Path], object]) -> tuple[int, list[str]]:
    """How many files were tried, and which of them were followed or read as media. Each text under every name."""
    tried, followed = 0, []
    for what, text in playlists(trap).items():
        for suffix in SUFFIXES:
            path = folder / f"list{suffix}"
            path.write_text(text)
            trap.set()
            try:
                open_file(path)
            except (MediaError, FFmpegError):
                came_to_frames = False
            else:
                came_to_frames = True
            tried += 1
            if trap.caught or came_to_frames:
                followed.append(f"{what} as {suffix}")
    return tried, followed


@pytest.mark.promise(
    "a playlist in a media file's clothes is not followed: no other file is read, no address is asked",
    area="Untrusted files",
    goal="0 connections and 0 readings for 45 playlists of 5 kinds, each under 11 names",
    control="tests/untrusted/test_playlists.py::test_without_the_lists_of_formats_and_protocols_playlists_are_followed",
)
@pytest.mark.slow
def test_no_playlist_is_followed(trap: Trap, tmp_path: Path, tally: Tally) -> None:
    def probed(path: Path) -> None:
        if guarded_probe(path).kind == "other":
            raise MediaError("not media")

    tried, followed = follow(trap, tmp_path, probed)
    tally.record(tried, lost=len(followed))
    assert followed == []
    tried, followed = follow(trap, tmp_path, build_index)  # even where nobody looks at the text first
    tally.record(tried, lost=len(followed))
    assert followed == []


@pytest.mark.slow
def test_without_the_lists_of_formats_and_protocols_playlists_are_followed(trap: Trap, tmp_path: Path) -> None:
    def opened(path: Path) -> None:
        open_all = {
            "protocol_whitelist": "file,http,tcp,concat,subfile,crypto,async",
            "allowed_extensions": "ALL",
            "safe": "0",
        }
        with av.open(str(path), options=open_all, timeout=2.0) as container:
            next(container.decode(video=0))

    _, followed = follow(trap, tmp_path, opened)
    assert any("hls http:" in what for what in followed)
    assert any("concat /" in what for what in followed)


def test_no_format_that_opens_other_files_is_allowed() -> None:
    allowed = {name for names in FORMATS for name in names.split(",")}
    assert not allowed & {
        "concat",
        "hls",
        "applehttp",
        "dash",
        "sdp",
        "rtsp",
        "imf",
        "image2",
        "tee",
        "lavfi",
        "webvtt",
        "srt",
    }
