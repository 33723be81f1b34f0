"""The jobs page without Qt: what is asked and when, logs, forms, quarantine, runs."""

import math
from datetime import UTC, datetime

import pytest

from backend.domain.jobs import (
    JobField,
    JobForm,
    JobLog,
    JobRow,
    QuarantinePage,
    QuarantineRow,
    TrainingCurves,
    TrainingRun,
    ValidationVideo,
)
from studio.sessions.job_form import FormSession, problem
from studio.sessions.jobs import MOST_LINES, JobsSession, LogTail, Poll, asked_again, share, took_s
from studio.sessions.quarantine import QuarantineSession
from studio.sessions.training_runs import RunsSession, smoothed


def row(name: str, state: str = "running", **more) -> JobRow:
    return JobRow(job_id=name, kind=more.pop("kind", "curate"), state=state, **more)


def test_one_question_of_a_sort_is_on_its_way_and_the_next_comes_after_its_pause() -> None:
    poll = Poll()
    assert poll.due("list", 0.0, busy=True) == ("jobs", "log")
    assert poll.due("list", 9.0, busy=True) == (), "neither has been answered"
    poll.answered("jobs")
    assert poll.due("list", 0.5, busy=True) == ()
    assert poll.due("list", 1.0, busy=True) == ("jobs",)
    poll.answered("jobs")
    assert poll.due("list", 5.9, busy=False) == (), "while nothing runs, five seconds pass"
    assert poll.due("list", 6.0, busy=False) == ("jobs",)


def test_a_service_that_does_not_answer_is_asked_less_and_less_until_it_does() -> None:
    poll, asked = Poll(), []
    for second in range(64):
        if "jobs" in poll.due("list", float(second), busy=True):
            asked.append(second)
            poll.failed("jobs")
    assert asked == [0, 2, 6, 14, 30, 60], "waits of 2, 4, 8, 16 and then 30 seconds"
    poll.hurry("jobs")
    assert poll.due("list", 63.5, busy=True) == ("jobs",)
    poll.answered("jobs")
    assert poll.due("list", 64.5, busy=True) == ("jobs",)


def test_the_newest_job_is_shown_first_and_those_that_ended_are_told_once() -> None:
    session = JobsSession()
    assert session.know((row("b"), row("a", "done"))) == ()
    assert (session.shown, session.is_busy, session.can_cancel) == ("b", True, True)
    ended = session.know((row("b", "failed"), row("a", "done")))
    assert [job.job_id for job in ended] == ["b"]
    assert session.know((row("b", "failed"), row("a", "done"))) == ()
    assert (session.is_busy, session.can_cancel, session.can_start_again) == (False, False, True)
    session.show("a")
    session.know((row("c"), row("b", "failed"), row("a", "done")))
    assert session.shown == "a", "who looks at a job goes on looking at it"


def test_a_job_of_a_kind_without_a_form_is_not_started_again() -> None:
    session = JobsSession()
    session.know((row("a", "done", kind="calibrate"),))
    assert not session.can_start_again


def test_a_training_that_stopped_goes_on_in_its_folder_and_everything_else_starts_as_it_was() -> None:
    asked = {"data": "exports/one", "run.steps": "50"}
    stopped = row("a", "cancelled", kind="train", asked=asked, out="/p/runs/tiny-1")
    assert asked_again(stopped) == {**asked, "out": "/p/runs/tiny-1", "resume": "true"}
    assert asked_again(row("a", "done", kind="train", asked=asked, out="/p/runs/tiny-1")) == asked
    assert asked_again(row("b", "failed", asked={"workers": "2", "retry": '["k"]'})) == {"workers": "2"}


def test_an_export_cannot_be_cancelled() -> None:
    session = JobsSession()
    session.know((row("a", kind="export"),))
    assert not session.can_cancel


def test_how_long_a_job_took_and_how_far_it_is() -> None:
    job = row("a", started_at="2026-01-02T10:00:00+00:00", done=3, total=12)
    now = datetime(2026, 1, 2, 10, 1, 30, tzinfo=UTC)
    assert took_s(job, now) == 90.0
    assert took_s(row("a", started_at="2026-01-02T10:00:00", ended_at="2026-01-02T10:00:20Z"), now) == 20.0
    assert took_s(row("a"), now) is None
    assert share(job) == 0.25
    assert share(row("a")) is None
    assert share(row("a", done=9, total=3)) == 1.0


