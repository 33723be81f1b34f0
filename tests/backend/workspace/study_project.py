"""A project with toy videos of three systems over a few cases, and raters with a planted taste."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from backend.api import Api
from backend.domain import Receipt, Trial, Vote
from backend.domain.studies import PageEvent, Participant, StudySummary
from backend.media.images import encode_png
from backend.media.reader import VideoReader
from backend.media.writer import write_video

SYSTEMS = ("good", "fair", "poor")
SHADES = {"good": 200, "fair": 120, "poor": 40}
LENIENT = ("min_seconds=0", "min_item_seconds=0")


def write_benchmark(folder: Path, *, cases: int, size: tuple[int, int] = (64, 48), frames: int = 6) -> Path:
    """Cases, references and videos: `folder/cases.json`, `folder/SYSTEM/CASE.mp4`; each system has its own brightness."""
    (folder / "references").mkdir(parents=True)
    listed = {}
    for k in range(cases):
        name = f"{'singlehuman' if k % 2 else 'singleobj'}_{k + 1}"
        picture = np.full((40, 40, 3), (20 * k % 250, 90, 160), np.uint8)
        (folder / "references" / f"{name}.png").write_bytes(encode_png(picture))
        listed[name] = {
            "img_paths": [f"references/{name}.png"],
            "prompt": f"A thing number {k} moves.",
            "synthesis_flag": "wrong",
            "class_label": ["Thing"],
        }
        for system in SYSTEMS:
            (folder / system).mkdir(exist_ok=True)
            shade = np.full((size[1], size[0], 3), SHADES[system], np.uint8)
            shade[:, : 4 + k] = 255
            write_video(folder / system / f"{name}.mp4", [shade] * frames, fps=12, preset="ultrafast")
    (folder / "cases.json").write_text(json.dumps(listed))
    return folder


def named(folder: Path) -> tuple[str, ...]:
    return tuple(f"{system}={folder / system}" for system in SYSTEMS)


def answer(api: Api, person: Participant, choose: Callable[[Trial, str], str], *, rev: int = 1) -> list[Receipt]:
    """Answers every open trial of a participant; `choose(trial, question)` sees what a participant sees."""
    receipts: list[Receipt] = []
    while True:
        found = api.study_trials(participant=person.id, limit=50)
        if not found.trials:
            return receipts
        votes = tuple(
            Vote(
                id=f"{one.trial.item_id}-{question.name}",
                rev=rev,
                study_id=person.study_id,
                trial_id=one.trial.id,
                item_id=one.trial.item_id,
                rater=person.id,
                rater_kind="person",
                question=question.name,
                choice=choose(one.trial, question.name),
                shown_order=("left", "right"),
            )
            for one in found.trials
            for question in api.form(name=one.trial.form).questions
        )
        receipts += api.submit_votes(votes=votes)


def newcomer(
    api: Api, study: str, *, login: str = "", address: str = "", background: str = "", group: str = "public"
) -> Participant:
    """Invited, joined, agreed."""
    (invitation,) = api.invite(study=study, group=group)
    person = api.join_study(token=invitation.token, login=login, address=address, background=background)
    return api.consent(participant=person.id, text="I agree.")


def finished(api: Api, study: str, choose: Callable[[Trial, str], str], **about: str) -> Participant:
    """Somebody who answered all and passed the slider."""
    person = newcomer(api, study, **about)
    answer(api, person, choose)
    api.page_events(participant=person.id, events=(PageEvent(id="s", name="slider_passed"),))
    return api.finish_study(participant=person.id)


def create(api: Api, benchmark: Path, **fields) -> StudySummary:
    """The study `taste` of one question over the benchmark of `write_benchmark`."""
    asked = {"name": "taste", "form": "ab", "trials": 6, "rules": LENIENT, **fields}
    return api.create_study(cases=str(benchmark / "cases.json"), systems=named(benchmark), **asked)


def brighter(api: Api):
    """A rater who sees what is shown: the brighter side wins, noise loses, equal sides tie."""

    def choose(trial: Trial, question: str) -> str:
        frames = {}
        for slot in ("left", "right"):
            media = next(one.media for one in trial.stimuli if one.slot == slot)
            assert media is not None
            with VideoReader(api.media(media_id=media).path) as reader:
                frames[slot] = reader.at([0])[0][-24:, -24:].astype(float)
        noise = {slot: frame.std() for slot, frame in frames.items()}
        if abs(noise["left"] - noise["right"]) > 10:
            return min(noise, key=lambda slot: noise[slot])
        light = {slot: frame.mean() for slot, frame in frames.items()}
        return "tie" if abs(light["left"] - light["right"]) < 5 else max(light, key=lambda slot: light[slot])

    return choose


def vote_on(person: Participant, trial: Trial, choice: str | None, *, rev: int = 1, id: str = "") -> Vote:
    """An answer to the form `ab`."""
    return Vote(
        id=id or f"{trial.item_id}-better",
        rev=rev,
        study_id=person.study_id,
        trial_id=trial.id,
        item_id=trial.item_id,
        rater=person.id,
        rater_kind="person",
        question="better",
        choice=choice,
    )
