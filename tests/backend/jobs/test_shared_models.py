"""Curation with shared models: the same rows as when each worker loads its own, to the bit, and one copy instead of several."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytest

from backend.domain import Clip, Context, Inquiry, Item, Ok, Resources, Result, Score
from backend.engine.context import WorkContext, WorkerSettings
from backend.engine.plan import Plan, Step
from backend.jobs.board import JobTicket
from backend.jobs.model_service import ModelService
from backend.jobs.model_worker import ModelWorkerSettings
from backend.jobs.plans import work_through
from backend.media.images import encode_jpeg
from backend.models.kept_answers import KeptAnswers
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from tests.backend.engine.toy_stages import MakeVideo, SplitEvenly, source
from tests.backend.jobs.tiny_models import HERE, Linear, write_weights
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, clip_item

pytest.importorskip("torch")
Serve = Callable[..., ModelService]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskModel:
    """Over clips: what a model gives for the clip's own row of numbers; `what` is asked of another model before."""

    name: ClassVar[str] = "ask_model"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("Tiny", "Troubled")
    resources: ClassVar[Resources] = Resources()
    what: str = "fine"
    seconds: float = 0.0

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._one(item, context) for item in items]

    def _one(self, item: Item, context: Context) -> Result:
        clip = item.one(Clip)
        if clip.start_frame == 25:
            cast(Any, context.role("Troubled")).act(self.what, self.seconds)
        tiny = cast(Linear, context.role("Tiny"))
        rows = context.rng(item.id).standard_normal((2, 16)).astype(np.float32)
        found = [tiny.project(row) for row in rows]
        score = Score(target=item.id, name="tiny", value=float(found[0][0] - found[1][3]), producer=tiny.model_id)
        return Ok(item.id, (score,))


def plan(workers: WorkerSettings, what: str = "fine", seconds: float = 0.0) -> Plan:
    steps = (Step(MakeVideo()), Step(SplitEvenly()), Step(AskModel(what=what, seconds=seconds)))
    return Plan(steps=steps, model_ids={role: workers.model_id(role) for role in ("Tiny", "Troubled")})


@pytest.fixture
def workers(tmp_path: Path) -> WorkerSettings:
    location = write_weights(tmp_path / "w.safetensors", 100)
    (tmp_path / "artifacts").mkdir()
    return WorkerSettings(
        artifacts=tmp_path / "artifacts",
        roles={"Tiny": f"{HERE}:Linear", "Troubled": f"{HERE}:Troubled"},
        models={"Tiny": location, "Troubled": location},
        device="cpu",
    )


@pytest.fixture
def catalogs(tmp_path: Path) -> Iterator[Callable[[str], Catalog]]:
    opened: list[Catalog] = []

    def make(name: str) -> Catalog:
        catalog = Catalog(tmp_path / f"{name}.duckdb")
        catalog.add_records([source(f"{n}.mp4") for n in "abcd"], work_key="listed")
        opened.append(catalog)
        return catalog

    yield make
    for catalog in opened:
        catalog.close()


def run(
    catalog: Catalog,
    plan: Plan,
    workers: WorkerSettings,
    models: ModelService | None,
    *,
    engine: str = "process",
    cancelled: threading.Event | None = None,
) -> str:
    return work_through(
        JobTicket(lambda stage, done, total: None, cancelled or threading.Event()),
        catalog=catalog,
        artifacts=Artifacts(workers.artifacts),
        plan=plan,
        workers=workers,
        engine=engine,
        num_workers=2,
        retry_failed=False,
        models=models,
    )


def hash_of(catalog: Catalog, plan: Plan) -> str:
    with Snapshot(catalog).of(plan) as now:
        return now.catalog_hash()


def work_keys(catalog: Catalog) -> list[tuple]:
    return catalog.query("SELECT work_key, state FROM work ORDER BY ALL")


