"""What is fuzzed: every reader of bytes that others wrote. A reader may raise StudioError, or what it documents, and nothing else.

`hunt` imports this under atheris's instrumentation, so that it is guided by the branches of our own code.
"""

import asyncio
import contextlib
import hashlib
import io
import json
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.responses import FileResponse

from backend.client.wire import operations
from backend.domain import Case, ImportRefused, StudioError
from backend.domain.calibration import MetricCalibration, MetricFit, MetricWeight
from backend.domain.studies import Estimate, StudyDesign, StudyItem, StudyMedia
from backend.exports.folder import MANIFEST
from backend.exports.label_studio import TOKEN, PushedTrial, read_annotations
from backend.exports.manifest import FORMAT, FORMAT_VERSION, line
from backend.exports.opens2v_rows import read_opens2v
from backend.exports.reader import REQUIRED, read_manifest
from backend.exports.removed import REMOVED, read_removed
from backend.exports.spelled_json import read_spelled, write_spelled
from backend.exports.table_map import TableMap
from backend.exports.table_rows import table_rows
from backend.geometry import rle
from backend.media.archives import ArchiveLimits, unpack
from backend.media.mp4 import check_mp4
from backend.models.states import load_state
from backend.provenance.mark import TOLD, read_mark
from backend.service.calls import Call
from backend.service.guard import PROBES, Guard
from backend.service.study_page.buckets import SHIPPED
from backend.service.study_page.guard import PageGuard
from backend.service.study_page.keys import PageKeys
from backend.service.study_page.place import PagePlace
from backend.service.study_page.slider import Sliders
from backend.settings.project import read_settings
from backend.studies.forms import load_form
from backend.workspace.study_votes import read_votes
from metrics.benchmark import read_cases
from metrics.calibration_file import FORMAT as CALIBRATION
from metrics.calibration_file import read_calibration
from metrics.generation_settings import read_folder, settings_of
from metrics.score_files import read_scores
from metrics.total import totals_of_file
from tests.backend.exports import made_pairs

KEYS = PageKeys(b"k" * 32)
SMALL_ARCHIVES = ArchiveLimits(members=20, total_bytes=1 << 16, ratio=20.0)
STUDY_PLACE = PagePlace(behind_proxy=True, public_url="https://study.example.org")
LABELLED = ("identity", "pair_criteria", "subject_check")
LABELLED_FORMS = {name: load_form(name) for name in LABELLED}
TRIALS = {
    name: PushedTrial(token=name, study_id="s", item_id="i", trial_id=name, form=name, shown=("left", "right"))
    for name in LABELLED_FORMS
}
CASES = (Case(benchmark="b", name="singleobj_1", prompt="a cup"),)
ITEM = StudyItem(
    role="main",
    case_id="singleobj_1",
    category="singleobj",
    systems=("a", "b"),
    media=(StudyMedia(system="a", path="a"),) * 2,
)
DESIGN = StudyDesign(
    name="taste",
    kind="preference",
    form="overall",
    aspects=("better",),
    systems=("a", "b"),
    benchmark="b",
    cases_hash="",
    items=(ITEM,),
)


COLUMNS = TableMap(video="path", caption="text", span="span", scores={"aesthetic": "aes"})


@dataclass(frozen=True, slots=True)
class Target:
    """`read` is given the bytes and an empty folder; `seeds` are sound inputs, from which mutation starts."""

    read: Callable[[bytes, Path], object]
    seeds: tuple[bytes, ...]
    refuses: tuple[type[Exception], ...] = (StudioError,)
    is_json: bool = True
    """Whether mutations of JSON values are worth trying, of what follows the first byte, `{` or `[`."""


def export_rows(data: bytes, folder: Path) -> None:
    """`about.json`, a line of NULs, then lines of pairs.jsonl."""
    about, _, pairs = data.partition(b"\0\n")
    files = {"about.json": about, "pairs.jsonl": pairs, "videos.jsonl": b"", "schema.json": b"{}", "README.md": b""}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    listed = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    (folder / MANIFEST).write_text(listed)
    for pair in read_manifest(folder).pairs():
        assert pair.pair_id is not None


