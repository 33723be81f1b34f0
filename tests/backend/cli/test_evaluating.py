"""`evaluate`: every bad input ends in a row with a reason, the rest is measured, and the exit code says so."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from backend.cli.app import main
from backend.cli.evaluating import exit_code
from backend.domain import MediaError
from backend.media.writer import write_video
from backend.models import endpoint_calls
from backend.store.catalog import Catalog
from metrics import planner
from metrics.table import SETS
from tests.metrics.checkpoints_faces import scene, write_pack
from tests.metrics.checkpoints_language import Endpoint, endpoint

GOOD, BAD = "singlehuman_1", "singlehuman_2"
BOTH = "motion_amplitude,frame_repetition"
KILLED = """
import os
from backend.cli.app import main
from backend.store.catalog import Catalog
from backend.store.commit_marks import CommitMarks
whole_commit = Catalog.commit
def commit(self, *rows, **more):
    CommitMarks.add = lambda *_: os.kill(os.getpid(), 9)
    whole_commit(self, *rows, **more)
Catalog.commit = commit
main()
"""
"""The command, which dies when the first results are written and not yet committed."""
Rows = dict[tuple[str, str], dict[str, Any]]
Evaluate = Callable[..., tuple[int, dict[str, Any], str]]


class Bench:
    """Two cases with a picture each, and a video of each that brightens and moves."""

    def __init__(self, root: Path) -> None:
        self.root, self.cases, self.videos = root, root / "cases.json", root / "videos"
        self.videos.mkdir()
        self.prompts = {GOOD: "A mug.", BAD: "A mug."}
        for name, num in ((GOOD, 9), (BAD, 8)):
            Image.fromarray(scene({(4, 2): 1})).save(root / f"{name}.png")
            self.film(name, num)
        self.write()

    def write(self) -> None:
        about = {"class_label": ["Man"]}
        told = {name: {**about, "prompt": words, "img_paths": [f"{name}.png"]} for name, words in self.prompts.items()}
        self.cases.write_text(json.dumps(told))

    def film(self, stem: str, num: int, *, step: int = 1) -> None:
        """Somebody goes to the right by `step` cells of 32 px a frame, and comes back."""
        path = [n if n < 5 else 10 - n for n in range(0, num * step, step)] if step else [3] * num
        write_video(self.videos / f"{stem}.mp4", (scene({(column, 2): 1}) for column in path), fps=8.0, crf=1)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def evaluate(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Evaluate:
    def run(metrics: str = BOTH, *options: object) -> tuple[int, dict[str, Any], str]:
        """Exit code, the JSON document and stderr of the command."""
        words = ["--cases", bench.cases, "--videos", bench.videos, "--system", "ours", "--metrics", metrics]
        words += ["--project", bench.root / "project", "--engine", "inline", "--json", *options]
        monkeypatch.setattr(sys, "argv", ["studio-backend", "evaluate", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        found = capsys.readouterr()
        return int(ended.value.code or 0), json.loads(found.out), found.err

    return run


def rows_of(told: dict[str, Any]) -> Rows:
    return {(row["case_id"], row["metric"]): row for row in told["rows"]}


def ends_in(told: dict[str, Any], state: str, reason: str, *, metric: str = "motion_amplitude", case: str = BAD) -> bool:
    row = rows_of(told)[case, metric]
    return row["value"] is None and row["state"] == state and reason in row["reason"]


def test_good_videos_end_with_nothing_failed(evaluate: Evaluate) -> None:
    code, told, _ = evaluate("motion_amplitude")
    assert code == 0 and {row["state"] for row in told["rows"]} == {"scored"}


def test_video_that_stands_still_has_an_amplitude_and_nothing_to_repeat(evaluate: Evaluate, bench: Bench) -> None:
    bench.film(BAD, 8, step=0)
    code, told, _ = evaluate()
    assert code == 0, "standing still is an answer"
    assert rows_of(told)[BAD, "motion_amplitude"]["value"] == pytest.approx(0, abs=1e-4)
    assert ends_in(told, "not_applicable", "stands still", metric="frame_repetition")


def test_video_of_one_frame_is_too_short(evaluate: Evaluate, bench: Bench) -> None:
    bench.film(BAD, 1)
    code, told, _ = evaluate()
    assert code == 1
    assert ends_in(told, "too_short", "one frame has no motion")
    assert ends_in(told, "too_short", "1 frames are too few", metric="frame_repetition")
    assert rows_of(told)[GOOD, "motion_amplitude"]["state"] == "scored"


def test_unreadable_video_fails_alone(evaluate: Evaluate, bench: Bench) -> None:
    (bench.videos / f"{BAD}.mp4").write_bytes(b"\0" * 3000)
    code, told, _ = evaluate("motion_amplitude")
    assert code == 1 and ends_in(told, "failed", "failed: ")
    assert rows_of(told)[GOOD, "motion_amplitude"]["state"] == "scored"


def test_video_of_no_case_is_a_row_of_no_case(evaluate: Evaluate, bench: Bench) -> None:
    bench.film("stranger_9", 8)
    code, told, err = evaluate("motion_amplitude")
    assert code == 1 and "1 videos belong to no case, as stranger_9.mp4" in err
    row = rows_of(told)[None, "motion_amplitude"]  # pyright: ignore[reportArgumentType]
    assert (row["value"], row["seed"], row["state"]) == (None, None, "failed")
    assert "stranger_9.mp4 belongs to no case; name it <case id>.mp4" in row["reason"]
    assert rows_of(told)[GOOD, "motion_amplitude"]["state"] == rows_of(told)[BAD, "motion_amplitude"]["state"] == "scored"


def test_of_one_case_and_seed_twice_neither_is_measured(evaluate: Evaluate, bench: Bench) -> None:
    bench.film(f"{BAD}_seed0", 8)
    code, told, _ = evaluate("motion_amplitude")
    assert code == 1 and ends_in(told, "failed", f"case {BAD} with seed 0 twice: {BAD}.mp4 and {BAD}_seed0.mp4; keep one")
    assert rows_of(told)[GOOD, "motion_amplitude"]["state"] == "scored"


def test_every_missing_reference_is_in_the_document(evaluate: Evaluate, bench: Bench) -> None:
    assert evaluate("motion_amplitude")[1]["missing_references"] == []
    lost = [bench.root / f"{name}.png" for name in (GOOD, BAD)]
    for path in lost:
        path.unlink()
    _, told, err = evaluate("motion_amplitude", "--project", bench.root / "other")
    assert told["missing_references"] == [str(path.resolve()) for path in lost]
    assert f"2 reference images are missing below {bench.root.resolve()}, the first is {lost[0].resolve()}" in err


@pytest.mark.parametrize("content", [None, b"\x89PNG broken"])
def test_reference_that_is_missing_or_corrupt(evaluate: Evaluate, bench: Bench, content: bytes | None) -> None:
    (bench.root / f"{BAD}.png").unlink()
    if content:
        (bench.root / f"{BAD}.png").write_bytes(content)
    code, told, _ = evaluate("first_frame_copy")
    assert code == 1 and ends_in(told, "failed", "no reference", metric="first_frame_copy")
    assert rows_of(told)[GOOD, "first_frame_copy"]["state"] == "scored"


def recogniser(bench: Bench, *, gives_nan: bool = False) -> list[str]:
    """Options that bind a recogniser of faces, which may give numbers that are none."""
    pack = write_pack(bench.root / "pack")
    if gives_nan:
        model = onnx.load(str(pack / "rec.onnx"))
        for weights in model.graph.initializer:
            weights.CopyFrom(numpy_helper.from_array(np.full_like(numpy_helper.to_array(weights), np.nan), weights.name))
        onnx.save(model, str(pack / "rec.onnx"))
    return ["--set", "roles.FaceRecognizer=paper", "--set", f"models.FaceRecognizer={pack}"]


def test_reference_without_a_face_is_no_detection(evaluate: Evaluate, bench: Bench) -> None:
    Image.fromarray(scene({})).save(bench.root / f"{BAD}.png")
    code, told, _ = evaluate("facesim_arc", *recogniser(bench))
    assert code == 0, "that nobody was found is an answer"
    assert ends_in(told, "no_detection", "no face on reference 1", metric="facesim_arc")
    assert rows_of(told)[GOOD, "facesim_arc"]["value"] == pytest.approx(1, abs=0.03)


def test_numbers_that_are_none_fail(evaluate: Evaluate, bench: Bench) -> None:
    code, told, _ = evaluate("facesim_arc,motion_amplitude", *recogniser(bench, gives_nan=True))
    assert code == 1 and ends_in(told, "failed", "not finite; the model gave numbers that are none", metric="facesim_arc")
    assert rows_of(told)[BAD, "motion_amplitude"]["state"] == "scored"


def test_missing_model_is_unavailable(evaluate: Evaluate) -> None:
    code, told, _ = evaluate("gmescore,motion_amplitude")
    assert code == 1 and ends_in(told, "unavailable", "unavailable: ", metric="gmescore")
    assert rows_of(told)[BAD, "motion_amplitude"]["state"] == "scored"


@pytest.mark.slow
def test_first_numbers_need_no_weights_and_are_told_apart(
    evaluate: Evaluate, bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.film(GOOD, 4)
    (bench.videos / f"{BAD}.mp4").unlink()
    _, told, _ = evaluate("")
    assert {row["metric"] for row in told["rows"]} >= {*SETS["embedded"], *SETS["weights-free"]}
    assert {row["state"] for row in told["rows"]} <= {"scored", "not_applicable", "no_detection", "too_short"}
    assert rows_of(told)[GOOD, "embedded_identity"]["state"] == "scored"
    board = leaderboard(bench, monkeypatch, capsys)
    classical = {column["metric"] for column in board["columns"] if column["embedded"]}
    ranks = {one["metric"]: one["rank"] for one in board["standings"] if not one["kind"]}
    assert set(SETS["embedded"]) <= classical and not classical & set(SETS["weights-free"])
    assert {name for name, rank in ranks.items() if rank} == set(SETS["weights-free"])


@pytest.mark.slow
def test_prompt_of_5000_words_is_measured(evaluate: Evaluate, bench: Bench) -> None:
    bench.prompts[BAD] = "mug " * 4999 + "beach"
    bench.write()
    bench.film(BAD, 2)
    (bench.videos / f"{GOOD}.mp4").unlink()
    code, told, _ = evaluate("embedded_prompt_background,motion_amplitude")
    assert code == 0
    assert rows_of(told)[BAD, "motion_amplitude"]["state"] == "scored"
    row = rows_of(told)[BAD, "embedded_prompt_background"]
    assert row["state"] != "failed" and "names no place" not in (row["reason"] or ""), "the last word is read"


@pytest.fixture
def judge(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Endpoint, list[str]]]:
    """An endpoint, and the options that bind it as the judge, whose calls cost one unit a picture."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    monkeypatch.setattr(endpoint_calls.random, "uniform", lambda *_: 0.0)  # of how long to wait before asking again
    prices = ["per_million_in = 1e6", "per_million_out = 0", "tokens_per_picture = 1", "tokens_per_tile = 0"]
    (bench.root / "prices.toml").write_text("\n".join(['[models."m"]', *prices, "characters_per_token = 1e9"]))
    with endpoint() as stub:
        yield stub, ["--set", "roles.Judge=openai", "--set", f"models.Judge=openai:m@{stub.url}"]


