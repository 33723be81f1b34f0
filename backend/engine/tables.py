"""The current plan as SQL: which rows of the catalog are shown now, which items lack work.

Walking the plan step by step, three families of temporary tables are built on a connection of their own:
`item_STAGE` (item_id, work_key) are the items that a stage takes now; `kept_KIND` (id, work_key, ancestor ids) the
rows of a record type that the current work keys made, whose parents are kept and which pass the gates so far;
`gated` (kind, id, gate, cut) what a gate holds back, and the gate's value there (NULL where nothing was measured). A work
key is `STAGE_KEY:ITEM_ID`, and for stages that gather `:DIGEST` of the gathered ids, so that a group whose members
changed is worked on again. A stage that surveys has one more digest, of what it is shown of the sources listed before: a
new one makes itself pending, and nothing before it.
"""

import dataclasses
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import duckdb

from backend.domain import (
    PARENTS,
    Case,
    Clip,
    Generation,
    Item,
    Pair,
    Score,
    Sidecar,
    Source,
    Stage,
    Subject,
    Survey,
    SurveyingStage,
    Video,
)
from backend.engine.plan import TOP, Gate, Plan, Step
from backend.store.schema import KINDS, WORK_NOW, from_arrow

LISTED: tuple[type, ...] = (Sidecar,)
"""What no stage makes and every stage below a source may gather: ingest lists it beside the source."""

WITHOUT_VALUE = "w.state = 'warned' AND starts_with(w.message, 'failed: ')"
"""SQL of work `w` that ended, with a score that says it failed: the score is kept for what was found beside it."""

REPLACED_SCORES = f"""
SELECT place FROM (
    SELECT r.rowid AS place, r.work_key, row_number() OVER (PARTITION BY r.work_key, r.target, r.name ORDER BY r.rowid DESC) AS age
    FROM score r WHERE r.work_key IN (SELECT work_key FROM superseded))
WHERE age > 1 OR work_key IN (SELECT w.work_key FROM ({WORK_NOW}) w WHERE w.state = 'failed')
"""
"""SQL of the places (rowid) of scores whose work was tried again since: what the last attempt gave holds, if it gave anything."""

SCORE_NOW = f"SELECT s.* FROM score s ANTI JOIN ({REPLACED_SCORES}) o ON o.place = s.rowid"
"""Score rows that a later attempt has not replaced."""


@dataclass(frozen=True, slots=True)
class GateCount:
    """What one gate saw: records entering, held back, and without a value."""

    gate: Gate
    entering: int
    dropped: int
    unmeasured: int


class Pending(NamedTuple):
    """An item without finished work. Items of one `group` (a clip, or a video's clips) are worked on together.

    `again` is of what was tried before, and is asked to be tried again.
    """

    item_id: str
    work_key: str
    group: str
    again: bool


def ancestors(record: type) -> list[type]:
    """A record type's parent, its parent, and so on."""
    chain = []
    while record in PARENTS:
        record = PARENTS[record][1]
        chain.append(record)
    return chain


def work_key(stage_key: str, item_id: str, members: Sequence[str] | None) -> str:
    """Of an item whose stage gathers the rows `members` (None when it gathers nothing); `PlanTables.enter` in Python."""
    if members is None:
        return f"{stage_key}:{item_id}"
    digest = hashlib.md5(",".join(sorted(members)).encode(), usedforsecurity=False).hexdigest() if members else ""
    return f"{stage_key}:{item_id}:{digest}"


