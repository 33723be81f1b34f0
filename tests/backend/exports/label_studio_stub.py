"""A server on loopback that speaks as much of Label Studio's REST interface as is used, and keeps what it was told."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

KEY = "0123456789abcdef0123456789abcdef01234567"


class Stub(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.projects: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, list[dict[str, Any]]] = {}
        self.files: list[bytes] = []
        self.is_full = False
        """Whether tasks are refused."""
        self.most_listed = 1000
        """Tasks on one page, whatever was asked for: TASK_API_PAGE_SIZE_MAX."""
        self.seen: list[str] = []
        """Method and path of each call."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def annotate(self, project: int, task: int, result: list[dict[str, Any]], *, by: int = 7, **changes: Any) -> None:
        """Adds an annotation to a task, by its place."""
        annotation = {
            "id": 100 * task + by,
            "completed_by": by,
            "result": result,
            "was_cancelled": False,
            "lead_time": 3.25,
            "created_at": "2026-03-01T10:00:00.250000Z",
            "updated_at": "2026-03-01T10:00:00.250000Z",
        }
        self.tasks[project][task]["annotations"].append(annotation | changes)


def choice(name: str, *values: str, to: str = "target") -> dict[str, Any]:
    return {"from_name": name, "to_name": to, "type": "choices", "value": {"choices": list(values)}}


@contextmanager
def stub() -> Iterator[Stub]:
    server = Stub()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Answers(BaseHTTPRequestHandler):
    server: Stub  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def do_PATCH(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bytes) -> None:
        self.server.seen.append(f"{self.command} {self.path}")
        if self.headers.get("Authorization") != f"Token {KEY}":
            self._send(401, {"detail": "Invalid token."})
            return
        place = self.path.partition("?")[0]
        if place == "/api/projects":
            number = len(self.server.projects) + 1
            self.server.projects[number] = json.loads(body)
            self.server.tasks[number] = []
            self._send(201, {"id": number})
        elif self.command == "PATCH" and place.startswith("/api/projects/"):
            number = int(place.rpartition("/")[2])
            self.server.projects[number] |= json.loads(body)
            self._send(200, {"id": number})
        elif place.startswith("/api/import/file-upload/"):
            self._send(200, {"id": 1, "file": f"upload/1/{place.rpartition('/')[2]}-clip.mp4"})
        elif place == "/api/tasks":
            self._list()
        elif found := re.fullmatch(r"/api/projects/(\d+)/(import|export)", place):
            self._of_project(int(found[1]), found[2], body)
        else:
            self._send(404, {"detail": "Not found."})

    def _list(self) -> None:
        asked = dict(parse_qsl(self.path.partition("?")[2]))
        tasks, page = self.server.tasks[int(asked["project"])], int(asked["page"])
        size = min(int(asked["page_size"]), self.server.most_listed)
        shown = [{"id": task["id"]} for task in tasks[(page - 1) * size : page * size]]
        self._send(200 if shown or page == 1 else 404, {"total": len(tasks), "tasks": shown})

    def _of_project(self, number: int, what: str, body: bytes) -> None:
        tasks = self.server.tasks[number]
        if what == "export":
            chosen = {int(number) for name, number in parse_qsl(self.path.partition("?")[2]) if name == "ids[]"}
            self._send(200, [task for task in tasks if task["annotations"] and task["id"] in chosen])
        elif "commit_to_project=false" in self.path and self.server.projects[number]["label_config"].count('"$') > 1:
            self._send(400, {"detail": "direct file upload supports only one data key"})  # as the real one, 1.23.2
        elif "commit_to_project=false" in self.path:
            self.server.files.append(body)
            self._send(201, {"file_upload_ids": [len(self.server.files)]})
        elif self.server.is_full:
            self._send(500, {"detail": "database or disk is full"})
        else:
            found = json.loads(body)
            tasks += [{"id": len(tasks) + n, "data": one["data"], "annotations": []} for n, one in enumerate(found, 1)]
            self._send(201, {"task_count": len(found)})

    def _send(self, status: int, told: Any) -> None:
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
