"""Texts of people that end in queries: `--where`, search words, orders, kinds, ids. There is no console of SQL, and none may arise."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import duckdb
import psutil
import pytest

from backend.api import Api
from backend.domain import StudioError
from backend.exports.where import Where
from backend.workspace import Workspace, library, pairs
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import plan, write_toy_video
from tests.promises import Tally

pytestmark = pytest.mark.slow  # a project is curated first
MOST_CPU_S = 2.0  # a busy machine takes some tenths; what grows without bound takes minutes
MOST_BYTES = 256 << 20  # of the process, whatever else its threads do
STATEMENTS = (
    "COPY (SELECT 1) TO '{out}'", "COPY pair TO '{out}' (FORMAT parquet)", "EXPORT DATABASE '{out}'", "ATTACH '{out}' AS a",
    "ATTACH 'https://far.test/x.duckdb' AS b", "INSTALL httpfs", "INSTALL spatial FROM community", "LOAD '{out}'",
    "DROP TABLE pair", "DELETE FROM score", "UPDATE pair SET kind = 'x'", "ALTER TABLE pair ADD COLUMN x INT", "CHECKPOINT",
    "INSERT INTO score SELECT * FROM score", "CREATE TABLE t AS SELECT 1", "CREATE OR REPLACE VIEW export_ready AS SELECT 1",
    "SET memory_limit = '1TB'", "RESET ALL", "PRAGMA database_list", "CALL pragma_version()", "DETACH memory", "VACUUM",
    "CREATE SECRET s (TYPE http)", "CREATE MACRO f() AS 1", "PREPARE p AS SELECT 1", "BEGIN", "ROLLBACK", "USE memory",
    "SET GLOBAL enable_external_access = true", "EXPLAIN ANALYZE SELECT 1",
)  # fmt: skip
"""Each behind a semicolon, and behind the end of a text."""
CONDITIONS = (
    "1 = 1", "true", "pair_id = pair_id or 1 = 1 --", "pair_id = 'x' or true", "(SELECT 1) = 1", "exists (SELECT 1 FROM pair)",
    "pair_id in (SELECT pair_id FROM pair)", "(SELECT content FROM read_text('{canary}')) contains 'canary'",
    "read_text('{canary}') is not null", "pair_id in (FROM '{canary}')", "pair_id = getenv('HOME')", "1 = sleep_ms(60000)",
    "pair_id = current_setting('temp_directory')", "length(repeat('x', 2000000000)) > 0", "count(*) > 0", "random() > 0",
    "(SELECT sum(a.i * b.i) FROM range(1000000) a(i), range(1000000) b(i)) > 0", "pair_id like '%'", "pair_id glob '*'",
    "regexp_matches(pair_id, '(a+)+$')", "pair_id similar to '(a|a)*b'", "CASE WHEN true THEN true END", "pair_id::int = 1",
    "cast(pair_id as int) = 1", "pair_id || 'x' = 'x'", "similarity + 1 > 0", "similarity / 0 > 0", "pair_id[1] = 'x'",
    "list_value(1)[1] = 1", "pair.pair_id = 'x'", '"pair_id" = \'x\'', "$1 = 1", "? = 1", ":x = 1", "@x = 1", "rowid = 1",
    "pair_id = 'x' union select 1", "pair_id = 'x') union all (select pair_id, 1 from pair", "pair_id = 'x' limit 1",
    "/* */ true", "-- true", "pair_id = 'x' /* or */ or true", "pair_id = E'\\x27'", "pair_id = $$x$$", "pair_id = U&'\\0027'",
    "pair_id = x'27'", "pair_id = `x`", "PAIR_ID = 'x'", "pair_id = '\0'; COPY", "p\u0430ir_id = 'x'", "pair_id ＝ 'x'", ";", "';'",
    "{}", "%s", "__import__('os').system('touch {out}')", "pair_id between 'a' and 'b'", "duckdb_settings() is null",
    "pair_id = any(SELECT 'x')", "(((((((((((((((" * 10, "not " * 5000, "(" * 9000 + ")" * 9000, "pair_id = '" + "x" * 30_000,
)  # fmt: skip
HARMLESS = (
    "pair_id = 'x'' OR 1=1 --'", "pair_id = '\"; DROP TABLE pair; --'", "caption contains '%'",
    "caption contains 'x'') or (''1''=''1'", "pair_id in ('a''); COPY pair TO ''x''; --', 'b')", "pair_id = '\\'",
    "pair_id = 'x; ATTACH ''y'''", "pair_id = '{canary}'", "caption contains 'read_text('", "pair_id = '\u2019 or 1=1'",
    " or ".join(["similarity = 9"] * 1200), "pair_id in (" + ", ".join(["'x'"] * 3500) + ")",
    " and ".join(["caption contains 'aaaaaaaaaaaaaaaa'"] * 400), "not (" * 30 + "similarity < 9" + ")" * 30 + " and pair_id = 'x'",
)  # fmt: skip
"""Texts and numbers that stay what they are: no pair is like that."""
SEARCHES = (
    "'; DROP TABLE pair; --",
    "%",
    "\\",
    "?",
    "$1",
    "' OR ''='",
    "x" * 20_000,
    "\0zz",
    "') OR true OR ('",
    "a " * 5000 + "zz",
)
NAMES = (
    "id; DROP TABLE pair",
    "pair_id DESC, (SELECT 1)",
    "-(1)",
    "1 desc",
    "*",
    "pair JOIN pair",
    "'x'",
    '"',
    "(SELECT 1)",
    "read_text('x')",
)


@dataclass
class Harm:
    """What came of hostile texts. `harmed`: those that were run, took too much, or answered with rows."""

    tried: int
    harmed: list[str]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace(tmp_path / "project", create=True)
    opened.plan = plan()
    (tmp_path / "videos").mkdir()
    write_toy_video(tmp_path / "videos" / "mug.mp4")
    opened.ingest(paths=(str(tmp_path / "videos"),), licence="CC0-1.0")
    curated(cast(Api, opened))
    yield opened
    opened.close()


def harm(workspace: Workspace, folder: Path, hostile: Sequence[str], harmless: Sequence[str] = ()) -> Harm:
    """Asks for pairs and items by every text, and looks at what is left."""
    canary = folder / "canary.txt"
    canary.write_text("canary")
    before, files = workspace.verify().catalog_hash, set(folder.rglob("*"))
    found = Harm(0, [])

    def tried(name: str, ask: Callable[[], int], *, may_answer: bool = False) -> None:
        process = psutil.Process()
        cpu_s, memory = time.process_time(), process.memory_info().rss
        try:
            rows = ask()
            is_refused = False
        except StudioError:
            rows, is_refused = 0, True
        except duckdb.Error:  # it came that far
            rows, is_refused = 0, False
        spent_s, more = time.process_time() - cpu_s, process.memory_info().rss - memory
        found.tried += 1
        if rows or not (is_refused or may_answer) or spent_s > MOST_CPU_S or more > MOST_BYTES:
            found.harmed.append(f"{name[:80]!r}: {rows} rows, {spent_s:.2f} s, {more >> 20} MiB")

    for number, text in enumerate((*hostile, *harmless)):
        where = text.replace("{canary}", str(canary)).replace("{out}", str(folder / f"out-{number}"))
        is_harmless = text in harmless
        tried(text, lambda where=where: workspace.pairs(where=where).total, may_answer=is_harmless)
        if "caption" not in text:  # items of pairs have none
            tried(text, lambda where=where: _items(workspace, where=where.replace("pair_id", "id")), may_answer=is_harmless)
    for text in SEARCHES:
        tried(text, lambda text=text: _items(workspace, search=text), may_answer=True)
    for text in NAMES:
        tried(text, lambda text=text: _items(workspace, order=text))
        tried(text, lambda text=text: workspace.items(kind=text).total)
        tried(text, lambda text=text: len(workspace.item(kind="pair", item_id=text).scores))
        tried(text, lambda text=text: workspace.pairs(order=text).total)
        tried(text, lambda text=text: len(workspace.pairs(after=text).rows))
    new = {path for path in set(folder.rglob("*")) - files if path.name.startswith("out-")}
    found.harmed += [f"{path} was written" for path in sorted(new)]
    if workspace.verify().catalog_hash != before:
        found.harmed.append("the catalog changed")
    return found


def _items(workspace: Workspace, *, where: str = "", search: str = "", order: str = "") -> int:
    return workspace.items(kind="pair", where=where, search=search, order=order).total


@pytest.mark.promise(
    "no text of a person becomes SQL: expressions, search words, orders, kinds and ids are refused or stay texts, in bounded time",
    area="Service",
    goal="0 of 60 statements run; < 2 s of CPU and 64 MiB each",
    control="tests/backend/workspace/test_hostile_texts.py::test_texts_that_become_sql_are_found",
)
def test_no_text_becomes_sql(workspace: Workspace, tmp_path: Path, tally: Tally) -> None:
    statements = [f"pair_id = 'x'{end}; {one}; --" for one in STATEMENTS for end in ("", " or true")]
    found = harm(workspace, tmp_path, [*statements, *CONDITIONS], HARMLESS)
    tally.record(found.tried, lost=len(found.harmed), note=f"{len(statements) + len(CONDITIONS)} hostile expressions")
    assert found.harmed == []


def test_texts_that_become_sql_are_found(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def believed(text: str, *_: object) -> Where:
        return Where(text, (), lambda row: True)

    for module in (pairs, library):
        monkeypatch.setattr(module, "parse_where", believed)
    read = "(SELECT content FROM read_text('{canary}')) = 'canary'"
    written = "true)) JOIN pair_shown USING (pair_id)); COPY (SELECT 1) TO '{out}'; SELECT count(*) FROM (SELECT 1, 2 WHERE ((true"
    found = harm(workspace, tmp_path, [read, written, "pair_id = 'x' or true"])
    assert [text for text in found.harmed if "read_text" in text]
    assert [text for text in found.harmed if text.endswith("was written")]
    assert [text for text in found.harmed if "or true" in text]
