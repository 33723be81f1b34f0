"""The `latents` job: everything an export's samples need, encoded once and packed."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from duckdb import DuckDBPyConnection
from safetensors.numpy import save

from backend.domain import Record, SettingsError, Sidecar, Source, Stage, TextEncoder
from backend.engine.context import WorkContext, WorkerSettings, load
from backend.engine.plan import Plan, Step
from backend.engine.ray_crew import RaySettings
from backend.engine.tables import PlanTables
from backend.exports.reader import ManifestReader, read_manifest
from backend.jobs.board import JobTicket
from backend.jobs.plans import work_through
from backend.models import MODELS
from backend.settings import nearest
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from training.data.latent_settings import Latents
from training.data.listing import listed
from training.data.shapes import ClipShapes
from training.data.shards import Kept, LatentCache
from training.data.stages import LATENTS, EncodeClips, EncodePictures, EncodeTexts, ListClips

SHOWN_FAILURES = 5
EMPTY_TEXT = "empty"
"""The target of the text without words."""


class Keys(NamedTuple):
    """The versions of clips, pictures and texts that these settings ask for."""

    clips: str
    pictures: str
    texts: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the job left: the cache, which versions to read, and what could not be encoded, in words."""

    cache: LatentCache
    keys: Keys
    reader: ManifestReader
    remarks: tuple[str, ...]
    failed: int


def encode(ticket: JobTicket, *, export: Path, settings: Latents, retry_failed: bool = False) -> Encoded:
    """Encodes what is pending of an export and packs it; what is done is never done again.

    Raises ImportRefused for an export whose files are not what its manifest lists, SettingsError for an unknown encoder,
    ProjectError when another process works on the cache or the disk is full.
    """
    reader = read_manifest(export)
    folder = cache_folder(export, settings)
    workers = worker_settings(folder, settings)
    plan = plan_of(export, settings, workers)
    artifacts = Artifacts(folder / "work" / "artifacts")
    records = listed(reader, artifacts)
    catalog = Catalog(folder / "work" / "catalog.duckdb")
    try:
        _list(catalog, records)
        work_through(
            ticket,
            catalog=catalog,
            artifacts=artifacts,
            plan=plan,
            workers=workers,
            engine=settings.engine,
            num_workers=settings.workers,
            retry_failed=retry_failed,
            ray=RaySettings(address=settings.ray_address, store=settings.ray_store),
        )
        kept, remarks, failed = _outcome(catalog, plan)
        catalog.checkpoint()
    finally:
        catalog.close()
    cache = LatentCache(folder)
    keys = keys_of(plan)
    if cache.find(keys.texts, EMPTY_TEXT) is None:
        kept.append(Kept(keys.texts, EMPTY_TEXT, _empty_text(workers, artifacts)))
    cache.pack(kept, artifacts)
    return Encoded(cache, keys, reader, remarks, failed)


def existing(reader: ManifestReader, export: Path, settings: Latents) -> Encoded:
    """What `encode` left, for whoever only reads."""
    folder = cache_folder(export, settings)
    plan = plan_of(export, settings, worker_settings(folder, settings))
    return Encoded(LatentCache(folder), keys_of(plan), reader, (), 0)


def cache_folder(export: Path, settings: Latents) -> Path:
    """Where the latents of an export lie."""
    whole = export.resolve()
    return Path(settings.cache).expanduser() if settings.cache else whole.with_name(f"{whole.name}.latents")


def plan_of(export: Path, settings: Latents, workers: WorkerSettings) -> Plan:
    """The stages with these settings, and the models that are bound."""
    stages = (
        ListClips(),
        EncodeClips(shapes=settings.clips, audio=bool(settings.encoders.audio), image=bool(settings.encoders.image)),
        EncodePictures(export=str(export.resolve()), shapes=settings.pictures, clips=settings.clips),
        EncodeTexts(),
    )
    return Plan(
        steps=tuple(Step(cast(Stage, stage)) for stage in stages),
        model_ids={role: workers.model_id(role) for role in workers.roles},
    )


def keys_of(plan: Plan) -> Keys:
    """The versions that a plan makes."""
    keys = {step.stage.name: plan.stage_key(step.stage) for step in plan.steps}
    return Keys(keys[EncodeClips.name], keys[EncodePictures.name], keys[EncodeTexts.name])


