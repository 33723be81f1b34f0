"""The Api on both transports, over a project of three pairs with similarities .9, .6 and .3 and a gate at .5."""

import os
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from backend.api import Api, GateChange
from backend.domain import SUBJECTS_STUDY, VERIFY_STUDY, ProjectError, SettingsError, StudioError, Trial, Vote
from backend.store.leases import LEASE_S
from backend.workspace import Workspace
from backend.workspace.checks import restore
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import write_toy_video


def vote_on(trial: Trial, choice: str | None, *, rater: str = "ann", rev: int = 0, id: str = "") -> Vote:
    return Vote(
        id=id or uuid.uuid4().hex,
        rev=rev,
        study_id=trial.study_id,
        trial_id=trial.id,
        item_id=trial.item_id,
        rater=rater,
        rater_kind="person",
        question="same",
        choice=choice,
    )


def test_status_counts_what_the_gates_keep(curated_api: Api) -> None:
    status = curated_api.status()
    assert status.counts["clips"] == 3
    assert status.counts["pairs"] == 2
    assert status.counts["verdicts"] == 0
    assert status.states == {"ok": 1, "skipped": 1, "failed(empty)": 1}
    assert [row.name for row in status.failures if row.state == "failed"] == ["broken.mp4"]


def test_gates_can_be_tried_and_saved(curated_api: Api) -> None:
    change = GateChange(gate="pair.similarity.min", value=0.7)
    assert curated_api.try_gates(changes=(change,)).counts["pairs"] == 1
    assert curated_api.status().counts["pairs"] == 2
    with pytest.raises(SettingsError, match=r"did you mean pair\.similarity\.min"):
        curated_api.try_gates(changes=(replace(change, gate="pair.similarty.min"),))


def test_pages_are_stable_and_complete(curated_api: Api) -> None:
    first = curated_api.pairs(order="best", limit=1)
    second = curated_api.pairs(order="best", limit=1, after=first.next_after)
    assert [row.scores["similarity"] for row in (*first.rows, *second.rows)] == [0.9, 0.6]
    assert first.total == 2
    assert second.next_after is None
    assert curated_api.pairs(where="similarity < .7").total == 1
    with pytest.raises(SettingsError, match="similarty"):
        curated_api.pairs(where="similarty < .7")


@pytest.mark.parametrize("order", ["best", "uncertain", "id"])
def test_pages_go_on_though_their_last_row_was_judged(curated_api: Api, order: str) -> None:
    unjudged = "status = 'machine'"
    first = curated_api.pairs(where=unjudged, order=order, limit=1)
    shown = first.rows[0].pair_id
    trials = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=2)
    curated_api.submit_votes(votes=tuple(vote_on(trial, "same") for trial in trials if trial.item_id == shown))
    second = curated_api.pairs(where=unjudged, order=order, limit=1, after=first.next_after)
    assert [row.pair_id for row in second.rows] == [trial.item_id for trial in trials if trial.item_id != shown]
    assert (second.total, second.next_after) == (1, None)


def test_pages_go_on_though_their_last_row_left_the_plan(curated_api: Api) -> None:
    first = curated_api.pairs(order="best", limit=1)
    assert first.next_after is not None
    gone = first.next_after.replace(first.rows[0].pair_id, "pair_gone")
    assert [row.scores["similarity"] for row in curated_api.pairs(order="best", after=gone).rows] == [0.6]
    with pytest.raises(SettingsError, match="next_after"):
        curated_api.pairs(after="page 2")


def test_pair_shows_crops_clips_and_captions(curated_api: Api) -> None:
    row = curated_api.pairs(order="best").rows[0]
    assert row.target.text == "A red mug, take 0."
    assert row.target.media is not None
    assert Path(curated_api.media(media_id=row.target.media).path).read_bytes().startswith(b"\x89PNG")
    assert curated_api.pair(pair_id=row.pair_id) == row


def test_preview_has_the_clips_frames(curated_api: Api) -> None:
    row = curated_api.pairs(order="best").rows[0]
    assert row.reference.clip_media is not None
    preview = curated_api.media(media_id=row.reference.clip_media)
    assert (preview.num_frames, preview.mime) == (10, "video/mp4")
    assert Path(preview.path).stat().st_size > 0


@pytest.mark.parametrize("media_id", ["../../etc/passwd", "a-../x", "a-" + "0" * 64 + ".png", "p-clip_" + "0" * 20, ""])
def test_media_gives_nothing_that_it_does_not_own(curated_api: Api, media_id: str) -> None:
    with pytest.raises(ProjectError):
        curated_api.media(media_id=media_id)


