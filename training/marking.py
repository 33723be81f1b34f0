"""What is put on a finished video: a watermark where one is wanted, and the signed mark that says how it was made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from backend.domain import MediaError, SettingsError
from backend.measures.watermark import MAX_P, PUBLIC_KEY, detect, labelled, watermarked
from backend.media.content import read_content, write_comment
from backend.media.reader import VideoReader
from backend.media.writer import write_video
from backend.provenance import KeyRing, Signer, comment_of, make_mark
from backend.provenance.check import MARK
from backend.provenance.watermark_keys import fingerprint, read_key
from backend.settings import nearest

WatermarkKind = Literal["none", "visible", "invisible"]
LEAST_SIDE = 192  # pixels; smaller squares hold too little of a tile to be read back surely
CRF = 18  # near lossless, so that scores do not measure the encoder; our choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """How videos of one command are marked."""

    signer: Signer
    watermark: WatermarkKind = "none"
    key: bytes = PUBLIC_KEY

    @property
    def about(self) -> Mapping[str, Any]:
        """What decides the pictures; empty without a watermark."""
        if self.watermark == "none":
            return {}
        return {
            "watermark": {
                "kind": self.watermark,
                **({"key": fingerprint(self.key)} if self.watermark == "invisible" else {}),
            }
        }

    def require_room(self, width: int, height: int) -> None:
        """Raises SettingsError for videos that are too small for the watermark, before one is made."""
        if self.watermark == "invisible" and width * height < LEAST_SIDE * LEAST_SIDE:
            raise SettingsError(
                f"videos of {width}x{height} are too small for an invisible watermark; make them of {LEAST_SIDE}x{LEAST_SIDE} or more "
                "(--set video.width=...), or take --watermark visible or none"
            )

    def write(
        self, frames: np.ndarray, folder: Path, stem: str, *, fps: float, told: Mapping[str, Any], message: int
    ) -> None:
        """`stem.mp4` with its mark and `stem.json` with the same settings and mark, in `folder`.

        `message`: 32 bits that an invisible watermark carries. Raises MediaError where it cannot be read back.
        """
        video, raw = folder / f"{stem}.mp4", folder / f"{stem}-unmarked.mp4"
        told = {**told, **self.about}
        if self.watermark == "visible":
            frames = labelled(frames)
        elif self.watermark == "invisible":
            frames = watermarked(frames, message, key=self.key)
        write_video(raw, frames, fps=fps, crf=CRF, bitexact=True)
        if self.watermark == "invisible":
            self._read_back(raw, message)
            told["watermark"] = {**told["watermark"], "message": f"{message:08x}"}
        token = make_mark(read_content(raw), told, self.signer)
        write_comment(raw, video, comment_of(token))
        raw.unlink()
        text = json.dumps({**told, MARK: token}, indent=2, ensure_ascii=False)
        (folder / f"{stem}.json").write_text(text, encoding="utf-8")

    def _read_back(self, path: Path, message: int) -> None:
        reader = VideoReader(path)
        try:
            found = detect((frame for _, chunk in reader.stream(chunk=8) for frame in chunk), key=self.key, any_scale=False)
            size = f"{reader.num_frames} frames of {reader.width}x{reader.height}"
        finally:
            reader.close()
        if found.message != message:
            raise MediaError(
                f"an invisible watermark cannot be read back from {size} (z {found.z:.1f}, chance {found.p:.0e}, wanted {MAX_P:.0e}); "
                f"make videos of {LEAST_SIDE}x{LEAST_SIDE} or more, or take --watermark visible or none",
                kind="watermark",
            )


def marking(kind: str, key: Path | None, *, keys: KeyRing | None = None) -> Marking:
    """Raises SettingsError for an unknown kind, or a key that is of no use, ProjectError for a signing key that cannot be used."""
    kinds = get_args(WatermarkKind)
    if kind not in kinds:
        raise SettingsError(f"--watermark is {kind!r}{nearest(kind, kinds)}; choose {', '.join(kinds)}")
    if key is not None and kind != "invisible":
        raise SettingsError(f"--watermark-key is for --watermark invisible, not {kind}")
    return Marking(signer=(keys or KeyRing()).signer(), watermark=kind, key=read_key(key) if key else PUBLIC_KEY)  # pyright: ignore[reportArgumentType]