def worker_settings(folder: Path, settings: Latents) -> WorkerSettings:
    """What is bound to each role. Raises SettingsError for an unknown implementation."""
    roles, weights = {}, {}
    for role, (name, place) in settings.encoders.bound.items():
        if name not in MODELS[role]:
            raise SettingsError(f"{name!r} is no implementation of {role}{nearest(name, MODELS[role])}")
        roles[role] = MODELS[role][name]
        if hasattr(load(roles[role]), "suggested"):
            weights[role] = place
    return WorkerSettings(
        artifacts=folder / "work" / "artifacts",
        roles=roles,
        models=weights,
        device=settings.encoders.device,
        dtype=settings.encoders.dtype,
    )


def _empty_text(workers: WorkerSettings, artifacts: Artifacts) -> str:
    """The features of no text, which stand for a text that is left out."""
    context = WorkContext(workers)
    try:
        encoder = cast(TextEncoder, context.role("TextEncoder"))
        return artifacts.put(save({"text": encoder.encode("")}), "st")
    finally:
        context.close()


def _list(catalog: Catalog, records: list[Record]) -> None:
    """Adds what the catalog does not list already as it is now."""
    sources = {row[0] for row in catalog.query("SELECT id FROM source")}
    beside = dict(catalog.query("SELECT source_id, arg_max(id, rowid) FROM sidecar GROUP BY 1"))
    fresh = [
        record
        for record in records
        if (isinstance(record, Source) and record.id not in sources)
        or (isinstance(record, Sidecar) and beside.get(record.source_id) != record.id)
    ]
    if fresh:
        catalog.add_records(fresh, work_key="listed")


def _outcome(catalog: Catalog, plan: Plan) -> tuple[list[Kept], tuple[str, ...], int]:
    """What the plan keeps now, sentences about what it could not encode, and how many items failed."""
    kept: list[Kept] = []
    remarks: list[str] = []
    failed = 0
    with catalog.reading() as connection:
        tables = PlanTables(connection, plan)
        for step in plan.steps:
            tables.enter(step)
            name = step.stage.name
            rows = connection.execute(
                f"""SELECT s.target, s.evidence FROM score s JOIN item_{name} i ON i.work_key = s.work_key
                WHERE s.name = '{LATENTS}' ORDER BY s.target"""
            ).fetchall()
            kept += [Kept(plan.stage_key(step.stage), target, artifact) for target, artifact in rows]
            faults = connection.execute(
                f"""SELECT w.message, w.state FROM (
                    SELECT * FROM work WHERE stage = '{name}' QUALIFY row_number() OVER (PARTITION BY work_key ORDER BY attempt DESC) = 1) w
                JOIN item_{name} i ON i.work_key = w.work_key
                WHERE w.state IN ('failed', 'filtered') AND w.message NOT IN ('a picture', 'a video') ORDER BY 1"""
            ).fetchall()
            failed += sum(state == "failed" for _, state in faults)
            told = Counter(message.strip().splitlines()[-1] for message, _ in faults)
            each = [message if count == 1 else f"{count} items: {message}" for message, count in told.items()]
            remarks += each[:SHOWN_FAILURES]
            if len(each) > SHOWN_FAILURES:
                remarks.append(f"... and {len(each) - SHOWN_FAILURES} more of {name.replace('_', ' ')}")
            if isinstance(step.stage, EncodeClips):
                remarks += _empty_buckets(connection, step.stage.shapes)
            tables.leave(step)
    return kept, tuple(remarks), failed


def _empty_buckets(connection: DuckDBPyConnection, shapes: ClipShapes) -> list[str]:
    """One sentence on the buckets that no clip falls into: videos of these shapes are never learned."""
    rows = connection.execute(
        f"""SELECT DISTINCT c.stop_s - c.start_s, v.width, v.height FROM item_{EncodeClips.name} i
        JOIN clip c ON c.id = i.item_id JOIN video v ON v.id = c.video_id"""
    ).fetchall()
    filled = {shapes.of(*row) for row in rows}
    empty = [str(shape) for shape in shapes.all() if shape not in filled]
    if not empty or len(empty) == len(shapes.all()):  # with all empty, the clips themselves are named as too short
        return []
    more = f" and {len(empty) - SHOWN_FAILURES} more" if len(empty) > SHOWN_FAILURES else ""
    return [f"{len(empty)} of {len(shapes.all())} buckets have no clip: {', '.join(empty[:SHOWN_FAILURES])}{more}"]
