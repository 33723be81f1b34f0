"""What participants see: every video of a study in one class, and references, without anything that tells their maker."""

import hashlib
import json
import threading
from pathlib import Path

from backend.api import MediaFile
from backend.domain import ProjectError
from backend.domain.project_care import StorageCleared
from backend.domain.studies import StudyDesign, StudyItem
from backend.media.guard import guarded_probe, run_guarded
from backend.media.study_copies import StudyClass, StudyVideo, class_for, write_study_copy, write_study_picture
from backend.studies.design import Assigned
from backend.studies.kinds import kind_of
from backend.workspace.disk_use import clear_files
from backend.workspace.study_shelf import StudyShelf

NOISE = 45.0  # of 255: a gold copy that nobody takes for the better one
SOUND_ASPECT = "av_sync"
"""The question that needs sound; in other studies nobody hears any, since not every system makes it."""
WALL_S = 300.0
_PREFIX = "t-"
_REFERENCE = "reference_"


class StudyMediaLibrary:
    """Files by the opaque ids of trials; made when first asked for and kept under names that tell nothing."""

    def __init__(self, shelf: StudyShelf, folder: Path) -> None:
        self._shelf = shelf
        self._folder = folder
        self._lock = threading.Lock()

    def find(self, media_id: str) -> MediaFile | None:
        """None for an id of another kind. Raises ProjectError when the file is gone, MediaError when it cannot be read."""
        if not media_id.startswith(_PREFIX):
            return None
        trial_id, _, slot = media_id.removeprefix(_PREFIX).partition("-")
        design, item, assigned = self._shelf.trial(trial_id)
        source = _source(design, item, assigned, slot)
        if source is None:
            raise ProjectError(f"media {media_id[:80]!r} does not exist in this project; ask for the trials again")
        if slot.startswith(_REFERENCE):
            return self._picture(design, source[0])
        return self._clip(design, *source)

    def prepare(self, design: StudyDesign, *, limit: int) -> int:
        """Makes up to `limit` copies that are not there yet; gives how many are still missing. Raises as `find`."""
        every = sorted({(media.path, media.treatment) for item in design.items for media in item.media})
        missing = [one for one in every if self._made(design, *one) is None]
        for path, treatment in missing[:limit]:
            self._clip(design, path, treatment)
        return len(missing[limit:])

    def clear(self) -> StorageCleared:
        """Deletes every copy; one is made again when it is asked for, in the class that its study was shown in."""
        with self._lock:
            return clear_files([path for path in self._folder.rglob("*") if path.suffix in (".mp4", ".jpg")])

    def _picture(self, design: StudyDesign, path: str) -> MediaFile:
        out = self._place(design, path, "").with_suffix(".jpg")
        with self._lock:
            if not out.exists():
                out.parent.mkdir(parents=True, exist_ok=True)
                run_guarded(copy_picture, (path, str(out)), subject=Path(path).name, wall_s=WALL_S)
        return MediaFile(path=str(out), mime="image/jpeg")

    def _clip(self, design: StudyDesign, path: str, treatment: str) -> MediaFile:
        """One is made at a time; those that are there are given meanwhile."""
        made = self._made(design, path, treatment)
        if made is None:
            with self._lock:
                made = self._made(design, path, treatment) or self._make(design, path, treatment)
        num_frames = int(made.stem.rpartition("-")[2])
        rate = self._class_of(design, made.parent).rate
        return MediaFile(path=str(made), mime="video/mp4", num_frames=num_frames, fps=float(rate))

    def _make(self, design: StudyDesign, path: str, treatment: str) -> Path:
        """The number of frames stands in the file's name, so that it need not be counted again."""
        place = self._place(design, path, treatment)
        place.parent.mkdir(parents=True, exist_ok=True)
        wanted = self._class_of(design, place.parent)
        draft = place.with_suffix(".mp4")
        arguments = (path, str(draft), wanted.to_plain(), NOISE if treatment else 0.0)
        num = run_guarded(copy_clip, arguments, subject=Path(path).name, wall_s=WALL_S, cpu_s=WALL_S)
        return draft.rename(draft.with_name(f"{place.name}-{num}.mp4"))

    def _made(self, design: StudyDesign, path: str, treatment: str) -> Path | None:
        place = self._place(design, path, treatment)
        return next(place.parent.glob(f"{place.name}-*.mp4"), None)

    def _place(self, design: StudyDesign, path: str, treatment: str) -> Path:
        """Where a copy stands, without its ending; another one for a file that was changed."""
        file = Path(path)
        if not file.is_file():
            raise ProjectError(f"a file of study {design.name} is missing: {file}; put it back, then ask again")
        facts = file.stat()
        key = f"{file.resolve()}\n{facts.st_size}\n{facts.st_mtime_ns}\n{treatment}"
        name = hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
        return self._folder / design.id / name

    def _class_of(self, design: StudyDesign, folder: Path) -> StudyClass:
        """The class of all videos of a study, found once and kept, so that a file that changes later changes no other."""
        kept = folder / "class.json"
        if not kept.exists():
            found = class_for([_facts(path, design) for path in sorted({m.path for i in design.items for m in i.media})])
            draft = kept.with_suffix(".draft")
            draft.write_text(json.dumps(found.to_plain()), encoding="utf-8")
            draft.replace(kept)
        return StudyClass.from_plain(json.loads(kept.read_text("utf-8")))


def copy_clip(path: str, out: str, wanted: dict, noise: float) -> int:
    """`write_study_copy` in a guarded process."""
    return write_study_copy(path, out, StudyClass.from_plain(wanted), noise=noise)


def copy_picture(path: str, out: str) -> int:
    """`write_study_picture` in a guarded process, whole or not at all."""
    draft = Path(out).with_suffix(".draft")
    num = write_study_picture(path, draft)
    draft.replace(out)
    return num


def _facts(path: str, design: StudyDesign) -> StudyVideo:
    if not Path(path).is_file():
        raise ProjectError(f"a file of study {design.name} is missing: {path}; put it back, then ask again")
    found = guarded_probe(path)
    return StudyVideo(
        width=found.width,
        height=found.height,
        fps=found.fps,
        has_sound=found.has_audio and SOUND_ASPECT in design.aspects,
    )


def _source(design: StudyDesign, item: StudyItem, assigned: Assigned, slot: str) -> tuple[str, str] | None:
    """The file of a panel and its treatment; None for a panel that the trial does not have."""
    slots = kind_of(design.kind).slots(len(item.systems))
    if slot in slots:
        media = item.media[assigned.order[slots.index(slot)]]
        return media.path, media.treatment
    number = slot.removeprefix(_REFERENCE)
    if slot.startswith(_REFERENCE) and number.isdecimal() and 1 <= int(number) <= len(item.references):
        return item.references[int(number) - 1], ""
    return None
