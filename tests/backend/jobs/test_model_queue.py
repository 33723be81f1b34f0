"""Which calls are taken, and which together."""

from backend.jobs.model_queue import MAX_TOGETHER, ModelQueue, Waiting
from backend.models.call_wire import Ask, BoundModel


def waiting(call_id: str, role: str = "a", *, lane: str = "bulk", alone: bool = False, **named: object) -> Waiting:
    model = BoundModel(role, f"module:{role.upper()}", "", "float32")
    ask = Ask(call_id, lane, model, "m", (), tuple(sorted(named.items())))
    return Waiting(ask, reply=lambda message: None, alone=alone)


def taken(queue: ModelQueue) -> list[str]:
    return [one.ask.id for one in queue.take()]


def filled(*calls: Waiting) -> ModelQueue:
    queue = ModelQueue()
    for call in calls:
        queue.put(call)
    return queue


def test_calls_of_one_model_are_taken_together_in_order() -> None:
    queue = filled(waiting("1"), waiting("2", "b"), waiting("3"), waiting("4", "b"))
    assert [taken(queue), taken(queue)] == [["1", "3"], ["2", "4"]]


def test_calls_with_other_settings_are_taken_apart() -> None:
    queue = filled(waiting("1", size=3), waiting("2", size=4), waiting("3", size=3))
    assert [taken(queue), taken(queue)] == [["1", "3"], ["2"]]


def test_suspect_is_taken_alone() -> None:
    queue = filled(waiting("1", alone=True), waiting("2"), waiting("3", alone=True), waiting("4"))
    assert [taken(queue), taken(queue), taken(queue)] == [["1"], ["2", "4"], ["3"]]


def test_micro_batch_is_bounded() -> None:
    queue = filled(*(waiting(str(n)) for n in range(MAX_TOGETHER + 5)))
    assert [len(queue.take()), len(queue.take())] == [MAX_TOGETHER, 5]


def test_somebody_who_waits_goes_first_but_bulk_is_not_starved() -> None:
    queue = filled(*(waiting(f"i{n}", f"i{n}", lane="interactive") for n in range(10)), waiting("bulk", "b"))
    order = [taken(queue)[0] for _ in range(11)]
    assert order[0] == "i0"
    assert order.index("bulk") == 7
    assert [name for name in order if name != "bulk"] == [f"i{n}" for n in range(10)]


def test_what_is_taken_out_is_not_taken() -> None:
    queue = filled(waiting("1"), waiting("2"))
    assert queue.remove("1") is not None
    assert queue.remove("1") is None
    assert taken(queue) == ["2"]


def test_stopped_queue_gives_nothing() -> None:
    queue = filled(waiting("1"))
    queue.stop()
    assert queue.take() == []
