"""Label Studio's REST interface, as far as trials are pushed and annotations pulled.

Its own package brings some thirty others and a second build of OpenCV, for the five calls that are made here. The user of this
machine allows the server (`studio-backend endpoints allow URL`); the token is a secret of the environment.
"""

import asyncio
import itertools
import json
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx

from backend.domain import ProjectError, SettingsError
from backend.exports.label_studio import TOKEN
from backend.models.hidden_key import HiddenKey, keep_out_of_logs
from backend.models.outgoing import AllowedEndpoints, CheckedTransport, Origin, OutgoingRefused, origin_of

KEY = "LABEL_STUDIO_API_KEY"
MOST_BYTES = 64 << 20
"""Of one answer, which takes a few times as much in memory. One task is far below: `push` puts pictures up to 1 MiB into it."""
IMPORTED_BYTES = 32 << 20
"""Of tasks in one call, whose pictures lie in them: the server takes 250 MiB, a proxy before it often less."""
LISTED = 1000
"""Tasks on one page; the server may give fewer (its TASK_API_PAGE_SIZE_MAX)."""
EXPORTED = 50
"""Tasks in one call, at most: they come back with their pictures."""
CALL_S = 120.0
SHOWN = 200
TAKES_FILES = '<View><Video name="file" value="$file"/></View>'
"""The page of a project until it has its files: Label Studio takes none for a page with two fields (1.23)."""
Result = TypeVar("Result")


class _TooLarge(ProjectError):
    """An answer of `MOST_BYTES`."""


