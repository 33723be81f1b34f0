"""Fragments: what comes back is what was left, and what is not whole is not there."""

from pathlib import Path

import pytest

from backend.domain import Clip, Failed, Filtered, Item, Ok, Score, SettingsError
from backend.engine import ray_crew
from backend.engine.context import WorkerSettings
from backend.engine.work import Batch, Outcome
from backend.store.artifacts import Artifacts
from backend.store.schema import to_arrow
from tests.backend.engine.toy_stages import MakeVideo

pytest.importorskip("fsspec", reason="fsspec is not installed; it comes with the extra `cluster`")

from backend.engine.exchange import Exchange, ExchangedArtifacts, fragment_of

BATCH = Batch(stage=MakeVideo(), items=(Item("a"), Item("b"), Item("c")), work_keys=("s:a", "s:b", "s:c"))


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(str(tmp_path / "exchange"))


@pytest.fixture
def outcome() -> Outcome:
    clip = Clip(video_id="v", start_frame=0, stop_frame=25, start_s=0.0, stop_s=1.0, opens_with="cut")
    scores = [Score(target="a", name="x", value=None, producer="toy", reason="odd, “quoted” 狗")]
    tables = {"clip": to_arrow(Clip, [clip], ["s:a"]), "score": to_arrow(Score, scores, ["s:a"])}
    notes = (Ok("a", (), ("a remark",)), Filtered("b", "no audio"), Failed("c", "crash", "died"))
    return Outcome(notes=notes, tables=tables, seconds=1.5)


def test_an_outcome_comes_back_as_it_was_left(exchange: Exchange, outcome: Outcome) -> None:
    name = exchange.put(BATCH, outcome, ["one.txt"])
    assert name == fragment_of(BATCH)
    found = exchange.get(name)
    assert found is not None
    again, artifacts = found
    assert (again.notes, again.seconds, artifacts) == (outcome.notes, 1.5, ("one.txt",))
    assert again.tables.keys() == outcome.tables.keys()
    for kind, table in outcome.tables.items():
        assert again.tables[kind].equals(table)
        assert again.tables[kind].schema == table.schema


def test_a_fragment_is_called_after_its_work(exchange: Exchange) -> None:
    other = Batch(stage=MakeVideo(), items=BATCH.items, work_keys=("s:a", "s:b", "t:c"))
    assert fragment_of(other) != fragment_of(BATCH)


@pytest.mark.parametrize("damage", ["lost", "torn", "flipped", "unfinished"])
def test_a_fragment_that_is_not_whole_is_not_there(
    exchange: Exchange, outcome: Outcome, tmp_path: Path, damage: str
) -> None:
    name = exchange.put(BATCH, outcome)
    folder = tmp_path / "exchange" / "fragments" / name
    table = folder / "clip.parquet"
    match damage:
        case "lost":
            table.unlink()
        case "torn":
            table.write_bytes(table.read_bytes()[:-9])
        case "flipped":
            data = bytearray(table.read_bytes())
            data[len(data) // 2] ^= 1
            table.write_bytes(bytes(data))
        case "unfinished":
            (folder / "outcome.json").unlink()
    assert exchange.get(name) is None
    assert exchange.left() == {name}
    exchange.remove([name])
    assert exchange.left() == set()


def test_artifacts_travel_by_the_exchange(exchange: Exchange, tmp_path: Path) -> None:
    owner = Artifacts(tmp_path / "owner")
    old = owner.put(b"made before", "txt")
    exchange.put_all(owner)
    worker = ExchangedArtifacts(tmp_path / "worker", exchange)
    assert worker.get(old) == b"made before"
    new = worker.put(b"made there", "txt")
    assert exchange.get_artifact(new) is None, "left when the batch is done"
    assert worker.leave() == [new]
    assert exchange.get_artifact(new) == b"made there"
    assert worker.leave() == []
    exchange.clear()
    assert [path for path in (tmp_path / "exchange").rglob("*") if path.is_file()] == []


def test_a_place_that_is_not_the_owners_bears_another_sign(exchange: Exchange, tmp_path: Path) -> None:
    word = exchange.sign()
    assert exchange.is_signed(word)
    assert not Exchange(str(tmp_path / "elsewhere")).is_signed(word)


def test_a_store_that_nothing_opens_is_a_sentence() -> None:
    with pytest.raises(SettingsError, match="ray_store is 'nosuch://bucket/x'"):
        Exchange("nosuch://bucket/x")


def test_a_missing_package_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    settings = WorkerSettings(artifacts=tmp_path / "artifacts", roles={})
    with pytest.raises(SettingsError, match=r"ray and fsspec .*subject-studio\[cluster\].* or choose process"):
        ray_crew.Ray(settings)
