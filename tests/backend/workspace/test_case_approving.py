"""People approve a benchmark's cases: on both transports, for what a case holds, through kill -9 and rebuild."""

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from backend.api import Api
from backend.client.wire import operations
from backend.domain import CASES_STUDY, Case, ImportRefused, StudioError, Vote
from backend.domain.case_sets import CaseStanding
from backend.domain.corrections import Correction
from backend.store.catalog import Catalog
from backend.store.schema import PEOPLE
from backend.workspace import Workspace
from backend.workspace.case_approving import Edits
from studio.outbox import RETRIED_KINDS
from tests.metrics.made_cases import case, picture, written

pytestmark = pytest.mark.slow  # together they take too long for the fast run

ROOT = Path(__file__).parents[3]


def vote_on(content: str, choice: str | None, *, by: str = "ann", id: str = "", rev: int = 0, **more: object) -> Vote:
    about = {"rater": by, "rater_kind": "person", "question": "fit", "made_at": f"2026-01-0{rev + 1}", **more}
    return Vote(
        id=id or uuid.uuid4().hex,
        rev=rev,
        study_id=CASES_STUDY,
        trial_id="",
        item_id=content,
        choice=choice,
        **about,  # pyright: ignore[reportArgumentType]
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A cases file of three cases with pictures of their own, of a project that has nothing else."""
    (tmp_path / "bench").mkdir()
    cases = {"singleobj_1": case(), "singleobj_2": case(2, prompt="two"), "multihuman_1": case(3, prompt="three")}
    return Path(written(tmp_path / "bench", cases, pictures=3))


def edit(api: Api, content: str, prompt: str, *, by: str = "bob") -> Correction:
    said = Correction(
        id=uuid.uuid4().hex, rev=1, kind="prompt", item_id=content, rater=by, text=prompt, made_at="2026-01-01"
    )
    api.correct(corrections=(said,))
    return said


def standing(api: Api, file: Path) -> dict[str, CaseStanding]:
    return {one.name: one for one in api.review_cases(cases=str(file)).cases}


def test_cases_that_are_up_come_as_trials_with_their_pictures(api: Api, file: Path) -> None:
    asked = api.ask_approval(cases=str(file))
    assert [one.verdict for one in asked.cases] == [None] * 3
    trials = api.next_trials(study_id=CASES_STUDY, rater="ann", limit=9)
    assert {trial.item_id for trial in trials} == {one.content for one in asked.cases}
    for trial in trials:
        form = api.form(name=trial.form)
        assert [panel.slot for panel in form.panels] == [stimulus.slot for stimulus in trial.stimuli]
        media = [stimulus.media for stimulus in trial.stimuli if stimulus.media]
        assert [Path(api.media(media_id=one).path).read_bytes() for one in media] == [
            picture(number) for number in range(len(media))
        ]
    assert [s.text for s in trials[1].stimuli] == ["two", "Cup", "Cup"]
    assert api.next_trials(study_id=CASES_STUDY, rater="bob", limit=9) == ()


def test_vote_approves_and_the_file_says_by_whom(api: Api, file: Path) -> None:
    first, second, third = api.ask_approval(cases=str(file)).cases
    api.submit_votes(votes=(vote_on(first.content, "approve"), vote_on(second.content, "unsure")))
    api.submit_votes(votes=(vote_on(third.content, "reject", reasons=("too_small",), comment="blurred"),))
    state = api.queue_state(study_id=CASES_STUDY, rater="ann")
    assert (state.total, state.judged, state.left) == (3, 3, 0)
    assert api.queue_state(study_id=CASES_STUDY, rater="bob").left == 1, "nobody has decided on the second"
    found = api.review_cases(cases=str(file), write=True)
    assert [one.verdict for one in found.cases] == ["approve", None, "reject"]
    raw = json.loads(file.read_text())
    assert raw["singleobj_1"]["approved"] is True
    assert raw["singleobj_1"]["approval"] == {"by": "ann", "at": "2026-01-01", "content": first.content}
    assert raw["singleobj_2"]["approved"] is False and "approval" not in raw["singleobj_2"]
    told = {"by": "ann", "at": "2026-01-01", "content": third.content, "reasons": ["too_small"], "comment": "blurred"}
    assert raw["multihuman_1"]["rejection"] == told


def test_last_word_holds_and_a_withdrawn_one_leaves_the_one_before(api: Api, file: Path) -> None:
    content = api.ask_approval(cases=str(file)).cases[0].content
    api.submit_votes(votes=(vote_on(content, "approve"), vote_on(content, "reject", by="bob", id="b")))
    assert standing(api, file)["singleobj_1"].verdict == "reject"
    api.submit_votes(votes=(vote_on(content, None, by="bob", id="b", rev=1),))
    found = standing(api, file)["singleobj_1"]
    assert (found.verdict, found.rater) == ("approve", "ann")


def test_only_people_approve(api: Api, file: Path) -> None:
    content = api.ask_approval(cases=str(file)).cases[0].content
    api.submit_votes(votes=(vote_on(content, "approve", rater_kind="vlm"),))
    assert standing(api, file)["singleobj_1"].verdict is None


@pytest.mark.parametrize("change", ["prompt", "picture", "label"])
def test_changed_case_needs_a_new_approval(api: Api, file: Path, change: str) -> None:
    api.submit_votes(votes=tuple(vote_on(one.content, "approve") for one in api.ask_approval(cases=str(file)).cases))
    raw = json.loads(file.read_text())
    if change == "picture":
        (file.parent / "Images" / "2.png").write_bytes(picture(9))
    elif change == "prompt":
        raw["multihuman_1"]["prompt"] = "else"
    else:
        raw["multihuman_1"]["class_label"][0] = "Man"
    file.write_text(json.dumps(raw))
    assert {name: one.verdict for name, one in standing(api, file).items()} == {
        "singleobj_1": "approve",
        "singleobj_2": "approve",
        "multihuman_1": None,
    }


def test_approval_holds_where_the_case_is_called_and_lies_otherwise(api: Api, file: Path, tmp_path: Path) -> None:
    content = api.ask_approval(cases=str(file)).cases[0].content
    api.submit_votes(votes=(vote_on(content, "approve"),))
    shutil.copytree(file.parent, tmp_path / "moved")
    raw = json.loads(file.read_text())
    (tmp_path / "moved" / "cases.json").write_text(json.dumps({"singleobj_77": raw["singleobj_1"]}))
    assert standing(api, tmp_path / "moved" / "cases.json")["singleobj_77"].verdict == "approve"


def test_edited_prompt_is_the_persons_and_needs_approval(api: Api, file: Path) -> None:
    first = api.ask_approval(cases=str(file)).cases[0]
    api.submit_votes(votes=(vote_on(first.content, "approve"),))
    edit(api, first.content, "  A red mug on a rock. ")
    content = standing(api, file)["singleobj_1"].content
    assert content != first.content
    (found,) = [one for one in api.review_cases(cases=str(file)).cases if one.name == "singleobj_1"]
    assert (found.content, found.verdict, found.prompt, found.caption_by, found.edited) == (
        content,
        None,
        "A red mug on a rock.",
        "bob",
        True,
    )
    trials = api.next_trials(study_id=CASES_STUDY, rater="ann", limit=9)
    assert content in {trial.item_id for trial in trials} and first.content not in {trial.item_id for trial in trials}
    api.submit_votes(votes=(vote_on(content, "approve"),))
    api.review_cases(cases=str(file), write=True)
    raw = json.loads(file.read_text())["singleobj_1"]
    assert (raw["prompt"], raw["caption_by"], raw["approved"]) == ("A red mug on a rock.", "bob", True)
    assert not standing(api, file)["singleobj_1"].edited
    edit(api, content, first.prompt)
    back = standing(api, file)["singleobj_1"]
    assert (back.content, back.verdict) == (first.content, "approve")


def test_prompt_that_is_taken_back_leaves_the_one_before(api: Api, file: Path) -> None:
    first = api.ask_approval(cases=str(file)).cases[0]
    said = edit(api, first.content, "A red mug on a rock.")
    later = edit(api, standing(api, file)["singleobj_1"].content, "A red mug on a stone.")
    assert standing(api, file)["singleobj_1"].prompt == "A red mug on a stone."
    for one, prompt in ((later, "A red mug on a rock."), (said, first.prompt)):
        gone = replace(one, rev=2, text="", withdrawn=True)
        (receipt,) = api.correct(corrections=(gone,))
        assert api.correct(corrections=(gone,)) == (receipt,)
        assert standing(api, file)["singleobj_1"].prompt == prompt
    api.correct(corrections=(said,))  # an answer that was lost, so that it is sent again
    assert standing(api, file)["singleobj_1"].content == first.content
    before = api.verify()
    assert before.ok and api.rebuild() == before


def test_prompt_that_is_sent_again_is_stored_once(api: Api, file: Path) -> None:
    first = api.ask_approval(cases=str(file)).cases[0]
    said = edit(api, first.content, "A red mug on a rock.")
    seqs = [receipt.seq for receipt in api.correct(corrections=(said,))]
    assert [event["seq"] for event in api.journal_tail(limit=20) if event["kind"] == "corrected"] == seqs
    with pytest.raises(StudioError):
        api.correct(corrections=(replace(said, text="other words"),))


def test_edits_follow_one_another_and_end() -> None:
    one = Case(benchmark="b", name="n", prompt="A")
    content = {p: Case(benchmark="b", name="n", prompt=p).content for p in "ABCD"}
    rows = [(5, content["A"], "B", "ann"), (9, content["B"], "A", "bob")]
    assert Edits(rows).applied(one).prompt == "A"
    rows += [(15, content["A"], "D", "eve")]
    assert Edits(rows).applied(one).prompt == "D"
    assert Edits(rows).applied(Case(benchmark="b", name="n", prompt="B")).prompt == "D"
    assert Edits(rows).applied(Case(benchmark="b", name="n", prompt="C")).prompt == "C"


def test_senseless_edits_are_refused(api: Api, file: Path) -> None:
    first = api.ask_approval(cases=str(file)).cases[0]
    for content, prompt, rater in (
        ("content_0", "x", "ann"),
        (first.content, " ", "ann"),
        (first.content, "x" * 100_001, "ann"),
        (first.content, "half \ud800 a pair", "ann"),
        (first.content, "fine", " "),
        (first.content, first.prompt, "ann"),
    ):
        with pytest.raises(StudioError) as refused:
            edit(api, content, prompt, by=rater)
        assert refused.value.kind not in RETRIED_KINDS, "an outbox would send it for ever"
    assert not [event for event in api.journal_tail(limit=20) if event["kind"] == "corrected"]


def test_what_cannot_be_seen_cannot_be_approved(api: Api, file: Path) -> None:
    (file.parent / "Images" / "1.png").unlink()
    (file.parent / "Images" / "2.png").write_bytes(b"no picture")
    asked = api.ask_approval(cases=str(file))
    assert [line.partition(":")[0] for line in asked.remarks if "cannot be approved" in line] == [
        "singleobj_2 cannot be approved",
        "multihuman_1 cannot be approved",
    ]
    assert len(api.next_trials(study_id=CASES_STUDY, rater="ann", limit=9)) == 1
    with pytest.raises(ImportRefused):
        api.ask_approval(cases=str(file.parent / "nowhere.json"))


def test_asking_again_asks_nothing_new_and_a_new_draw_replaces(api: Api, file: Path) -> None:
    api.ask_approval(cases=str(file))
    before = len(api.journal_tail(limit=100))
    api.ask_approval(cases=str(file))
    assert len(api.journal_tail(limit=100)) == before
    raw = json.loads(file.read_text())
    del raw["singleobj_2"]
    file.write_text(json.dumps(raw))
    api.ask_approval(cases=str(file))
    assert api.queue_state(study_id=CASES_STUDY, rater="ann").total == 2


def test_rebuild_gives_the_same_approvals(api: Api, file: Path) -> None:
    first, second, _ = api.ask_approval(cases=str(file)).cases
    api.submit_votes(votes=(vote_on(first.content, "approve"),))
    edit(api, second.content, "other words")
    before, checked = api.review_cases(cases=str(file)), api.verify()
    assert checked.ok, checked.problems
    assert api.rebuild() == checked
    assert api.review_cases(cases=str(file)) == before


def test_rejected_cases_are_not_drawn_again_and_approved_ones_can_be_alone(curated_api: Api, tmp_path: Path) -> None:
    made = curated_api.make_cases(out=str(tmp_path / "one"))
    (content, *_) = [one.content for one in curated_api.review_cases(cases=made.path).cases]
    assert curated_api.make_cases(out=str(tmp_path / "two"), approved_only=True).cases == 0
    curated_api.submit_votes(votes=(vote_on(content, "approve"),))
    only = curated_api.make_cases(out=str(tmp_path / "two"), approved_only=True)
    (fields,) = json.loads(Path(only.path).read_text()).values()
    assert only.cases == 1 and fields["approval"]["by"] == "ann" and fields["approval"]["content"] == content
    curated_api.submit_votes(votes=(vote_on(content, "reject"),))
    again = curated_api.make_cases(out=str(tmp_path / "three"))
    assert again.cases == 0 and not Path(again.path).exists(), "the project makes this one case"
    assert any("rejected" in remark for remark in again.remarks)


def test_operations_travel() -> None:
    assert {"ask_approval", "review_cases", "correct"} <= set(operations())


KILLED = """
import os, signal, sys
from pathlib import Path
from backend.workspace import Workspace
from tests.backend.workspace.test_case_approving import edit, vote_on
project, file = Path(sys.argv[1]), sys.argv[2]
workspace = Workspace(project, create=True)
first, second, third = workspace.ask_approval(cases=file).cases
workspace.submit_votes(votes=(vote_on(first.content, "approve"),))
edit(workspace, second.content, "other words")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_approvals_survive_kill_9_and_the_loss_of_the_catalog(file: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(project), str(file)], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    for lost in (False, True):
        if lost:
            for part in project.glob("catalog.duckdb*"):
                part.unlink()
        workspace = Workspace(project)
        found = {one.name: one for one in workspace.review_cases(cases=str(file)).cases}
        assert found["singleobj_1"].verdict == "approve" and found["singleobj_2"].prompt == "other words"
        assert workspace.queue_state(study_id=CASES_STUDY, rater="eve").left == 2
        workspace.close()


def test_older_catalog_gets_the_tables_and_columns(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.duckdb")
    with catalog.session() as connection:
        for table in set(PEOPLE) - {"vote", "rights"}:
            connection.execute(f"DROP TABLE {table}")
        for column in ("subjects", "inside", "first_frame_hash", "schedule", "schedule_s", "caption_by"):
            connection.execute(f"ALTER TABLE bench_case DROP COLUMN {column}")
        connection.execute("INSERT INTO bench_case (id, benchmark, name, prompt) VALUES ('case_1', 'b', 'a_1', 'x')")
        connection.execute("UPDATE meta SET value = '5'")
    catalog.close()
    again = Catalog(tmp_path / "catalog.duckdb")
    assert again.query("SELECT subjects, schedule_s, caption_by FROM bench_case") == [([], [], "")]
    assert again.query("SELECT count(*) FROM case_put_up") == [(0,)]
    again.close()
