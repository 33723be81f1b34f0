"""What a participant's browser is told of a trial: slots, words, opaque ids. Nothing of a system, a file or a study's name."""

from typing import Any

from backend.domain import Form, Question, Stimulus, Vote
from backend.domain.studies import StudyPass, StudyTrial
from backend.service.study_page.keys import PageKeys

MEDIA = "/s/media/"


def shown_trial(one: StudyTrial, form: Form, *, participant: str, keys: PageKeys) -> dict[str, Any]:
    """A trial as JSON values: `panels` in shown order, `questions`, and the participant's own answers so far."""
    stimuli = {stimulus.slot: stimulus for stimulus in one.trial.stimuli}
    votes = {vote.question: vote for vote in one.votes}
    trial = one.trial.item_id
    return {
        "id": trial,
        "position": one.position,
        "practice": one.practice,
        "right": one.trial.gold if one.practice else None,
        "panels": [
            {
                "slot": panel.slot,
                "label": panel.label,
                "shows": panel.shows,
                **_shown(stimuli.get(panel.slot), participant, trial, keys),
            }
            for panel in form.panels
        ],
        "questions": [
            _asked(question, keys.vote_id(participant, trial, question.name), votes.get(question.name))
            for question in form.questions
        ],
    }


def shown_pass(found: StudyPass) -> dict[str, int]:
    return {"answered": found.answered, "total": found.total}


def _shown(stimulus: Stimulus | None, participant: str, trial: str, keys: PageKeys) -> dict[str, str]:
    if stimulus is None:
        return {"text": "", "media": ""}
    media = MEDIA + keys.media_id(participant, trial, stimulus.slot) if stimulus.media else ""
    return {"text": stimulus.text, "media": media}


def _asked(question: Question, vote_id: str, vote: Vote | None) -> dict[str, Any]:
    return {
        "name": question.name,
        "text": question.text,
        "vote": vote_id,
        "choices": [{"value": one.value, "label": one.label, "key": one.key} for one in question.choices],
        "reasons": [{"value": one.value, "label": one.label, "key": one.key} for one in question.reasons],
        "rev": vote.rev if vote else 0,
        "choice": vote.choice if vote else None,
        "given": list(vote.reasons) if vote else [],
        "comment": vote.comment if vote else "",
        "made_at": vote.made_at if vote else "",
    }