def test_judge_that_answers_in_prose_fails(evaluate: Evaluate, judge: tuple[Endpoint, list[str]], bench: Bench) -> None:
    stub, bound = judge
    stub.says("It looks rather natural to me.")
    (bench.videos / f"{GOOD}.mp4").unlink()
    code, told, _ = evaluate("natural_compat,motion_amplitude", *bound)
    assert code == 1 and ends_in(told, "failed", "failed: ", metric="natural_compat")
    assert rows_of(told)[BAD, "motion_amplitude"]["state"] == "scored"


def test_spent_budget_is_a_stop_of_its_own(evaluate: Evaluate, judge: tuple[Endpoint, list[str]], bench: Bench) -> None:
    """8 or 9 pictures and a text, asked three times, cost 27 and 30."""
    stub, bound = judge
    stub.says("4")
    limited = [*bound, "--prices", bench.root / "prices.toml", "--max-cost"]
    code, told, err = evaluate("natural_compat", *limited, 30)
    states = sorted(row["state"] for row in told["rows"])
    assert (code, states, len(stub.requests)) == (75, ["over_budget", "scored"], 3)
    assert "a higher --max-cost goes on" in err
    assert evaluate("natural_compat", *limited, 30)[0] == 75 and len(stub.requests) == 3
    code, told, _ = evaluate("natural_compat", *limited, 1000)
    assert (code, {row["value"] for row in told["rows"]}, len(stub.requests)) == (0, {4.0}, 6)


