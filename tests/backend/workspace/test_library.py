"""Items of a project on both transports: one video, three clips with a subject each, pairs of .9, .6 and .3 and a gate at .5."""

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain import VERIFY_STUDY, ProjectError, SettingsError, StudioError
from backend.domain.library import KINDS, Selection
from backend.geometry.rle import decode
from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.test_api import vote_on
from tests.backend.workspace.toy_project import write_toy_video

pytestmark = pytest.mark.slow  # together they take too long for the fast run


def column(api: Api, kind: str, name: str, **query) -> list:
    page = api.items(kind=kind, **query)
    return [row[page.columns.index(name)] for row in page.rows]


@pytest.mark.parametrize(("kind", "total"), [("video", 1), ("clip", 3), ("subject", 3), ("anchor", 0), ("pair", 3)])
def test_every_kind_is_listed_with_what_gates_hold_back(curated_api: Api, kind: str, total: int) -> None:
    page = curated_api.items(kind=kind)
    assert (page.total, len(page.rows), len(set(page.ids))) == (total, total, total)
    found = curated_api.item_kind(kind=kind)
    assert tuple(each.name for each in found.columns) == page.columns
    assert found.counts == {"video": 1, "clip": 3, "subject": 3, "anchor": 0, "pair": 2}


def test_a_pair_below_the_gate_is_held_back_and_says_by_what(curated_api: Api) -> None:
    page = curated_api.items(kind="pair", where="state = 'held back'")
    (pair_id,) = page.ids
    assert column(curated_api, "pair", "similarity", where="state = 'held back'") == [0.3]
    detail = curated_api.item(kind="pair", item_id=pair_id)
    assert (detail.state, detail.held_by) == ("held back", "pair.similarity >= 0.5")
    (score,) = detail.scores
    assert (score.name, score.value, score.passed, score.gates) == ("similarity", 0.3, False, ("pair.similarity >= 0.5",))


def test_a_score_passes_when_it_passes_all_gates_on_it(workspace: Workspace, curated_api: Api) -> None:
    (*others, step) = workspace.plan.steps
    (least,) = step.gates
    most = replace(least, comparison="<", value=0.98)
    workspace.plan = replace(workspace.plan, steps=(*others, replace(step, gates=(least, most))))
    (pair_id,) = workspace.items(kind="pair", where="similarity < .5").ids
    (score,) = workspace.item(kind="pair", item_id=pair_id).scores
    assert (score.value, score.passed) == (0.3, False), "it passes the last of the two"
    assert score.gates == ("pair.similarity >= 0.5", "pair.similarity < 0.98")


def test_filters_are_typed_and_combine(curated_api: Api) -> None:
    assert column(curated_api, "pair", "similarity", where="similarity >= .5 and similarity < .8") == [0.6]
    assert curated_api.items(kind="clip", where="caption contains 'take 1'").total == 1
    assert curated_api.items(kind="subject", where="category in ('mug', 'dog') and is_living = false").total == 3
    assert curated_api.items(kind="video", where="has_audio = true").total == 0
    with pytest.raises(SettingsError, match="did you mean similarity"):
        curated_api.items(kind="pair", where="similarty > 1")


def test_every_word_of_a_search_must_occur_anywhere_in_the_item(curated_api: Api) -> None:
    assert curated_api.items(kind="clip", search="RED take").total == 3
    assert curated_api.items(kind="clip", search="MUG.mp4 2.").total == 1
    assert curated_api.items(kind="clip", search="cup").total == 0


@pytest.mark.parametrize(("order", "values"), [("similarity", [0.3, 0.6, 0.9]), ("-similarity", [0.9, 0.6, 0.3])])
def test_any_column_sorts_both_ways(curated_api: Api, order: str, values: list[float]) -> None:
    assert column(curated_api, "pair", "similarity", order=order) == values
    assert column(curated_api, "pair", "similarity", order=order, where="similarity > .5") == [v for v in values if v > 0.5]


