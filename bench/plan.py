"""Gates over a million subjects: how long new counts take (`python -m bench.plan`)."""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from backend.domain import Appearance, Clip, Resources, Score, Source, Subject, Video
from backend.engine.plan import Gate, Plan, Step
from backend.engine.tables import PlanTables
from backend.store.catalog import Catalog

NUM_VIDEOS = 10_000
NUM_CLIPS = 300_000
NUM_SUBJECTS = 1_000_000
TARGET_S = 2.0


@dataclass(frozen=True)
class _Stage:
    """A stage that is never called: its rows are made by SQL."""

    name: ClassVar[str]
    over: ClassVar[type]
    makes: ClassVar[tuple[type, ...]]
    version: ClassVar[int] = 1
    gathers: ClassVar[tuple[type, ...]] = ()
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Any, context: Any) -> list[Any]:
        raise AssertionError("rows of this stage are made by SQL")


def _stage(name: str, over: type, makes: tuple[type, ...]) -> _Stage:
    return type(name, (_Stage,), {"name": name, "over": over, "makes": makes})()


def run(*, num_subjects: int = NUM_SUBJECTS) -> list[dict[str, Any]]:
    """Seconds from a moved gate to the new counts, five values of one gate."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(Path(folder) / "catalog.duckdb", memory_limit="8GB")
        _fill(catalog, num_subjects)
        seconds, kept = [], []
        for value in (0.04, 0.5, 0.2, 0.3, 0.04):
            started = time.perf_counter()
            with catalog.reading() as connection:
                PlanTables(connection, _plan(value)).walk()
                kept.append(connection.execute("SELECT count(*) FROM kept_appearance").fetchall()[0][0])
            seconds.append(time.perf_counter() - started)
        catalog.close()
    assert kept[0] == kept[-1] > kept[1], "a tighter gate keeps fewer, and moving it back gives the first count"
    return [
        {
            "name": f"new counts over {num_subjects:,} subjects",
            "value": statistics.median(seconds),
            "unit": "s",
            "target": f"<= {TARGET_S} s",
            "spread": f"{min(seconds):.2f}-{max(seconds):.2f}",
            "n": len(seconds),
        }
    ]


PROBE = _stage("probe", Source, (Video,))
SPLIT = _stage("split", Video, (Clip, Score))
FIND = _stage("find", Clip, (Subject, Appearance, Score))
MASK = _stage("mask", Appearance, (Score,))


def _plan(area: float) -> Plan:
    def at_least(record: str, score: str, value: float) -> Gate:
        return Gate(record=record, score=score, comparison=">=", value=value, source="bench")

    return Plan(
        steps=(
            Step(PROBE),
            Step(SPLIT, (at_least("clip", "motion", 0.1),)),
            Step(FIND, (at_least("appearance", "area", area), at_least("appearance", "side", 0.05))),
            Step(MASK, (at_least("appearance", "quality", 0.05),)),
        )
    )


def _fill(catalog: Catalog, num_subjects: int) -> None:
    keys = {stage: _plan(0).stage_key(stage) for stage in (PROBE, SPLIT, FIND, MASK)}
    clip, video = f"'clip_' || md5((i % {NUM_CLIPS})::VARCHAR)[:20]", f"'video_' || (i % {NUM_VIDEOS})"
    appearance = "'appearance_' || md5(i::VARCHAR)[:20]"

    def insert(table: str, count: int, stage: _Stage | None, item: str, columns: str) -> None:
        key = keys[stage] if stage else ""
        catalog.query(
            f"""INSERT INTO {table} BY NAME SELECT '{key}:' || {item} AS work_key, '{key}' AS stage_key, {columns}
            FROM range({count}) t(i)"""
        )

    def score(name: str, count: int, stage: _Stage, item: str, target: str) -> None:
        value = f"hash(i || '{name}') / 18446744073709551615.0"
        insert("score", count, stage, item, f"'{name}' || i AS id, {target} AS target, '{name}' AS name, {value} AS value")

    insert("source", NUM_VIDEOS, None, "''", "'source_' || i AS id, 'f' || i AS uri, 1 AS num_bytes, 1 AS modified_ns")
    insert("video", NUM_VIDEOS, PROBE, "'source_' || i", "'video_' || i AS id, 'source_' || i AS source_id")
    insert("clip", NUM_CLIPS, SPLIT, video, f"{clip} AS id, {video} AS video_id")
    subject = "'subject_' || md5(i::VARCHAR)[:20]"
    insert("subject", num_subjects, FIND, clip, f"{subject} AS id, {clip} AS clip_id")
    insert("appearance", num_subjects, FIND, clip, f"{appearance} AS id, {subject} AS subject_id")
    score("motion", NUM_CLIPS, SPLIT, video, clip)
    score("area", num_subjects, FIND, clip, appearance)
    score("side", num_subjects, FIND, clip, appearance)
    score("quality", num_subjects, MASK, appearance, appearance)


if __name__ == "__main__":
    from bench.table import show

    show(run())
