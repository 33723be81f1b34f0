"""The study page under load: 200 people at once over HTTP, and how many votes a second reach the disk.

The page runs in a process of its own, as `studio-backend study serve` runs it behind a proxy; the people are
connections of this process on loopback, each from an address of its own. Both share the machine's cores, so that the
CPU time of each is told.
"""

import asyncio
import json
import multiprocessing
import os
import random
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from backend.api import Api
from backend.media.images import encode_png
from backend.media.writer import write_video
from backend.service.study_page import PageKeys, PageLimits, PagePlace, PageServing, Rate
from backend.service.study_page.sessions import SESSION
from backend.workspace import Workspace

HOST = "study.example.org"
PEOPLE = 200
SECONDS = 30.0
THINK_S = 8.0
DOUBLED = 0.1  # of the votes are sent twice at the same moment
VOTES = 3_000
SYSTEMS = ("one", "two")
CASES = 2
SIZE, FRAMES, RATE = (480, 272), 24, 24
T = TypeVar("T")


def run(*, people: int = PEOPLE, seconds: float = SECONDS, votes: int = VOTES) -> list[dict]:
    """One row a figure: a study at the pace of people, then votes as fast as they go, then everybody ends at once."""
    with tempfile.TemporaryDirectory(prefix="study-load-") as folder:
        return _measured(Path(folder), people=people, seconds=seconds, votes=votes)


def _measured(folder: Path, *, people: int, seconds: float, votes: int) -> list[dict]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(str(folder), people, theirs), daemon=True)
    process.start()
    try:
        port, cookies = ours.recv()
        load = f"load average {os.getloadavg()[0]:.1f} before"
        paced, paced_cpu = _watched(ours, lambda: asyncio.run(_at_their_pace(port, cookies, seconds)))
        (fast, fast_s), fast_cpu = _watched(ours, lambda: asyncio.run(_as_fast_as_possible(port, cookies, votes)))
        ended = asyncio.run(_to_the_end(port, cookies))
        ours.send("stop")
        counted, finished = ours.recv()
    finally:
        process.join(20)
        process.kill()
    lost = (paced.votes | fast.votes | ended.votes) - _kept(folder / "project" / "journal.sqlite")
    page_ms, people_ms = (1000 * spent / len(fast.vote_s) for spent in fast_cpu)
    of_all = f"of {len(counted)} questions of all people"
    return [
        _row(f"errors of {people} people in {seconds:.0f} s", paced.errors, "", target=0, note=load),
        _row("calls in that time", len(paced.vote_s) + len(paced.media_s), ""),
        _row("bytes of a video, mean", float(np.mean(paced.media_bytes)), "B"),
        _row("vote, median", 1000 * float(np.median(paced.vote_s)), "ms"),
        _row("vote, 99th percentile", 1000 * float(np.quantile(paced.vote_s, 0.99)), "ms", target=100.0),
        _row("video, 99th percentile", 1000 * float(np.quantile(paced.media_s, 0.99)), "ms"),
        _row("the page's share of a core", paced_cpu[0] / seconds, "", note=f"the people's {paced_cpu[1] / seconds:.3f}"),
        _row(
            f"durable votes at {people} connections",
            len(fast.votes) / fast_s,
            "votes/s",
            target=500.0,
            note=f"{fast.errors} errors; the page's CPU {page_ms:.2f} ms a vote, the people's {people_ms:.2f} ms",
        ),
        _row("vote at that rate, 99th percentile", 1000 * float(np.quantile(fast.vote_s, 0.99)), "ms"),
        _row("answered votes not in the journal", len(lost), "", target=0),
        _row("questions that do not count one vote", sum(num != 1 for num in counted), "", target=0, note=of_all),
        _row("responses ended by two calls at once", finished, "", target=people, note=f"{ended.errors} errors"),
    ]


def _watched(page: Connection, work: Callable[[], T]) -> tuple[T, tuple[float, float]]:
    """What the work gives, and the CPU seconds that the page's process and this one spent on it."""
    page.send("cpu")
    theirs, ours = page.recv(), time.process_time()
    result = work()
    page.send("cpu")
    return result, (page.recv() - theirs, time.process_time() - ours)