def test_a_log_takes_each_answer_once_and_forgets_its_oldest_lines() -> None:
    tail = LogTail()
    assert tail.look_at("a")
    assert tail.take("a", 0, JobLog(lines=("one", "Two"), next_after=2)) == ("one", "Two")
    assert tail.take("a", 0, JobLog(lines=("one", "Two"), next_after=2)) == (), "the same answer again"
    assert tail.take("b", 2, JobLog(lines=("other",), next_after=3)) == (), "of the job that was shown before"
    assert tail.matches("two") == (1,)
    assert tail.matches("") == ()
    tail.take("a", 2, JobLog(lines=tuple(f"line {n}" for n in range(MOST_LINES)), next_after=2 + MOST_LINES))
    assert (len(tail.lines), tail.first, tail.lines[0]) == (MOST_LINES, 2, "line 0")
    assert tail.look_at("b")
    assert (tail.lines, tail.after) == ([], 0)


FORM = JobForm(
    kind="train",
    main=(
        JobField(name="recipe", type="choice", default="tiny", choices=("tiny", "phantom_1_3b"), required=True),
        JobField(name="data", type="folder", required=True, words="An export."),
    ),
    more=(
        JobField(name="run.steps", type="integer", default="1000", words="How many updates."),
        JobField(name="optimizer.learning_rate", type="number", default="0.002"),
        JobField(name="optimizer.betas", type="list", default="[0.9, 0.99]"),
    ),
)


def test_only_what_differs_from_its_default_is_asked_for_besides_what_must_be_given() -> None:
    form = FormSession(form=FORM)
    assert form.problems() == {"data": "required"}
    assert form.fill("data", "/exports/one")
    assert form.fill("run.steps", "20")
    assert not form.fill("run.steps", "20")
    assert form.settings() == {"recipe": "tiny", "data": "/exports/one", "run.steps": "20"}
    assert form.is_changed("run.steps")
    assert form.reset("run.steps")
    assert form.settings() == {"recipe": "tiny", "data": "/exports/one"}
    assert form.reset_all()
    assert not form.reset_all()


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("integer", "12", ""),
        ("integer", "1.5", "integer"),
        ("number", "1e-4", ""),
        ("number", "fast", "number"),
        ("boolean", "true", ""),
        ("boolean", "yes", "boolean"),
        ("list", '["a", 2]', ""),
        ("list", "a, b", ""),
        ("list", '["a"', "list"),
        ("text", "anything", ""),
        ("folder", "", ""),
    ],
)
def test_values_that_cannot_be_right_are_known_before_they_are_sent(kind: str, value: str, said: str) -> None:
    assert problem(JobField(name="x", type=kind), value) == said


def test_a_list_of_one_need_not_be_put_in_brackets() -> None:
    form = FormSession(form=JobForm(kind="curate", main=(JobField(name="paths", type="list"),)))
    form.fill("paths", "/data/my videos")
    assert form.settings() == {"paths": '["/data/my videos"]'}
    form.fill("paths", '["/a", "/b"]')
    assert form.settings() == {"paths": '["/a", "/b"]'}


def test_what_the_service_refuses_stands_beside_the_field_that_it_names() -> None:
    form = FormSession(form=FORM)
    assert form.refuse("run.steps is 0; at least 1") == "run.steps"
    assert (form.with_more, form.refused) == (True, {"run.steps": "run.steps is 0; at least 1"})
    form.fill("run.steps", "5")
    assert form.refused == {}
    assert form.refuse("the database is full") == "", "data is no word of its own there"


def test_another_recipe_keeps_what_was_filled_in_where_it_has_such_a_field() -> None:
    form = FormSession(form=FORM)
    form.fill("data", "/exports/one")
    form.fill("run.steps", "30000")
    other = JobForm(kind="train", main=FORM.main, more=(JobField(name="run.steps", type="integer", default="30000"),))
    moved = form.moved_to(other)
    assert moved.values == {"data": "/exports/one"}, "what is its own default is not changed any more"


def test_further_settings_are_searched_in_names_and_meanings() -> None:
    form = FormSession(form=FORM)
    assert form.shown_more() == ()
    form.with_more, form.search = True, "updates"
    assert [one.name for one in form.shown_more()] == ["run.steps"]
    form.search = "optimizer rate"
    assert [one.name for one in form.shown_more()] == ["optimizer.learning_rate"]


def test_an_old_jobs_settings_are_filled_in_as_far_as_the_form_has_them() -> None:
    form = FormSession(form=FORM)
    form.fill("run.steps", "3")
    form.take({"data": "/exports/two", "gone.setting": "1", "recipe": "phantom_1_3b"})
    assert form.values == {"data": "/exports/two", "recipe": "phantom_1_3b"}


def held(name: str) -> QuarantineRow:
    return QuarantineRow(
        work_key=name,
        stage="probe",
        item_id=name,
        kind="source",
        name=f"{name}.mp4",
        failure="media",
        message="truncated",
        attempts=1,
        failed_at="2026-01-02T10:00:00+00:00",
    )


