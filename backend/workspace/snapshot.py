"""The current plan, read: kept rows, counts and gates, evaluated once per change of the catalog or the gates."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from backend.domain import Case, Generation, Sidecar, Source
from backend.engine.plan import Plan
from backend.engine.tables import GateCount, PlanTables
from backend.store.catalog import GIVEN_UP, Catalog, is_damage
from backend.store.schema import KINDS, RIGHTS_NOW, record_schema

COUNTED = ("video", "clip", "subject", "appearance", "mask", "anchor", "embedding", "phrase", "caption", "region")

CORRECTION_NOW = """
CREATE OR REPLACE TEMP TABLE correction_now AS
SELECT what, item_id, text, living, box, counts, rater, seq FROM (
    SELECT * FROM correction QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1)
WHERE NOT withdrawn QUALIFY row_number() OVER (PARTITION BY what, item_id ORDER BY seq DESC) = 1
"""
"""People's last word on each item, those that were taken back left out."""


class Snapshot:
    """A reading connection on which the plan's tables stand. Refreshed when `catalog.version` or the plan changed.

    With `one_moment` everything that is read until the refresh or `close`, votes included, is of one moment.
    """

    def __init__(
        self, catalog: Catalog, *, prepare: "Callable[[Snapshot], None]" = lambda now: None, one_moment: bool = False
    ) -> None:
        self._catalog = catalog
        self._prepare = prepare
        self._one_moment = one_moment
        self._lock = threading.RLock()
        self._state: tuple[int, Plan] | None = None
        self._opened = None
        self._took_s, self._made_at_s = 0.0, 0.0
        self.moment = 0
        """Rises with every evaluation: what was made from the tables before is gone."""
        self.tables: PlanTables

    @contextmanager
    def of(self, plan: Plan, *, patience: float = 0.0) -> Iterator["Snapshot"]:
        """The snapshot with this plan evaluated, locked while it is read.

        With `patience`, an evaluation of this plan serves for that many times as long as it took, whatever is committed.
        """
        with self._lock, self._giving_up():
            state = (self._catalog.version, plan)
            started_s = time.monotonic()
            same_plan = self._state is not None and self._state[1] == plan
            lately = same_plan and started_s - self._made_at_s < patience * self._took_s
            if self._state != state and not lately:
                self.close()
                self._opened = self._catalog.reading()
                self._connection = self._opened.__enter__()
                self._connection.begin()  # one moment, also while curation commits
                self.tables = PlanTables(self._connection, plan)
                self.tables.walk()
                self._connection.execute(f"CREATE OR REPLACE TEMP TABLE live_score AS {self.tables.live_scores()}")
                self._connection.execute(CORRECTION_NOW)
                self._prepare(self)
                if not self._one_moment:  # votes are read through views, as they come in
                    self._connection.commit()
                self._state = state
                self.moment += 1
                self._made_at_s = time.monotonic()
                self._took_s = self._made_at_s - started_s
            yield self

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        """Passes on to the catalog that DuckDB gave its file up while it was read."""
        try:
            yield
        except duckdb.Error as error:
            if not isinstance(error, GIVEN_UP) and not is_damage(error):
                raise
            opened, self._opened, self._state = self._opened, None, None
            if opened is None:
                raise
            opened.__exit__(type(error), error, error.__traceback__)  # raises what the catalog makes of it

    @contextmanager
    def released(self) -> Iterator[None]:
        """Gives the reading connection up, and lets nobody take another, while the block runs."""
        with self._lock:
            self.close()
            yield

    def close(self) -> None:
        if self._opened is not None:
            self._opened.__exit__(None, None, None)
            self._opened, self._state = None, None

    def query(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[tuple]:
        """Rows of a SELECT over the catalog and the plan's `kept_KIND`, `item_STAGE`, `gated`, `live_score` and `correction_now`."""
        return self._connection.execute(sql, parameters if isinstance(parameters, dict) else list(parameters)).fetchall()

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        return self._connection.sql(sql, params=list(parameters)).to_arrow_table()

    def columns(self, table: str) -> list[str]:
        """Names of the columns of a temporary table of the snapshot."""
        return [row[0] for row in self.query(f"DESCRIBE {table}")]

    def counts(self) -> dict[str, int]:
        """Rows of the current plan by kind (plural), as `status` gives them; pairs are accepted ones other than in_pair."""
        counts = {f"{kind}s": self.query(f"SELECT count(*) FROM kept_{kind}")[0][0] for kind in COUNTED}
        by_kind = dict(
            self.query(
                "SELECT r.kind, count(*) FROM kept_pair k JOIN pair r ON r.id = k.id AND r.work_key = k.work_key GROUP BY 1"
            )
        )
        counts["in_pairs"] = by_kind.pop("in_pair", 0)
        counts["pairs"] = sum(by_kind.values())
        return counts

    def gate_counts(self) -> list[GateCount]:
        return self.tables.gate_counts

    def catalog_hash(self) -> str:
        """BLAKE2b-256 of the sorted canonical rows of the current plan, of votes, of studies and of what was said of sources and cases.

        Leaves out run, time, host, path, message text and engine: equal inputs and settings give the equal hash.
        """
        hasher = hashlib.blake2b(digest_size=32)
        for kind, record in KINDS.items():
            if record in (Source, Sidecar, Case, Generation):  # what they lead to is hashed; where they lie is not
                continue
            columns = [f.name for f in record_schema(record) if f.name not in ("work_key", "source_id")]
            selected = ", ".join(f'r."{name}"' for name in columns)
            shown = "live_score" if kind == "score" else kind
            kept = "" if kind == "score" else f"JOIN kept_{kind} k ON k.id = r.id AND k.work_key = r.work_key"
            _hash_table(hasher, kind, self.arrow(f"SELECT {selected} FROM {shown} r {kept} ORDER BY ALL"))
        votes = "SELECT id, rev, study_id, item_id, rater, rater_kind, question, choice, strength, reasons FROM vote ORDER BY ALL"
        _hash_table(hasher, "vote", self.arrow(votes))
        edits = """SELECT content, prompt, rater FROM case_edit
            UNION ALL SELECT item_id, text, rater FROM correction_now WHERE what = 'prompt' ORDER BY ALL"""
        _hash_table(hasher, "case_edit", self.arrow(edits))
        put_up = "SELECT DISTINCT name, content, clip_id FROM case_put_up ORDER BY ALL"
        _hash_table(hasher, "case_put_up", self.arrow(put_up))
        _hash_table(hasher, "study", self.arrow("SELECT kind, study_id, body FROM study ORDER BY ALL"))
        happened = "SELECT kind, study_id, participant, body FROM study_event ORDER BY ALL"
        _hash_table(hasher, "study_event", self.arrow(happened))
        rights = f"""SELECT k.id, s.licence, s.attribution FROM kept_video k JOIN video v ON v.id = k.id AND v.work_key = k.work_key
            JOIN ({RIGHTS_NOW}) s ON s.source_id = v.source_id ORDER BY ALL"""
        _hash_table(hasher, "rights", self.arrow(rights))
        return hasher.hexdigest()


def _hash_table(hasher: hashlib.blake2b, name: str, table: pa.Table) -> None:
    hasher.update(f"{name}:{table.num_rows};".encode())
    for batch in table.combine_chunks().to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            hasher.update(repr(row).encode("utf-8", "surrogatepass"))
