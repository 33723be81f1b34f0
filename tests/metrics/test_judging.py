"""Every way a judge can fail ends in a row with a reason, and nothing that was answered is paid for twice."""

import contextlib
import dataclasses
import importlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.domain import Absent, Inquiry, ModelUnavailable, SettingsError, Verdict
from backend.media.images import encode_png
from backend.models import endpoint_calls, judge_openai
from backend.models.endpoint_calls import Limits
from backend.models.judge_openai import OpenAiJudge
from backend.models.kept_answers import AnswerFolder, KeptAnswers
from backend.models.outgoing import AllowedEndpoints
from backend.models.places import ModelPlace
from metrics.judging_cost import Budget, BudgetedJudge, BudgetSpent, Prices, forecast, read_prices
from metrics.naturalness import CopyPasteJudged, NaturalScore, NaturalScoreCompat, SubjectJudged
from metrics.planner import Planner
from metrics.spec import Entry, Measured, Metric, VideoFacts
from metrics.store import FeatureStore
from tests.metrics.checkpoints_language import Endpoint, completion, dripping, endpoint, picture, sent, silent
from tests.metrics.conftest import MakeEntry
from tests.promises import Tally

SECRET = "sk-canary0123456789"
QUICK = Limits(tries=3, attempt_s=0.4, first_wait_s=0.01, longest_wait_s=0.05)
LONGEST_S = 10.0  # three tries of 0.4 s, on a machine that does much else
FACTS = VideoFacts("v", 81, 16.0, 832, 480, ())

Build = Callable[..., KeptAnswers]


@pytest.fixture
def stub() -> Iterator[Endpoint]:
    with endpoint() as found:
        yield found