def test_judge_that_answered_in_prose_is_asked_again_where_that_is_wanted(
    evaluate: Evaluate, judge: tuple[Endpoint, list[str]], bench: Bench
) -> None:
    stub, bound = judge
    stub.says("It looks rather natural to me.")
    (bench.videos / f"{GOOD}.mp4").unlink()
    first = evaluate("natural_compat,motion_amplitude", *bound)[1]
    asked = len(stub.requests)
    assert evaluate("natural_compat,motion_amplitude", *bound)[1]["rows"] == first["rows"] and len(stub.requests) == asked
    stub.says("4")
    code, told, _ = evaluate("natural_compat,motion_amplitude", *bound, "--retry-failed")
    assert (code, len(told["rows"]), len(stub.requests)) == (0, 2, asked + 3), "three runs of one question, once each"
    before, now = rows_of(first)[BAD, "natural_compat"], rows_of(told)[BAD, "natural_compat"]
    assert (now["value"], now["state"], now["reason"]) == (4.0, "scored", None)
    assert rows_of(told)[BAD, "motion_amplitude"] == rows_of(first)[BAD, "motion_amplitude"]
    assert now["earlier_evidence"] == [before["evidence"]]
    assert said(bench, before["evidence"]) == {"It looks rather natural to me."} and said(bench, now["evidence"]) == {"4"}
    again = evaluate("natural_compat,motion_amplitude", *bound, "--retry-failed")[1]
    assert again["rows"] == told["rows"] and len(stub.requests) == asked + 3
    assert worked(bench) == [
        ("measure_motion_amplitude", 0, "ok"),
        ("measure_natural_compat", 0, "warned"),
        ("measure_natural_compat", 1, "ok"),
    ]