class LabelStudioServer:
    """One server, as the user whose token it is. Raises SettingsError when nobody allowed it, or the token is missing."""

    def __init__(self, url: str, *, allowed: AllowedEndpoints | None = None, key: str | None = None) -> None:
        try:
            self.origin: Origin = origin_of(url)
        except ValueError as error:
            raise SettingsError(f"{url[:SHOWN]} is never asked: {error}") from error
        if str(self.origin) not in (allowed or AllowedEndpoints()).list():
            raise SettingsError(
                f"{self.origin} is not allowed on this machine; if you trust it with pictures: "
                f"studio-backend endpoints allow {self.origin}"
            )
        self._key = (os.environ.get(KEY, "") if key is None else key).strip()
        if not self._key:
            raise SettingsError(
                f"Label Studio asks for a token; set {KEY} in the environment (its page Account & Settings)"
            )
        self._base = url.rstrip("/")
        self._hidden = (HiddenKey(self._key),)

    def create_project(self, *, title: str, overlap: int) -> int:
        """The number of a new project of Label Studio's, which takes files. `overlap` is how many people annotate each task."""
        body = {"title": title[:50], "label_config": TAKES_FILES, "maximum_annotations": overlap}
        return self._number(self._asked("POST", "/api/projects", json=body), "id")

    def configure(self, project: int, config: str) -> None:
        """Gives a project its page. From then on it takes no files where the page shows more than one thing."""
        self._asked("PATCH", f"/api/projects/{project}", json={"label_config": config})

    def upload(self, project: int, path: Path, *, name: str) -> str:
        """Where Label Studio serves a file that is handed over, under another name."""
        data = path.read_bytes()

        async def both(call: Any) -> Any:
            place = f"/api/projects/{project}/import?commit_to_project=false"
            found = await call("POST", place, files={"file": (name, data)})
            ids = found.get("file_upload_ids") if isinstance(found, dict) else None
            if not isinstance(ids, list) or len(ids) != 1 or type(ids[0]) is not int:
                raise ProjectError(f"{self.origin} did not take {name}: {self._told(found)}")
            return await call("GET", f"/api/import/file-upload/{ids[0]}")

        told = self._run(both)
        file = told.get("file") if isinstance(told, dict) else None
        if not isinstance(file, str) or not file:
            raise ProjectError(f"{self.origin} does not say where {name} lies: {self._told(told)}")
        return f"/data/{file.removeprefix('/data/')}"

    def import_tasks(self, project: int, tasks: list[dict[str, Any]]) -> int:
        """How many tasks were taken."""
        place = f"/api/projects/{project}/import"
        return sum(self._number(self._asked("POST", place, json=some), "task_count") for some in _in_calls(tasks))

    def annotated(self, project: int) -> list[Any]:
        """All annotated tasks, as JSON, of their data no more than the token: pictures would fill the memory.

        Raises ProjectError for a project that the server does not have.
        """
        found: list[Any] = []
        numbers = self._task_numbers(project)
        start, size = 0, EXPORTED
        while start < len(numbers):
            chosen = numbers[start : start + size]
            ids = "".join(f"&ids[]={number}" for number in chosen)
            try:
                some = self._asked("GET", f"/api/projects/{project}/export?exportType=JSON{ids}")
            except _TooLarge:
                if len(chosen) == 1:
                    raise
                size = len(chosen) // 2  # and so for the rest, whose pictures will be as large
                continue
            if not isinstance(some, list):
                raise ProjectError(f"{self.origin} exports no list of tasks: {self._told(some)}")
            found += [_without_pictures(task) for task in some]
            start += size
        return found

    def _task_numbers(self, project: int) -> list[int]:
        found: list[int] = []
        for page in itertools.count(1):
            told = self._asked("GET", f"/api/tasks?project={project}&include=id&page_size={LISTED}&page={page}")
            rows = told.get("tasks") if isinstance(told, dict) else None
            if not isinstance(rows, list):
                raise ProjectError(f"{self.origin} lists no tasks of project {project}: {self._told(told)}")
            found += [self._number(row, "id") for row in rows]
            if not rows or len(found) >= self._number(told, "total"):
                break
        return list(dict.fromkeys(found))  # a task that moved came on two pages

    def _asked(self, method: str, place: str, **told: Any) -> Any:
        return self._run(lambda call: call(method, place, **told))

    def _run(self, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run(self._connected(work))

    async def _connected(self, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        keep_out_of_logs(self._key)
        transport = CheckedTransport(self.origin, most_bytes=MOST_BYTES, at_once=2)
        # Redirects could carry the token elsewhere, and a proxy of the environment would look up names by itself.
        async with httpx.AsyncClient(
            transport=transport, base_url=self._base, follow_redirects=False, trust_env=False, timeout=CALL_S
        ) as client:

            async def call(method: str, place: str, **told: Any) -> Any:
                return await self._call(client, method, place, **told)

            client.headers["Authorization"] = f"Token {self._key}"
            if self._key.count(".") == 2:  # a personal token: a JWT that is exchanged for a short-lived one
                bare = httpx.Headers({"Authorization": ""})
                found = await self._call(client, "POST", "/api/token/refresh", json={"refresh": self._key}, headers=bare)
                access = found.get("access") if isinstance(found, dict) else None
                if not isinstance(access, str):
                    raise ProjectError(f"{self.origin} does not take the token of {KEY}; make another one")
                self._hidden = (HiddenKey(self._key), HiddenKey(access))
                client.headers["Authorization"] = f"Bearer {access}"
            return await work(call)

    async def _call(self, client: httpx.AsyncClient, method: str, place: str, **told: Any) -> Any:
        try:
            answer = await client.request(method, place, **told)
        except OutgoingRefused as error:
            raise ProjectError(f"{self.origin} is not asked: {error}") from error
        except httpx.HTTPError as error:
            said = self._shown(str(error)) or type(error).__name__
            raise ProjectError(f"{self.origin} cannot be reached: {said}; is it running?") from error
        if answer.status_code in (401, 403):
            raise ProjectError(f"{self.origin} refuses the token of {KEY} (HTTP {answer.status_code}); make another one")
        if answer.status_code == 404:
            raise ProjectError(
                f"{self.origin} has nothing at {place.partition('?')[0]} for this token; is it Label Studio, and the number right?"
            )
        if len(answer.content) >= MOST_BYTES:  # the transport cut it off there
            raise _TooLarge(
                f"{self.origin} answers {place.partition('?')[0]} with {MOST_BYTES >> 20} MiB or more, which is not taken"
            )
        if not answer.is_success:
            said = self._shown(answer.text)
            raise ProjectError(f"{self.origin} answers {place.partition('?')[0]} with HTTP {answer.status_code}: {said}")
        try:
            return json.loads(answer.content)
        except (ValueError, RecursionError) as error:
            raise ProjectError(
                f"{self.origin} answers {place.partition('?')[0]} with no JSON; is it Label Studio?"
            ) from error

    def _number(self, told: Any, name: str) -> int:
        found = told.get(name) if isinstance(told, dict) else None
        if type(found) is not int:
            raise ProjectError(f"Label Studio tells no {name}: {self._told(told)}")
        return found

    def _told(self, told: Any) -> str:
        return self._shown(json.dumps(told))

    def _shown(self, text: str) -> str:
        """The beginning of a text of the server's, without the key and what it was exchanged for."""
        for hidden in self._hidden:
            text = hidden(text)
        return text[:SHOWN]


def _without_pictures(task: Any) -> Any:
    """What is read of a task that comes back."""
    if not isinstance(task, dict):
        return task
    data = task.get("data")
    token = data.get(TOKEN) if isinstance(data, dict) else None
    return {"id": task.get("id"), "data": {TOKEN: token}, "annotations": task.get("annotations")}


def _in_calls(tasks: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Tasks in their order, as many together as one call may carry, one at least."""
    some: list[dict[str, Any]] = []
    size = 0
    for task in tasks:
        own = len(json.dumps(task))
        if some and size + own > IMPORTED_BYTES:
            yield some
            some, size = [], 0
        some.append(task)
        size += own
    if some:
        yield some
