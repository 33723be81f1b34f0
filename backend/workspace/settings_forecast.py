"""What other settings mean for the work that is done: stage by stage, from work keys, without running anything."""

import dataclasses
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import NamedTuple

from backend.domain.project_care import SettingChange, StageForecast
from backend.engine.plan import Plan
from backend.settings import ProjectSettings, spelled
from backend.settings.dotted import TABLES
from backend.workspace.snapshot import Snapshot


class Work(NamedTuple):
    """Items of a stage: without a result, and with one (whatever it is)."""

    over: str
    key: str
    pending: int
    done: int


def work_of(reading: AbstractContextManager[Snapshot], plan: Plan) -> dict[str, Work]:
    """Every stage of a plan, in its order."""
    with reading as now:
        return {
            step.stage.name: Work(step.stage.over.KIND, plan.stage_key(step.stage), *_counted(now, step.stage.name))
            for step in plan.steps
        }


def stage_forecasts(before: dict[str, Work], after: dict[str, Work]) -> tuple[StageForecast, ...]:
    """Stages that a draft gives something to do, or takes results from; those that leave the plan come last."""
    found = []
    for name in dict.fromkeys((*after, *before)):
        old, new = before.get(name), after.get(name)
        row = StageForecast(
            stage=name,
            over=(new or old or Work("", "", 0, 0)).over,
            pending_before=old.pending if old else 0,
            pending=new.pending if new else 0,
            set_aside=max(0, (old.done if old else 0) - (new.done if new else 0)),
            is_other=new is not None and (old is None or old.key != new.key),
        )
        if row.pending > row.pending_before or row.set_aside or row.is_other:
            found.append(row)
    return tuple(found)


def setting_changes(before: ProjectSettings, after: ProjectSettings) -> tuple[SettingChange, ...]:
    """What project.toml says otherwise; nothing said is an empty text."""
    old, new = dict(_told(before)), dict(_told(after))
    return tuple(
        SettingChange(name=name, before=old.get(name, ""), after=new.get(name, ""))
        for name in dict.fromkeys((*new, *old))
        if old.get(name) != new.get(name)
    )


def _told(settings: ProjectSettings) -> Iterable[tuple[str, str]]:
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.name == "stages":
            yield from (
                (f"stages.{stage}.{name}", spelled(each)) for stage, told in value.items() for name, each in told.items()
            )
        elif field.name in TABLES:
            yield from ((f"{field.name}.{name}", spelled(each)) for name, each in value.items())
        elif field.name not in ("thresholds", "selections"):
            yield field.name, spelled(value)


def _counted(now: Snapshot, stage: str) -> tuple[int, int]:
    ((pending, done),) = now.query(
        f"""SELECT count(*) FILTER (w.work_key IS NULL), count(*) FILTER (w.work_key NOTNULL) FROM item_{stage} i
        LEFT JOIN (SELECT DISTINCT work_key FROM work) w USING (work_key)"""
    )
    return pending, done
