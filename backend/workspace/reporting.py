"""The curation report, filled from the current plan."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from pathlib import Path

from backend.api import Status
from backend.domain.score_words import SIGNS, gate_title, score_title
from backend.domain.statistics import AblationRow
from backend.engine.plan import TOP, Gate, Plan
from backend.media.images import decode_image
from backend.report import (
    AnchorCard,
    CopyRow,
    CurationData,
    Distribution,
    PairCard,
    ScoreLine,
    ShotCard,
    SubjectCard,
    curation_report,
    render,
)
from backend.report.statistics import ablation_report, statistics_sections
from backend.settings import ProjectSettings
from backend.store.artifacts import Artifacts
from backend.store.whole_file import write_whole
from backend.workspace.copies import CopiedClips
from backend.workspace.dataset_statistics import dataset_statistics, gated_scores
from backend.workspace.shot_thumbs import thumbs_of
from backend.workspace.snapshot import Snapshot

MAX_SHOTS = 240
MAX_SUBJECTS = 120
MAX_PAIRS = 60
MAX_ANCHORS = 12  # of each side, each expression, and each other kind
MAX_HELD_BACK = 24  # enough to see whether a gate is in its place
SHOWN_SCORES = ("similarity", "context_diversity", "near_duplicate")
"""What a pair's card shows, and after it the score that holds the pair back; first its faces where these decide."""

_PAIRS = """
SELECT p.id, p.target_appearance_id, p.reference_appearance_id, p.kind,
    coalesce(s.phrase, s.category, CASE WHEN s.is_living THEN 'person' END, 'unlabelled'), coalesce(v.status, 'machine'), v.verdict, s.category
FROM (SELECT DISTINCT ON (id) * FROM pair WHERE id IN (SELECT unnest(?::VARCHAR[]))) p
JOIN kept_subject k ON k.id = p.target_subject_id JOIN subject s ON s.id = k.id AND s.work_key = k.work_key
LEFT JOIN pair_status v ON v.pair_id = p.id
"""

_SIDES = """
SELECT k.id, coalesce((SELECT min(m.crop) FROM kept_mask km JOIN mask m ON m.id = km.id AND m.work_key = km.work_key
    WHERE km.appearance_id = k.id), a.artifact), src.uri, coalesce(a.frame / v.fps, 0), coalesce(c.text, '')
FROM kept_appearance k JOIN appearance a ON a.id = k.id AND a.work_key = k.work_key
LEFT JOIN kept_video kv ON kv.id = k.video_id LEFT JOIN video v ON v.id = kv.id AND v.work_key = kv.work_key
JOIN source src ON src.id = coalesce(v.source_id, k.source_id) LEFT JOIN clip_caption c ON c.clip_id = k.clip_id
WHERE k.id IN (SELECT unnest(?::VARCHAR[]))
"""


_ANCHORS = """
SELECT kind, appearance_id, confidence, number FROM (
    SELECT *, count(*) OVER (PARTITION BY kind) AS number,
        row_number() OVER (PARTITION BY kind ORDER BY confidence DESC NULLS LAST, appearance_id) AS place FROM (
        SELECT CASE WHEN a.kind IN ('viewpoint', 'expression') THEN a.kind || ': ' || a.label ELSE a.kind END AS kind,
            a.appearance_id, max(l.value) AS confidence FROM kept_anchor k
        JOIN anchor a ON a.id = k.id AND a.work_key = k.work_key
        LEFT JOIN live_score l ON l.target = a.id AND l.name = 'confidence' GROUP BY 1, 2))
WHERE place <= ? ORDER BY kind, place
"""
"""A picture may stand for its subject in several clips: it is shown once."""