def export_listing(data: bytes, folder: Path) -> None:
    """MANIFEST.sha256: no name may lead out of the folder."""
    inside = folder / "export"
    inside.mkdir()
    (folder / "secret").write_text("outside")
    for name in REQUIRED:
        (inside / name).write_bytes(_about())
    (inside / MANIFEST).write_bytes(data)
    found = read_manifest(inside, verify=False)
    assert all((inside / name).resolve().is_relative_to(inside.resolve()) for name in found.files)


def spelled_json(data: bytes, folder: Path) -> None:
    """What is read is written again with the same values and spellings."""
    document, layout = read_spelled(data)
    written = write_spelled(document, layout)
    again, layout_again = read_spelled(written.encode())
    assert write_spelled(again, layout_again) == written


def metadata_table(data: bytes, folder: Path) -> None:
    """A table of metadata; the first byte says of which kind. A row is one, or a sentence."""
    kind = {b"c": ".csv", b"l": ".jsonl", b"j": ".json"}.get(data[:1], ".jsonl")
    path = folder / f"table{kind}"
    path.write_bytes(data[1:])
    for row in table_rows(path, COLUMNS):
        assert isinstance(row, str) or (row.names and (row.span is None or row.span[0] < row.span[1]))


def removed(data: bytes, folder: Path) -> None:
    """What says what was erased: understood whole, or refused."""
    (folder / REMOVED).write_bytes(data)
    read_removed(folder).has_pair(made_pairs.made_pair(0, 1, None))


def scores(data: bytes, folder: Path) -> None:
    """Both formats of score files; the first byte says which."""
    if data[:1] == b"v":
        path = folder / "scores.json"
        path.write_bytes(data[1:])
        read_scores("vbench", str(path), CASES)
    else:
        for name in ("aesthetic_score.json", "naturalscore_1.json"):
            (folder / name).write_bytes(data)
        read_scores("opens2v-scores", str(folder), CASES)


def votes(data: bytes, folder: Path) -> None:
    """Vote files; the first byte says of which format."""
    kind = {b"j": "jsonl", b"c": "csv", b"v": "vbench2"}.get(data[:1], "jsonl")
    read_votes(_file(data[1:], folder), DESIGN, format=kind)


def label_studio(data: bytes, folder: Path) -> None:
    """What Label Studio exported: votes of the trials that were pushed, for choices of their forms, whatever else it says."""
    document = json.loads(data)
    pulled = read_annotations(document, TRIALS, LABELLED_FORMS, origin="127.0.0.1:8080/3")
    for vote in pulled.votes:
        (trial,) = (one for one in TRIALS.values() if one.trial_id == vote.trial_id)
        (question,) = (one for one in LABELLED_FORMS[trial.form].questions if one.name == vote.question)
        assert vote.choice in {choice.value for choice in question.choices}
        assert vote.item_id == trial.item_id
        assert 0 <= vote.visible_ms < 1 << 31 and 0 < vote.rev < 1 << 31


def generation_settings(data: bytes, folder: Path) -> None:
    """A settings file of a folder, or beside a video."""
    if data[:1] == b"o":
        video = folder / "singleobj_1.mp4"
        video.with_suffix(".json").write_bytes(data[1:])
        settings_of(video, read_folder(folder))
    else:
        (folder / "generation.toml").write_bytes(data)
        read_folder(folder)


def ranges(data: bytes, folder: Path) -> None:
    """The Range header of a media request: never an error of ours, and as many bytes as were said."""
    path = folder / "clip"
    path.write_bytes(bytes(range(256)) * 4)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return await asyncio.Future()  # a client that stays

    async def send(message: Any) -> None:
        sent.append(message)

    header = bytes(byte for byte in data if byte >= 0x20 and byte != 0x7F)  # what an HTTP server lets through
    scope = {"type": "http", "method": "GET", "headers": [(b"range", header)], "extensions": {}}
    asyncio.run(FileResponse(path)(scope, receive, send))
    start, *bodies = sent
    assert start["status"] in (200, 206, 400, 416)
    assert sum(len(body["body"]) for body in bodies) == int(dict(start["headers"])[b"content-length"])


