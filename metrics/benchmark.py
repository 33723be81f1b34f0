"""Benchmark files as OpenS2V-Eval lays them out: cases as JSON, references beside it, one video a case and seed."""

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.domain import Case, Generation, ImportRefused, SettingsError, digest
from backend.domain.evaluations import RefusedVideo
from metrics.generation_settings import read_folder, settings_of
from metrics.json_files import kind_of, read_json

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".webm", ".mkv", ".avi"})
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
FIELD = "benchmark"  # of a case: the name of the set it belongs to
BENCHMARK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}")
SHOWN_ODD = 5  # remarks on settings of single videos
UNNAMED = "@"  # before the digest of a file that names no benchmark; stands in no name
IDENTITY_BYTES = 4  # of a digest: no project holds so many files of one name that two agree by chance
STRANGE = "belongs to no case; name it <case id>.mp4 or <case id>_seed<k>.mp4"
SEEDED = re.compile(r"(?P<name>.+?)_seed(?P<seed>\d{1,9})")
EXPECTED = {"open": 180, "human": 60, "single": 90}
"""Cases of OpenS2V-Eval's three domains; a smaller file is a part of it."""


@dataclass(frozen=True, slots=True)
class CaseList:
    """Cases of one file, what is odd about them (one line each), and the reference images that are missing."""

    cases: tuple[Case, ...]
    remarks: tuple[str, ...]
    missing_references: tuple[str, ...] = ()
    """Paths, each once, in order."""


@dataclass(frozen=True, slots=True)
class GenerationList:
    """Videos of one system, the names of cases without one, files that are not taken, and what is odd."""

    generations: tuple[Generation, ...]
    missing: tuple[str, ...]
    refused: tuple[RefusedVideo, ...]
    remarks: tuple[str, ...]


def read_cases(path: Path, *, references: Path | None = None) -> CaseList:
    """Cases of an OpenS2V-Eval JSON; `references` is the folder that image paths start from (the file's own by default).

    Their benchmark is what the cases name as such; of a file that names none its own name and, after an `@`, a digest of
    what systems are given, so that two files of one name are two benchmarks. Missing images are remarks. Raises
    ImportRefused for anything malformed, with place and value: a case that is read wrongly would be scored wrongly.
    """
    raw, root = read_json(path), (references or path.parent).resolve()
    cases = _cases(path, raw, root)
    benchmark = _named(path, raw) or f"{path.stem}{UNNAMED}{_identity(cases, root)}"
    cases = tuple(replace(case, benchmark=benchmark) for case in cases)
    missing = sorted({p for case in cases for p, found in zip(case.references, case.hashes, strict=True) if not found})
    remarks = [f"{len(missing)} reference images are missing below {root}, the first is {missing[0]}"] if missing else []
    domain = cases[0].domain
    if len(cases) != EXPECTED.get(domain, len(cases)):
        remarks.append(f"{path.name} has {len(cases)} cases; OpenS2V-Eval's {domain} domain has {EXPECTED[domain]}")
    return CaseList(cases, tuple(remarks), tuple(missing))


def find_generations(folder: Path, system: str, cases: Sequence[Case]) -> GenerationList:
    """Videos `ID.mp4` or `ID_seedK.mp4` of a folder, by the cases that they answer, with what is said of how they were made.

    Of a case and seed that are there twice neither is taken: nobody knows which is meant. Raises ImportRefused when the
    folder is none, holds no video that can be taken, or a settings file that cannot be read.
    """
    if not folder.is_dir():
        raise ImportRefused(f"{folder} is not a folder; --videos names the folder that holds <case id>.mp4")
    by_name = {case.name: case for case in cases}
    named: dict[tuple[str, int], list[Path]] = {}
    unknown = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in VIDEO_SUFFIXES or not path.is_file():
            continue
        name, seed = _name_and_seed(path.stem, by_name)
        if name not in by_name:
            unknown.append(path.name)
            continue
        named.setdefault((name, seed), []).append(path)
    found = {key: paths[0] for key, paths in named.items() if len(paths) == 1}
    refused = [_twice(folder, *key, paths) for key, paths in named.items() if len(paths) > 1]
    if not found:
        raise ImportRefused(
            refused[0].reason
            if refused
            else f"{folder} holds no video of these cases; files are named <case id>.mp4, as {cases[0].name}.mp4"
        )
    remarks = [f"{len(unknown)} videos belong to no case, as {unknown[0]}"] if unknown else []
    remarks += [one.reason for one in refused]
    refused += [RefusedVideo(file=name, reason=f"{name} {STRANGE}") for name in unknown]
    answered = {name for name, _ in named}
    missing = tuple(name for name in by_name if name not in answered)
    if missing:
        remarks.append(f"cases without a video: {len(missing)} of {len(cases)}, as {missing[0]}")
    rows, others = _generations(folder, system, {(by_name[name], seed): path for (name, seed), path in found.items()})
    return GenerationList(rows, missing, tuple(refused), (*remarks, *others))


