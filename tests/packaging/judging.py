"""In place of a person at Studio's window: `python judging.py PROJECT --rater NAME` judges every pair of the queue as Verify does.

Every third pair is another one, the rest the very same in other surroundings; what was said is written to `judged.json`.
"""

import argparse
import json
import uuid
from pathlib import Path

from backend.client import connect
from backend.domain import VERIFY_STUDY, Vote


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("project", type=Path)
    parser.add_argument("--rater", required=True)
    parser.add_argument("--page", choices=["verify"])
    asked = parser.parse_args()
    api = connect(asked.project, start=True)
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