class PlanTables:
    """The temporary tables of one walk through a plan. Call `enter` and `leave` for each step in order."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
        self._connection = connection
        self._plan = plan
        self._kept: list[type] = []
        self._scoring: list[Stage] = []
        self.gate_counts: list[GateCount] = []
        run = connection.execute
        run("CREATE OR REPLACE TEMP TABLE gated (kind VARCHAR, id VARCHAR, gate VARCHAR, cut DOUBLE)")
        run(
            """CREATE OR REPLACE TEMP TABLE kept_source AS SELECT id, work_key FROM source
            QUALIFY row_number() OVER (PARTITION BY uri ORDER BY rowid DESC) = 1"""
        )
        run(
            """CREATE OR REPLACE TEMP TABLE kept_sidecar AS SELECT id, work_key, source_id FROM (
                SELECT * FROM sidecar QUALIFY row_number() OVER (PARTITION BY source_id ORDER BY rowid DESC) = 1)
            WHERE digest <> '' AND source_id IN (SELECT id FROM kept_source)"""
        )
        run(
            """CREATE OR REPLACE TEMP TABLE kept_bench_case AS SELECT id, work_key FROM bench_case
            QUALIFY row_number() OVER (PARTITION BY benchmark, name ORDER BY rowid DESC) = 1"""
        )
        only = self._plan.only
        run(
            f"""CREATE OR REPLACE TEMP TABLE kept_generation AS SELECT id, work_key, case_id AS bench_case_id FROM (
                SELECT * FROM generation
                QUALIFY row_number() OVER (PARTITION BY case_id, system, seed ORDER BY rowid DESC) = 1)
            WHERE case_id IN (SELECT id FROM kept_bench_case) {"" if only is None else "AND id IN (SELECT unnest(?))"}""",
            [] if only is None else [list(only)],
        )
        self._kept += [Source, Sidecar, Case, Generation]
        for kind, record in KINDS.items():
            if record not in self._kept:
                columns = ", ".join(f"{name} VARCHAR" for name in _columns(record))
                run(f"CREATE OR REPLACE TEMP TABLE kept_{kind} ({columns})")

    def walk(self) -> None:
        """Enters and leaves every step."""
        for step in self._plan.steps:
            self.enter(step)
            self.leave(step)

    def enter(self, step: Step) -> None:
        """Builds `item_STAGE`: what the stage takes now."""
        stage, over = step.stage, step.stage.over.KIND
        key = self._plan.stage_key(stage)
        if not stage.gathers:
            source = f"SELECT k.id AS item_id, '{key}:' || k.id AS work_key FROM kept_{over} k"
        else:
            scores = self._score_digest() if Score in stage.gathers else ""
            members = " UNION ALL ".join(
                f"SELECT item_id, id FROM ({_members(stage.over, kind)})" for kind in stage.gathers if kind is not Score
            )
            members = members or "SELECT '' AS item_id, '' AS id WHERE false"
            before, seen = "", ""
            if isinstance(stage, SurveyingStage):
                self._survey(stage)
                before = "coalesce(b.digest || ':', '') || "
                seen = f"LEFT JOIN before_{stage.name} b ON b.item_id = k.id"
            source = f"""
                SELECT k.id AS item_id, '{key}:' || k.id || ':{scores}' || {before}coalesce(g.digest, '') AS work_key
                FROM kept_{over} k LEFT JOIN (
                    SELECT item_id, md5(string_agg(id, ',' ORDER BY id)) AS digest FROM ({members}) GROUP BY item_id
                ) g ON g.item_id = k.id {seen}"""
        whole = ""  # a picture without a subject is no item: the stage that found it does all that it needs
        if stage.over in PARENTS:
            whole = f"WHERE k.{PARENTS[stage.over][1].KIND}_id NOTNULL"
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE item_{stage.name} AS {source} {whole}")

    def pending(
        self, step: Step, *, run_id: str = "", retry_failed: bool = False, retry: Collection[str] = ()
    ) -> list[Pending]:
        """Items without finished work, ordered by group and id.

        What failed is finished, unless `retry_failed` or its work key is in `retry`; what was unavailable, as a judge without
        budget, never is. The run of `run_id` tries neither a second time. A stage that makes scores only has failed also
        where its score says so: a new score takes the place of that one, which rows of other kinds cannot.
        """
        stage = step.stage
        columns = _columns(stage.over)
        group = next((f"k.{name}" for name in ("clip_id", "video_id") if name in columns), "k.id")
        failed = f"(w.state = 'failed' OR {WITHOUT_VALUE})" if stage.makes == (Score,) else "w.state = 'failed'"
        asked = "true" if retry_failed else "w.work_key IN (SELECT unnest(?::VARCHAR[]))"
        rows = self._connection.execute(
            f"""SELECT i.item_id, i.work_key, {group}, i.work_key IN (SELECT work_key FROM work WHERE stage = ?)
            FROM item_{stage.name} i JOIN kept_{stage.over.KIND} k ON k.id = i.item_id
            WHERE i.work_key NOT IN (
                SELECT w.work_key FROM ({WORK_NOW}) w WHERE w.stage = ? AND (
                    NOT {failed} OR NOT (w.kind IS NOT DISTINCT FROM 'unavailable' OR {asked}) OR w.run_id = ?))
            ORDER BY 3, 1""",
            [stage.name, stage.name, *([] if retry_failed else [list(retry)]), run_id],
        ).fetchall()
        wanted = frozenset(retry)
        return [
            Pending(item_id, key, grouped, tried and (retry_failed or key in wanted))
            for item_id, key, grouped, tried in rows
        ]

    def finished(self, stage_name: str, work_keys: Sequence[str]) -> set[str]:
        """Those of the work keys that need no work."""
        rows = self._connection.execute(
            "SELECT work_key FROM work WHERE stage = ? AND work_key IN (SELECT unnest(?::VARCHAR[]))",
            [stage_name, list(work_keys)],
        ).fetchall()
        return {key for (key,) in rows}

    def leave(self, step: Step) -> None:
        """Adds the stage's rows to `kept_KIND` and applies its gates."""
        stage = step.stage
        for record in stage.makes:
            if record is Score:
                self._scoring.append(stage)
            else:
                self._keep(stage, record)
        for kind in dict.fromkeys(gate.record for gate in step.gates):
            self._apply([g for g in step.gates if g.record == kind], stage, KINDS[kind])

    def load(self, step: Step, item_ids: Sequence[str], *, also: Collection[type] = ()) -> list[Item]:
        """Items with their records, in the order of `item_ids`; with those of `also` besides what the stage gathers."""
        stage, over = step.stage, step.stage.over
        lineage = ancestors(over)
        rows = self._connection.execute(
            f"SELECT {', '.join(['id', *(f'{a.KIND}_id' for a in lineage)])} FROM kept_{over.KIND} WHERE id IN (SELECT unnest(?))",
            [list(item_ids)],
        ).fetchall()
        parents = {row[0]: row[1:] for row in rows}
        found = {over: self._fetch(over, list(item_ids))}
        for position, kind in enumerate(lineage):
            found[kind] = self._fetch(kind, sorted({row[position] for row in parents.values()}))
        gathered = {kind: self._gather(over, kind, item_ids) for kind in {*stage.gathers, *also} if kind is not Score}
        if Score in stage.gathers:
            gathered[Score] = self._gather_scores(item_ids, gathered)
        items = []
        for item_id in item_ids:
            records: dict[type, tuple] = {over: (found[over][item_id],)}
            records |= {kind: (found[kind][ancestor],) for kind, ancestor in zip(lineage, parents[item_id], strict=True)}
            records |= {kind: tuple(rows.get(item_id, ())) for kind, rows in gathered.items()}
            items.append(Item(item_id, records))
        return items

    def roll(self, stage: SurveyingStage) -> bytes:
        """What the stage surveys, in the order in which the sources were listed: JSON, `[{"id": source id, kind: [row ...] ...} ...]`."""
        rows = self._connection.execute(f"SELECT item_id FROM before_{stage.name} ORDER BY position").fetchall()
        listed: dict[str, dict[str, Any]] = {item_id: {"id": item_id} for (item_id,) in rows}
        for record in stage.surveys:
            if record is Source:
                found: dict[str, list] = {name: [row] for name, row in self._fetch(Source, list(listed)).items()}
            else:
                found = self._gather(Source, record, list(listed))
            for item_id, entry in listed.items():
                entry[record.KIND] = [dataclasses.asdict(row) for row in found.get(item_id, ())]
        return json.dumps(list(listed.values())).encode()

    def surveyed(self, stage: SurveyingStage, artifact: str, items: Sequence[Item]) -> list[Item]:
        """The items, each with its place in the roll that is kept as `artifact`."""
        places = dict(self._connection.execute(f"SELECT item_id, position FROM before_{stage.name}").fetchall())
        return [
            Item(item.id, {**item.records, Survey: (Survey(artifact, places[item.id]),) if item.id in places else ()})
            for item in items
        ]

    def live_scores(self) -> str:
        """SQL of the score rows that the current plan's work made, so far, without those of attempts before the last."""
        return f"SELECT r.* EXCLUDE (place) FROM ({self._scores()}) r ANTI JOIN ({REPLACED_SCORES}) o ON o.place = r.place"

    def earlier_scores(self) -> str:
        """SQL of the score rows that a later attempt at their work took the place of, with `place`, by which they can be ordered."""
        return f"SELECT r.* FROM ({self._scores()}) r SEMI JOIN ({REPLACED_SCORES}) o ON o.place = r.place"

    def _scores(self) -> str:
        """Scores have no parent that is kept or not: what each stage takes now decides."""
        made = [
            f"""SELECT r.*, r.rowid AS place FROM score r WHERE r.stage_key = '{self._plan.stage_key(stage)}'
            AND r.work_key IN (SELECT work_key FROM item_{stage.name})"""
            for stage in self._scoring
        ]
        return " UNION ALL ".join(made) or "SELECT r.*, r.rowid AS place FROM score r WHERE false"

    def _score_digest(self) -> str:
        keys = ",".join(self._plan.stage_key(stage) for stage in self._scoring)
        return hashlib.blake2b(keys.encode(), digest_size=8).hexdigest() + ":"

    def _survey(self, stage: SurveyingStage) -> None:
        """Builds `before_STAGE`: each item with rows of the first kind to survey, its place, and a digest of all such rows before it."""
        assert stage.over is Source, f"stage {stage.name} surveys; only what is over sources can"
        rows = self._connection.execute(
            f"""SELECT k.id, list(p.id ORDER BY p.id) FROM kept_source k JOIN source s ON s.id = k.id
            JOIN kept_{stage.surveys[0].KIND} p ON p.source_id = k.id GROUP BY k.id ORDER BY min(s.rowid)"""
        ).fetchall()
        chain, placed = hashlib.md5(usedforsecurity=False), []
        for position, (item_id, members) in enumerate(rows):
            placed.append((item_id, position, chain.hexdigest()))
            chain.update(",".join([item_id, *members]).encode() + b";")
        columns = list(zip(*placed)) or [(), (), ()]
        self._connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE before_{stage.name} AS SELECT unnest(?::VARCHAR[]) AS item_id,
            unnest(?::INTEGER[]) AS position, unnest(?::VARCHAR[]) AS digest""",
            [list(column) for column in columns],
        )

    def _keep(self, stage: Stage, record: type) -> None:
        field, parent = PARENTS[record]
        both = "AND r.reference_appearance_id IN (SELECT id FROM kept_appearance)" if record.KIND == "pair" else ""
        inherited = "".join(f", p.{name}" for name in _columns(parent)[2:])
        once = "QUALIFY row_number() OVER (PARTITION BY r.id ORDER BY r.work_key) = 1" if record is Video else ""
        self._connection.execute(
            f"""INSERT INTO kept_{record.KIND} BY NAME
            SELECT r.id, r.work_key, r.{field} AS {parent.KIND}_id{inherited} FROM {record.KIND} r
            JOIN kept_{parent.KIND} p ON p.id = r.{field} WHERE {self._made_by(stage)} {both} {once}"""
        )
        if record is Clip:
            self._connection.execute(
                """DELETE FROM kept_clip WHERE id IN (SELECT c.id FROM clip c JOIN erased_span e ON e.video_id = c.video_id
                AND e.start_frame < c.stop_frame AND c.start_frame < e.stop_frame)"""
            )
        if stage.over is Source and parent is not Source:  # pictures: no parent but the source, and a copy adds none
            self._connection.execute(
                f"""INSERT INTO kept_{record.KIND} BY NAME SELECT r.id, r.work_key, i.item_id AS source_id FROM {record.KIND} r
                JOIN item_{stage.name} i ON i.work_key = r.work_key WHERE r.{field} IS NULL
                QUALIFY row_number() OVER (PARTITION BY r.id ORDER BY i.item_id) = 1"""
            )
        if record not in self._kept:
            self._kept.append(record)

    def _made_by(self, stage: Stage) -> str:
        """Condition on rows `r`: made by the stage's current work. Without gathering, a row whose parent is kept
        descends from an item that is taken now, so the stage key decides; with it, the group must be the same too."""
        made = f"r.stage_key = '{self._plan.stage_key(stage)}'"
        return f"{made} AND r.work_key IN (SELECT work_key FROM item_{stage.name})" if stage.gathers else made

    def _apply(self, gates: list[Gate], stage: Stage, record: type) -> None:
        """Holds back what violates a gate, and what its stage has not measured yet (a stage scores an item at once).

        What a finished item has no score for, and what another stage made beside the stage's own records, stays. An item
        that the stage does not apply to is unmeasured: its records stay unless a gate drops those.
        """
        run = self._connection.execute
        source = f"({_of_categories(record)}) r" if any(gate.by_category for gate in gates) else f"({SCORE_NOW}) r"
        scored = f"""FROM {source} SEMI JOIN kept_{record.KIND} k ON k.id = r.target
            WHERE {self._made_by(stage)} AND r.name IN ({", ".join(f"'{g.score}'" for g in gates)})"""
        ranked = f"""FROM (SELECT r.*, row_number() OVER (PARTITION BY r.name ORDER BY r.value DESC NULLS LAST, r.target) AS place
            {scored}) r"""
        scored = ranked if any(gate.comparison == TOP for gate in gates) else scored
        violated = [f"count(*) FILTER (r.name = '{g.score}' AND {_violates(g)})" for g in gates]
        rows = run(
            f"SELECT r.name, count(*), count(*) FILTER (r.value IS NULL), {', '.join(violated)} {scored} GROUP BY 1"
        ).fetchall()
        seen = {row[0]: row[1:] for row in rows}
        for n, gate in enumerate(gates):
            entering, unmeasured, *dropped = seen.get(gate.score, (0, 0, *([0] * len(gates))))
            self.gate_counts.append(GateCount(gate, entering, dropped[n], unmeasured))
        arms = " ".join(f"WHEN r.name = '{g.score}' AND {_violates(g)} THEN '{g.name}'" for g in gates)
        cuts = " ".join(f"WHEN '{g.name}' THEN {_cut(g)}" for g in gates)
        run(
            f"""CREATE OR REPLACE TEMP TABLE dropped AS SELECT id, min(gate) AS gate, arg_min(cut, gate) AS cut FROM (
                SELECT id, gate, CASE gate {cuts} END AS cut FROM (
                    SELECT r.* EXCLUDE (id), r.target AS id, CASE {arms} END AS gate {scored}) r) WHERE gate NOTNULL GROUP BY 1"""
        )
        if record not in stage.makes:  # else the scores came with the records
            item_id = "id" if stage.over is record else f"{stage.over.KIND}_id"
            states = ", ".join(f"'{state}'" for state in passing_states(gates))
            run(
                f"""INSERT INTO dropped SELECT k.id, '{gates[0].name}', NULL FROM kept_{record.KIND} k ANTI JOIN (
                    SELECT r.target FROM ({SCORE_NOW}) r WHERE {self._made_by(stage)} AND r.name = '{gates[0].score}') s
                    ON s.target = k.id
                WHERE k.{item_id} NOT IN (SELECT i.item_id FROM item_{stage.name} i JOIN ({WORK_NOW}) w USING (work_key)
                    WHERE w.stage = '{stage.name}' AND w.state IN ({states}))"""
            )
        run(f"INSERT INTO gated SELECT '{record.KIND}', id, gate, cut FROM dropped")
        for kind in self._kept:
            if kind is record:
                run(f"DELETE FROM kept_{kind.KIND} WHERE id IN (SELECT id FROM dropped)")
            elif f"{record.KIND}_id" in _columns(kind):
                run(f"DELETE FROM kept_{kind.KIND} WHERE {record.KIND}_id IN (SELECT id FROM dropped)")
        if Pair in self._kept and record in ancestors(Pair):  # a pair stands while both of its sides do
            run(
                """DELETE FROM kept_pair WHERE id IN (SELECT k.id FROM kept_pair k JOIN pair p USING (id, work_key)
                WHERE p.reference_appearance_id NOT IN (SELECT id FROM kept_appearance))"""
            )

    def _fetch(self, record: type, ids: list[str]) -> dict[str, object]:
        table = self._connection.sql(
            f"""SELECT r.* FROM {record.KIND} r JOIN kept_{record.KIND} k ON k.id = r.id AND k.work_key = r.work_key
            WHERE r.id IN (SELECT unnest(?::VARCHAR[]))""",
            params=[ids],
        ).to_arrow_table()
        return dict(zip(table.column("id").to_pylist(), from_arrow(record, table), strict=True))

    def _gather(self, over: type, record: type, item_ids: Sequence[str]) -> dict[str, list]:
        table = self._connection.sql(
            f"""SELECT r.*, k.item_id AS gathered_for FROM {record.KIND} r
            JOIN ({_members(over, record)}) k ON k.id = r.id AND k.work_key = r.work_key
            WHERE k.item_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY r.id""",
            params=[list(item_ids)],
        ).to_arrow_table()
        grouped: dict[str, list] = {}
        for item_id, row in zip(table.column("gathered_for").to_pylist(), from_arrow(record, table), strict=True):
            grouped.setdefault(item_id, []).append(row)
        return grouped

    def _gather_scores(self, item_ids: Sequence[str], gathered: dict[type, dict[str, list]]) -> dict[str, list]:
        owners = {item_id: item_id for item_id in item_ids}
        for rows in gathered.values():
            owners |= {row.id: item_id for item_id, found in rows.items() for row in found}
        table = self._connection.sql(
            f"SELECT * FROM ({self.live_scores()}) WHERE target IN (SELECT unnest(?::VARCHAR[])) ORDER BY id",
            params=[list(owners)],
        ).to_arrow_table()
        grouped: dict[str, list] = {}
        for score in from_arrow(Score, table):
            grouped.setdefault(owners[score.target], []).append(score)
        return grouped


def _columns(record: type) -> list[str]:
    return ["id", "work_key", *(f"{ancestor.KIND}_id" for ancestor in ancestors(record))]


def _members(over: type, record: type) -> str:
    """SQL of `item_id, id, work_key`: an item's kept descendants, or what was listed beside one of its ancestors."""
    if f"{over.KIND}_id" in _columns(record):
        return f"SELECT {over.KIND}_id AS item_id, id, work_key FROM kept_{record.KIND}"
    assert record in LISTED, f"{record.KIND} does not descend from {over.KIND}; it cannot be gathered"
    parent, _ = PARENTS[record]
    return f"SELECT o.id AS item_id, r.id, r.work_key FROM kept_{over.KIND} o JOIN kept_{record.KIND} r USING ({parent})"


