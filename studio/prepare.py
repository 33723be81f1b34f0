"""What a page needs before it can show a trial, fetched and decoded away from the GUI thread."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QImageReader

from backend.api import Api, MediaFile, PairRow, QueueState
from backend.domain import (
    VERIFY_STUDY,
    Form,
    MediaError,
    Panel,
    ProjectError,
    ServiceError,
    SettingsError,
    Stimulus,
    StudioError,
    Trial,
)
from studio.player.decoder import Reel
from studio.sessions.verify import Wanted
from studio.texts import language, text

LARGEST_STILL_PX = 2048
"""Long edge to which stills are scaled when loaded: more than a 4K pane shows of half a window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """An answer of the queue, with the forms that its trials need."""

    trials: tuple[Trial, ...]
    forms: dict[str, Form]
    state: QueueState | None
    """None where somebody waits for the trials: those after them bring it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stills:
    """Pictures of one trial by slot, and its pair's row; `missing` says in a sentence why one cannot be shown."""

    images: dict[str, QImage]
    missing: dict[str, str]
    pair: PairRow | None = None
    """In the verify study."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clips:
    """Clips of one trial by slot; `missing` says in a sentence why one cannot be played."""

    reels: dict[str, Reel]
    missing: dict[str, str]

    @property
    def are_there(self) -> bool:
        """False once one was cleared away, by a person or to keep the cache small."""
        return all(Path(reel.path).exists() for reel in self.reels.values())


def fetch_batch(api: Api, study_id: str, rater: str, *, wanted: Wanted, forms: Mapping[str, Form], waited: bool) -> Batch:
    """Leases the next trials and gathers what goes with them, but for `forms` that are known. Raises StudioError."""
    trials = api.next_trials(study_id=study_id, rater=rater, limit=wanted.limit, skip=wanted.skip)
    needed = sorted({trial.form for trial in trials})
    forms = {name: forms[name] if name in forms else form_in_language(api, name) for name in needed}
    state = None if waited and trials else api.queue_state(study_id=study_id, rater=rater)
    return Batch(trials=trials, forms=forms, state=state)


def form_in_language(api: Api, name: str) -> Form:
    """A form in the window's language where it is shipped in that, else as the trial names it. Raises StudioError."""
    if language() != "en":
        try:
            return replace(api.form(name=f"{name}_{language()}"), name=name)
        except (ProjectError, SettingsError):
            pass  # a study's form has the study's language
    return api.form(name=name)


def still_of(panel: Panel, stimulus: Stimulus) -> str | None:
    """The picture of a panel: its medium, unless that is the video itself."""
    shows_still = panel.shows == "image" or (panel.shows == "video" and stimulus.clip_media is not None)
    return stimulus.media if shows_still else None


def clip_of(panel: Panel, stimulus: Stimulus) -> str | None:
    """The clip of a panel: the one under its picture, else its medium where the panel shows video."""
    if panel.shows == "text":
        return None
    return stimulus.clip_media or (stimulus.media if panel.shows == "video" else None)


def load_stills(api: Api, trial: Trial, form: Form) -> Stills:
    """The pictures of a trial's image panels, and its pair. Raises ServiceError; other failures become sentences."""
    images: dict[str, QImage] = {}
    missing: dict[str, str] = {}
    panels = {panel.slot: panel for panel in form.panels}
    for stimulus in trial.stimuli:
        media_id = still_of(panels[stimulus.slot], stimulus)
        if media_id is None:
            continue
        try:
            images[stimulus.slot] = read_still(api.media(media_id=media_id).path)
        except ServiceError:
            raise
        except StudioError as error:
            missing[stimulus.slot] = str(error)
    return Stills(images=images, missing=missing, pair=_pair_of(api, trial))


def find_clips(api: Api, trial: Trial, form: Form) -> Clips:
    """The previews of a trial, all asked for at once: the service makes what is missing. Raises ServiceError, as `load_stills`."""
    reels: dict[str, Reel] = {}
    missing: dict[str, str] = {}
    panels = {panel.slot: panel for panel in form.panels}
    wanted = {one.slot: clip for one in trial.stimuli if (clip := clip_of(panels[one.slot], one)) is not None}
    for slot, found in _media(api, wanted):
        if isinstance(found, StudioError):
            missing[slot] = str(found)
        elif found.num_frames > 0 and found.fps > 0:
            reels[slot] = Reel(path=found.path, num_frames=found.num_frames, fps=found.fps)
        else:
            missing[slot] = text("judge.no_clip_but", mime=found.mime)
    return Clips(reels=reels, missing=missing)


def _pair_of(api: Api, trial: Trial) -> PairRow | None:
    """None where the trial is of no pair, or of one that is gone since it was leased. Raises ServiceError."""
    if trial.study_id != VERIFY_STUDY:
        return None
    try:
        return api.pair(pair_id=trial.item_id)
    except ServiceError:
        raise
    except StudioError:
        return None


def read_still(path: str) -> QImage:
    """A picture, upright, at most LARGEST_STILL_PX long. Raises MediaError."""
    reader = QImageReader(path)
    reader.setAutoTransform(True)
    size = reader.size()
    if max(size.width(), size.height()) > LARGEST_STILL_PX:
        reader.setScaledSize(size.scaled(LARGEST_STILL_PX, LARGEST_STILL_PX, Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    if image.isNull():
        raise MediaError(f"the picture cannot be shown: {reader.errorString()}; run the stage that made it again")
    # Crops are cut out along their masks: what lies under the transparent part is arbitrary and must not be seen.
    alpha = image.hasAlphaChannel()
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied if alpha else QImage.Format.Format_RGB32)


def _media(api: Api, wanted: dict[str, str]) -> Iterator[tuple[str, MediaFile | StudioError]]:
    """The files of media ids by slot, or why there is none. Raises ServiceError."""
    if not wanted:
        return

    def find(media_id: str) -> MediaFile | StudioError:
        try:
            return api.media(media_id=media_id)
        except ServiceError:
            raise
        except StudioError as error:
            return error

    with ThreadPoolExecutor(len(wanted), thread_name_prefix="media") as sides:
        yield from zip(wanted, sides.map(find, wanted.values()), strict=True)