def write_report(
    now: Snapshot,
    plan: Plan,
    settings: ProjectSettings,
    artifacts: Artifacts,
    status: Status,
    path: Path,
    *,
    title: str,
    copied: Sequence[CopiedClips],
) -> None:
    """Writes one offline HTML file."""
    accepted = _accepted(now)
    anchors, num_anchors = _anchors(now, artifacts)
    held_back, num_held_back = _held_back(now, plan)
    data = CurationData(
        project=title,
        version=importlib.metadata.version("subject-studio"),
        recipe=settings.recipe,
        profile=settings.profile,
        made_at=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        status=status,
        shots=_shots(now, plan, artifacts),
        subjects=_subjects(now, artifacts),
        anchors=anchors,
        pairs=_cards(now, plan, artifacts, [*accepted, *held_back], dropped=held_back),
        distributions=_distributions(now, plan),
        copies=[
            CopyRow(
                first=row.first.name,
                first_s=(row.first.start_s, row.first.stop_s),
                second=row.second.name,
                second_s=(row.second.start_s, row.second.stop_s),
                share=row.share,
            )
            for row in copied
        ],
        num_shots=now.query("SELECT count(DISTINCT id) FROM clip")[0][0],
        num_subjects=status.counts["subjects"],
        num_anchors=num_anchors,
        num_pairs=status.counts["pairs"],
        num_held_back=num_held_back,
    )
    figures = dataset_statistics(now, plan, name=title)
    report = curation_report(data)
    report = replace(report, sections=[report.sections[0], *statistics_sections(figures), *report.sections[1:]])
    write_whole(path, render(report))


def write_ablation(rows: Sequence[AblationRow], settings: ProjectSettings, path: Path, *, title: str) -> None:
    """Writes one offline HTML file."""
    facts = (("Recipe", settings.recipe), ("Profile", settings.profile))
    write_whole(path, render(ablation_report(rows, title=title, facts=facts)))