def passing_states(gates: Sequence[Gate]) -> tuple[str, ...]:
    """States of work whose item may lack a score that the gates are on."""
    return ("ok", "warned") if any(gate.unmeasured == "drop" for gate in gates) else ("ok", "warned", "filtered")


def _violates(gate: Gate) -> str:
    if gate.comparison == TOP:
        return f"(r.value IS NULL AND {'true' if gate.unmeasured == 'drop' else 'false'} OR r.place > {gate.value!r})"
    outside = f"NOT (r.value {gate.comparison} {_cut(gate)})"
    return f"coalesce({outside}, {'true' if gate.unmeasured == 'drop' else 'false'})"


def _cut(gate: Gate) -> str:
    """SQL of the value that holds for a score `r`, which has a `category` where the gate heeds one."""
    if not gate.by_category or not gate.fitted_to:
        return repr(gate.value)
    own = " ".join(f"WHEN {_text(category)} THEN {value!r}" for category, value in gate.by_category)
    known = ", ".join(map(_text, gate.fitted_to))
    return f"CASE WHEN r.producer IN ({known}) THEN CASE r.category {own} ELSE {gate.value!r} END ELSE {gate.value!r} END"


def _of_categories(record: type) -> str:
    """SQL of scores with the category of the subject that their target is about."""
    subject = "id" if record is Subject else "subject_id"
    return f"""SELECT s.*, c.category FROM ({SCORE_NOW}) s LEFT JOIN (
        SELECT k.id, any_value(u.category) AS category FROM kept_{record.KIND} k JOIN kept_subject ks ON ks.id = k.{subject}
        JOIN subject u ON u.id = ks.id AND u.work_key = ks.work_key GROUP BY 1) c ON c.id = s.target"""


def _text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"