def name_benchmark(path: Path, name: str) -> int:
    """Writes a benchmark's name into each case of a file, which is replaced whole; gives the number of cases.

    Raises SettingsError for a name that is none, ImportRefused for a file that is no cases file or cannot be written.
    """
    if not BENCHMARK.fullmatch(name):
        raise SettingsError(f"benchmark {name[:100]!r}; a name is up to 100 letters, digits, spaces, `_`, `-` and `.`")
    raw = read_json(path)
    cases = _cases(path, raw, path.parent.resolve())
    named = {case: {**fields, FIELD: name} for case, fields in raw.items()}
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        beside.write_text(json.dumps(named, indent=4, ensure_ascii=False), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise ImportRefused(f"{path} cannot be written: {error.strerror}; check its owner and the space left") from error
    return len(cases)


def _twice(folder: Path, name: str, seed: int, paths: Sequence[Path]) -> RefusedVideo:
    files = " and ".join(path.name for path in paths)
    told = f"{folder} holds case {name} with seed {seed} {'twice' if len(paths) == 2 else f'{len(paths)} times'}: {files}"
    return RefusedVideo(file=paths[0].name, case_id=name, seed=seed, reason=f"{told}; keep one")


def _name_and_seed(stem: str, known: Iterable[str]) -> tuple[str, int]:
    if stem not in known and (match := SEEDED.fullmatch(stem)):
        return match["name"], int(match["seed"])
    return stem, 0


def _generations(
    folder: Path, system: str, found: Mapping[tuple[Case, int], Path]
) -> tuple[tuple[Generation, ...], list[str]]:
    """The videos with their settings, and what is odd about these."""
    said = read_folder(folder)
    rows, odd, systems = [], [], set()
    for (case, seed), path in found.items():
        settings, told, remarks = settings_of(path, said)
        rows.append(_generation(case, system, seed, path, settings.text()))
        odd += remarks
        systems |= {told} - {"", system}
    stems = {path.stem for path in found.values()}
    lost = sorted(set(said.of_videos) - stems)
    if lost:
        odd.append(f"{said.file} speaks of {len(lost)} videos that are not there, as {lost[0]}")
    if len(odd) > SHOWN_ODD:
        odd[SHOWN_ODD:] = [f"... and {len(odd) - SHOWN_ODD} more such"]
    if systems:
        odd.append(f"settings beside the videos name {', '.join(sorted(systems))}, not {system}; is this the right folder?")
    return tuple(rows), odd


def _generation(case: Case, system: str, seed: int, path: Path, settings: str) -> Generation:
    with path.open("rb") as file:
        content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()  # pyright: ignore[reportArgumentType]
    return Generation(
        case_id=case.id,
        system=system,
        seed=seed,
        path=str(path.resolve()),
        content_hash=content,
        num_bytes=path.stat().st_size,
        settings=settings,
    )


def _cases(path: Path, raw: Any, root: Path) -> tuple[Case, ...]:
    """The cases of a file, of no benchmark yet."""
    if not isinstance(raw, dict):
        raise ImportRefused(
            f"{path} holds a {kind_of(raw)}; cases are one object of `id: {{img_paths, prompt, class_label}}`"
        )
    if not raw:
        raise ImportRefused(f"{path} holds no case")
    return tuple(_case(path, root, name, fields) for name, fields in raw.items())


def _case(path: Path, root: Path, name: str, fields: Any) -> Case:
    where = f"{path}: case {name[:80]!r}"
    if not NAME.fullmatch(name):
        raise ImportRefused(f"{where}: an id is letters, digits, `_`, `-` and `.`, since videos are named after it")
    if not isinstance(fields, dict):
        raise ImportRefused(f"{where} is a {kind_of(fields)}; it needs img_paths, prompt and class_label")
    images = _strings(fields, "img_paths", where)
    labels = _strings(fields, "class_label", where)
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise ImportRefused(f"{where}: prompt is {'missing' if prompt is None else repr(prompt)[:40]}; give its text")
    if len(images) != len(labels):
        raise ImportRefused(f"{where}: {len(images)} img_paths but {len(labels)} class_label; give one label an image")
    kinds = _strings(fields, "kinds", where) if "kinds" in fields else [""] * len(images)
    if len(kinds) != len(images):
        raise ImportRefused(f"{where}: {len(images)} img_paths but {len(kinds)} kinds; give one an image")
    subjects = _parallel(fields, "subjects", int, len(images), where)
    inside = _parallel(fields, "inside", bool, len(images), where)
    schedule, schedule_s = _schedule(fields, where)
    places = [_inside(root, image, where) for image in images]
    audio = _inside(root, fields["audio"], where) if isinstance(fields.get("audio"), str) else None
    first = _inside(root, fields["first_frame"], where) if isinstance(fields.get("first_frame"), str) else None
    flag = str(fields.get("synthesis_flag", "")).lower()
    return Case(
        benchmark="",
        name=name,
        prompt=prompt,
        references=tuple(str(place) for place in places),
        hashes=tuple(_hash(place) for place in places),
        labels=tuple(labels),
        kinds=tuple(kinds),
        language=str(fields.get("language", "en")),
        category=name.rsplit("_", 1)[0],
        domain=_domain(path),
        synthetic={"true": True, "wrong": False, "false": False}.get(flag),
        first_frame=str(first) if first else None,
        audio=str(audio) if audio else None,
        audio_hash=_hash(audio) if audio else "",
        duration_s=float(fields["duration_s"]) if isinstance(fields.get("duration_s"), int | float) else None,
        subjects=subjects,
        inside=inside,
        first_frame_hash=_hash(first) if first else "",
        schedule=schedule,
        schedule_s=schedule_s,
        caption_by=str(fields.get("caption_by", "")),
    )


def _named(path: Path, raw: dict[str, Any]) -> str:
    """What all cases of a file name as their benchmark; empty where none does."""
    names = {name: fields.get(FIELD) for name, fields in raw.items()}
    first, said = next(iter(names.items()))
    for name, other in names.items():
        if other != said:
            raise ImportRefused(
                f"{path}: case {first!r} is of benchmark {json.dumps(said)[:80]}, case {name!r} of {json.dumps(other)[:80]}; "
                "a file is of one, which `studio-backend cases name` writes into each case"
            )
    if said is None:
        return ""
    if not isinstance(said, str) or not BENCHMARK.fullmatch(said):
        raise ImportRefused(
            f"{path}: {FIELD} is {json.dumps(said)[:80]}; a name is up to 100 letters, digits, spaces, `_`, `-` and `.`"
        )
    return said


def _identity(cases: Sequence[Case], root: Path) -> str:
    """A digest of what systems are given: each case's name and content, and the places of pictures that are missing."""
    told = []
    for case in cases:
        lost = [p for p, found in zip(case.references, case.hashes, strict=True) if not found]
        told.append((case.name, case.content, tuple(str(Path(place).relative_to(root)) for place in lost)))
    return digest(tuple(sorted(told)), num_bytes=IDENTITY_BYTES)


def _domain(path: Path) -> str:
    name = path.name.lower()
    return next((domain for domain in EXPECTED if f"{domain}-domain" in name), "")


def _strings(fields: dict, name: str, where: str) -> list[str]:
    value = fields.get(name)
    if value is None:
        raise ImportRefused(f"{where}: {name} is missing")
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value) or not value:
        raise ImportRefused(f"{where}: {name} is {json.dumps(value)[:80]}; it needs a list of at least one text")
    return value


