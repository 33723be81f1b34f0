"""What people put right wins over the machine in queues, exports and the library, on both transports; taking it back gives the machine's."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.api import Api
from backend.domain import SUBJECTS_STUDY, VERIFY_STUDY, ProjectError, SettingsError, StudioError, Vote
from backend.domain.corrections import Correction, Outline
from backend.domain.library import Selection
from backend.geometry import rle
from backend.media.images import read_rgba
from backend.workspace import Workspace
from studio.outbox import RETRIED_KINDS

pytestmark = pytest.mark.slow  # together they take too long for the fast run


def target(api: Api) -> tuple[str, Outline]:
    """The first pair and its target, an appearance on frame 5 of the first clip with the box (8, 8, 40, 40)."""
    pair_id = api.pairs(order="best").rows[0].pair_id
    return pair_id, api.outline(study_id=VERIFY_STUDY, item_id=pair_id, slot="target")


def said(kind: str, item_id: str, *, rev: int = 1, rater: str = "ann", withdrawn: bool = False, **value) -> Correction:
    return Correction(id=f"{kind}-{rater}", rev=rev, kind=kind, item_id=item_id, rater=rater, withdrawn=withdrawn, **value)


def exported(api: Api, out: Path) -> dict:
    """The pair rows of an export by pair id; none where nothing may be exported."""
    try:
        api.export(format="manifest", out=str(out))
    except ProjectError as error:
        assert "nothing is exported" in str(error)
        return {}
    rows = [json.loads(line) for line in (out / "pairs.jsonl").read_text().splitlines()]
    return {row["pair_id"]: row for row in rows}


def test_outline_is_what_the_trial_shows(curated_api: Api) -> None:
    _, found = target(curated_api)
    assert (found.frame, found.start_frame, found.width, found.height) == (5, 0, 64, 48)
    assert found.box == (8.0, 8.0, 40.0, 40.0)
    assert (found.phrase, found.category, found.caption) == ("a red mug", "mug", "A red mug, take 0.")
    assert found.corrected == ()
    assert rle.decode(found.counts.encode(), 48, 64).sum() == 32 * 32


def test_words_of_a_person_stand_in_pairs_library_and_exports(curated_api: Api, tmp_path: Path) -> None:
    pair_id, found = target(curated_api)
    before = curated_api.verify().catalog_hash
    receipts = curated_api.correct(
        corrections=(
            said("caption", found.clip_id, text="A dented enamel mug on a table."),
            said("phrase", found.subject_id, text="a dented enamel mug"),
            said("category", found.subject_id, text="Teacup"),
        )
    )
    assert [receipt.applied for receipt in receipts] == [True] * 3
    row = curated_api.pair(pair_id=pair_id)
    assert (row.phrase, row.category) == ("a dented enamel mug", "cup")
    assert row.target.text == "A dented enamel mug on a table."
    detail = curated_api.item(kind="subject", item_id=found.subject_id)
    assert (detail.values["phrase"], detail.values["category"]) == ("a dented enamel mug", "cup")
    side = exported(curated_api, tmp_path / "out")[pair_id]
    assert side["phrase"] == "a dented enamel mug"
    assert side["target"]["caption"] == "A dented enamel mug on a table."
    assert curated_api.outline(study_id=VERIFY_STUDY, item_id=pair_id, slot="target").corrected == (
        "caption",
        "category",
        "phrase",
    )
    assert curated_api.verify().catalog_hash != before


def test_box_and_mask_of_a_person_cut_the_picture_out_anew(curated_api: Api, workspace: Workspace, tmp_path: Path) -> None:
    pair_id, found = target(curated_api)
    mask = np.zeros((48, 64), bool)
    mask[10:30, 5:25] = True  # the planted square on frame 5
    box = (4.0, 8.0, 28.0, 32.0)
    curated_api.correct(
        corrections=(
            said("box", found.appearance_id, box=box),
            said("mask", found.appearance_id, counts=rle.encode(mask).decode()),
        )
    )
    now = curated_api.outline(study_id=VERIFY_STUDY, item_id=pair_id, slot="target")
    assert now.box == box
    assert np.array_equal(rle.decode(now.counts.encode(), 48, 64), mask)
    side = exported(curated_api, tmp_path / "out")[pair_id]["target"]
    assert side["box"] == list(box)
    media = curated_api.pair(pair_id=pair_id).target.media
    assert media is not None
    cut_out = read_rgba(Path(curated_api.media(media_id=media).path).read_bytes())
    assert cut_out.shape == (24, 24, 4)
    assert np.array_equal(cut_out[..., 3] > 127, mask[8:32, 4:28])
    inside = cut_out[4:20, 3:19, :3].mean(axis=(0, 1))
    assert np.abs(inside - (220, 180, 40)).max() < 12


def test_a_withdrawn_correction_gives_the_value_before(curated_api: Api) -> None:
    pair_id, found = target(curated_api)
    curated_api.correct(corrections=(said("box", found.appearance_id, box=(10.0, 10.0, 30.0, 30.0)),))
    curated_api.correct(corrections=(said("box", found.appearance_id, box=(12.0, 12.0, 28.0, 28.0), rater="bob"),))

    def box() -> tuple:
        return curated_api.outline(study_id=VERIFY_STUDY, item_id=pair_id, slot="target").box

    assert box() == (12.0, 12.0, 28.0, 28.0)
    curated_api.correct(corrections=(said("box", found.appearance_id, rev=2, rater="bob", withdrawn=True),))
    assert box() == (10.0, 10.0, 30.0, 30.0)
    curated_api.correct(corrections=(said("box", found.appearance_id, rev=2, withdrawn=True),))
    assert box() == found.box


def test_corrections_survive_a_rebuild_and_touch_no_row_of_the_machine(curated_api: Api, workspace: Workspace) -> None:
    pair_id, found = target(curated_api)
    curated_api.correct(corrections=(said("phrase", found.subject_id, text="a cup"),))
    before = curated_api.verify().catalog_hash
    assert curated_api.rebuild().catalog_hash == before
    assert curated_api.pair(pair_id=pair_id).phrase == "a cup"
    assert set(workspace.catalog.query("SELECT DISTINCT phrase FROM subject")) == {("a red mug",)}


def test_the_same_correction_again_changes_nothing(curated_api: Api) -> None:
    _, found = target(curated_api)
    once = curated_api.correct(corrections=(said("phrase", found.subject_id, text="a cup"),))
    assert curated_api.correct(corrections=(said("phrase", found.subject_id, text="a cup"),)) == once


def test_what_cannot_be_is_refused_with_the_value_and_stores_nothing(curated_api: Api) -> None:
    pair_id, found = target(curated_api)
    empty = rle.encode(np.zeros((48, 64), bool)).decode()
    far = np.zeros((48, 64), bool)
    far[:4, :4] = True
    fit = said("phrase", found.subject_id, text="a cup")
    for wrong, words in (
        (said("colour", found.subject_id, text="red"), "'colour' cannot be corrected"),
        (said("phrase", found.subject_id, text="  "), "write 1 to 500"),
        (said("category", found.subject_id, text="kupp"), "category 'kupp' is not known"),
        (said("box", found.appearance_id, box=(30.0, 8.0, 8.0, 40.0)), "empty or outside the frame of 64 x 48"),
        (said("box", found.appearance_id), "give four numbers"),
        (said("mask", found.appearance_id, counts=empty), "the mask is empty"),
        (said("mask", found.appearance_id, counts="11"), "cannot be read"),
        (said("mask", found.appearance_id, counts=rle.encode(far).decode()), "nothing of the mask lies in the box"),
    ):
        with pytest.raises(SettingsError, match=words):
            curated_api.correct(corrections=(fit, wrong))
    for unknown, words in (
        (said("phrase", "subject_none", text="a cup"), "is no subject"),
        (said("caption", "clip_none", text="a cup"), "has no caption"),
        (said("box", "appearance_none", box=(1.0, 1.0, 9.0, 9.0)), "is no frame"),
    ):
        with pytest.raises(StudioError, match=words) as refused:
            curated_api.correct(corrections=(unknown,))
        assert refused.value.kind not in RETRIED_KINDS, "an outbox would send it for ever, and nothing after it"
    assert curated_api.pair(pair_id=pair_id).phrase == "a red mug"


def test_context_is_exported_by_what_people_say_of_it(curated_api: Api, tmp_path: Path) -> None:
    pair_id, _ = target(curated_api)

    def say(choice: str, rater: str) -> None:
        said = vote(pair_id, "context", choice, rater=rater)
        curated_api.submit_votes(votes=(replace(said, study_id=VERIFY_STUDY),))

    def chosen(where: str) -> int:
        return curated_api.pairs(where=where).total

    assert chosen("other_context is null") == 2
    say("yes", "ann")
    assert chosen("other_context = 'yes'") == 1
    say("no", "bob")
    assert (chosen("other_context = 'yes'"), chosen("other_context = 'unsure'")) == (0, 1)
    assert curated_api.pair(pair_id=pair_id).status == "machine"


def vote(subject_id: str, question: str, choice: str | None, *, rater: str = "ann", rev: int = 1) -> Vote:
    return Vote(
        id=f"{subject_id}-{question}-{rater}",
        rev=rev,
        study_id=SUBJECTS_STUDY,
        trial_id="t",
        item_id=subject_id,
        rater=rater,
        rater_kind="person",
        question=question,
        choice=choice,
    )


def test_a_subject_with_every_question_answered_leaves_its_raters_queue(curated_api: Api) -> None:
    trials = curated_api.next_trials(study_id=SUBJECTS_STUDY, rater="ann", limit=10)
    assert len(trials) == 3
    form = curated_api.form(name=trials[0].form)
    first = trials[0].item_id
    *most, last = [question.name for question in form.questions]
    assert (*most, last) == ("complete", "specific", "phrase", "mask")
    curated_api.submit_votes(votes=tuple(vote(first, name, "yes") for name in most))
    assert curated_api.queue_state(study_id=SUBJECTS_STUDY, rater="ann").judged == 0
    curated_api.submit_votes(votes=(vote(first, last, "yes"),))
    assert curated_api.queue_state(study_id=SUBJECTS_STUDY, rater="ann").judged == 1
    assert curated_api.queue_state(study_id=SUBJECTS_STUDY, rater="bob").left == 3


def test_subjects_that_are_sent_to_verification_come_first(curated_api: Api) -> None:
    def order() -> list[str]:
        return [trial.item_id for trial in curated_api.next_trials(study_id=SUBJECTS_STUDY, rater="ann", limit=10)]

    *others, last = order()
    curated_api.ask_verification(selection=Selection(kind="subject", ids=(last,)), rater="bob")
    assert order() == [last, *others]


def test_pairs_of_a_refused_subject_leave_queue_and_export_until_it_is_put_right(curated_api: Api, tmp_path: Path) -> None:
    pair_id, found = target(curated_api)
    curated_api.submit_votes(votes=(vote(found.subject_id, "phrase", "no"),))
    assert pair_id not in exported(curated_api, tmp_path / "refused")
    assert pair_id not in {t.item_id for t in curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=10)}
    curated_api.submit_votes(votes=(vote(found.subject_id, "phrase", "yes", rater="bob"),))
    assert pair_id in exported(curated_api, tmp_path / "even")
    curated_api.submit_votes(votes=(vote(found.subject_id, "phrase", "no", rater="eve"),))
    assert pair_id not in exported(curated_api, tmp_path / "again")
    curated_api.correct(corrections=(said("phrase", found.subject_id, text="a cup"),))
    assert pair_id in exported(curated_api, tmp_path / "mended")