def page(names: str, *, total: int, after: str | None) -> QuarantinePage:
    return QuarantinePage(rows=tuple(map(held, names)), total=total, by_stage={"probe": total}, next_after=after)


def test_quarantine_comes_page_by_page_and_late_answers_are_dropped() -> None:
    session = QuarantineSession()
    first = session.wanted()
    assert first is not None
    assert session.wanted() is None, "one question at a time"
    assert session.arrived(first, page("ab", total=3, after="b"))
    second = session.wanted()
    assert second is not None
    assert second.after == "b"
    session.look_at(stage="probe", search="x")
    assert not session.arrived(second, page("c", total=3, after=None))
    third = session.wanted()
    assert third is not None
    assert (third.search, third.after) == ("x", None)
    session.unreachable(third)
    assert session.wanted() is not None


def test_chosen_rows_are_tried_again_and_all_of_a_filter_only_once_all_are_known() -> None:
    session = QuarantineSession()
    assert session.chosen([]) is None
    session.arrived(session.wanted(), page("ab", total=3, after="b"))  # pyright: ignore[reportArgumentType]
    assert session.chosen([1, 0]) == ("a", "b")
    session.all_chosen = True
    assert session.chosen([]) == (), "all that there are"
    session.look_at(stage="probe", search="")
    session.arrived(session.wanted(), page("ab", total=3, after="b"))  # pyright: ignore[reportArgumentType]
    session.all_chosen = True
    assert session.chosen([0]) is None, "the third has to be fetched first"
    session.arrived(session.wanted(), page("c", total=3, after=None))  # pyright: ignore[reportArgumentType]
    assert session.chosen([0]) == ("a", "b", "c")
    assert session.differs(page("ab", total=2, after=None))
    assert not session.differs(page("abc", total=3, after=None))
    session.take_anew(page("bc", total=2, after=None))
    assert ([row.work_key for row in session.rows], session.total, session.all_chosen) == (["b", "c"], 2, False)


def run(name: str, *samples: int, state: str = "running") -> TrainingRun:
    return TrainingRun(run=name, recipe="tiny", state=state, step=90, steps=100, checkpoints=(50,), samples=samples)


def test_a_run_shows_its_first_and_last_validation_and_steps_through_them() -> None:
    session = RunsSession()
    assert session.know((run("one", 10, 20, 30), run("two")))
    assert session.sides == (10, 30)
    assert session.missing() == (10, 30)
    assert session.move(0, 1)
    assert session.move(1, -1)
    assert session.sides == (20, 20)
    assert not session.move(0, -5)
    assert session.comparable is None
    assert session.show("two")
    assert session.sides == (None, None)


def test_two_steps_can_be_compared_when_they_have_a_video_in_common() -> None:
    session = RunsSession()
    session.know((run("one", 10, 20),))
    session.videos = {10: videos(10, "abcde"), 20: videos(20, "x")}
    assert session.comparable is None
    session.videos[20] = videos(20, "xc")
    assert session.comparable == (10, 20)
    assert (session.num_videos, [name for name, _ in session.pairs()]) == (6, ["a", "b", "c", "d"])
    assert session.more_videos()
    assert [(name, pair[0] is None, pair[1] is None) for name, pair in session.pairs()] == [
        ("e", False, True),
        ("x", True, False),
    ]
    assert session.more_videos()
    assert session.first_video == 0


def videos(step: int, names: str) -> tuple[ValidationVideo, ...]:
    return tuple(ValidationVideo(name=name, step=step, media_id=f"{name}{step}") for name in names)


def test_smoothing_is_the_debiased_mean_of_what_came_before() -> None:
    assert smoothed((4.0, 4.0, 4.0), 0.9) == pytest.approx((4.0, 4.0, 4.0)), "no pull towards zero"
    assert smoothed((1.0, 3.0), 0.5) == pytest.approx((1.0, (0.25 * 1.0 + 0.5 * 3.0) / 0.75))
    assert smoothed((1.0, 3.0), 0.0) == (1.0, 3.0)
    first, gap, last = smoothed((2.0, math.nan, 2.0), 0.6)
    assert (first, last) == pytest.approx((2.0, 2.0))
    assert math.isnan(gap)


def test_losses_are_drawn_first_and_the_rest_on_demand() -> None:
    session = RunsSession()
    session.know((run("one"),))
    names = ("gradient_norm", "loss", "validation/loss", "memory_gib")
    session.curves = TrainingCurves(run="one", steps=dict.fromkeys(names, (1, 2)), values=dict.fromkeys(names, (4.0, 2.0)))
    assert [line.name for line in session.lines()] == ["loss", "validation/loss"]
    session.draw(("memory_gib", "loss"))
    assert [line.name for line in session.lines()] == ["loss", "memory_gib"]