def test_judge_that_answers_in_prose_again_leaves_one_row_and_both_answers(
    evaluate: Evaluate, judge: tuple[Endpoint, list[str]], bench: Bench
) -> None:
    stub, bound = judge
    (bench.videos / f"{GOOD}.mp4").unlink()
    rows = []
    for words in ("Natural.", "Quite natural."):
        stub.says(words)
        code, told, _ = evaluate("natural_compat", *bound, "--retry-failed")
        assert code == 1 and ends_in(told, "failed", "failed: ", metric="natural_compat")
        rows += told["rows"]
    first, second = rows
    assert second["earlier_evidence"] == [first["evidence"]]
    assert [said(bench, row["evidence"]) for row in rows] == [{"Natural."}, {"Quite natural."}]


def test_budget_that_is_spent_on_another_try_is_a_stop(
    evaluate: Evaluate, judge: tuple[Endpoint, list[str]], bench: Bench
) -> None:
    """8 pictures and a text cost 9; the prose was had without a limit."""
    stub, bound = judge
    stub.says("It looks rather natural to me.")
    (bench.videos / f"{GOOD}.mp4").unlink()
    (first,) = evaluate("natural_compat", *bound)[1]["rows"]
    stub.says("4")
    limited = [*bound, "--retry-failed", "--prices", bench.root / "prices.toml", "--max-cost"]
    code, told, _ = evaluate("natural_compat", *limited, 10)
    assert code == 75 and [row["state"] for row in told["rows"]] == ["over_budget"]
    assert told["rows"][0]["earlier_evidence"] == [first["evidence"]]
    code, told, _ = evaluate("natural_compat", *limited, 1000)
    assert code == 0 and [row["value"] for row in told["rows"]] == [4.0]