def _shots(now: Snapshot, plan: Plan, artifacts: Artifacts) -> list[ShotCard]:
    words = {gate.name: f"needs {gate_title(gate.words)}" for gate in plan.gates()}
    rows = now.query(
        f"""SELECT s.uri, v.index, c.start_frame, c.stop_frame, c.start_s, c.stop_s, c.opens_with, g.gate
        FROM kept_video k JOIN video v ON v.id = k.id AND v.work_key = k.work_key JOIN source s ON s.id = v.source_id
        JOIN (SELECT DISTINCT ON (id) * FROM clip) c ON c.video_id = k.id
        LEFT JOIN (SELECT id, min(gate) AS gate FROM gated WHERE kind = 'clip' GROUP BY 1) g ON g.id = c.id
        LEFT JOIN kept_clip kc ON kc.id = c.id WHERE kc.id NOTNULL OR g.id NOTNULL
        ORDER BY s.uri, c.start_frame LIMIT {MAX_SHOTS}"""
    )
    shots = {uri: list(of_uri) for uri, of_uri in groupby(rows, key=lambda row: row[0])}
    read = thumbs_of(
        [
            (uri, artifacts.get(of_uri[0][1]), [(start + stop) // 2 for _, _, start, stop, *_ in of_uri])
            for uri, of_uri in shots.items()
        ]
    )
    cards: list[ShotCard] = []
    for (uri, of_uri), thumbs in zip(shots.items(), read, strict=True):
        if not thumbs:
            continue  # the source has gone since; its rows stand in the tables
        for (_, _, _, _, start_s, stop_s, opens_with, gate), thumb in zip(of_uri, thumbs, strict=True):
            cards.append(
                ShotCard(
                    image=thumb,
                    video=Path(uri).name,
                    start_s=start_s,
                    stop_s=stop_s,
                    opens_with=opens_with,
                    dropped=words.get(gate, ""),
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


def _anchors(now: Snapshot, artifacts: Artifacts) -> tuple[list[AnchorCard], dict[str, int]]:
    """The surest pictures of each side and expression, and how many there are of each kind."""
    rows = now.query(_ANCHORS, [MAX_ANCHORS])
    sides = {row[0]: row[1:4] for row in now.query(_SIDES, [[row[1] for row in rows]])}
    cards = []
    for kind, appearance, confidence, _ in rows:
        crop, uri, seconds = sides.get(appearance, (None, "", 0.0))
        if crop is not None:
            where = _where(uri, seconds)
            cards.append(AnchorCard(image=artifacts.get(crop), group=kind, where=where, confidence=confidence))
    return cards, {kind: number for kind, _, _, number in rows}


def _accepted(now: Snapshot) -> list[str]:
    """The pairs of each video by turns, likest first."""
    rows = now.query(
        f"""SELECT pair_id FROM (SELECT pair_id, target_video_id, similarity, row_number() OVER (
            PARTITION BY target_video_id ORDER BY similarity DESC) AS place FROM pair_shown WHERE kind <> 'in_pair')
        ORDER BY place, similarity DESC, pair_id LIMIT {MAX_PAIRS}"""
    )
    return [row[0] for row in rows]


def _held_back(now: Snapshot, plan: Plan) -> tuple[dict[str, tuple[str, str]], int]:
    """For the nearest misses, by pair id, which score holds each back and how, in words; and how many there are in all.

    Each gate has its own scale, so that gates take turns, and of one gate the pair nearest to the cut comes first.
    """
    gates = {gate.name: gate for gate in plan.gates() if gate.record == "pair"}.values()
    rows = now.query(
        f"""SELECT h.id, g.score, l.value, g.comparison, h.cut, count(*) OVER () FROM (
            SELECT id, min(gate) AS gate, arg_min(cut, gate) AS cut FROM gated WHERE kind = 'pair' GROUP BY 1) h
        JOIN (SELECT unnest(?::VARCHAR[]) AS gate, unnest(?::VARCHAR[]) AS score, unnest(?::VARCHAR[]) AS comparison) g
            USING (gate)
        JOIN live_score l ON l.target = h.id AND l.name = g.score AND l.value NOTNULL
        JOIN (SELECT DISTINCT ON (id) * FROM pair WHERE kind <> 'in_pair') p ON p.id = h.id
        ORDER BY row_number() OVER (PARTITION BY gate ORDER BY abs(l.value - h.cut), h.id), gate LIMIT {MAX_HELD_BACK}""",
        [
            [gate.name for gate in gates],
            [gate.score for gate in gates],
            [gate.comparison for gate in gates],
        ],
    )
    words = {
        pair_id: (score, f"{score_title(score)} is {value:.3g}, must be {SIGNS[comparison]} {cut:g}")
        for pair_id, score, value, comparison, cut, _ in rows
    }
    return words, rows[0][-1] if rows else 0


def _cards(
    now: Snapshot, plan: Plan, artifacts: Artifacts, pair_ids: Sequence[str], *, dropped: Mapping[str, tuple[str, str]]
) -> list[PairCard]:
    gates: dict[str, list[Gate]] = {}
    for gate in dict.fromkeys(plan.gates()):
        if gate.record == "pair":
            gates.setdefault(gate.score, []).append(gate)
    shown = [name for name in ("face_cosine",) if name in gates] + list(SHOWN_SCORES)
    pairs = {row[0]: row[1:] for row in now.query(_PAIRS, [list(pair_ids)])}
    sides = {row[0]: row[1:] for row in now.query(_SIDES, [[name for row in pairs.values() for name in row[:2]]])}
    scores: dict[str, list[ScoreLine]] = {}
    for target, name, value, reason, producer in now.query(
        """SELECT target, name, value, reason, producer FROM live_score WHERE target IN (SELECT unnest(?::VARCHAR[]))
        ORDER BY coalesce(list_position(?::VARCHAR[], name), 99), name""",
        [list(pairs), shown],
    ):
        if name in shown or name == dropped.get(target, ("",))[0]:
            category = pairs[target][-1]
            bounds = tuple((gate.comparison, gate.cut(category, producer)) for gate in gates.get(name, ()))
            line = ScoreLine(name=name, value=value, reason=reason or "", gates=bounds)
            scores.setdefault(target, []).append(line)
    cards = []
    for pair_id in (name for name in pair_ids if name in pairs):  # a subject of others was excluded
        target, reference, kind, phrase, status, verdict, _ = pairs[pair_id]
        (target_crop, *target_said), (reference_crop, *reference_said) = sides[target], sides[reference]
        if target_crop is None or reference_crop is None:
            continue
        cards.append(
            PairCard(
                target=artifacts.get(target_crop),
                reference=artifacts.get(reference_crop),
                target_where=_where(*target_said[:2]),
                reference_where=_where(*reference_said[:2]),
                target_caption=target_said[2],
                reference_caption=reference_said[2],
                phrase=phrase,
                kind=kind,
                status=status,
                verdict=verdict,
                scores=tuple(scores.get(pair_id, ())),
                dropped=dropped.get(pair_id, ("", ""))[1],
            )
        )
    return cards


def _where(uri: str, seconds: float) -> str:
    return f"{Path(uri).name}, {seconds:.1f} s"


def _distributions(now: Snapshot, plan: Plan) -> list[Distribution]:
    return [
        Distribution(
            name=each.name,
            record=each.record,
            values=each.values,
            gates=tuple((gate.comparison, gate.value) for gate in each.gates if gate.comparison != TOP),
            unmeasured=each.unmeasured,
            source=each.gates[0].source,
        )
        for each in gated_scores(now, plan)
    ]
