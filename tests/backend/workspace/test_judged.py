"""An evaluation by a judge behind an endpoint: foreseen, limited, gone on with, and never paid for twice."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from backend.api import Api, EvaluationRow
from backend.domain import SettingsError
from backend.media.writer import write_video
from backend.settings import ProjectSettings
from backend.workspace import Workspace
from tests.metrics.checkpoints_language import Endpoint, endpoint, sent

METRIC = ("natural_compat",)
SECRET = "sk-canary0123456789"


@pytest.fixture
def stub() -> Iterator[Endpoint]:
    with endpoint() as found:
        found.says("4")
        yield found


@pytest.fixture
def api(stub: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    settings = ProjectSettings(roles={"Judge": "openai"}, models={"Judge": f"openai:gpt-test@{stub.url}"})
    opened = Workspace(tmp_path / "project", create=True, settings=settings)
    yield cast(Api, opened)
    opened.close()


@pytest.fixture
def about(tmp_path: Path) -> dict[str, object]:
    """Two cases with a video of 16 frames each; a call costs one unit a picture and nothing else."""
    case = {"img_paths": ["a.png"], "prompt": "A mug.", "class_label": ["Cup"]}
    (tmp_path / "cases.json").write_text(json.dumps({"singleobj_1": case, "singleobj_2": case}))
    videos = tmp_path / "videos"
    videos.mkdir()
    for number in (1, 2):
        write_video(
            videos / f"singleobj_{number}.mp4", (np.full((48, 64, 3), 40 * number + n, np.uint8) for n in range(16)), fps=8
        )
    price = {
        "per_million_in": 1e6,
        "per_million_out": 0,
        "tokens_per_picture": 1,
        "tokens_per_tile": 0,
        "characters_per_token": 1e9,
    }
    lines = [
        f"{name} = {float(value) if 'per' in name and 'tokens' not in name else value}" for name, value in price.items()
    ]
    (tmp_path / "prices.toml").write_text('[models."gpt-test"]\n' + "\n".join(lines) + "\n")
    return {
        "cases": str(tmp_path / "cases.json"),
        "videos": str(videos),
        "system": "ours",
        "metrics": METRIC,
        "prices": str(tmp_path / "prices.toml"),
    }


def measured(api: Api, about: dict, **options) -> tuple[EvaluationRow, ...]:
    job = api.evaluate(**about, engine="inline", **options).job
    deadline = time.monotonic() + 60
    while job.state in ("queued", "running"):
        assert time.monotonic() < deadline, "evaluation hangs"
        time.sleep(0.01)
        job = api.progress(job_id=job.job_id)
    assert job.state == "done", job.message
    return api.evaluation(metrics=METRIC)


def test_forecast_asks_nobody_and_counts_what_is_asked(api: Api, stub: Endpoint, about: dict) -> None:
    foreseen = api.forecast(**about)
    assert (foreseen.calls, foreseen.pictures) == ({"natural_compat": 6}, 96)
    assert foreseen.cost == pytest.approx(96 + 6), "a unit a picture, and the text rounded up to one"
    assert stub.requests == []
    assert {row.value for row in measured(api, about)} == {4.0}
    assert len(stub.requests) == 6


def test_spent_budget_is_told_and_a_larger_one_goes_on(api: Api, stub: Endpoint, about: dict) -> None:
    enough_for_one = 60.0
    rows = measured(api, about, max_cost=enough_for_one)
    assert sorted(row.state for row in rows) == ["over_budget", "scored"]
    assert all("maximum cost" in (row.reason or "") for row in rows if row.state == "over_budget")
    asked = len(stub.requests)
    assert asked == 3
    rows = measured(api, about, max_cost=1000.0)
    assert [row.state for row in rows] == ["scored", "scored"]
    assert len(stub.requests) == 6, "only what was left"


def test_limit_without_prices_is_refused(api: Api, stub: Endpoint, about: dict) -> None:
    with pytest.raises(SettingsError, match="--prices"):
        api.evaluate(**{**about, "prices": None}, max_cost=5.0)
    assert stub.requests == []


def test_everything_a_judge_said_lies_in_the_project(api: Api, stub: Endpoint, about: dict, tmp_path: Path) -> None:
    assert {row.value for row in measured(api, about)} == {4.0}
    assert not (tmp_path / "home").exists(), "nothing is kept elsewhere"
    assert {row.value for row in measured(api, about)} == {4.0}
    assert len(stub.requests) == 6, "a second evaluation asks nothing"
    (row, _) = api.evaluation(metrics=METRIC)
    assert row.evidence is not None
    with np.load(tmp_path / "project" / "artifacts" / row.evidence[:2] / row.evidence) as evidence:
        assert evidence["raw"].tolist() == [["4", "4", "4"]]
        assert str(evidence["judge"]) == f"openai@gpt-test@{stub.url}" and str(evidence["sampling"]) == "{}"


def test_refused_key_is_a_failed_row_and_stands_nowhere(
    api: Api, stub: Endpoint, about: dict, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stub.answers = [sent(401, f'{{"error": "wrong key {SECRET}"}}')]
    rows = measured(api, about)
    assert {row.state for row in rows} == {"failed"}
    assert all("judge refused with HTTP 401" in (row.reason or "") and SECRET not in (row.reason or "") for row in rows)
    assert SECRET not in caplog.text
    for path in (tmp_path / "project").rglob("*"):
        for written in ("utf-8", "utf-32-le"):
            assert not path.is_file() or SECRET.encode(written) not in path.read_bytes(), path