def test_decoder_that_died_once_is_tried_again_and_counts_once(
    evaluate: Evaluate, bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Dying(planner.GuardedReader):
        def __init__(self, path: str, *rest: Any, **options: Any) -> None:
            if path.endswith(f"{BAD}.mp4"):
                raise MediaError(f"{path}: the reading process died", kind="crash")
            super().__init__(path, *rest, **options)

    with monkeypatch.context() as patched:
        patched.setattr(planner, "GuardedReader", Dying)
        code, first, _ = evaluate()
    assert code == 1 and ends_in(first, "failed", "the reading process died")
    assert evaluate()[1]["rows"] == first["rows"]
    code, told, _ = evaluate(BOTH, "--retry-failed")
    assert code == 0 and sorted((row["case_id"], row["metric"]) for row in told["rows"]) == sorted(rows_of(first))
    assert {row["state"] for row in told["rows"]} == {"scored"}
    assert [rows_of(told)[GOOD, name] for name in BOTH.split(",")] == [
        rows_of(first)[GOOD, name] for name in BOTH.split(",")
    ]
    standings = leaderboard(bench, monkeypatch, capsys)["standings"]
    whole = {one["metric"]: one["num_cases"] for one in standings if one["metric"] in BOTH.split(",") and not one["kind"]}
    assert whole == dict.fromkeys(BOTH.split(","), 2)


def test_what_is_no_failure_is_not_tried_again(evaluate: Evaluate, bench: Bench) -> None:
    bench.film(BAD, 1)
    bench.film(GOOD, 8, step=0)
    first = evaluate()[1]
    assert {row["state"] for row in first["rows"]} == {"scored", "not_applicable", "too_short"}
    before = worked(bench)
    assert evaluate(BOTH, "--retry-failed")[1]["rows"] == first["rows"] and worked(bench) == before


@pytest.mark.thorough
@pytest.mark.slow
def test_kill_before_another_try_is_committed_leaves_the_row_before(
    evaluate: Evaluate, judge: tuple[Endpoint, list[str]], bench: Bench
) -> None:
    """The new row and what takes the old one out of force are one transaction."""
    stub, bound = judge
    stub.says("It looks rather natural to me.")
    (bench.videos / f"{GOOD}.mp4").unlink()
    first = evaluate("natural_compat", *bound)[1]["rows"]
    stub.says("4")
    words = [
        "--cases",
        bench.cases,
        "--videos",
        bench.videos,
        "--system",
        "ours",
        "--metrics",
        "natural_compat",
        "--retry-failed",
    ]
    words += ["--project", bench.root / "project", "--engine", "inline", "--json", *bound]
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, "evaluate", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        capture_output=True,
        timeout=120,
    )
    assert ended.returncode == -9, ended.stderr
    asked = len(stub.requests)
    assert evaluate("natural_compat", *bound)[1]["rows"] == first and len(stub.requests) == asked
    code, told, _ = evaluate("natural_compat", *bound, "--retry-failed")
    assert code == 0 and [row["value"] for row in told["rows"]] == [4.0]
    assert len(stub.requests) == asked, "the grades that were paid for are kept"


def leaderboard(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["studio-backend", "leaderboard", "--project", str(bench.root / "project"), "--json"])
    with pytest.raises(SystemExit):
        main()
    return json.loads(capsys.readouterr().out)


def said(bench: Bench, artifact: str) -> set[str]:
    """What a judge answered, by the evidence of a score."""
    with np.load(bench.root / "project" / "artifacts" / artifact[:2] / artifact) as evidence:
        return set(evidence["raw"].flat)


def worked(bench: Bench) -> list[tuple]:
    """Stage, attempt and state of all work."""
    catalog = Catalog(bench.root / "project" / "catalog.duckdb")
    found = catalog.query("SELECT stage, attempt, state FROM work ORDER BY ALL")
    catalog.close()
    return found


@pytest.mark.parametrize(
    ("cost", "says"), [("1", "a maximum cost of 1 needs prices: give --prices FILE"), ("-1", "is -1; give 0 or more")]
)
def test_maximum_cost_that_nothing_can_be_held_to(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cost: str, says: str
) -> None:
    words = ["--cases", bench.cases, "--videos", bench.videos, "--system", "ours", "--project", bench.root / "project"]
    monkeypatch.setattr(sys, "argv", ["studio-backend", "evaluate", *map(str, words), f"--max-cost={cost}"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1 and says in capsys.readouterr().err


def test_dry_run_counts_tokens_where_no_price_is_known(
    evaluate: Evaluate, judge: tuple[Endpoint, list[str]], bench: Bench
) -> None:
    """8 and 9 pictures of one tile, 85 + 170 tokens each, three times; the texts come on top."""
    stub, bound = judge
    code, told, _ = evaluate("natural_compat", *bound, "--dry-run")
    assert (code, told["cost"], stub.requests) == (0, None, [])
    assert told["pictures"] == 51 and told["tokens_in"] > 51 * 255
    priced = evaluate("natural_compat", *bound, "--dry-run", "--prices", bench.root / "prices.toml")[1]
    assert priced["cost"] == pytest.approx(priced["tokens_in"]) and priced["tokens_in"] < told["tokens_in"]


def test_exit_code_is_the_run_s_end_then_the_budget_s_then_failures() -> None:
    assert exit_code({"over_budget"}, done=False, all_taken=True) == 1
    assert exit_code({"over_budget", "failed"}, done=True, all_taken=False) == 75
    assert exit_code({"scored", "not_applicable", "no_detection"}, done=True, all_taken=True) == 0
    assert exit_code({"scored"}, done=True, all_taken=False) == 1
    for state in ("too_short", "unavailable", "failed"):
        assert exit_code({"scored", state}, done=True, all_taken=True) == 1