@pytest.mark.parametrize("renews", [True, False])
def test_an_item_that_is_looked_at_for_long_stays_with_who_renews_its_lease(
    curated_api: Api, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, renews: bool
) -> None:
    at_s = [1_000_000.0]
    monkeypatch.setattr(workspace._queue._leases, "_clock", lambda: at_s[0])
    (held,) = (trial.item_id for trial in curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1))
    given: set[str] = set()
    for _ in range(8):  # 24 minutes: the lease ends after ten
        at_s[0] += 180
        if renews:
            assert curated_api.renew_leases(study_id=VERIFY_STUDY, rater="ann", items=(held,)) == (held,)
        assert curated_api.renew_leases(study_id=VERIFY_STUDY, rater="eve", items=(held,)) == (), "it is not hers"
        given |= {trial.item_id for trial in curated_api.next_trials(study_id=VERIFY_STUDY, rater="bob", limit=5)}
    assert given, "bob has the other pair"
    assert (held in given) is not renews
    if not renews:
        assert curated_api.renew_leases(study_id=VERIFY_STUDY, rater="ann", items=(held,)) == (), "it is bob's by now"


def test_leases_of_no_study_are_refused(curated_api: Api) -> None:
    with pytest.raises(ProjectError, match="study 'nothing' does not exist"):
        curated_api.renew_leases(study_id="nothing", rater="ann", items=("pair_1",))


def test_queue_gives_each_pair_once_and_never_to_two(curated_api: Api) -> None:
    first = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)
    other = curated_api.next_trials(study_id=VERIFY_STUDY, rater="bob", limit=5)
    assert len(first) == len(other) == 1
    assert first[0].item_id != other[0].item_id
    curated_api.submit_votes(votes=(vote_on(first[0], "different"),))
    assert curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=5) == ()
    state = curated_api.queue_state(study_id=VERIFY_STUDY, rater="ann")
    assert (state.total, state.judged, state.left) == (2, 1, 1)


def test_an_item_stays_with_its_rater_until_the_last_question_that_is_asked(curated_api: Api) -> None:
    (first,) = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)

    def free() -> bool:
        return first.item_id in {each.item_id for each in curated_api.next_trials(study_id=VERIFY_STUDY, rater="bob")}

    same, context = vote_on(first, "same"), replace(vote_on(first, "yes"), question="context")
    curated_api.submit_votes(votes=(same,))
    assert not free(), "ann looks at the surroundings"
    assert curated_api.renew_leases(study_id=VERIFY_STUDY, rater="ann", items=(first.item_id,)) == (first.item_id,)
    curated_api.submit_votes(votes=(replace(same, rev=1, choice=None),))
    assert not free(), "ann thinks again"
    curated_api.submit_votes(votes=(replace(same, rev=2),))
    assert not free()
    curated_api.submit_votes(votes=(context,))
    assert free()


@pytest.mark.parametrize("choice", ["different", "near_duplicate", "unsure"])
def test_an_answer_that_calls_for_no_other_gives_a_pair_to_the_next_rater(curated_api: Api, choice: str) -> None:
    first, _ = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=2)
    assert curated_api.next_trials(study_id=VERIFY_STUDY, rater="bob") == ()
    curated_api.submit_votes(votes=(vote_on(first, choice),))
    assert [each.item_id for each in curated_api.next_trials(study_id=VERIFY_STUDY, rater="bob")] == [first.item_id]


def test_a_subject_goes_to_the_next_rater_after_its_fourth_question(curated_api: Api) -> None:
    (first,) = curated_api.next_trials(study_id=SUBJECTS_STUDY, rater="ann", limit=1)
    for question in ("complete", "specific", "phrase", "mask"):
        others = {each.item_id for each in curated_api.next_trials(study_id=SUBJECTS_STUDY, rater="bob", limit=9)}
        assert first.item_id not in others, question
        curated_api.submit_votes(votes=(replace(vote_on(first, "yes"), question=question),))
    others = {each.item_id for each in curated_api.next_trials(study_id=SUBJECTS_STUDY, rater="bob", limit=9)}
    assert first.item_id in others


def test_what_is_left_half_answered_is_free_when_its_lease_ends(
    curated_api: Api, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_s = [1_000_000.0]
    monkeypatch.setattr(workspace._queue._leases, "_clock", lambda: at_s[0])
    (first,) = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)
    curated_api.submit_votes(votes=(vote_on(first, "same"),))
    at_s[0] += LEASE_S + 1
    assert first.item_id in {each.item_id for each in curated_api.next_trials(study_id=VERIFY_STUDY, rater="bob")}