def test_service_is_wanted_where_several_would_load_the_same(
    workers: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.jobs.model_service.num_gpus", lambda: 0)
    auto, on, off = (ModelService(ModelWorkerSettings(), mode=mode) for mode in ("auto", "on", "off"))
    embedded = WorkerSettings(
        artifacts=workers.artifacts, roles={"TextSpotter": "backend.models.classical_text:ClassicalTextSpotter"}
    )
    far = WorkerSettings(
        artifacts=workers.artifacts,
        roles={"Judge": "backend.models.judge_openai:OpenAiJudge"},
        models={"Judge": "openai:m@https://host/v1"},
    )
    assert auto.wanted(workers, ["Tiny"], num_crew=2)
    assert not auto.wanted(workers, ["Tiny"], num_crew=1)
    assert on.wanted(workers, ["Tiny"], num_crew=1)
    assert not off.wanted(workers, ["Tiny"], num_crew=2)
    assert not any(one.wanted(embedded, ["TextSpotter"], num_crew=2) for one in (auto, on))
    assert not any(one.wanted(far, ["Judge"], num_crew=2) for one in (auto, on))
    assert not on.wanted(workers, ["Unbound"], num_crew=2)
    monkeypatch.setattr("backend.jobs.model_service.num_gpus", lambda: 1)
    anywhere = WorkerSettings(artifacts=workers.artifacts, roles=workers.roles, models=workers.models)
    assert auto.wanted(anywhere, ["Tiny"], num_crew=1)
    assert not auto.wanted(workers, ["Tiny"], num_crew=1)  # which are to stay on the CPU


@pytest.mark.slow
@pytest.mark.server
def test_rows_are_the_same_with_and_without_the_service(
    serve: Serve, workers: WorkerSettings, catalogs: Callable[[str], Catalog]
) -> None:
    service, asked = serve(), plan(workers)
    alone, shared, inline = catalogs("alone"), catalogs("shared"), catalogs("inline")
    run(inline, asked, workers, None, engine="inline")
    run(alone, asked, workers, None)
    assert service.rows() == ()
    run(shared, asked, workers, service)
    assert hash_of(alone, asked) == hash_of(shared, asked) == hash_of(inline, asked)
    assert work_keys(alone) == work_keys(shared) == work_keys(inline)
    assert alone.query("SELECT count(*), count(DISTINCT value) FROM score WHERE name = 'tiny'") == [(16, 16)]
    (worker,) = service.rows()
    assert sorted(one.roles for one in worker.resident) == [("Tiny",), ("Troubled",)]
    assert [event.kind for event in service.events()].count("loading") == 2


@pytest.mark.slow
@pytest.mark.server
def test_model_that_dies_costs_its_own_items_only(
    serve: Serve, workers: WorkerSettings, catalogs: Callable[[str], Catalog]
) -> None:
    catalog = catalogs("crash")
    asked = plan(workers, "exit")
    assert run(catalog, asked, workers, serve()).endswith("4 failed")
    rows = catalog.query("SELECT kind, message FROM work WHERE state = 'failed'")
    assert {kind for kind, _ in rows} == {"crash"}
    assert "Troubled.act (Troubled) killed its worker on cpu, 2 times: ended with exit code 7" in rows[0][1]
    assert catalog.query("SELECT count(*) FROM score WHERE name = 'tiny'") == [(12,)]


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize("engine", ["process", "inline"])
def test_cancelled_run_leaves_pending_what_a_model_was_asked_for(
    serve: Serve, workers: WorkerSettings, catalogs: Callable[[str], Catalog], engine: str
) -> None:
    catalog, service, cancelled = catalogs("cancelled"), serve(), threading.Event()
    service._mode = "on"
    long, ended = plan(workers, "steps", 60.0), []
    thread = threading.Thread(
        target=lambda: ended.append(run(catalog, long, workers, service, engine=engine, cancelled=cancelled))
    )
    thread.start()
    deadline = time.monotonic() + 60
    while not any(row.running == "Troubled.act" for row in service.rows()):
        assert time.monotonic() < deadline, "the model is never asked"
        time.sleep(0.02)
    time.sleep(0.3)
    cancelled.set()
    started = time.monotonic()
    while any(row.running == "Troubled.act" for row in service.rows()):
        assert time.monotonic() - started < 2.0, "the model goes on"
        time.sleep(0.02)
    thread.join(20)
    assert ended and ended[0].endswith(" 0 failed")
    assert catalog.query("SELECT count(*) FROM work WHERE stage = 'ask_model' AND state = 'failed'") == [(0,)]


@pytest.mark.slow
@pytest.mark.server
def test_real_detectors_and_segmenters_are_asked_as_they_are(serve: Serve, tmp_path: Path) -> None:
    from tests.backend.models.tiny_grounding import save_grounding_dino, save_sam2

    roles = {"Detector": "backend.models.grounding_dino:GroundingDino", "Segmenter": "backend.models.sam2_masks:Sam2Masks"}
    models = {
        "Detector": str(save_grounding_dino(tmp_path / "dino")),
        "Segmenter": str(save_sam2(tmp_path / "sam2")),
    }
    here = WorkContext(WorkerSettings(artifacts=tmp_path, roles=roles, models=models, device="cpu"))
    there = WorkContext(
        WorkerSettings(artifacts=tmp_path, roles=roles, models=models, device="cpu", service=serve().address())
    )
    frames = np.random.default_rng(5).integers(0, 256, (6, 90, 160, 3), np.uint8)
    footage = StageContext(ArrayReader(frames)).footage(clip_item(frames))
    found = [cast(Any, one.role("Detector")).detect(footage, [0, 2, 5], ["a red mug", "a dog"]) for one in (here, there)]
    assert found[0] == found[1]
    box = (10.0, 10.0, 100.0, 80.0)
    masks = [cast(Any, one.role("Segmenter")).segment(frames[0], [box]) for one in (here, there)]
    assert [part.tobytes() for part in masks[0]] == [part.tobytes() for part in masks[1]]
    for role in roles:
        assert cast(Any, here.role(role)).model_id == cast(Any, there.role(role)).model_id == here.model_id(role)
    there.close()


@pytest.mark.slow
@pytest.mark.server
def test_answers_of_a_shared_judge_are_kept_as_those_of_a_loaded_one(serve: Serve, tmp_path: Path) -> None:
    from tests.metrics.checkpoints_language import qwen2_vl

    roles = {"Judge": "backend.models.judge_local:LocalJudge"}
    models = {"Judge": str(qwen2_vl(tmp_path / "judge", words=("0", "1", "2")))}
    settings = WorkerSettings(artifacts=tmp_path / "artifacts", roles=roles, models=models, device="cpu")
    here, there = WorkContext(settings), WorkContext(replace(settings, service=serve().address()))
    picture = encode_jpeg(np.random.default_rng(1).integers(0, 256, (56, 56, 3), np.uint8))
    asked = [Inquiry("Whole?", (picture,), 0, 2), Inquiry("One?", (picture,), 0, 2)]
    first = KeptAnswers(cast(Any, there.role("Judge")), there.answers).ask(asked)
    kept = KeptAnswers(cast(Any, here.role("Judge")), here.answers).ask(asked)
    assert [verdict.raw for verdict in kept] == [verdict.raw for verdict in first]
    assert [verdict.num_calls for verdict in (*first, *kept)] == [1, 1, 0, 0]
    assert len(list((tmp_path / "index" / "answers").rglob("*.json"))) == 2
    there.close()
