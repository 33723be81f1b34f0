"""One vote over our service beside one annotation of a real Label Studio, on one machine, taking turns (docs/speed.md).

LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY name the server (docs/formats.md tells how to start one); without them ours stands
alone. Each caller is a thread of this process with a connection of its own, which sends its next answer when the last one was
answered: ours as Studio does, over the project's socket, theirs as the page does, over HTTP on loopback.
"""

import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil

from backend.api import Api
from backend.client import ServicePlace
from backend.client.remote import RemoteApi
from backend.domain import VERIFY_STUDY, Stimulus, Trial, Vote
from backend.exports.label_studio import REASONS, label_config, pushed, tasks_of
from backend.exports.label_studio_server import KEY, LabelStudioServer
from backend.models.outgoing import AllowedEndpoints
from backend.studies.forms import IDENTITY_FORM, IDENTITY_QUESTION, load_form
from bench.studio_queue import PlantQueue, start

PEER = "Label Studio"
URL = "LABEL_STUDIO_URL"
CALLERS = (1, 8)
VOTES = 96
ROUNDS = 5
WARM_UP = 8
CALL_S = 120.0
SLOTS = ("target", "reference")
QUEUE = PlantQueue(clips=8, frames=24, subjects=8)  # 2,016 pairs
PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
UNITS = {"median": "ms", "p95": "ms", "votes a second": "votes/s", "server's processor time a vote": "CPU ms"}
UNKNOWN = "no Label Studio was named (LABEL_STUDIO_URL, LABEL_STUDIO_API_KEY)"
Rows = list[dict[str, Any]]
Figures = dict[str, float]
Round = dict[str, Figures]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Who takes answers: `callers` each send one about an item, and return when the server says that it is stored."""

    items: list[Any]
    callers: list[Callable[[Any], None]]
    num_stored: Callable[[], int]
    process: psutil.Process | None
    """The server, where it is one of this machine's."""


def run(*, rounds: int = ROUNDS, votes: int = VOTES, url: str | None = None, key: str | None = None) -> Rows:
    """Rows `{name, ours, peer, ratio, spread}` for each number of callers. Raises AssertionError where an answer is not stored."""
    url, key = os.environ.get(URL, "") if url is None else url, os.environ.get(KEY, "") if key is None else key
    each = WARM_UP + rounds * votes * len(CALLERS)
    found: dict[int, list[Round]] = {callers: [] for callers in CALLERS}
    with tempfile.TemporaryDirectory(prefix="vote-path-") as folder, ExitStack() as opened:
        sides = {"ours": _ours(Path(folder), opened, num=each)}
        if url and key:
            sides[PEER] = _label_studio(Path(folder), opened, url, key, num=each)
        left = {name: iter(side.items) for name, side in sides.items()}
        for name, side in sides.items():
            _measured(side, [next(left[name]) for _ in range(WARM_UP)], max(CALLERS))
        for number in range(rounds):
            for callers in CALLERS:
                turns = list(sides) if number % 2 else list(reversed(sides))
                found[callers].append(
                    {n: _measured(sides[n], [next(left[n]) for _ in range(votes)], callers) for n in turns}
                )
        for name, side in sides.items():
            assert side.num_stored() == each, f"{name} stores {side.num_stored()} of {each} answers"
    note = f"{votes} votes a round, load average {os.getloadavg()[0]:.1f} after" if url and key else UNKNOWN
    return [_row(callers, what, found[callers], note) for callers in CALLERS for what in UNITS]


def _measured(side: Side, items: Sequence[Any], callers: int) -> Figures:
    """What a round of one answer an item takes, with so many callers at once."""

    def answers(number: int) -> list[float]:
        spent = []
        for item in items[number::callers]:
            began = time.perf_counter()
            side.callers[number](item)
            spent.append(1000 * (time.perf_counter() - began))
        return spent

    with ThreadPoolExecutor(callers) as pool:
        cpu_before, started = _cpu_s(side), time.perf_counter()
        ms = [one for some in pool.map(answers, range(callers)) for one in some]
        wall_s, cpu_s = time.perf_counter() - started, _cpu_s(side) - cpu_before
    figures = (np.median(ms), np.quantile(ms, 0.95), len(items) / wall_s, 1000 * cpu_s / len(items))
    return dict(zip(UNITS, map(float, figures), strict=True))


def _cpu_s(side: Side) -> float:
    if side.process is None:
        return float("nan")
    times = side.process.cpu_times()
    return times.user + times.system


