"""The exchange in an object store: moto's S3 server on loopback (docs/cluster.md tells how to have both packages)."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.domain import Clip, Failed, Item, Ok, SettingsError
from backend.engine.exchange import Exchange, ExchangedArtifacts
from backend.engine.work import Batch, Outcome
from backend.store.artifacts import Artifacts
from backend.store.schema import to_arrow
from tests.backend.engine.toy_stages import MakeVideo

s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
moto = pytest.importorskip("moto.server", reason="moto[server] is not installed")
boto3 = pytest.importorskip("boto3")

BATCH = Batch(stage=MakeVideo(), items=(Item("a"), Item("b")), work_keys=("s:a", "s:b"))
NONE = "0" * 32
IN_PARTS = 101 << 20  # s3fs sends what is over 100 MiB in parts
CALLS: dict[str, Callable[[Exchange], Any]] = {
    "sign": lambda exchange: exchange.sign(),
    "left": lambda exchange: exchange.left(),
    "get": lambda exchange: exchange.get(NONE),
    "put": lambda exchange: exchange.put(BATCH, Outcome(notes=(), tables={}, seconds=0.0)),
    "remove": lambda exchange: exchange.remove([NONE]),
    "clear": lambda exchange: exchange.clear(),
    "get_artifact": lambda exchange: exchange.get_artifact("ab.txt"),
    "put_artifact": lambda exchange: exchange.put_artifact("ab.txt", b""),
}
USED = r"ray_store s3://bucket/data cannot be used: {why}.*; look whether it is up, and whether the credentials"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server with one bucket, to which the environment leads, and no other."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    started = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    url = "http://{}:{}".format(*started.get_host_and_port())
    said = {"ENDPOINT_URL": url, "ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "DEFAULT_REGION": "us-east-1"}
    said |= {"MAX_ATTEMPTS": "1", "EC2_METADATA_DISABLED": "true", "CONFIG_FILE": os.devnull}
    said |= {"SHARED_CREDENTIALS_FILE": os.devnull}
    for name, value in said.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    s3fs.S3FileSystem.clear_instance_cache()
    httpx.post(f"{url}/moto-api/reset", trust_env=False).raise_for_status()
    boto3.client("s3").create_bucket(Bucket="bucket")
    yield started
    s3fs.S3FileSystem.clear_instance_cache()
    started.stop()


@pytest.fixture
def exchange(server: Any) -> Exchange:
    return Exchange("s3://bucket/data")


def keys() -> set[str]:
    return {one["Key"] for one in boto3.client("s3").list_objects_v2(Bucket="bucket").get("Contents", [])}


def test_fragments_are_left_listed_read_and_removed(exchange: Exchange) -> None:
    clip = Clip(video_id="v", start_frame=0, stop_frame=25, start_s=0.0, stop_s=1.0, opens_with="cut")
    outcome = Outcome(
        notes=(Ok("a", ()), Failed("b", "crash", "died")), tables={"clip": to_arrow(Clip, [clip], ["s:a"])}, seconds=1.5
    )
    assert (exchange.left(), exchange.get(NONE)) == (set(), None)
    name = exchange.put(BATCH, outcome, ["one.txt"])
    assert keys() == {f"data/fragments/{name}/{file}" for file in ("clip.parquet", "outcome.json")}
    found = exchange.get(name)
    assert found is not None
    assert (found[0].notes, found[0].tables["clip"].equals(outcome.tables["clip"]), found[1]) == (
        outcome.notes,
        True,
        ("one.txt",),
    )
    boto3.client("s3").put_object(Bucket="bucket", Key=f"data/fragments/{name}/clip.parquet", Body=b"torn")
    assert (exchange.get(name), exchange.left()) == (None, {name})
    exchange.remove([name, NONE])
    assert (exchange.left(), keys()) == (set(), set())


def test_artifacts_and_the_sign_travel_and_clearing_takes_what_is_ours_alone(exchange: Exchange, tmp_path: Path) -> None:
    boto3.client("s3").put_object(Bucket="bucket", Key="other/file", Body=b"somebody's")
    owner = Artifacts(tmp_path / "owner")
    old = owner.put(b"made before", "txt")
    exchange.put_all(owner)
    word = exchange.sign()
    there = Exchange("s3://bucket/data")
    assert there.is_signed(word) and not Exchange("s3://bucket/elsewhere").is_signed(word)
    worker = ExchangedArtifacts(tmp_path / "worker", there)
    assert worker.get(old) == b"made before"
    new = worker.put(b"\0" * IN_PARTS, "bin")
    assert exchange.get_artifact(new) is None
    assert worker.leave() == [new]
    assert exchange.get_artifact(new) == b"\0" * IN_PARTS
    exchange.clear()
    assert keys() == {"other/file"}


def test_a_bucket_that_is_not_there_is_a_sentence_and_is_not_made(server: Any) -> None:
    typed_wrong = Exchange("s3://bukcet/data")
    assert typed_wrong.left() == set()
    with pytest.raises(SettingsError, match=r"s3://bukcet/data cannot be written: .*bucket does not exist; name another"):
        typed_wrong.sign()
    assert not typed_wrong.is_signed("word")
    assert [one["Name"] for one in boto3.client("s3").list_buckets()["Buckets"]] == ["bucket"]


@pytest.mark.parametrize("call", CALLS)
def test_wrong_credentials_are_a_sentence_of_every_call(exchange: Exchange, call: str) -> None:
    CALLS[call](exchange)
    word = exchange.sign()
    place = f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
    httpx.post(place, content=b"0", trust_env=False).raise_for_status()  # from here on it knows nobody
    try:
        with pytest.raises(SettingsError, match=USED.format(why=r"(The AWS Access Key|Forbidden)")):
            CALLS[call](exchange)
        assert not exchange.is_signed(word)
    finally:
        httpx.post(place, content=b"inf", trust_env=False)


@pytest.mark.parametrize("call", CALLS)
def test_a_server_that_is_gone_is_a_sentence_of_every_call(exchange: Exchange, server: Any, call: str) -> None:
    word = exchange.sign()
    server.stop()
    with pytest.raises(SettingsError, match=USED.format(why="Could not connect to the endpoint")):
        CALLS[call](exchange)
    assert not exchange.is_signed(word)


def test_no_credentials_are_a_sentence(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=USED.format(why="Unable to locate credentials")):
        Exchange("s3://bucket/data").sign()