def seals(data: bytes, folder: Path) -> None:
    """Cookies and nonces that we did not seal are nothing."""
    text = data.decode("utf-8", "surrogateescape")
    assert KEYS.opened("session", text) is None
    assert Sliders(KEYS).problem("ann", text, value=50, trace=((0.0, 0.0), (400.0, 50.0)), by_keys=False) == "stale"


def archives(data: bytes, folder: Path) -> None:
    """Nothing is written but below the folder, no more than the cap, no link, and nothing at all when it is refused."""
    path, inside = _file(data, folder), folder / "inside"
    try:
        unpack(path, inside, limits=SMALL_ARCHIVES)
    finally:
        assert {one.name for one in folder.iterdir()} <= {path.name, inside.name}
    found = list(inside.rglob("*"))
    assert all(one.is_dir() or (one.is_file() and not one.is_symlink()) for one in found)
    assert sum(one.stat().st_size for one in found if one.is_file()) <= SMALL_ARCHIVES.total_bytes


def heads(data: bytes, folder: Path) -> None:
    """`METHOD PATH`, then `name: value` lines, at both guards: answered, and passed on only as ours, with our token or origin."""
    first, *lines = data.split(b"\n")
    method, _, path = first.partition(b" ")
    pairs = [line.partition(b":")[::2] for line in lines]
    scope = {
        "type": "http",
        "method": method.decode("latin-1") or "GET",
        "path": path.decode("utf-8", "replace"),  # as uvicorn gives it
        "query_string": b"",
        "headers": [(name.lower(), value.strip()) for name, value in pairs],
        "client": ("127.0.0.1", 1),
    }
    token, hosts = "t" * 32, frozenset({"subject-studio"})
    call = _asked(Guard(_reached, token=token, hosts=hosts), scope)
    if call is not None:
        assert call.only(b"host") == b"subject-studio"
        assert call.path in PROBES or call.only(b"authorization") == b"Bearer " + token.encode()
        assert b"origin" not in call.headers
    call = _asked(PageGuard(_reached, place=STUDY_PLACE, limits=SHIPPED), scope)
    if call is not None:
        assert call.only(b"host") == b"study.example.org"
        assert call.path.startswith("/s/")
        assert call.method != "POST" or call.only(b"origin") == b"https://study.example.org"


async def _reached(scope: dict[str, Any], receive: Any, send: Any) -> None:
    scope["reached"] = True


def _asked(guard: Any, scope: dict[str, Any]) -> Call | None:
    """The call, when a guard passed it on; otherwise it was refused with a status of 400 to 499."""
    sent: list[dict[str, Any]] = []
    scope = dict(scope)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    if scope.get("reached"):
        return Call(scope)
    assert 400 <= sent[0]["status"] < 500
    return None


def call_arguments(data: bytes, folder: Path) -> None:
    """`OPERATION JSON`, as a route reads it."""
    name, _, body = data.partition(b" ")
    operation = operations().get(name.decode("utf-8", "replace"))
    if operation is not None:
        operation.arguments.model_validate_json(body)


def masks(data: bytes, folder: Path) -> None:
    """Compressed run lengths of a small picture: what is read has its size."""
    assert rle.decode(data[2:], data[0] if data else 0, data[1] if len(data) > 1 else 0).size == (
        data[0] * data[1] if len(data) > 1 else 0
    )


def _file(data: bytes, folder: Path) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


def _named(data: bytes, folder: Path, name: str) -> Path:
    return _file(data, folder).rename(folder / name)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _about() -> bytes:
    header = {"format": FORMAT, "format_version": FORMAT_VERSION, "about": asdict(made_pairs.ABOUT)}
    return _json({**header, "num_pairs": 1, "num_videos": 0, "num_pairs_by_split": {}})


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def _mp4() -> bytes:
    """A movie header with one track: media header of 30 ticks a second, a sample size table of 10."""
    mdhd = _box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, 30, 10, 0, 0))
    stsz = _box(b"stsz", struct.pack(">III", 0, 9, 10))
    avc1 = _box(b"avc1", bytes(24) + struct.pack(">HH", 64, 48) + bytes(50))
    stsd = _box(b"stsd", struct.pack(">II", 0, 1) + avc1)
    track = _box(b"trak", _box(b"mdia", mdhd + _box(b"minf", _box(b"stbl", stsd + stsz))))
    return _box(b"ftyp", b"isom\0\0\2\0isom") + _box(b"moov", track) + _box(b"mdat", bytes(90))


