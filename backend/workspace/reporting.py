"""The curation report, filled from the current plan."""

import importlib.metadata
from datetime import datetime
from pathlib import Path

import numpy as np

from backend.api import Status
from backend.domain import StudioError
from backend.engine.plan import Gate, Plan
from backend.media.guard import run_guarded
from backend.media.images import decode_image, encode_webp
from backend.media.index import FrameIndex
from backend.media.reader import VideoReader
from backend.report import CurationData, Distribution, PairCard, ScoreLine, ShotCard, SubjectCard, curation_report, render
from backend.settings import ProjectSettings
from backend.store.artifacts import Artifacts
from backend.workspace.exporting import export_pairs
from backend.workspace.snapshot import Snapshot

MAX_SHOTS = 240
MAX_SUBJECTS = 120
MAX_PAIRS = 60
THUMB_WIDTH = 256
THUMB_WALL_S = 60.0
SHOWN_SCORES = ("similarity", "context_diversity", "near_duplicate")


def write_report(
    now: Snapshot, plan: Plan, settings: ProjectSettings, artifacts: Artifacts, status: Status, path: Path, *, title: str
) -> None:
    """Writes one offline HTML file."""
    data = CurationData(
        project=title,
        version=importlib.metadata.version("subject-studio"),
        recipe=settings.recipe,
        profile=settings.profile,
        made_at=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        status=status,
        shots=_shots(now, artifacts),
        subjects=_subjects(now, artifacts),
        pairs=_pairs(now, plan, artifacts),
        distributions=_distributions(now, plan),
        num_shots=now.query("SELECT count(DISTINCT id) FROM clip")[0][0],
        num_subjects=status.counts["subjects"],
        num_pairs=status.counts["pairs"],
    )
    path.write_text(render(curation_report(data)), encoding="utf-8")


def read_thumbs(uri: str, index: bytes, frames: list[int]) -> list[bytes]:
    """Frames as WebP, THUMB_WIDTH wide."""
    with VideoReader(uri, FrameIndex.from_bytes(index)) as reader:
        size = (THUMB_WIDTH, max(2, round(reader.height * THUMB_WIDTH / reader.width)))
        return [encode_webp(reader.at([frame], size=size)[0]) for frame in frames]


