"""The session without Qt: what is shown, what is said, what can be taken back."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from backend.api import QueueState
from backend.domain import VERIFY_STUDY, Form, Stimulus, Trial, Vote
from backend.studies.forms import load_form
from studio.sessions.verify import Phase, VerifySession
from tests.studio.world import IDENTITY, PARTS

FORMS = {form.name: form for form in (IDENTITY, PARTS)}


def trial(number: int, form: Form = IDENTITY) -> Trial:
    stimuli = (Stimulus(slot="reference", media="r"), Stimulus(slot="target", media="t"))
    return Trial(study_id=VERIFY_STUDY, item_id=f"pair_{number}", form=form.name, stimuli=stimuli)


class Clock:
    def __init__(self) -> None:
        self.at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


def new_session(clock: Clock | None = None) -> VerifySession:
    ids = itertools.count()
    return VerifySession(
        study_id=VERIFY_STUDY,
        rater="ann",
        clock=clock or Clock(),
        now=lambda: "2026-01-01T00:00:00+00:00",
        new_id=lambda: f"vote{next(ids)}",
    )


def state(total: int = 10, judged: int = 0) -> QueueState:
    return QueueState(study_id=VERIFY_STUDY, total=total, judged=judged, left=total - judged)


def opened(*trials: Trial, clock: Clock | None = None) -> VerifySession:
    session = new_session(clock)
    session.wanted()
    session.count(state())
    session.arrived(trials, FORMS)
    session.shown()
    return session


def test_a_new_session_wants_the_current_trial_and_the_next_two() -> None:
    wanted = new_session().wanted()
    assert wanted is not None
    assert (wanted.limit, wanted.skip) == (3, ())


def test_what_is_held_is_skipped_and_asked_for_once() -> None:
    session = opened(trial(1), trial(2))
    wanted = session.wanted()
    assert wanted is not None
    assert (wanted.limit, wanted.skip) == (1, ("pair_1", "pair_2"))
    assert session.wanted() is None


def test_no_verdict_is_taken_before_the_pictures_are_shown() -> None:
    session = new_session()
    session.wanted()
    session.count(state())
    session.arrived((trial(1),), FORMS)
    assert session.phase is Phase.OPENING
    assert session.answer("same") is None


def test_the_next_trial_opens_only_when_the_vote_is_safe() -> None:
    session = opened(trial(1), trial(2))
    vote = session.answer("same")
    assert vote is not None
    assert session.current is not None
    assert (session.phase, session.current.trial.item_id) == (Phase.SAVING, "pair_1")
    assert session.answer("different") is None
    session.saved()
    assert (session.phase, session.current.trial.item_id) == (Phase.OPENING, "pair_2")
    assert (vote.choice, vote.rev, vote.item_id, vote.shown_order) == ("same", 1, "pair_1", ("reference", "target"))


def test_a_vote_that_could_not_be_written_leaves_the_question_open() -> None:
    session = opened(trial(1), trial(2))
    session.toggle_reason("colour")
    session.answer("same")
    session.not_saved()
    assert session.current is not None
    assert (session.phase, session.current.trial.item_id, session.reasons) == (Phase.JUDGING, "pair_1", ("colour",))
    assert session.judged == 0


def test_undo_of_the_last_submitted_vote_withdraws_it_and_a_new_answer_supersedes_it() -> None:
    session = opened(trial(1), trial(2))
    session.toggle_reason("shape")
    first = session.answer("same")
    session.saved()
    withdrawal = session.undo()
    assert first is not None
    assert withdrawal is not None
    assert (withdrawal.id, withdrawal.rev, withdrawal.choice) == (first.id, 2, None)
    session.saved()
    session.shown()
    assert session.current is not None
    assert session.taken_back is not None
    assert (session.current.trial.item_id, session.taken_back.choice, session.reasons) == ("pair_1", "same", ("shape",))
    assert [held.trial.item_id for held in session.upcoming] == ["pair_2"]
    second = session.answer("different")
    assert second is not None
    assert (second.id, second.rev, second.choice) == (first.id, 3, "different")


def test_undo_works_when_the_queue_is_empty() -> None:
    session = opened(trial(1))
    session.answer("same")
    session.saved()
    session.wanted()
    session.count(state(judged=1))
    session.arrived((), FORMS)
    assert session.phase is Phase.EMPTY
    assert session.undo() is not None
    session.saved()
    assert session.phase is Phase.OPENING


def test_a_trial_that_arrives_while_undo_is_saved_waits_its_turn() -> None:
    session = opened(trial(1))
    session.answer("same")
    session.saved()
    session.wanted()
    session.undo()
    session.count(state())
    session.arrived((trial(2),), FORMS)
    assert session.phase is Phase.SAVING
    session.saved()
    assert session.current is not None
    assert session.current.trial.item_id == "pair_1"
    assert [held.trial.item_id for held in session.upcoming] == ["pair_2"]


def test_every_question_of_a_form_gets_its_own_vote_and_undo_takes_one_back() -> None:
    session = opened(trial(1, PARTS), trial(2, PARTS))
    assert session.current is not None
    first = session.answer("yes")
    session.saved()
    assert session.current.trial.item_id == "pair_1"
    second = session.answer("no")
    session.saved()
    assert first is not None
    assert second is not None
    assert (first.question, second.question, first.id == second.id) == ("colour", "scene", False)
    assert session.current.trial.item_id == "pair_2"
    session.undo()
    session.saved()
    question = session.current.open_question
    assert question is not None
    assert (session.current.trial.item_id, question.name, session.judged) == ("pair_1", "scene", 0)


@pytest.mark.parametrize("name", ["identity", "subject", "subject_unnamed"])
def test_a_form_ends_with_an_answer_where_no_question_is_left_open(name: str) -> None:
    form = load_form(name)
    orders = itertools.product(*([choice.value for choice in question.choices] for question in form.questions))
    for said in orders:
        session = new_session()
        session.wanted()
        session.count(state())
        session.arrived((trial(1, form),), {form.name: form})
        session.shown()
        held, wishes = session.current, dict(zip((q.name for q in form.questions), said, strict=True))
        assert held is not None
        while (question := held.open_question) is not None:
            vote = session.answer(wishes[question.name])
            assert vote is not None
            session.saved()
            assert form.ends_with(question.name, vote.choice) == (held.open_question is None)
            assert not form.ends_with(question.name, None), "an answer was taken back"
    assert not form.ends_with("nothing", "yes")


def test_time_counts_only_while_the_window_is_looked_at() -> None:
    clock = Clock()
    session = opened(trial(1), clock=clock)
    clock.at_s += 2.0
    session.look_away()
    clock.at_s += 60.0
    session.look_back()
    clock.at_s += 0.5
    vote = session.answer("unsure")
    assert vote is not None
    assert vote.visible_ms == 2500


def test_leases_about_to_end_are_given_up_but_not_the_trial_on_the_screen() -> None:
    clock = Clock()
    session = opened(trial(1), trial(2), trial(3), clock=clock)
    clock.at_s += 541.0
    wanted = session.wanted()
    assert wanted is not None
    assert (wanted.limit, wanted.skip) == (2, ("pair_1",))


def test_renewed_leases_last_from_when_that_was_asked_and_lost_ones_do_not_come_up() -> None:
    clock = Clock()
    session = opened(trial(1), trial(2), trial(3), clock=clock)
    clock.at_s += 500.0
    asked_at_s = clock.at_s
    clock.at_s += 20.0
    session.renewed(("pair_1", "pair_3"), asked_at_s=asked_at_s)
    assert [held.trial.item_id for held in session.held] == ["pair_1", "pair_3"], "the second may be another's"
    clock.at_s += 519.0
    wanted = session.wanted()
    assert wanted is not None
    assert (wanted.limit, wanted.skip) == (1, ("pair_1", "pair_3")), "539 s since they were asked for"


def test_the_trial_on_the_screen_stays_though_its_lease_was_lost() -> None:
    clock = Clock()
    session = opened(trial(1), clock=clock)
    clock.at_s += 700.0
    session.renewed((), asked_at_s=clock.at_s)
    assert [held.trial.item_id for held in session.held] == ["pair_1"]
    assert session.answer("same") is not None


def test_votes_left_by_an_earlier_run_are_not_offered_again_unless_withdrawn() -> None:
    vote = opened(trial(1)).answer("same")
    other = opened(trial(2)).answer("same")
    assert vote is not None
    assert other is not None
    other = replace(other, id="other")
    session = new_session()
    session.restore([vote, other, replace(other, rev=2, choice=None)])
    wanted = session.wanted()
    assert wanted is not None
    assert wanted.skip == ("pair_1",)
    session.count(state(judged=3))
    session.arrived((), FORMS)
    assert session.judged == 4
    session.synced([(vote.id, vote.rev)])
    session.ask_again()
    again = session.wanted()
    assert again is not None
    assert again.skip == ()


def test_the_item_of_a_refused_vote_that_was_dropped_comes_again() -> None:
    session = opened(trial(1), trial(2))
    vote = session.answer("same")
    assert vote is not None
    session.saved()
    session.shown()
    assert session.judged == 1
    assert not session.dropped([("another", 1)])
    assert session.judged == 1
    assert session.dropped([(vote.id, vote.rev)])
    assert (session.judged, session.can_undo) == (0, False)
    wanted = session.wanted()
    assert wanted is not None
    assert "pair_1" not in wanted.skip
    session.count(state())
    session.arrived((trial(1),), FORMS)
    assert [held.trial.item_id for held in session.held] == ["pair_2", "pair_1"]


def test_an_empty_queue_is_asked_again_after_a_drop() -> None:
    session = opened(trial(1))
    vote = session.answer("same")
    assert vote is not None
    session.saved()
    session.wanted()
    session.count(state())
    session.arrived((), FORMS)
    assert session.phase is Phase.EMPTY
    assert session.wanted() is None
    session.dropped([(vote.id, vote.rev)])
    wanted = session.wanted()
    assert wanted is not None
    assert wanted.skip == ()


def test_a_dropped_answer_to_an_earlier_question_of_the_trial_is_asked_for_again() -> None:
    session = opened(trial(1, PARTS))
    held = session.current
    assert held is not None
    first = held.open_question
    assert first is not None
    vote = session.answer(first.choices[0].value)
    assert vote is not None
    session.saved()
    assert held.open_question is not first
    session.dropped([(vote.id, vote.rev)])
    assert held.open_question is first
    assert session.judged == 0


def test_a_drop_while_its_vote_is_being_taken_back_harms_nothing() -> None:
    session = opened(trial(1), trial(2))
    vote = session.answer("same")
    assert vote is not None
    session.saved()
    session.undo()
    session.dropped([(vote.id, vote.rev)])
    session.saved()
    assert session.current is not None
    assert (session.current.trial.item_id, session.judged, session.can_undo) == ("pair_1", 0, False)


def test_an_acknowledged_older_revision_does_not_free_the_item() -> None:
    session = opened(trial(1))
    vote = session.answer("same")
    session.saved()
    session.undo()
    session.saved()
    session.shown()
    session.answer("different")
    session.saved()
    assert vote is not None
    session.synced([(vote.id, 1), (vote.id, 2)])
    wanted = session.wanted()
    assert wanted is not None
    assert "pair_1" in wanted.skip


def test_an_unknown_choice_or_reason_is_refused() -> None:
    session = opened(trial(1))
    with pytest.raises(ValueError, match="purple"):
        session.answer("purple")
    with pytest.raises(ValueError, match="purple"):
        session.toggle_reason("purple")


class Sessions(RuleBasedStateMachine):
    """A session beside a plain list of what the rater believes to have said."""

    def __init__(self) -> None:
        super().__init__()
        self.session = new_session()
        self.given_out: list[Vote] = []
        self.outbox: dict[str, Vote] = {}
        self.said: list[tuple[str, str]] = []
        self.asked = None
        self.next_number = 0
        self.doing = ""
        self.pending = False

    @precondition(lambda self: self.asked is None)
    @rule()
    def ask(self) -> None:
        self.asked = self.session.wanted()

    @precondition(lambda self: self.asked is not None)
    @rule(found=st.integers(0, 3))
    def arrive(self, found: int) -> None:
        assert self.asked is not None
        count = min(found, self.asked.limit)
        fresh = [trial(self.next_number + n) for n in range(count)]
        self.next_number += count
        self.asked = None
        self.session.count(state(total=1000))
        self.session.arrived(fresh, FORMS)

    @precondition(lambda self: self.asked is not None)
    @rule()
    def be_away(self) -> None:
        self.asked = None
        self.session.unreachable("away")

    @rule()
    def look(self) -> None:
        self.session.shown()
        self.session.ask_again()

    @rule(choice=st.sampled_from(["same", "different", "near_duplicate", "unsure"]))
    def answer(self, choice: str) -> None:
        held = self.session.current
        vote = self.session.answer(choice)
        if vote is not None:
            assert held is not None
            assert vote.item_id == held.trial.item_id
            self.given_out.append(vote)
            self.pending = True
            self.doing = "answer"

    @rule()
    def undo(self) -> None:
        vote = self.session.undo()
        if vote is not None:
            assert (vote.item_id, vote.choice) == (self.said[-1][0], None)
            self.given_out.append(vote)
            self.pending = True
            self.doing = "undo"

    @precondition(lambda self: self.session.phase is Phase.SAVING)
    @rule(fails=st.booleans())
    def write(self, fails: bool) -> None:
        vote = self.given_out[-1]
        self.pending = False
        if fails:
            self.session.not_saved()
            return
        known = self.outbox.get(vote.id)
        assert known is None or vote.rev > known.rev
        self.outbox[vote.id] = vote
        if self.doing == "undo":
            self.said.pop()
        else:
            assert vote.choice is not None
            self.said.append((vote.item_id, vote.choice))
        self.session.saved()

    @invariant()
    def a_vote_given_out_keeps_the_session_saving(self) -> None:
        assert (self.session.phase is Phase.SAVING) == self.pending

    @invariant()
    def what_was_said_is_what_stands(self) -> None:
        standing = {v.item_id: v.choice for v in self.outbox.values() if v.choice is not None}
        assert standing == dict(self.said)
        assert self.session.judged == len(self.said)

    @invariant()
    def nothing_is_held_twice_or_after_its_verdict(self) -> None:
        held = [h.trial.item_id for h in self.session.upcoming]
        if self.session.current is not None:
            held.append(self.session.current.trial.item_id)
        assert len(held) == len(set(held))
        assert not set(held) & {item for item, _ in self.said}

    @invariant()
    def a_trial_is_open_exactly_when_the_phase_says_so(self) -> None:
        if self.session.phase in (Phase.OPENING, Phase.JUDGING):
            assert self.session.current is not None
        if self.session.phase in (Phase.WAITING, Phase.EMPTY):
            assert self.session.current is None


Sessions.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSessions = Sessions.TestCase
