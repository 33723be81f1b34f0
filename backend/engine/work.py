"""Working on one batch, and what comes back: the same code in the owner (`inline`) and in workers."""

import math
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backend.domain import Context, Embedding, Failed, Item, Ok, Record, Result, Score, Stage, StudioError
from backend.models.devices import is_out_of_memory
from backend.store.schema import KINDS, to_arrow


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Items of one stage to be worked on together; `work_keys[i]` is of `items[i]`."""

    stage: Stage
    items: tuple[Item, ...]
    work_keys: tuple[str, ...]

    def halves(self) -> "list[Batch]":
        middle = (len(self.items) + 1) // 2
        spans = (slice(None, middle), slice(middle, None))
        return [Batch(stage=self.stage, items=self.items[s], work_keys=self.work_keys[s]) for s in spans]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a batch gave: results without rows (`notes`), and the rows of all of them as Arrow tables."""

    notes: tuple[Result, ...]
    tables: dict[str, pa.Table]
    seconds: float


def work_on(batch: Batch, context: Context) -> Outcome:
    """Calls the stage. When it raises, its items are tried one by one, so that only the culprit fails."""
    started = time.perf_counter()
    results = _call(batch.stage, batch.items, context)
    rows: dict[str, tuple[list[Record], list[str]]] = {}
    notes: list[Result] = []
    for result, work_key in zip(results, batch.work_keys, strict=True):
        if isinstance(result, Ok):
            for row in {row.id: row for row in result.rows}.values():
                found, keys = rows.setdefault(row.KIND, ([], []))
                found.append(row)
                keys.append(work_key)
            result = Ok(result.item_id, (), result.warnings)
        notes.append(result)
    tables = {kind: to_arrow(KINDS[kind], found, keys) for kind, (found, keys) in rows.items()}
    return Outcome(notes=tuple(notes), tables=tables, seconds=time.perf_counter() - started)


def _call(stage: Stage, items: Sequence[Item], context: Context) -> list[Result]:
    try:
        results = {result.item_id: result for result in stage(items, context)}
        missing = [item.id for item in items if item.id not in results]
        assert not missing, f"stage {stage.name} gave no result for {missing[0]}"
        return [_finite(results[item.id], stage) for item in items]
    except Exception as error:  # noqa: BLE001 - the pipeline item: one of the three places
        if len(items) > 1:
            return [result for item in items for result in _call(stage, [item], context)]
        kind = error.kind if isinstance(error, StudioError) else "memory" if is_out_of_memory(error) else "error"
        message = str(error) if isinstance(error, StudioError) else "".join(traceback.format_exception(error)[-3:]).strip()
        return [Failed(items[0].id, kind, message)]


def _finite(result: Result, stage: Stage) -> Result:
    """The result, or a failure where a model's number is none: NaN in a row would pass or fail gates by accident."""
    for row in result.rows if isinstance(result, Ok) else ():
        if isinstance(row, Score) and row.value is not None and not math.isfinite(row.value):
            said = f"{row.name} of {row.target} by {row.producer} is {row.value}"
        elif isinstance(row, Embedding) and not np.isfinite(row.vector).all():
            said = f"the {row.space} vector of {row.appearance_id} by {row.model} holds numbers that are not finite"
        else:
            continue
        return Failed(result.item_id, "not_finite", f"{stage.name}: {said}; try another dtype or another model")
    return result