def test_verdict_is_in_the_catalog_and_can_be_undone(curated_api: Api) -> None:
    (trial, *_) = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann")
    vote = vote_on(trial, "same")
    (receipt,) = curated_api.submit_votes(votes=(vote,))
    assert receipt.applied
    assert curated_api.submit_votes(votes=(vote,)) == (receipt,)
    row = curated_api.pair(pair_id=trial.item_id)
    assert (row.status, row.verdict, row.num_votes) == ("one", "same", 1)
    curated_api.submit_votes(votes=(replace(vote, rev=1, choice=None),))
    row = curated_api.pair(pair_id=trial.item_id)
    assert (row.status, row.verdict, row.num_votes) == ("machine", None, 0)
    assert curated_api.votes(study_id=VERIFY_STUDY) == ()


def test_raters_who_differ_make_a_pair_disputed(curated_api: Api) -> None:
    (trial, *_) = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann")
    curated_api.submit_votes(votes=(vote_on(trial, "same"), vote_on(trial, "same", rater="bob")))
    assert curated_api.pair(pair_id=trial.item_id).status == "agreed"
    curated_api.submit_votes(votes=(vote_on(trial, "different", rater="eve"),))
    row = curated_api.pair(pair_id=trial.item_id)
    assert (row.status, row.verdict, row.num_votes) == ("disputed", None, 3)


def test_rebuild_gives_the_equal_catalog(curated_api: Api) -> None:
    (trial, *_) = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann")
    curated_api.submit_votes(votes=(vote_on(trial, "same"),))
    before = curated_api.verify()
    assert before.ok, before.problems
    assert curated_api.rebuild() == before
    assert curated_api.journal_tail(limit=1)[0]["kind"] == "vote"


def test_export_holds_the_chosen_pairs(curated_api: Api, tmp_path: Path) -> None:
    done = curated_api.export(format="manifest", out=str(tmp_path / "out"), where="similarity > .8")
    assert done.pairs == 1
    assert Path(done.manifest).exists()
    assert len((tmp_path / "out" / "pairs.jsonl").read_text().splitlines()) == 1


def test_ingesting_again_takes_nothing(curated_api: Api, tmp_path: Path) -> None:
    found = curated_api.ingest(paths=(str(tmp_path / "videos"),))
    assert (found.taken, found.known) == (0, 3)
    with pytest.raises(ProjectError, match="does not exist"):
        curated_api.ingest(paths=(str(tmp_path / "nowhere"),))


def test_form_is_the_shipped_one(api: Api) -> None:
    assert [choice.value for choice in api.form(name="identity").questions[0].choices][:2] == ["same", "different"]
    with pytest.raises(ProjectError):
        api.form(name="../../secrets")


def test_vote_that_no_column_holds_is_refused_and_harms_nobody(curated_api: Api) -> None:
    (trial, *_) = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann")
    with pytest.raises(StudioError) as refused:
        curated_api.submit_votes(votes=(replace(vote_on(trial, "same"), visible_ms=2**70),))
    assert refused.value.kind == "refused"
    assert curated_api.status().counts["verdicts"] == 0


@pytest.mark.parametrize("limit", [-1, 0, 10**9])
def test_senseless_limits_are_refused(curated_api: Api, limit: int) -> None:
    with pytest.raises(StudioError, match="limit"):
        curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=limit)
    with pytest.raises(StudioError, match="limit"):
        curated_api.pairs(limit=limit)
    assert curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)


def test_touched_files_are_curated_as_they_are_now(curated_api: Api, tmp_path: Path) -> None:
    for second in range(1, 5):
        os.utime(tmp_path / "videos" / "mug.mp4", (second, second))
        curated_api.ingest(paths=(str(tmp_path / "videos"),))
        curated(curated_api)
        status = curated_api.status()
        assert status.states == {"ok": 1, "skipped": 1, "failed(empty)": 1}
        assert status.counts["clips"] == 3


def test_restored_project_makes_its_lost_artifacts_again(workspace: Workspace, tmp_path: Path) -> None:
    write_toy_video(tmp_path / "mug.mp4")
    workspace.ingest(paths=(str(tmp_path / "mug.mp4"),))
    curated(workspace)
    before = workspace.verify()
    saved = workspace.backup(out=str(tmp_path / "saved"))
    restore(Path(saved), tmp_path / "again")
    again = Workspace(tmp_path / "again")
    again.plan = workspace.plan
    assert again.status().counts["videos"] == 0
    curated(again)
    assert again.verify().catalog_hash == before.catalog_hash
    assert again.verify().ok
    again.close()
