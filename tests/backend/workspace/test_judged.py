"""An evaluation by a judge behind an endpoint: foreseen, limited, gone on with, and never paid for twice."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from backend.api import Api, EvaluationRow
from backend.domain import SettingsError
from backend.media.writer import write_video
from backend.models import judge_openai
from backend.settings import ProjectSettings
from backend.workspace import Workspace
from tests.metrics.checkpoints_language import Endpoint, endpoint

METRIC = ("natural_compat",)


@pytest.fixture
def stub() -> Iterator[Endpoint]:
    with endpoint() as found:
        found.says("4")
        yield found


@pytest.fixture
def api(stub: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(judge_openai, "ANSWERS", tmp_path / "answers")
    monkeypatch.setattr(
        judge_openai.OpenAiJudge.__init__, "__kwdefaults__", {"limits": None, "answers": tmp_path / "answers"}
    )
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


def test_spent_budget_leaves_rows_unavailable_and_a_larger_one_goes_on(api: Api, stub: Endpoint, about: dict) -> None:
    enough_for_one = 60.0
    rows = measured(api, about, max_cost=enough_for_one)
    assert sorted(row.state for row in rows) == ["scored", "unavailable"]
    assert all("maximum cost" in (row.reason or "") for row in rows if row.state == "unavailable")
    asked = len(stub.requests)
    assert asked == 3
    rows = measured(api, about, max_cost=1000.0)
    assert [row.state for row in rows] == ["scored", "scored"]
    assert len(stub.requests) == 6, "only what was left"


def test_limit_without_prices_is_refused(api: Api, stub: Endpoint, about: dict) -> None:
    with pytest.raises(SettingsError, match="--prices"):
        api.evaluate(**{**about, "prices": None}, max_cost=5.0)
    assert stub.requests == []
