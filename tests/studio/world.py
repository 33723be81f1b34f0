"""A small service in this process, over pictures and clips drawn on the spot: leases, votes and queues for real.

It answers as `Api` does for the operations that Studio calls. `away` makes it unreachable.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from backend.api import About, Api, MediaFile, PairRow, QueueState
from backend.domain import (
    VERIFY_STUDY,
    Choice,
    Form,
    MediaError,
    Panel,
    Question,
    Receipt,
    ServiceError,
    SettingsError,
    Stimulus,
    Trial,
    Vote,
    digest,
)
from backend.domain.studies import Participant, StudyDesign, StudyPass, StudySummary
from backend.media.writer import write_video

LEASE_S = 600.0
BITS = 12

IDENTITY = Form(
    name="identity",
    title="Identity",
    panels=(
        Panel(slot="target", label="Target", shows="image"),
        Panel(slot="reference", label="Reference", shows="image"),
    ),
    questions=(
        Question(
            name="identity",
            text="Is it the same subject?",
            choices=(
                Choice(value="same", label="Same", key="1"),
                Choice(value="different", label="Different", key="2"),
                Choice(value="near_duplicate", label="Near-duplicate", key="3"),
                Choice(value="unsure", label="Unsure", key="4"),
            ),
            reasons=(
                Choice(value="colour", label="Colour", key="C"),
                Choice(value="shape", label="Shape", key="S"),
                Choice(value="markings", label="Markings or text", key="M"),
                Choice(value="occluded", label="Too hidden to tell", key="O"),
                Choice(value="crop", label="Bad crop", key="B"),
            ),
        ),
    ),
)
PARTS = Form(
    name="parts",
    title="Identity by parts",
    panels=IDENTITY.panels,
    questions=tuple(
        Question(
            name=name,
            text=text,
            choices=(
                Choice(value="yes", label="Yes", key="1"),
                Choice(value="no", label="No", key="2"),
                Choice(value="unsure", label="Unsure", key="3"),
            ),
        )
        for name, text in (("colour", "Is the colour the same?"), ("scene", "Is the scene another one?"))
    ),
)
COMPARE = Form(
    name="preference",
    title="Which video shows the subject better?",
    panels=(Panel(slot="a", label="A", shows="video"), Panel(slot="b", label="B", shows="video")),
    questions=(
        Question(
            name="preference",
            text="Which video is better?",
            choices=(
                Choice(value="a", label="A is better", key="A"),
                Choice(value="tie", label="Tie", key="S"),
                Choice(value="b", label="B is better", key="D"),
                Choice(value="both_bad", label="Both bad", key="X"),
            ),
        ),
    ),
)
SUBJECTS = (
    ("red enamel mug", "product", (178, 58, 46), "mug"),
    ("grey tabby cat", "animal", (128, 128, 134), "cat"),
    ("blue watering can", "product", (52, 92, 150), "mug"),
    ("sandy plush fox", "product", (206, 140, 72), "cat"),
    ("green ceramic vase", "product", (70, 128, 96), "vase"),
    ("white paper lantern", "product", (226, 220, 204), "vase"),
)


@dataclass(slots=True, kw_only=True)
class World:
    """`num_pairs` verify trials and as many A/B trials; files lie under `folder`."""

    folder: Path
    num_pairs: int = 12
    num_scenes: int = 12
    """Pairs beyond this many show the files of the first ones again."""
    num_frames: int = 36
    size: tuple[int, int] = (640, 360)
    fps: float = 24.0
    barcode: bool = False
    form: Form = IDENTITY
    clock: Callable[[], float] = time.monotonic
    away: bool = False
    clip_delay_s: float = 0.0
    """How long the service takes for a preview."""
    stored: dict[str, Vote] = field(default_factory=dict)
    """Current vote by id, highest revision."""
    journal: list[Vote] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """Media ids that cannot be served."""
    refused: set[str] = field(default_factory=set)
    """Item ids whose votes are refused."""
    _leases: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _making: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    @property
    def api(self) -> Api:
        return cast(Api, _Calls(self))

    def trial(self, number: int, study_id: str = VERIFY_STUDY) -> Trial:
        """Trial `number` of a study; even pairs share their subject."""
        scene = number % self.num_scenes
        if study_id != VERIFY_STUDY:
            return Trial(
                study_id=study_id,
                item_id=f"case_{number:04d}",
                form=COMPARE.name,
                stimuli=(
                    Stimulus(slot="a", media=f"clip_{scene}_target"),
                    Stimulus(slot="b", media=f"clip_{scene}_reference"),
                ),
            )
        phrase = SUBJECTS[number % len(SUBJECTS)][0]
        return Trial(
            study_id=study_id,
            item_id=f"pair_{number:04d}",
            form=self.form.name,
            stimuli=(
                Stimulus(
                    slot="target",
                    media=f"crop_{scene}_target",
                    clip_media=f"clip_{scene}_target",
                    text=f"A {phrase} stands on a table by the window while the camera moves slowly to the left.",
                ),
                Stimulus(
                    slot="reference",
                    media=f"crop_{scene}_reference",
                    clip_media=f"clip_{scene}_reference",
                    text=f"Someone puts a {phrase} down in the garden; late light, leaves moving behind it.",
                ),
            ),
            scores=(
                ("appearance_similarity", 0.871 - 0.013 * (number % 9)),
                ("scene_similarity", 0.34),
                ("face_similarity", None),
                ("sharpness_target", 212.4),
                ("sharpness_reference", 187.0),
                ("completeness", 0.93),
                ("aesthetic", 5.12),
            ),
        )

    def number_of(self, media_id: str) -> tuple[str, int, str]:
        kind, number, side = media_id.split("_")
        return kind, int(number), side

    def make(self, media_id: str) -> MediaFile:
        """Draws the picture or clip when it is first asked for."""
        kind, number, side = self.number_of(media_id)
        suffix = "png" if kind == "crop" else "mp4"
        path = self.folder / f"{media_id}.{suffix}"
        with self._making[media_id]:
            if not path.exists():
                if kind == "crop":
                    Image.fromarray(self.crop(number, side)).save(path)
                else:
                    frames = (self.frame(number, side, index) for index in range(self.num_frames))
                    write_video(path, frames, fps=self.fps, gop=12, crf=16, preset="ultrafast")
        if kind == "crop":
            return MediaFile(path=str(path), mime="image/png")
        return MediaFile(path=str(path), mime="video/mp4", num_frames=self.num_frames, fps=self.fps)

    def crop(self, number: int, side: str) -> np.ndarray:
        """uint8 (H, W, 3): the subject, larger, as a crop shows it."""
        size = (480, 480) if side == "target" else (420, 520)
        return draw(number, side, size, at=(0.5, 0.55), scale=0.62)

    def frame(self, number: int, side: str, index: int) -> np.ndarray:
        """uint8 (H, W, 3): the scene at a frame, with its index in white and black bars when `barcode`."""
        along = index / max(self.num_frames - 1, 1)
        picture = draw(number, side, self.size, at=(0.3 + 0.4 * along, 0.6), scale=0.38)
        if self.barcode:
            width = self.size[0] // BITS
            for bit in range(BITS):
                picture[-40:, bit * width : (bit + 1) * width] = 235 if index >> bit & 1 else 20
        return picture


def read_barcode(frame: np.ndarray) -> int:
    """The index that `World.frame` drew, from RGB uint8 (H, W, 3) of any size."""
    height, width, _ = frame.shape
    row = frame[height - max(2, height * 20 // 360), :, :].mean(axis=1)
    step = width // BITS
    return sum(1 << bit for bit in range(BITS) if row[int((bit + 0.5) * step)] > 128)


def draw(number: int, side: str, size: tuple[int, int], *, at: tuple[float, float], scale: float) -> np.ndarray:
    """A simple subject before a soft background; deterministic in its arguments."""
    width, height = size
    _, _, colour, shape = SUBJECTS[number % len(SUBJECTS)]
    if side == "reference" and number % 2:
        colour = (colour[2], colour[0], colour[1])
    picture = _background(number, side, size).copy()
    pen = ImageDraw.Draw(picture)
    x, y, unit = at[0] * width, at[1] * height, scale * height / 2
    dark = tuple(int(c * 0.62) for c in colour)
    light = tuple(min(255, int(c * 1.25 + 20)) for c in colour)
    pen.ellipse((x - unit, y + unit * 0.82, x + unit * 1.1, y + unit * 1.1), fill=(40, 38, 36))
    if shape == "mug":
        pen.arc((x + unit * 0.35, y - unit * 0.5, x + unit * 1.2, y + unit * 0.5), -90, 90, fill=dark, width=int(unit / 5))
        pen.rounded_rectangle((x - unit * 0.7, y - unit, x + unit * 0.7, y + unit), unit / 6, fill=colour)
        pen.rectangle((x - unit * 0.7, y - unit * 0.3, x + unit * 0.7, y - unit * 0.05), fill=light)
    elif shape == "cat":
        for sign in (-1, 1):
            pen.polygon(
                (
                    (x + sign * unit * 0.75, y - unit),
                    (x + sign * unit * 0.1, y - unit * 0.6),
                    (x + sign * unit * 0.8, y - unit * 0.2),
                ),
                fill=dark,
            )
            pen.ellipse((x + sign * unit * 0.3 - 6, y - unit * 0.2, x + sign * unit * 0.3 + 6, y), fill=(20, 22, 20))
        pen.ellipse((x - unit * 0.9, y - unit * 0.8, x + unit * 0.9, y + unit), fill=colour)
        for sign in (-1, 1):
            eye = unit * 0.12
            centre = x + sign * unit * 0.35
            pen.ellipse((centre - eye, y - eye, centre + eye, y + eye), fill=(24, 26, 24))
        pen.polygon(((x - unit * 0.1, y + unit * 0.25), (x + unit * 0.1, y + unit * 0.25), (x, y + unit * 0.38)), fill=dark)
    else:
        pen.ellipse((x - unit * 0.75, y - unit * 0.4, x + unit * 0.75, y + unit), fill=colour)
        pen.rectangle((x - unit * 0.28, y - unit, x + unit * 0.28, y), fill=colour)
        pen.ellipse((x - unit * 0.45, y, x - unit * 0.15, y + unit * 0.55), fill=light)
    return np.asarray(picture).copy()


@lru_cache(maxsize=8)
def _background(number: int, side: str, size: tuple[int, int]) -> Image.Image:
    rng = np.random.default_rng(int(digest((number, side), num_bytes=4), 16))
    coarse = rng.integers(105, 190, (5, 7, 1)) + rng.integers(-12, 13, (5, 7, 3))
    warm = np.array([14, 4, -14]) if side == "target" else np.array([-22, 6, -2])
    field_ = Image.fromarray(np.clip(coarse + warm, 0, 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    picture = field_.filter(ImageFilter.GaussianBlur(size[0] / 40))
    table = ImageDraw.Draw(picture)
    table.rectangle((0, size[1] * 0.8, size[0], size[1]), fill=(96, 78, 62) if side == "target" else (72, 84, 58))
    return picture


@dataclass(slots=True)
class _Calls:
    """The operations of `Api` on a World; every call may find the service away."""

    world: World

    def about(self) -> About:
        self._arrive("about")
        return About(project=str(self.world.folder), version="0.1.0", profile="embedded", recipe="full")

    def form(self, *, name: str) -> Form:
        self._arrive("form")
        forms = {form.name: form for form in (IDENTITY, PARTS, COMPARE, self.world.form)}
        if name not in forms:
            raise SettingsError(f"there is no form {name}; known are {', '.join(sorted(forms))}")
        return forms[name]

    def next_trials(self, *, study_id: str, rater: str, limit: int = 3, skip: tuple[str, ...] = ()) -> tuple[Trial, ...]:
        self._arrive("next_trials")
        world, found = self.world, []
        with world._lock:
            judged = self._judged(study_id, rater)
            for number in range(world.num_pairs):
                trial = world.trial(number, study_id)
                holder, until_s = world._leases.get((study_id, trial.item_id), ("", 0.0))
                taken = holder not in ("", rater) and until_s > world.clock()
                if len(found) == limit or taken or trial.item_id in judged or trial.item_id in skip:
                    continue
                world._leases[study_id, trial.item_id] = (rater, world.clock() + LEASE_S)
                found.append(trial)
        return tuple(found)

    def renew_leases(self, *, study_id: str, rater: str, items: tuple[str, ...]) -> tuple[str, ...]:
        self._arrive("renew_leases")
        world, found = self.world, []
        with world._lock:
            for item in items:
                holder, until_s = world._leases.get((study_id, item), ("", 0.0))
                if holder == rater and until_s > world.clock():
                    world._leases[study_id, item] = (rater, world.clock() + LEASE_S)
                    found.append(item)
        return tuple(found)

    def queue_state(self, *, study_id: str, rater: str) -> QueueState:
        self._arrive("queue_state")
        with self.world._lock:
            judged = len(self._judged(study_id, rater))
        return QueueState(study_id=study_id, total=self.world.num_pairs, judged=judged, left=self.world.num_pairs - judged)

    def submit_votes(self, *, votes: tuple[Vote, ...]) -> tuple[Receipt, ...]:
        self._arrive("submit_votes")
        world, receipts = self.world, []
        refused = [vote for vote in votes if vote.item_id in world.refused]
        if refused:
            raise SettingsError(f"a vote on item {refused[0].item_id} is not taken")
        with world._lock:
            for vote in votes:
                known = world.stored.get(vote.id)
                applied = known is None or vote.rev > known.rev
                if applied:
                    world.stored[vote.id] = vote
                    world.journal.append(vote)
                seq = next(n for n, old in enumerate(world.journal) if old.id == vote.id)
                chain = digest((vote.id, vote.rev))
                receipts.append(Receipt(id=vote.id, rev=vote.rev, seq=seq, hash=chain, applied=applied))
        return tuple(receipts)

    def votes(self, *, study_id: str, item_id: str | None = None) -> tuple[Vote, ...]:
        self._arrive("votes")
        found = (v for v in self.world.stored.values() if v.study_id == study_id and v.choice is not None)
        return tuple(v for v in found if item_id in (None, v.item_id))

    def studies(self) -> tuple[StudySummary, ...]:
        self._arrive("studies")
        return (
            StudySummary(
                study_id="compare",
                name="taste",
                kind="preference",
                form="preference",
                aspects=("preference",),
                systems=("one", "two"),
                benchmark="toy",
                items=self.world.num_pairs,
                trials=self.world.num_pairs,
                participants_needed=5,
            ),
        )

    def study(self, *, name: str) -> StudyDesign:
        self._arrive("study")
        return StudyDesign(
            name=name,
            kind="preference",
            form="preference",
            aspects=("preference",),
            systems=("one", "two"),
            benchmark="toy",
            cases_hash="0",
            consent="You will watch videos.",
        )

    def take_part(self, *, study: str, login: str, group: str = "expert") -> Participant:
        self._arrive("take_part")
        return Participant(id=f"p_{login}", study_id="compare", group=group)

    def consent(self, *, participant: str, text: str) -> Participant:
        self._arrive("consent")
        return Participant(id=participant, study_id="compare", group="expert", state="consented")

    def study_trials(self, *, participant: str, start: int, limit: int) -> StudyPass:
        """As of somebody who has begun: the words before the first trial were read."""
        self._arrive("study_trials")
        person = Participant(id=participant, study_id="compare", group="expert", state="consented")
        return StudyPass(participant=person, answered=1, total=self.world.num_pairs)

    def media(self, *, media_id: str) -> MediaFile:
        self._arrive("media")
        if media_id.startswith("clip"):
            time.sleep(self.world.clip_delay_s)
        if media_id in self.world.broken:
            raise MediaError(f"{media_id}: the source was moved; put it back or ingest it again")
        return self.world.make(media_id)

    def pair(self, *, pair_id: str) -> PairRow:
        self._arrive("pair")
        number = int(pair_id.split("_")[1])
        trial = self.world.trial(number)
        phrase, category, _, _ = SUBJECTS[number % len(SUBJECTS)]
        return PairRow(
            pair_id=pair_id,
            kind="cross_video",
            status="machine",
            verdict=None,
            num_votes=0,
            accepted=True,
            category=category,
            phrase=phrase,
            scores=dict(trial.scores),
            target=trial.stimuli[0],
            reference=trial.stimuli[1],
        )

    def _arrive(self, name: str) -> None:
        self.world.calls.append(name)
        if self.world.away:
            raise ServiceError("the service does not answer; it is started again by itself")

    def _judged(self, study_id: str, rater: str) -> set[str]:
        """Items with an answer of this rater to every question."""
        count = len((IDENTITY if study_id != VERIFY_STUDY else self.world.form).questions)
        answers: dict[str, set[str]] = {}
        for vote in self.world.stored.values():
            if vote.study_id == study_id and vote.rater == rater and vote.choice is not None:
                answers.setdefault(vote.item_id, set()).add(vote.question)
        return {item for item, questions in answers.items() if len(questions) >= count}