def _labelled(name: str) -> dict[str, Any]:
    """A task of that form with an answer to each of its questions."""
    result = [
        {"from_name": question.name, "value": {"choices": [question.choices[0].value]}}
        for question in LABELLED_FORMS[name].questions
    ]
    done = {"created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:05:05.5Z", "lead_time": 3.5}
    return {"id": 1, "data": {TOKEN: name}, "annotations": [{"id": 7, "completed_by": 1, "result": result, **done}]}


def _zip() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a/b.txt", "c"):
            archive.writestr(zipfile.ZipInfo(name), b"x" * 40)
    return written.getvalue()


def _tar(mode: Any = "w") -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode=mode) as archive:
        for name in ("a/b.txt", "c"):
            info = tarfile.TarInfo(name)
            info.size = 40
            archive.addfile(info, io.BytesIO(b"x" * 40))
    return written.getvalue()


def _safetensors() -> bytes:
    header = _json({"weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}})
    return struct.pack("<Q", len(header)) + header + bytes(16)


CASE = {
    "singleobj_1": {
        "img_paths": ["a.png"],
        "prompt": "a cup",
        "class_label": ["cup"],
        "duration_s": 5,
        "schedule": [{"what": "expression:happy", "start_s": 0, "stop_s": 2}],
    }
}
VOTE = {
    "case_id": "singleobj_1",
    "systems": ["a", "b"],
    "question": "better",
    "rater": "ann",
    "choice": "left",
    "reasons": ["hands"],
}
UPSTREAM = {
    "v_1": {
        "metadata": {
            "path": "a.mp4", "fps": 24.0, "num_frames": 48, "resolution": {"width": 64, "height": 48}, "face_cap_qwen": ["a"], "cut": [0, 48]
        },
        "annotation": {"ann_frame_data": {"annotations": [{"class_name": "cup", "bbox": [1, 1, 9, 9], "score": 0.9}]}},
    }
}  # fmt: skip
VBENCH = {"subject_consistency": [0.5, [{"video_path": "singleobj_1.mp4", "video_results": 0.5}]]}
TOTALS = [{"system": "s", "aesthetics": 50.0, "motion_smoothness": 90.0}]
WEIGHT = MetricWeight(
    metric="dino", title="DINO-I", version=1, weight=Estimate(value=1.0), raw=(0.0, 1.0), scaled=(0.0, 1.0)
)
FITTED = MetricCalibration(
    name="c", version=1, made_at="", study="taste", aspect="better", data_hash="", scaling="linear", folds=5, ridge=0.0, draws=1, seed=0,
    chance_with_ties=None, ceiling=Estimate(), majority=Estimate(), metrics=(),
    fits=(MetricFit(domain="", pairs=1, prompts=1, votes=1, incomplete=0, weights=(WEIGHT,)),),
)  # fmt: skip
PAIR = line(asdict(made_pairs.made_pair(1, 2, None))).encode()

TARGETS: dict[str, Target] = {
    "export_rows": Target(export_rows, (_about() + b"\0\n" + PAIR,)),
    "export_listing": Target(
        export_listing, ("".join(f"{'0' * 64}  {name}\n" for name in REQUIRED).encode(),), is_json=False
    ),
    "opens2v_metadata": Target(
        lambda data, folder: read_opens2v(_file(data, folder)), (_json(UPSTREAM), _json([UPSTREAM["v_1"]]))
    ),
    "metadata_table": Target(
        metadata_table,
        (
            b"c" + b"path,text,span,aes\r\na.mp4,\"x, y\",\"['0:00:01.5', '0:00:03']\",4.5\r\n",
            b"l" + _json({"path": "https://e.org/watch?v=a", "text": ["x", "y"], "span": [1, 2], "aes": None}) + b"\n",
            b"j" + _json([{"path": "a/b.mp4", "text": "x", "span": None, "aes": 1e308}]),
        ),
        (ImportRefused,),
    ),
    "removed": Target(
        removed,
        (
            b'{"salt":"abababab","items":["0011223344556677"],"contents":["7766554433221100"]}\n',
            b'{"video_id":"video_000","spans":[[0,10],[20,30]]}\n',
        ),
        (ImportRefused,),
    ),
    "spelled_json": Target(
        spelled_json, (b'{\n    "a": [1.0, -0, 1e5, "x\\u00e9"]\n}', b"[NaN]"), (ValueError,), is_json=False
    ),
    "scores": Target(scores, (_json({"singleobj_1": 0.5}), b"v" + _json(VBENCH))),
    "totals": Target(
        lambda data, folder: totals_of_file(str(_file(data, folder)), preset_id="opens2v-v1.1-open"), (_json(TOTALS),)
    ),
    "cases": Target(lambda data, folder: read_cases(_named(data, folder, "Open-Domain_Eval.json")), (_json(CASE),)),
    "votes": Target(
        votes, (b"j" + _json(VOTE), b"ccase_id,systems,question,rater,choice\nsingleobj_1,a|b,better,ann,left\n")
    ),
    "calibration": Target(
        lambda data, folder: read_calibration(_file(data, folder)), (_json({"format": CALIBRATION, **asdict(FITTED)}),)
    ),
    "generation_settings": Target(generation_settings, (b'system = "s"\nsteps = 50\n[videos."a"]\nseed = 1\n',)),
    "project_settings": Target(
        lambda data, folder: read_settings(_named(data, folder, "project.toml")),
        (b'recipe = "opens2v"\nseed = 3\n[models]\n',),
        is_json=False,
    ),
    "ranges": Target(ranges, (b"bytes=0-1", b"bytes=-5, 7-", b"bytes=1-2,4-9,1000-2000"), is_json=False),
    "seals": Target(seals, (KEYS.seal("other", "ann 50 0.0 a").encode(), b"YW5u.00"), is_json=False),
    "call_arguments": Target(
        call_arguments,
        (b'submit_votes {"votes": []}', b'pairs {"where": "", "limit": 5}', b'correct {"corrections": []}'),
        (ValidationError,),
    ),
    "archives": Target(archives, (_zip(), _tar(), _tar("w:gz"), _tar("w:xz")), is_json=False),
    "heads": Target(
        heads,
        (
            b"POST /api/about\nhost: subject-studio\nauthorization: Bearer "
            + b"t" * 32
            + b"\ncontent-type: application/json",
            b"POST /s/join\nhost: study.example.org\norigin: https://study.example.org\ncontent-type: application/json\n"
            b"content-length: 2\nx-forwarded-for: 1.2.3.4, ::1\nsec-fetch-site: same-origin",
            b"GET /s/\nhost: study.example.org\nsec-fetch-mode: navigate\nsec-fetch-dest: document\nsec-fetch-site: cross-site",
        ),
        (),
        is_json=False,
    ),
    "label_studio": Target(
        label_studio,
        tuple(_json([_labelled(name)]) for name in LABELLED),
        (ValueError, RecursionError),
    ),
    "masks": Target(masks, (b"\4\4" + rle.encode(made_pairs.np.eye(4, dtype=bool)),), (ValueError,), is_json=False),
    "marks": Target(
        lambda data, folder: read_mark(data.decode("utf-8", "replace")),
        (TOLD.encode() + b"eyJhIjoxfQ.eyJhIjoxfQ.AAAA",),
        is_json=False,
    ),
    "mp4_headers": Target(
        lambda data, folder: check_mp4(_file(data, folder), max_pixels=8192 * 4320), (_mp4(),), is_json=False
    ),
    "safetensors": Target(
        lambda data, folder: load_state(_named(data, folder, "m.safetensors")), (_safetensors(),), is_json=False
    ),
}


def check(name: str, data: bytes, scratch: Path) -> None:
    """Reads once. What the reader may raise is fine, everything else comes out."""
    target, folder = TARGETS[name], scratch / "once"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with contextlib.suppress(*target.refuses):
        target.read(data, folder)