def _shots(now: Snapshot, artifacts: Artifacts) -> list[ShotCard]:
    rows = now.query(
        f"""SELECT s.uri, v.index, c.start_frame, c.stop_frame, c.start_s, c.stop_s, c.opens_with, g.gate
        FROM kept_video k JOIN video v ON v.id = k.id AND v.work_key = k.work_key JOIN source s ON s.id = v.source_id
        JOIN (SELECT DISTINCT ON (id) * FROM clip) c ON c.video_id = k.id
        LEFT JOIN (SELECT id, min(gate) AS gate FROM gated WHERE kind = 'clip' GROUP BY 1) g ON g.id = c.id
        LEFT JOIN kept_clip kc ON kc.id = c.id WHERE kc.id NOTNULL OR g.id NOTNULL
        ORDER BY s.uri, c.start_frame LIMIT {MAX_SHOTS}"""
    )
    cards: list[ShotCard] = []
    for uri in dict.fromkeys(row[0] for row in rows):
        shots = [row for row in rows if row[0] == uri]
        middles = [(row[2] + row[3]) // 2 for row in shots]
        try:
            thumbs = run_guarded(read_thumbs, (uri, artifacts.get(shots[0][1]), middles), wall_s=THUMB_WALL_S)
        except StudioError:
            continue  # the source has gone since; its rows stand in the tables
        for (_, _, _, _, start_s, stop_s, opens_with, gate), thumb in zip(shots, thumbs, strict=True):
            cards.append(
                ShotCard(
                    image=thumb,
                    video=Path(uri).name,
                    start_s=start_s,
                    stop_s=stop_s,
                    opens_with=opens_with,
                    dropped=gate or "",
                )
            )
    return cards


def _subjects(now: Snapshot, artifacts: Artifacts) -> list[SubjectCard]:
    rows = now.query(
        f"""SELECT m.crop, coalesce(s.phrase, s.category, CASE WHEN s.is_living THEN 'person' END, 'unlabelled'), src.uri, a.frame / v.fps
        FROM kept_subject k JOIN subject s ON s.id = k.id AND s.work_key = k.work_key
        JOIN (SELECT subject_id, min(id) AS id FROM kept_appearance GROUP BY 1) f ON f.subject_id = k.id
        JOIN kept_mask km ON km.appearance_id = f.id JOIN mask m ON m.id = km.id AND m.work_key = km.work_key
        JOIN (SELECT DISTINCT ON (id) * FROM appearance) a ON a.id = f.id
        JOIN kept_video kv ON kv.id = k.video_id JOIN video v ON v.id = kv.id AND v.work_key = kv.work_key
        JOIN source src ON src.id = v.source_id ORDER BY src.uri, a.frame, m.crop LIMIT {MAX_SUBJECTS}"""
    )
    cards = []
    for crop, label, uri, seconds in rows:
        image = decode_image(artifacts.get(crop))
        where = f"{Path(uri).name}, {seconds:.1f} s"
        cards.append(SubjectCard(image=image[..., :3], mask=image[..., 3] > 127, label=label, where=where))
    return cards


def _pairs(now: Snapshot, plan: Plan, artifacts: Artifacts) -> list[PairCard]:
    rows = now.query(
        f"""SELECT pair_id FROM (SELECT pair_id, target_video_id, similarity, row_number() OVER (
            PARTITION BY target_video_id ORDER BY similarity DESC) AS place FROM pair_shown WHERE kind <> 'in_pair')
        ORDER BY place, similarity DESC, pair_id LIMIT {MAX_PAIRS}"""
    )
    gates = {}
    for gate in plan.gates():
        if gate.record == "pair":
            gates.setdefault(gate.score, []).append((gate.comparison, gate.value))
    cards = []
    for pair in export_pairs(now, [row[0] for row in rows], ()):
        if pair.target.crop is None or pair.reference.crop is None:
            continue
        values = {score.name: score for score in pair.scores}
        lines = [
            ScoreLine(
                name=name, value=values[name].value, reason=values[name].reason or "", gates=tuple(gates.get(name, ()))
            )
            for name in SHOWN_SCORES
            if name in values
        ]
        where = [f"{Path(side.source_uri).name}, {side.start_s or 0:.1f} s" for side in (pair.target, pair.reference)]
        cards.append(
            PairCard(
                target=artifacts.get(pair.target.crop),
                reference=artifacts.get(pair.reference.crop),
                target_where=where[0],
                reference_where=where[1],
                target_caption=pair.target.caption or "",
                reference_caption=pair.reference.caption or "",
                phrase=pair.phrase or pair.category or ("person" if pair.is_living else "unlabelled"),
                kind=pair.kind,
                accepted=True,
                status=pair.status,
                verdict=pair.verdict,
                scores=tuple(lines),
            )
        )
    return cards


def _distributions(now: Snapshot, plan: Plan) -> list[Distribution]:
    by_score: dict[tuple[str, str], list[Gate]] = {}
    for gate in plan.gates():
        by_score.setdefault((gate.record, gate.score), []).append(gate)
    found = []
    for (record, name), gates in by_score.items():
        rows = now.query("SELECT value FROM live_score WHERE name = ? AND starts_with(target, ?)", [name, f"{record}_"])
        values = np.array([value for (value,) in rows if value is not None], dtype=np.float64)
        found.append(
            Distribution(
                name=name,
                record=record,
                values=values,
                gates=tuple((gate.comparison, gate.value) for gate in gates),
                unmeasured=len(rows) - len(values),
                source=gates[0].source,
            )
        )
    return found