def test_what_has_no_value_comes_last_whichever_way(curated_api: Api) -> None:
    (trial, *_) = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann")
    curated_api.submit_votes(votes=(vote_on(trial, "same"),))
    for order in ("verdict", "-verdict"):
        assert column(curated_api, "pair", "verdict", order=order) == ["same", None, None]


def test_clips_come_in_the_order_of_the_footage(curated_api: Api) -> None:
    assert column(curated_api, "clip", "start_s") == pytest.approx([0.0, 0.4, 0.8])


def test_windows_fit_together(curated_api: Api) -> None:
    whole = curated_api.items(kind="clip", order="-start_s")
    parts = [curated_api.items(kind="clip", order="-start_s", offset=n, limit=1) for n in range(4)]
    assert [name for part in parts for name in part.ids] == list(whole.ids)
    assert {part.total for part in parts} == {3}
    assert {part.moment for part in parts} == {whole.moment}


def test_verdicts_are_columns_as_soon_as_they_are_given(curated_api: Api) -> None:
    before = curated_api.items(kind="pair", where="status = 'machine'")
    (trial, *_) = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann")
    curated_api.submit_votes(votes=(vote_on(trial, "same"),))
    after = curated_api.items(kind="pair", where="status = 'one' and verdict = 'same' and num_votes = 1")
    assert after.ids == (trial.item_id,)
    assert before.total == 3
    assert after.moment != before.moment


def test_columns_tell_their_choices_and_spans(curated_api: Api) -> None:
    columns = {each.name: each for each in curated_api.item_kind(kind="pair").columns}
    assert columns["category"].choices == ("mug",)
    assert columns["kind"].choices == ("cross_frame",)
    assert columns["state"].choices == ("kept", "held back", "excluded")
    assert (columns["similarity"].lowest, columns["similarity"].highest) == (0.3, 0.9)


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("book", {}),
        ("clip", {"order": "colour"}),
        ("clip", {"where": "colour = 1"}),
        ("clip", {"limit": 0}),
        ("clip", {"limit": 1001}),
        ("clip", {"offset": -1}),
    ],
)
def test_senseless_questions_are_refused(curated_api: Api, kind: str, query: dict) -> None:
    with pytest.raises(SettingsError):
        curated_api.items(kind=kind, **query)


def test_a_subject_comes_with_its_box_and_mask_and_what_made_them(curated_api: Api) -> None:
    ids = curated_api.items(kind="subject").ids
    detail = curated_api.item(kind="subject", item_id=ids[1])
    (view,) = detail.views
    (mark,) = view.marks
    assert (view.start_frame, view.width, view.height, view.focus_frame) == (10, 64, 48, 15)
    assert (mark.frame, mark.label, mark.box) == (15, "a red mug", (8.0, 8.0, 40.0, 40.0))
    mask = decode(mark.counts.encode(), mark.height, mark.width)
    assert mask.sum() == 32 * 32
    assert mask[8:40, 8:40].all()
    assert view.clip_media is not None
    assert curated_api.media(media_id=view.clip_media).num_frames == 10
    made = [(origin.record, origin.stage) for origin in detail.origins]
    assert made[0] == ("subject", "plant_pairs")
    assert made[-2:] == [("clip", "plant_pairs"), ("video", "probe_source")]


def test_a_clip_opens_on_the_first_frame_on_which_something_was_found(curated_api: Api) -> None:
    detail = curated_api.item(kind="clip", item_id=curated_api.items(kind="clip").ids[2])
    assert [(view.focus_frame, [mark.frame for mark in view.marks]) for view in detail.views] == [(25, [25])]
    assert detail.views[0].caption == "A red mug, take 2."