def _row(callers: int, what: str, found: Sequence[Round], note: str) -> dict[str, Any]:
    """Medians of rounds; the ratio is that of sides which took turns in one round, with the least and the largest."""
    name = f"one vote, {callers} caller{'s' if callers > 1 else ''}, {what}"
    row: dict[str, Any] = {"name": name, "unit": UNITS[what], "n": len(found), "note": note}
    row["ours"] = statistics.median(each["ours"][what] for each in found)
    theirs = [each[PEER][what] for each in found if PEER in each]
    if theirs and not np.isnan(theirs).any():
        ratios = [each["ours"][what] / each[PEER][what] for each in found]
        row |= {"peer_name": PEER, "peer": statistics.median(theirs), "ratio": statistics.median(ratios)}
        row["spread"] = f"{min(ratios):.3g}-{max(ratios):.3g}"
    return row


def _ours(folder: Path, opened: ExitStack, *, num: int) -> Side:
    """A project of 2,016 pairs that a process of its own serves while the stack is open."""
    process = opened.enter_context(start(folder / "project", QUEUE))
    opened.callback(process.communicate)
    place = ServicePlace(folder / "project")
    apis = [cast(Api, opened.enter_context(closing(RemoteApi(place)))) for _ in range(max(CALLERS))]
    items: list[str] = []
    after: str | None = None
    while len(items) < num:
        page = apis[0].pairs(order="id", limit=min(1000, num - len(items)), after=after)
        items += [row.pair_id for row in page.rows]
        after = page.next_after
        assert after is not None or len(items) == num, "a pair for each answer"
    return Side(
        items=items,
        callers=[partial(_vote, api) for api in apis],
        num_stored=lambda: len(apis[0].votes(study_id=VERIFY_STUDY)),
        process=psutil.Process(process.pid),
    )


def _vote(api: Api, pair_id: str) -> None:
    vote = Vote(
        id=str(uuid.uuid4()),
        rev=1,
        study_id=VERIFY_STUDY,
        trial_id="trial_0123456789abcdef0123",
        item_id=pair_id,
        rater="ann",
        rater_kind="person",
        question=IDENTITY_QUESTION,
        choice="different",
        reasons=("face",),
        shown_order=SLOTS,
        visible_ms=2300,
        made_at="2026-03-01T12:00:00Z",
    )
    (receipt,) = api.submit_votes(votes=(vote,))
    assert receipt.applied, f"the vote on {pair_id} does not count"


def _label_studio(folder: Path, opened: ExitStack, url: str, key: str, *, num: int) -> Side:
    """A project of its own on the server, which goes when the stack is closed."""
    allowed = AllowedEndpoints(folder / "endpoints.toml")
    allowed.allow(url)
    server = LabelStudioServer(url, allowed=allowed, key=key)
    headers = {"Authorization": f"Token {key}"}
    calls = [
        opened.enter_context(httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=CALL_S))
        for _ in range(max(CALLERS))
    ]
    project = server.create_project(title="subject studio, the vote path", overlap=1)
    opened.callback(calls[0].delete, f"/api/projects/{project}/")
    server.configure(project, label_config(load_form(IDENTITY_FORM), shows={"target": "image"}))
    stimuli = tuple(Stimulus(slot=slot, media=slot) for slot in SLOTS)
    trials = [Trial(study_id=VERIFY_STUDY, item_id=str(n), form=IDENTITY_FORM, stimuli=stimuli) for n in range(num)]
    shown: dict[str, str] = dict.fromkeys(SLOTS, PICTURE)
    server.import_tasks(project, tasks_of([(pushed(trial), shown) for trial in trials]))
    listed = f"/api/tasks?project={project}&include=id&page_size={num}"
    return Side(
        items=[task["id"] for task in calls[0].get(listed).raise_for_status().json()["tasks"]],
        callers=[partial(_annotate, client) for client in calls],
        num_stored=lambda: calls[0].get(listed).raise_for_status().json()["total_annotations"],
        process=_listening(urlsplit(url).port),
    )


def _annotate(client: httpx.Client, task: int) -> None:
    result = [_choice(IDENTITY_QUESTION, "different"), _choice(f"{IDENTITY_QUESTION}{REASONS}", "face")]
    client.post(f"/api/tasks/{task}/annotations/", json={"result": result, "lead_time": 2.3}).raise_for_status()


def _choice(name: str, value: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": SLOTS[0], "type": "choices", "value": {"choices": [value]}}


def _listening(port: int | None) -> psutil.Process | None:
    """The process of this machine and user that listens at a port; None where there is none."""
    for process in psutil.process_iter():
        try:
            found = process.net_connections("tcp")
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found):
            return process
    return None
