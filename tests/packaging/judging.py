"""In place of a person at Studio's window: `python judging.py PROJECT --rater NAME` judges every pair of the queue as Verify does.

Every third pair is another one, the rest the very same in other surroundings; what was said is written to `judged.json`.
"""

import json
import uuid
from pathlib import Path

from backend.client import connect
from backend.domain import VERIFY_STUDY, Vote
from studio.app import command_line, find_project


def main() -> None:
    asked = command_line().parse_args()
    project = find_project(asked.project)
    assert project and asked.page == "verify", "the tutorial names a project and the page on which pairs are judged"
    api = connect(project, start=True)
    given: dict[str, str] = {}
    while trials := api.next_trials(study_id=VERIFY_STUDY, rater=asked.rater, limit=1):
        (trial,) = trials
        choice = "different" if len(given) % 3 == 1 else "same"
        given[trial.item_id] = choice
        answers = {"same": choice, **({"context": "yes"} if choice == "same" else {})}
        receipts = api.submit_votes(
            votes=tuple(
                Vote(
                    id=uuid.uuid4().hex,
                    rev=0,
                    study_id=VERIFY_STUDY,
                    trial_id=trial.id,
                    item_id=trial.item_id,
                    rater=asked.rater,
                    rater_kind="person",
                    question=question,
                    choice=answer,
                )
                for question, answer in answers.items()
            )
        )
        assert all(receipt.applied for receipt in receipts)
    Path("judged.json").write_text(json.dumps(given))


if __name__ == "__main__":
    main()