def test_a_pair_shows_both_sides(curated_api: Api) -> None:
    detail = curated_api.item(kind="pair", item_id=curated_api.items(kind="pair", order="-similarity").ids[0])
    assert [view.slot for view in detail.views] == ["target", "reference"]
    assert [view.start_frame for view in detail.views] == [0, 10]
    assert [(view.focus_frame, view.focus_s) for view in detail.views] == [(5, 0.2), (15, 0.6)], "at 25 frames a second"
    assert [(Path(view.source).name, view.licence) for view in detail.views] == [("mug.mp4", "CC0-1.0")] * 2
    assert all(view.picture_media for view in detail.views)


@pytest.mark.parametrize("kind", KINDS)
def test_an_id_that_is_none_is_a_sentence(curated_api: Api, kind: str) -> None:
    with pytest.raises(ProjectError, match="is not in this project"):
        curated_api.item(kind=kind, item_id="../../etc/passwd")


def test_thumbnails_are_cut_outs_and_frames(curated_api: Api) -> None:
    for kind in ("video", "clip", "subject", "pair"):
        ids = curated_api.items(kind=kind).ids
        found = curated_api.thumbnails(kind=kind, ids=(*ids, "gone"))
        assert [each.item_id for each in found] == [*ids, "gone"]
        assert all(Path(each.path or "").stat().st_size > 0 for each in found[:-1])
        assert found[-1].path is None
        assert found[-1].reason


def test_a_clip_whose_file_is_gone_has_a_reason_in_place_of_its_picture(curated_api: Api, tmp_path: Path) -> None:
    (tmp_path / "videos" / "mug.mp4").unlink()
    (first, *_) = curated_api.thumbnails(kind="clip", ids=curated_api.items(kind="clip").ids)
    assert first.path is None
    assert first.reason


def test_pairs_that_are_asked_for_come_first_in_the_queue(curated_api: Api) -> None:
    best, second = curated_api.items(kind="pair", where="state = 'kept'", order="-similarity").ids
    for wanted in (second, best):
        asked = curated_api.ask_verification(selection=Selection(kind="pair", ids=(wanted,)), rater="ann")
        assert (asked.items, asked.pairs) == (1, 1)
        (trial,) = curated_api.next_trials(study_id=VERIFY_STUDY, rater=f"rater of {wanted}", limit=1)
        assert trial.item_id == wanted


def test_a_clip_sends_the_pairs_on_either_side(curated_api: Api) -> None:
    middle = curated_api.items(kind="clip").ids[1]
    asked = curated_api.ask_verification(selection=Selection(kind="clip", ids=(middle,)), rater="ann")
    assert asked.pairs == 1  # the reference of .9; the pair of .3 is held back
    everything = Selection(kind="video", all_matching=True)
    assert curated_api.ask_verification(selection=everything, rater="ann").pairs == 2
    with pytest.raises(ProjectError, match="no pairs"):
        curated_api.ask_verification(selection=Selection(kind="clip", ids=("gone",)), rater="ann")


def test_what_is_excluded_leaves_queue_counts_and_export_and_comes_back(curated_api: Api, tmp_path: Path) -> None:
    first = curated_api.items(kind="clip").ids[0]
    chosen = Selection(kind="clip", ids=(first,))
    done = curated_api.exclude(selection=chosen, rater="ann", reason="a blurred take")
    assert (done.items, done.excluded) == (1, True)
    assert column(curated_api, "clip", "state") == ["excluded", "kept", "kept"]
    assert column(curated_api, "subject", "state") == ["excluded", "kept", "kept"]
    assert column(curated_api, "pair", "state", order="-similarity") == ["excluded", "excluded", "held back"]
    counts = curated_api.status().counts
    assert (counts["clips"], counts["subjects"], counts["pairs"]) == (2, 2, 0)
    assert curated_api.next_trials(study_id=VERIFY_STUDY, rater="bob") == ()
    event = curated_api.journal_tail(limit=1)[0]
    assert (event["kind"], event["actor"], event["body"]["reason"]) == ("items_excluded", "ann", "a blurred take")
    curated_api.exclude(selection=chosen, rater="ann", excluded=False)
    assert column(curated_api, "clip", "state") == ["kept", "kept", "kept"]
    assert curated_api.status().counts["pairs"] == 2