@pytest.fixture
def judge_of(stub: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    importlib.import_module("openai")  # seconds on a busy machine, which no test's time is to pay for

    def make(limits: Limits = QUICK) -> KeptAnswers:
        place = ModelPlace("Judge", f"openai:gpt-4o-2024-11-20@{stub.url}")
        judge = OpenAiJudge(place, device="auto", dtype="float32", limits=limits)
        return KeptAnswers(judge, AnswerFolder(tmp_path / "answers"))

    return make


@pytest.fixture
def entry(entry_of: MakeEntry) -> Entry:
    return entry_of([picture(n, 48, 64) for n in range(20)])


@pytest.fixture
def referred(entry_of: MakeEntry, tmp_path: Path) -> Entry:
    paths = []
    for name in ("a", "b"):
        paths.append(tmp_path / f"{name}.png")
        paths[-1].write_bytes(encode_png(picture(ord(name))))
    return entry_of(
        [picture(n, 48, 64) for n in range(20)], references=tuple(map(str, paths)), hashes=("1", "2"), labels=("Cat", "Cup")
    )


def measured(metric: Metric, entry: Entry, judge: object, store: Path) -> Measured:
    planner = Planner(store=FeatureStore(store), roles=lambda name: judge, model_id=lambda name: "judge")
    wanted = dict(metric.features)
    found = dict(zip(wanted, planner.features(entry, list(wanted.values())), strict=True))
    for given in found.values():
        if isinstance(given, Absent):
            return Measured(value=given)
    return metric.combine(entry, {name: given for name, given in found.items() if isinstance(given, dict)})


def test_three_runs_of_sixteen_pictures_are_averaged(stub: Endpoint, judge_of: Build, entry: Entry, tmp_path: Path) -> None:
    stub.says("4", " 3\n", "5")
    found = measured(NaturalScoreCompat(), entry, judge_of(dataclasses.replace(QUICK, at_once=1)), tmp_path / "f")
    assert (found.value, found.coverage, found.num_units) == (4.0, 1.0, 3)
    assert found.evidence["raw"].tolist() == [["4", " 3\n", "5"]]
    assert len(stub.requests) == 3
    (message,) = stub.requests[0]["messages"]
    pictures = [part for part in message["content"] if part["type"] == "image_url"]
    assert len(pictures) == 16 and message["content"][-1]["type"] == "text"
    assert stub.requests[0]["model"] == "gpt-4o-2024-11-20"


BROKEN = {
    "prose": (
        completion("I would say 4"),
        "judge answered 'I would say 4', which is no integer from 1 to 5",
        "I would say 4",
    ),
    "seven": (completion("7"), "judge answered 7, which is outside 1 to 5", "7"),
    "minus": (completion("-1"), "no integer from 1 to 5", "-1"),
    "fraction": (completion("4.5"), "no integer from 1 to 5", "4.5"),
    "other digits": (completion("٤"), "no integer from 1 to 5", "٤"),
    "empty": (completion(""), "judge answered nothing", ""),
    "half a character": (completion("\ud800"), "judge answered '\\ud800', which is no integer", "\ud800"),
    "number of five thousand digits": (completion("1" * 5000), "which is no integer from 1 to 5", "1" * 5000),
    "null": (completion(None), "judge answered nothing", ""),
    "not a number": (completion("NaN"), "judge answered 'NaN', which is no integer from 1 to 5", "NaN"),
    "infinite": (completion("1e999"), "no integer from 1 to 5", "1e999"),
}


@pytest.mark.parametrize("way", BROKEN)
def test_bad_answer_is_a_failed_row_with_the_answer_as_it_came(
    way: str, stub: Endpoint, judge_of: Build, entry: Entry, tmp_path: Path
) -> None:
    answer, reason, raw = BROKEN[way]
    stub.answers = [answer]
    found = measured(NaturalScore(repeats=1), entry, judge_of(), tmp_path / "f")
    assert isinstance(found.value, Absent)
    assert found.value.reason.startswith("failed: judge ") and reason in found.value.reason
    assert found.evidence["raw"].tolist() == [[raw]]
    assert len(stub.requests) == 3, "bounded"


FAULTS = {
    "html": (sent(200, "<html><b>Welcome</b></html>", Content_Type="text/html"), "no chat completion: <html><b>Welcome", 3),
    "malformed": (sent(200, '{"choices": [{"mess'), 'no chat completion: {"choices": [{"mess', 3),
    "no choice": (sent(200, '{"choices": []}'), 'no chat completion: {"choices": []}', 3),
    "choices are NaN": (sent(200, '{"choices": NaN}'), 'no chat completion: {"choices": NaN}', 3),
    "score beside the schema": (sent(200, '{"score": 4}'), 'no chat completion: {"score": 4}', 3),
    "list": (sent(200, "[1, 2]"), "no chat completion: [1, 2]", 3),
    "deep": (sent(200, "[" * 100000), "no chat completion: [[[[", 3),
    "endless": (sent(200, "x" * 3_000_000), "no chat completion: xxxx", 3),
    "not packed as it says": (sent(200, "plain", Content_Encoding="gzip"), "judge cannot be reached", 3),
    "cut short": (completion("4", missing=100), "judge cannot be reached", 3),
    "nothing": (sent(200, ""), "no chat completion: nothing", 3),
    "429": (sent(429, '{"error": "slow down"}', Retry_After="0.01"), "HTTP 429: {\"error\": \"slow down\"}", 3),
    "429 for an hour": (sent(429, "{}", Retry_After="3600"), "HTTP 429", 1),
    "500": (sent(500, "boom"), "HTTP 500: boom", 3),
    "401": (sent(401, f'{{"error": "wrong key {SECRET}"}}'), "HTTP 401", 1),
    "redirect": (sent(302, "", Location="http://127.0.0.1:1/"), "HTTP 302", 1),
    "drip": (dripping, "no whole answer within 0.4 s", 3),
    "timeout": (silent, "no whole answer within 0.4 s", 3),
}  # fmt: skip


def is_lost(found: Measured, reason: str, *, spent_s: float, longest_s: float = LONGEST_S) -> bool:
    """Whether a fault became a number, came without its reason or with the key, or was waited for beyond the deadlines."""
    value = found.value
    told = isinstance(value, Absent) and value.reason.startswith("failed: judge ") and reason in value.reason
    return not told or SECRET in repr(value) or spent_s > longest_s


@pytest.mark.promise(
    "a judge's endpoint that fails, lies, drips or hangs costs one deadline a try and leaves no value with its reason, never 0",
    area="Service",
    goal="0 of 18 ways, each asked a bounded number of times",
    control="tests/metrics/test_judging.py::test_without_deadline_or_reason_a_fault_is_found",
)
@pytest.mark.parametrize("way", FAULTS)
def test_fault_of_the_way_is_a_failed_row_and_is_asked_again_next_time(
    way: str, stub: Endpoint, judge_of: Build, entry: Entry, tmp_path: Path, tally: Tally
) -> None:
    answer, reason, num_calls = FAULTS[way]
    stub.answers = [answer]
    metric = NaturalScore(repeats=1)
    started = time.monotonic()
    found = measured(metric, entry, judge_of(), tmp_path / "f")
    lost = is_lost(found, reason, spent_s=time.monotonic() - started)
    tally.record(1, lost=lost)
    assert not lost, found.value
    assert len(stub.requests) == num_calls
    stub.says("2")
    assert measured(metric, entry, judge_of(), tmp_path / "f").value == 2.0


@pytest.mark.slow
def test_without_deadline_or_reason_a_fault_is_found(
    stub: Endpoint, judge_of: Build, entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, reason, _ = FAULTS["drip"]
    stub.answers = [answer]
    with monkeypatch.context() as patch:
        patch.setattr(endpoint_calls.asyncio, "timeout", lambda seconds: contextlib.AsyncExitStack())
        started = time.monotonic()
        once = dataclasses.replace(QUICK, tries=1)
        found = measured(NaturalScore(repeats=1), entry, judge_of(once), tmp_path / "f")
        assert is_lost(found, reason, spent_s=time.monotonic() - started, longest_s=5.0)
    answer, reason, _ = FAULTS["html"]
    stub.answers = [answer]
    monkeypatch.setattr(judge_openai, "_verdict", lambda reply, inquiry: Verdict(1, "1"))
    assert is_lost(measured(NaturalScore(repeats=1), entry, judge_of(), tmp_path / "f"), reason, spent_s=0.0)


def test_unreachable_judge_is_a_failed_row(entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    AllowedEndpoints().allow("http://127.0.0.1:9")
    place = ModelPlace("Judge", "openai:m@http://127.0.0.1:9/v1")
    judge = OpenAiJudge(place, device="auto", dtype="float32", limits=QUICK)
    found = measured(NaturalScore(repeats=1), entry, judge, tmp_path / "f")
    assert isinstance(found.value, Absent) and found.value.reason.startswith("failed: judge cannot be reached")


def test_second_try_may_succeed(stub: Endpoint, judge_of: Build, entry: Entry, tmp_path: Path) -> None:
    stub.answers = [sent(500, "boom"), completion("well"), completion("3")]
    assert measured(NaturalScore(repeats=1), entry, judge_of(), tmp_path / "f").value == 3.0


def test_answers_before_a_fault_are_kept(stub: Endpoint, judge_of: Build, entry: Entry, tmp_path: Path) -> None:
    one_at_a_time = dataclasses.replace(QUICK, at_once=1, tries=1)
    stub.answers = [completion("4"), completion("5"), sent(500, "boom")]
    first = measured(NaturalScoreCompat(), entry, judge_of(one_at_a_time), tmp_path / "f")
    assert isinstance(first.value, Absent) and "1 of 3 questions" in first.value.reason
    stub.requests.clear()
    stub.says("3")
    assert measured(NaturalScoreCompat(), entry, judge_of(one_at_a_time), tmp_path / "f").value == 4.0
    assert len(stub.requests) == 1, "only the third run was missing"


def test_damaged_kept_answer_is_asked_again(stub: Endpoint, judge_of: Build, tmp_path: Path) -> None:
    stub.says("4")
    inquiry = Inquiry("how?", (b"jpeg",), 1, 5)
    assert judge_of().ask([inquiry])[0].num_calls == 1
    assert judge_of().ask([inquiry])[0] == Verdict(4, "4", num_calls=0)
    (kept,) = (tmp_path / "answers").rglob("*.json")
    kept.write_bytes(kept.read_bytes()[:10])
    assert judge_of().ask([inquiry])[0].num_calls == 1


def test_evidence_names_judge_sampling_and_words(stub: Endpoint, judge_of: Build, referred: Entry, tmp_path: Path) -> None:
    stub.says("2")
    evidence = measured(SubjectJudged(), referred, judge_of(), tmp_path / "f").evidence
    assert str(evidence["judge"]) == f"openai@gpt-4o-2024-11-20@{stub.url}"
    assert json.loads(str(evidence["sampling"])) == {}
    assert evidence["prompt"].shape == evidence["raw"].shape == (2, 4, 1)
    assert len(np.unique(evidence["prompt"])) == 2, "one label, one wording"
    (kept, *_) = sorted((tmp_path / "answers").rglob("*.json"))
    told = json.loads(kept.read_text())["answer"]
    assert told["prompt"] in evidence["prompt"] and told["model"] == str(evidence["judge"]) and told["raw"] == "2"


def test_new_metric_with_the_same_questions_asks_nobody(
    stub: Endpoint, judge_of: Build, entry: Entry, tmp_path: Path
) -> None:
    stub.says("4")
    measured(NaturalScore(), entry, judge_of(), tmp_path / "f")
    assert measured(NaturalScore(), entry, judge_of(), tmp_path / "elsewhere").value == 4.0
    assert len(stub.requests) == 3


@pytest.mark.parametrize(
    "other",
    [
        Inquiry("How?", (b"jpeg",), 1, 5), Inquiry("how?", (b"other",), 1, 5), Inquiry("how?", (b"jpeg",), 1, 5, 1),
        Inquiry("how?", (b"jpeg", b"jpeg"), 1, 5), Inquiry("how?", (b"jpeg",), 0, 5),
    ],
)  # fmt: skip
def test_another_question_is_another_answer(other: Inquiry, stub: Endpoint, judge_of: Build) -> None:
    stub.says("4")
    judge_of().ask([Inquiry("how?", (b"jpeg",), 1, 5), other])
    assert len(stub.requests) == 2


def test_key_reaches_the_endpoint_and_no_file_and_no_log(
    stub: Endpoint, judge_of: Build, entry: Entry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stub.says(f"your key is {SECRET}")
    found = measured(NaturalScore(repeats=1), entry, judge_of(), tmp_path / "f")
    assert {name.lower(): value for name, value in stub.headers[0].items()}["authorization"] == f"Bearer {SECRET}"
    assert isinstance(found.value, Absent) and "[key]" in found.value.reason
    assert caplog.records and SECRET not in caplog.text
    for path in tmp_path.rglob("*"):
        for written in ("utf-8", "utf-32-le"):  # JSON, and the text arrays of numpy
            assert not path.is_file() or SECRET.encode(written) not in path.read_bytes()


def test_far_endpoint_without_a_key_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    AllowedEndpoints().allow("https://api.example.com")
    with pytest.raises(ModelUnavailable, match="set OPENAI_API_KEY"):
        OpenAiJudge(
            ModelPlace("Judge", "openai:gpt@https://api.example.com/v1", footage_may_leave=True),
            device="auto",
            dtype="float32",
        )


def test_waits_are_bounded() -> None:
    limits = Limits()
    assert limits.tries * limits.attempt_s + (limits.tries - 1) * limits.longest_wait_s == 420


def test_references_come_before_frames_with_the_prompt(
    stub: Endpoint, judge_of: Build, referred: Entry, tmp_path: Path
) -> None:
    stub.says("2")
    assert measured(CopyPasteJudged(), referred, judge_of(), tmp_path / "f").value == 2.0
    (message,) = stub.requests[0]["messages"]
    assert len(message["content"]) == 2 + 8 + 1
    assert "The first 2 picture(s)" in message["content"][-1]["text"]
    assert '"a thing moves"' in message["content"][-1]["text"]


def test_missing_reference_lowers_coverage(stub: Endpoint, judge_of: Build, referred: Entry, tmp_path: Path) -> None:
    (tmp_path / "a.png").unlink()
    stub.says("2")
    found = measured(CopyPasteJudged(), referred, judge_of(), tmp_path / "f")
    assert (found.value, found.coverage) == (2.0, 0.5)


def test_corrupt_references_fail_without_a_call(stub: Endpoint, judge_of: Build, referred: Entry, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no picture")
    found = measured(SubjectJudged(), referred, judge_of(), tmp_path / "f")
    assert isinstance(found.value, Absent) and found.value.reason.startswith("failed: no reference of case singleobj_1")
    assert not stub.requests


def test_each_reference_is_judged_with_each_frame(stub: Endpoint, judge_of: Build, referred: Entry, tmp_path: Path) -> None:
    stub.says("4", "3", "2", "1", "0", "1", "0", "prose")
    limits = dataclasses.replace(QUICK, at_once=1, tries=1)
    found = measured(SubjectJudged(), referred, judge_of(limits), tmp_path / "f")
    assert found.value == pytest.approx((4 + 3 + 2 + 1 + 0 + 1 + 0) / 7)
    assert (found.num_units, found.coverage) == (7, 7 / 8)
    assert found.per_frame["frame"].tolist() == [0, 6, 12, 19]
    assert found.per_frame["grade"].tolist() == [2.0, 2.0, 1.0, 1.0]
    assert found.evidence["by_reference"].tolist() == [2.5, pytest.approx(1 / 3)]
    texts = [request["messages"][0]["content"][-1]["text"] for request in stub.requests]
    assert ["(Cat)" in text for text in texts] == [True] * 4 + [False] * 4


def test_forecast_counts_without_calling(referred: Entry, entry: Entry) -> None:
    metrics = [NaturalScoreCompat(), CopyPasteJudged(), SubjectJudged(repeats=2)]
    work = [(entry.case, FACTS), (referred.case, FACTS)]
    found = forecast(metrics, work)
    assert dict(found.calls) == {"natural_compat": 6, "copy_paste_judged": 1, "subject_judged": 16}
    assert found.num_calls == 23
    assert found.num_pictures == 6 * 16 + (2 + 8) + 16 * 2
    assert found.cost is None
    assert (found.num_tokens_in, found.num_tokens_out) == (
        found.num_pictures * 255 + sum(-(-len(t) // 3) for t in _texts(metrics, work)),
        23 * 4,
    ), "counted without any price"
    prices = Prices(per_million_in=2.0, per_million_out=10.0)
    priced = forecast(metrics, work, prices=prices)
    text = sum(-(-len(t) // 3) for t in _texts(metrics, work))
    tokens_in = found.num_pictures * 255 + text
    assert priced.num_tokens_in == tokens_in
    assert priced.cost == pytest.approx((tokens_in * 2 + 23 * 4 * 10) / 1e6)


def _texts(metrics: list, work: list) -> list[str]:
    return [
        question.text
        for metric in metrics
        for case, facts in work
        if not metric.needs or case.references
        for question in metric.features["answers"].foreseen(case, facts)
    ]


def test_forecast_is_what_is_asked(stub: Endpoint, judge_of: Build, referred: Entry, tmp_path: Path) -> None:
    stub.says("3")
    facts = VideoFacts("v", 20, 25.0, 64, 48, ())
    metrics = [NaturalScoreCompat(), NaturalScore(), CopyPasteJudged(), SubjectJudged()]
    for metric in metrics:
        measured(metric, referred, judge_of(), tmp_path / "f")
    found = forecast(metrics, [(referred.case, facts)])
    sent_pictures = sum(len(request["messages"][0]["content"]) - 1 for request in stub.requests)
    assert (found.num_calls, found.num_pictures) == (len(stub.requests), sent_pictures)


def test_prices_are_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('[models."gpt-4o"]\nper_million_in = 2.5\nper_million_out = 10.0\n')
    assert read_prices(path, "gpt-4o") == Prices(per_million_in=2.5, per_million_out=10.0)
    for text, match in (
        ("", "gives no prices"),
        ('[models."gpt-4o"]\nper_million_in = -1\nper_million_out = 10.0\n', "numbers from 0"),
        ('[models."gpt-4o"]\nper_milion_in = 1\n', "per_milion_in is no price"),
    ):
        path.write_text(text)
        with pytest.raises(SettingsError, match=match):
            read_prices(path, "gpt-4o")


def test_run_stops_at_its_budget_and_goes_on(stub: Endpoint, judge_of: Build, entry_of: MakeEntry, tmp_path: Path) -> None:
    stub.says("4")
    prices = Prices(per_million_in=10000.0, per_million_out=0.0)  # the stub counts 100 tokens: 1.0 a call
    budget = Budget(most=40.0, ledger=tmp_path / "ledger.jsonl")
    metric = NaturalScoreCompat()
    entries = [entry_of([picture(n + k, 48, 64) for n in range(4)], name=f"singleobj_{k}") for k in range(4)]
    once = BudgetedJudge(judge_of(), Budget(most=1e9, ledger=tmp_path / "free.jsonl"), prices=prices)
    foreseen = forecast([metric], [(entries[0].case, VideoFacts("v", 4, 25.0, 64, 48, ()))], prices=prices).cost
    assert foreseen is not None and 20 < foreseen < 40
    judge = BudgetedJudge(judge_of(), budget, prices=prices)
    values = [measured(metric, one, judge, tmp_path / "f").value for one in entries]
    stopped = [value for value in values if isinstance(value, Absent)]
    assert stopped and all(v.reason.startswith("over budget: the judge's next questions may cost") for v in stopped)
    assert len(stub.requests) == 3 * (4 - len(stopped)) and budget.spent == pytest.approx(len(stub.requests))
    assert budget.spent <= budget.most
    assert [measured(metric, one, once, tmp_path / "f").value for one in entries] == [4.0] * 4
    assert len(stub.requests) == 12, "none was asked twice"


def test_workers_share_a_budget(tmp_path: Path) -> None:
    one, two = (Budget(most=3.0, ledger=tmp_path / "ledger") for _ in range(2))
    one.reserve(2.0)
    with pytest.raises(BudgetSpent):
        two.reserve(1.5)
    one.settle(2.0, 0.5)
    two.reserve(2.5)
    assert one.spent == two.spent == 3.0


def test_damaged_ledger_is_told(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("half a li")
    with pytest.raises(SettingsError, match="no ledger"):
        Budget(most=3.0, ledger=tmp_path / "ledger").reserve(1.0)


def test_failed_call_costs_what_it_did(tmp_path: Path) -> None:
    class Broken:
        model_id = "broken"
        sampling = "{}"

        def ask(self, inquiries: object, answered: object = None) -> list[Verdict]:
            raise ModelUnavailable("gone")

    budget = Budget(most=3.0, ledger=tmp_path / "ledger")
    judge = BudgetedJudge(Broken(), budget, prices=Prices(per_million_in=1.0, per_million_out=1.0))
    with pytest.raises(ModelUnavailable):
        judge.ask([Inquiry("how?", (), 1, 5)])
    assert budget.spent == pytest.approx(0.0)


@pytest.mark.parametrize("metric", [NaturalScore(), NaturalScoreCompat(), CopyPasteJudged(), SubjectJudged()])
def test_other_words_are_another_feature(metric: Metric, referred: Entry, tmp_path: Path) -> None:
    planner = Planner(store=FeatureStore(tmp_path), roles=lambda name: None, model_id=lambda name: "judge")
    (answers,) = metric.features.values()
    reworded = dataclasses.replace(answers, words="0")  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert planner.key(answers, referred) != planner.key(reworded, referred)
    assert np.char.str_len(np.array(answers.words)) == 12  # pyright: ignore[reportAttributeAccessIssue]
