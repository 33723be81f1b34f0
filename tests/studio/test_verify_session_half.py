"""The session, where trials come half answered: from the service, or in the outbox of an earlier run."""

from dataclasses import replace

from backend.domain import Vote
from studio.sessions.verify import Phase, VerifySession
from tests.studio.test_verify_session import FORMS, new_session, opened, state, trial
from tests.studio.world import PARTS


def half_answered() -> tuple[VerifySession, Vote]:
    """A session whose first trial comes with an answer to the first of its two questions."""
    said = opened(trial(1, PARTS)).answer("yes")
    assert said is not None
    said = replace(said, id="earlier")
    return opened(replace(trial(1, PARTS), answers=(said,)), trial(2, PARTS)), said


def open_name(session: VerifySession) -> str:
    assert session.current is not None and session.current.open_question is not None
    return session.current.open_question.name


def test_of_a_trial_that_comes_half_answered_the_rest_is_asked() -> None:
    session, said = half_answered()
    assert session.current is not None
    assert (open_name(session), session.current.earlier, session.judged) == ("scene", (said,), 0)
    session.answer("no")
    session.saved()
    assert (session.current.trial.item_id, session.judged) == ("pair_2", 1)


def test_an_answer_of_an_earlier_run_can_be_taken_back() -> None:
    session, said = half_answered()
    withdrawal = session.undo()
    assert withdrawal is not None
    assert (withdrawal.id, withdrawal.rev, withdrawal.choice) == (said.id, said.rev + 1, None)
    session.saved()
    assert (open_name(session), session.taken_back, session.can_undo) == ("colour", said, False)
    again = session.answer("no")
    assert again is not None
    assert (again.id, again.rev, again.choice) == (said.id, said.rev + 2, "no")


def test_a_trial_that_the_outbox_has_half_answered_is_asked_for_and_gone_on_with() -> None:
    first, second = opened(trial(7, PARTS)).answer("yes"), opened(trial(1, PARTS)).answer("yes")
    assert first is not None and second is not None
    first, second = replace(first, id="first"), replace(second, id="second")
    session = new_session()
    session.restore([first, second])
    wanted = session.wanted()
    assert wanted is not None
    assert wanted.skip == ("pair_7",), "only the last one can be half answered"
    session.count(state(judged=3))
    session.arrived((trial(1, PARTS), trial(2, PARTS)), FORMS)
    session.shown()
    assert session.current is not None
    assert (session.current.trial.item_id, open_name(session)) == ("pair_1", "scene")
    assert session.judged == 4, "three that the service knows, and pair_7"
    session.answer("no")
    session.saved()
    assert (session.judged, session.current.trial.item_id) == (5, "pair_2")


def test_a_trial_that_the_outbox_has_answered_to_the_end_does_not_come_and_ends_no_queue() -> None:
    vote = opened(trial(1)).answer("same")
    assert vote is not None
    session = new_session()
    session.restore([vote])
    session.wanted()
    session.count(state())
    session.arrived((trial(1),), FORMS)
    assert (session.phase, session.judged) == (Phase.WAITING, 1)
    wanted = session.wanted()
    assert wanted is not None
    assert wanted.skip == ("pair_1",)


def test_an_answer_that_the_outbox_takes_back_is_open_whatever_the_service_knows() -> None:
    _, said = half_answered()
    session = new_session()
    session.restore([replace(said, rev=said.rev + 1, choice=None)])
    session.wanted()
    session.count(state())
    session.arrived((replace(trial(1, PARTS), answers=(said,)),), FORMS)
    session.shown()
    assert (open_name(session), session.can_undo) == ("colour", False)
    again = session.answer("no")
    assert again is not None
    assert (again.id, again.rev) == (said.id, said.rev + 2)