@dataclass(slots=True)
class _Seen:
    """What a run saw; `votes` are ids and revisions that were answered with a receipt."""

    vote_s: list[float] = field(default_factory=list)
    media_s: list[float] = field(default_factory=list)
    media_bytes: list[int] = field(default_factory=list)
    votes: set[tuple[str, int]] = field(default_factory=set)
    errors: int = 0


class _Person:
    """One connection that stays open, one address, one cookie."""

    def __init__(self, number: int, port: int, cookie: str, *, rev: int = 0) -> None:
        self._port = port
        self._head = (
            f"host: {HOST}\r\norigin: https://{HOST}\r\ncookie: {SESSION}={cookie}\r\n"
            f"x-forwarded-for: 10.0.{number // 200}.{number % 200 + 1}\r\ncontent-type: application/json\r\n"
        )
        self.trials: list[dict] = []
        self.rev = rev

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def call(self, path: str, body: dict | None = None) -> tuple[int, bytes]:
        content = b"" if body is None else json.dumps(body).encode()
        method = "GET" if body is None else "POST"
        head = f"{method} {path} HTTP/1.1\r\n{self._head}content-length: {len(content)}\r\n\r\n"
        self._writer.write(head.encode() + content)
        told = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(told.partition("content-length: ")[2].partition("\r\n")[0])
        return int(told.split(" ", 2)[1]), await self._reader.readexactly(length)

    async def ask(self, start: int | None) -> None:
        """The trials from a place on; the next open ones without it."""
        status, body = await self.call("/s/trials", {"start": start})
        assert status == 200, body
        self.trials = json.loads(body)["trials"]

    def answer(self, trial: dict) -> dict[str, Any]:
        """The next revision of an answer: people may change their mind, and votes stay countable."""
        self.rev += 1
        question = trial["questions"][0]
        return {
            "vote": question["vote"],
            "rev": self.rev,
            "trial": trial["id"],
            "question": question["name"],
            "choice": "left" if self.rev % 2 else "right",
            "made_at": "2026-01-02T03:04:05Z",
        }

    def close(self) -> None:
        self._writer.close()


async def _at_their_pace(port: int, cookies: list[str], seconds: float) -> _Seen:
    """Everybody watches two videos and votes, every eight seconds; some votes come twice at once, over two connections."""
    seen, rng = _Seen(), random.Random(0)
    starts = [rng.uniform(0, THINK_S) for _ in cookies]

    async def one(number: int, cookie: str, first_s: float) -> None:
        person, again = _Person(number, port, cookie), _Person(number, port, cookie)
        await asyncio.gather(person.open(), again.open())
        await asyncio.sleep(first_s)
        await person.ask(0)
        end = time.monotonic() + seconds - first_s
        while time.monotonic() < end:
            started = time.monotonic()
            trial = person.trials[person.rev % len(person.trials)]
            for panel in trial["panels"]:
                if panel["shows"] == "video":
                    seen.media_s.append(await _timed(person, seen, panel["media"]))
            answer = person.answer(trial)
            doubled = rng.random() < DOUBLED
            seen.vote_s += await asyncio.gather(
                *(_timed(who, seen, "/s/vote", answer) for who in (person, again)[: 1 + doubled])
            )
            await asyncio.sleep(max(0.0, THINK_S - (time.monotonic() - started)))
        person.close()
        again.close()

    await asyncio.gather(*(one(n, cookie, start) for n, (cookie, start) in enumerate(zip(cookies, starts, strict=True))))
    return seen