def test_a_reference_that_is_excluded_takes_its_pairs_along(curated_api: Api) -> None:
    last = curated_api.items(kind="clip").ids[2]
    curated_api.exclude(selection=Selection(kind="clip", ids=(last,)), rater="ann")
    assert curated_api.status().counts["pairs"] == 1


def test_all_that_match_are_excluded_without_naming_them(curated_api: Api) -> None:
    chosen = Selection(kind="pair", all_matching=True, where="similarity < .7")
    assert curated_api.exclude(selection=chosen, rater="ann").items == 2
    assert column(curated_api, "pair", "state", order="-similarity") == ["kept", "excluded", "excluded"]
    with pytest.raises(ProjectError, match="no item is chosen"):
        curated_api.exclude(selection=Selection(kind="pair", all_matching=True, search="nothing"), rater="ann")


def test_exclusions_survive_a_rebuild(curated_api: Api) -> None:
    chosen = Selection(kind="clip", ids=curated_api.items(kind="clip").ids[:1])
    curated_api.exclude(selection=chosen, rater="ann")
    before = curated_api.verify()
    assert before.ok, before.problems
    assert curated_api.rebuild() == before
    assert column(curated_api, "clip", "state") == ["excluded", "kept", "kept"]


def test_chosen_items_are_exported_alone(curated_api: Api, tmp_path: Path) -> None:
    assert "manifest" in curated_api.export_formats()
    best = curated_api.items(kind="pair", order="-similarity").ids[0]
    out = tmp_path / "out"
    done = curated_api.export_items(selection=Selection(kind="pair", ids=(best,)), format="manifest", out=str(out))
    assert done.pairs == 1
    assert best in (out / "pairs.jsonl").read_text()
    with pytest.raises(StudioError):
        curated_api.export_items(selection=Selection(kind="pair", ids=(best,)), format="opens3v", out=str(tmp_path / "x"))


def test_formats_about_clips_export_the_clips_of_chosen_pairs_alone(workspace: Workspace, tmp_path: Path) -> None:
    workspace.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),), licence="CC0-1.0")
    curated(cast(Api, workspace))
    best = workspace.items(kind="pair", order="-similarity").ids[0]
    ((both,),) = workspace.catalog.query(
        """SELECT list_sort(list(DISTINCT s.clip_id)) FROM pair p JOIN appearance a ON a.id IN (p.target_appearance_id, p.reference_appearance_id)
        JOIN subject s ON s.id = a.subject_id WHERE p.id = ?""",
        [best],
    )
    chosen = Selection(kind="pair", ids=(best,))
    for name in ("coco", "opens2v"):
        workspace.export(format=name, out=str(tmp_path / "whole" / name))
        workspace.export_items(selection=chosen, format=name, out=str(tmp_path / name))
    assert len(clips_of_coco(tmp_path / "whole" / "coco")) == len(clips_of_opens2v(tmp_path / "whole" / "opens2v")) == 3
    assert clips_of_coco(tmp_path / "coco") == clips_of_opens2v(tmp_path / "opens2v") == both


def clips_of_coco(out: Path) -> list[str]:
    told = json.loads((out / "annotations" / "instances_train.json").read_text())
    return sorted({image["clip_id"] for image in told["images"]})


def clips_of_opens2v(out: Path) -> list[str]:
    rows = [json.loads(line) for line in (out / "provenance.jsonl").read_text().splitlines()]
    return sorted(row["clip_id"] for row in rows if "sample" in row)


def test_what_is_curated_later_appears(workspace: Workspace, tmp_path: Path) -> None:
    assert workspace.items(kind="clip").total == 0
    workspace.ingest(paths=(str(write_toy_video(tmp_path / "one.mp4")),))
    curated(workspace)  # pyright: ignore[reportArgumentType]
    workspace._library.forget()  # what the patience of a reader would wait for
    assert workspace.items(kind="clip").total == 3