def _parallel(fields: dict, name: str, kind: type, count: int, where: str) -> tuple:
    """A list with one value of a kind for each image, or nothing."""
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) != count or not all(type(one) is kind for one in value):
        words = {int: "whole number", bool: "true or false"}[kind]
        raise ImportRefused(f"{where}: {name} is {json.dumps(value)[:80]}; give a list of one {words} an image")
    return tuple(value)


def _schedule(fields: dict, where: str) -> tuple[tuple[str, ...], tuple[tuple[float, float], ...]]:
    """`schedule: [{"start_s": 0, "stop_s": 5, "what": "expression:happy"}, …]` as what and spans."""
    value = fields.get("schedule")
    if value is None:
        return (), ()
    what, spans = [], []
    for one in value if isinstance(value, list) else [value]:
        parts = [one.get(name) for name in ("what", "start_s", "stop_s")] if isinstance(one, dict) else [None] * 3
        text, start, stop = parts
        if not isinstance(text, str) or not isinstance(start, int | float) or not isinstance(stop, int | float):
            raise ImportRefused(f"{where}: schedule holds {json.dumps(one)[:80]}; it needs start_s, stop_s and what")
        if not 0 <= start < stop < float("inf"):
            raise ImportRefused(
                f"{where}: schedule runs from {start} to {stop} s; it must begin at 0 or later and end after"
            )
        what.append(text)
        spans.append((float(start), float(stop)))
    return tuple(what), tuple(spans)


def _inside(root: Path, image: str, where: str) -> Path:
    """A path below the references' folder. Raises ImportRefused for one that leaves it, or that no file has."""
    if "\0" in image:
        raise ImportRefused(f"{where}: {image!r} has a zero in it, which no path has")
    place = (root / image).resolve()
    if not place.is_relative_to(root):
        raise ImportRefused(f"{where}: {image!r} lies outside {root}; paths are relative to the references' folder")
    return place


def _hash(path: Path) -> str:
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError:
        return ""