async def _as_fast_as_possible(port: int, cookies: list[str], votes: int) -> tuple[_Seen, float]:
    """Each connection sends its next vote when the last one is answered, `votes` in all."""
    seen = _Seen()
    people = [_Person(number, port, cookie, rev=1_000) for number, cookie in enumerate(cookies)]
    for person in people:
        await person.open()
        await person.ask(0)
    each = max(1, votes // len(people))

    async def one(person: _Person) -> None:
        for turn in range(each):
            answer = person.answer(person.trials[turn % len(person.trials)])
            seen.vote_s.append(await _timed(person, seen, "/s/vote", answer))

    started = time.monotonic()
    await asyncio.gather(*(one(person) for person in people))
    spent = time.monotonic() - started
    for person in people:
        person.close()
    return seen, spent


async def _to_the_end(port: int, cookies: list[str]) -> _Seen:
    """Everybody answers what is open, and ends twice at the same moment over two connections."""
    seen = _Seen()

    async def one(number: int, cookie: str) -> None:
        person, again = _Person(number, port, cookie, rev=2_000), _Person(number, port, cookie)
        await asyncio.gather(person.open(), again.open())
        await person.ask(None)
        while person.trials:
            for trial in person.trials:
                await _timed(person, seen, "/s/vote", person.answer(trial))
            await person.ask(None)
        answers = await asyncio.gather(*(who.call("/s/finish", {}) for who in (person, again)))
        seen.errors += len(set(answers)) > 1 or answers[0][0] != 200
        person.close()
        again.close()

    await asyncio.gather(*(one(number, cookie) for number, cookie in enumerate(cookies)))
    return seen


async def _timed(person: _Person, seen: _Seen, path: str, body: dict | None = None) -> float:
    started = time.perf_counter()
    status, told = await person.call(path, body)
    if status != 200 or not told:
        seen.errors += 1
    elif body is not None:
        seen.votes.add((body["vote"], body["rev"]))
    else:
        seen.media_bytes.append(len(told))
    return time.perf_counter() - started


def serve(folder: str, people: int, told: Connection) -> None:
    """The page's process: a project with a study, `people` who agreed, a server; tells its CPU time until it has to stop."""
    root = Path(folder)
    systems = _write_videos(root / "videos")
    workspace = Workspace(root / "project", create=True)
    api, keys = cast(Api, workspace), PageKeys(b"k" * 32)
    cases = str(root / "videos" / "cases.json")
    api.create_study(name="load", form="ab", trials=4, cases=cases, systems=systems, rules=("slider=false",))
    while api.prepare_study(name="load", limit=16):
        continue
    cookies = []
    for number, invitation in enumerate(api.invite(study="load", num=people)):
        person = api.join_study(token=invitation.token, address=f"10.0.0.{number}")
        api.consent(participant=person.id, text="yes")
        cookies.append(keys.seal("session", f"{person.id}\n{number}"))
    place = PagePlace(port=0, behind_proxy=True, public_url=f"https://{HOST}")
    server = PageServing(api, keys=keys, place=place, limits=PageLimits(per_session=Rate(1_000, 1_000)))
    told.send((server.place.port, cookies))
    while told.recv() == "cpu":
        told.send(time.process_time())
    server.stop()
    told.send(_counted(api))
    workspace.close()


def _counted(api: Api) -> tuple[list[int], int]:
    """How many votes each question of each participant counts, and how many responses have ended."""
    (study,) = api.studies()
    votes = Counter((vote.rater, vote.trial_id, vote.question) for vote in api.votes(study_id=study.study_id))
    return [*votes.values(), *[0] * (study.joined * study.trials - len(votes))], study.finished


def _write_videos(folder: Path) -> tuple[str, ...]:
    (folder / "references").mkdir(parents=True)
    rng = np.random.default_rng(0)
    cases = {}
    for k in range(CASES):
        (folder / "references" / f"{k}.png").write_bytes(encode_png(np.full((40, 40, 3), 60 * k, np.uint8)))
        cases[f"singleobj_{k}"] = {
            "img_paths": [f"references/{k}.png"],
            "prompt": f"A thing number {k} moves.",
            "synthesis_flag": "wrong",
            "class_label": ["Thing"],
        }
        for system in SYSTEMS:
            (folder / system).mkdir(exist_ok=True)
            texture = rng.integers(0, 40, (SIZE[1], SIZE[0] + 4 * FRAMES, 3), dtype=np.uint8) + 90
            frames = (np.ascontiguousarray(texture[:, 4 * i : 4 * i + SIZE[0]]) for i in range(FRAMES))
            write_video(folder / system / f"singleobj_{k}.mp4", frames, fps=RATE, crf=35)
    (folder / "cases.json").write_text(json.dumps(cases))
    return tuple(f"{system}={folder / system}" for system in SYSTEMS)


def _kept(journal: Path) -> set[tuple[str, int]]:
    """Ids and revisions of the votes that stand in the journal on the disk."""
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    try:
        return set(connection.execute("select id, rev from events where kind = 'vote'"))
    finally:
        connection.close()


def _row(name: str, value: float, unit: str, *, target: float | None = None, note: str = "") -> dict:
    return {"name": name, "value": value, "unit": unit, "target": target, "note": note}
