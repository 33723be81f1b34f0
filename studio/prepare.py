"""What a page needs before it can show a trial, fetched and decoded away from the GUI thread."""

from dataclasses import dataclass, field

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QImageReader

from backend.api import Api, PairRow, QueueState
from backend.domain import VERIFY_STUDY, Form, MediaError, StudioError, Trial
from studio.player.decoder import Reel
from studio.sessions.verify import Wanted

LARGEST_STILL_PX = 2048
"""Long edge to which stills are scaled when loaded: more than a 4K pane shows of half a window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """An answer of the queue, with the forms and (in the verify study) the pair rows that its trials need."""

    trials: tuple[Trial, ...]
    forms: dict[str, Form]
    state: QueueState
    pairs: dict[str, PairRow] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Pictures and clips of one trial by slot; `missing` says in a sentence why one cannot be shown."""

    images: dict[str, QImage]
    reels: dict[str, Reel]
    missing: dict[str, str]


def fetch_batch(api: Api, study_id: str, rater: str, *, wanted: Wanted) -> Batch:
    """Leases the next trials and gathers what goes with them. Raises StudioError."""
    trials = api.next_trials(study_id=study_id, rater=rater, limit=wanted.limit, skip=wanted.skip)
    forms = {name: api.form(name=name) for name in sorted({trial.form for trial in trials})}
    pairs = {}
    if study_id == VERIFY_STUDY:
        pairs = {trial.item_id: api.pair(pair_id=trial.item_id) for trial in trials}
    return Batch(trials=trials, forms=forms, state=api.queue_state(study_id=study_id, rater=rater), pairs=pairs)


def prepare(api: Api, trial: Trial) -> Prepared:
    """Loads stills and finds the previews of a trial; a medium that cannot be had becomes a sentence, not an error."""
    images: dict[str, QImage] = {}
    reels: dict[str, Reel] = {}
    missing: dict[str, str] = {}
    for stimulus in trial.stimuli:
        for media_id in (stimulus.media, stimulus.clip_media):
            if media_id is None:
                continue
            try:
                file = api.media(media_id=media_id)
                if file.num_frames > 0:
                    reels[stimulus.slot] = Reel(path=file.path, num_frames=file.num_frames, fps=file.fps)
                else:
                    images[stimulus.slot] = _still(file.path)
            except StudioError as error:
                missing[stimulus.slot] = str(error)
    return Prepared(images=images, reels=reels, missing=missing)


def _still(path: str) -> QImage:
    reader = QImageReader(path)
    reader.setAutoTransform(True)
    size = reader.size()
    if max(size.width(), size.height()) > LARGEST_STILL_PX:
        reader.setScaledSize(size.scaled(LARGEST_STILL_PX, LARGEST_STILL_PX, Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    if image.isNull():
        raise MediaError(f"the picture cannot be shown: {reader.errorString()}; run the stage that made it again")
    return image
