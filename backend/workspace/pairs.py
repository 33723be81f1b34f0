"""Pairs with what people and machines say of them: tables for one snapshot, and the rows made of them."""

from collections.abc import Sequence

from backend.api import PairPage, PairRow
from backend.domain import VERIFY_STUDY, SettingsError, Stimulus
from backend.exports.where import EXPORT_COLUMNS, parse_where
from backend.settings import nearest
from backend.store.schema import SOURCE_NOW
from backend.studies.forms import CONTEXT_QUESTION, IDENTITY_QUESTION
from backend.workspace.anchor_statistics import create_anchor_views
from backend.workspace.snapshot import Snapshot
from backend.workspace.subject_queue import create_subject_views

_STATUS = f"""
CREATE OR REPLACE TEMP VIEW pair_status AS
WITH answers AS (
    SELECT * FROM vote WHERE study_id = '{VERIFY_STUDY}' AND question = '{IDENTITY_QUESTION}' AND rater_kind = 'person'
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1
), opinions AS (
    SELECT item_id, rater, choice FROM answers WHERE choice NOTNULL
    QUALIFY row_number() OVER (PARTITION BY item_id, rater ORDER BY seq DESC) = 1
)
SELECT item_id AS pair_id, count(*) AS num_votes,
    CASE WHEN count(*) = 1 THEN 'one' WHEN count(DISTINCT choice) = 1 THEN 'agreed' ELSE 'disputed' END AS status,
    CASE WHEN count(DISTINCT choice) = 1 THEN min(choice) END AS verdict
FROM opinions GROUP BY 1
"""
"""One row per pair that people judged: votes counted once per rater, the latest of each."""

_CONTEXT = f"""
CREATE OR REPLACE TEMP VIEW pair_context AS
WITH answers AS (
    SELECT * FROM vote WHERE study_id = '{VERIFY_STUDY}' AND question = '{CONTEXT_QUESTION}' AND rater_kind = 'person'
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1
), opinions AS (
    SELECT item_id, rater, choice FROM answers WHERE choice NOTNULL
    QUALIFY row_number() OVER (PARTITION BY item_id, rater ORDER BY seq DESC) = 1
)
SELECT item_id AS pair_id, CASE WHEN count(DISTINCT choice) = 1 THEN min(choice) ELSE 'unsure' END AS other_context
FROM opinions GROUP BY 1
"""
"""One row per pair of which somebody said whether its contexts differ; unsure where people disagree."""

_CAPTION = """
CREATE OR REPLACE TEMP TABLE clip_caption AS
SELECT k.clip_id, c.id AS caption_id, c.text, c.author FROM kept_caption k JOIN caption c ON c.id = k.id AND c.work_key = k.work_key
QUALIFY row_number() OVER (PARTITION BY k.clip_id ORDER BY c.author = 'sidecar' DESC, c.author, c.id) = 1
"""
"""One caption for each clip: a sidecar's before any other."""

_SOURCES = f"CREATE OR REPLACE TEMP VIEW source_now AS {SOURCE_NOW}"

_SHOWN = """
CREATE OR REPLACE TEMP TABLE pair_shown AS
WITH wide AS (
    SELECT l.target AS pair_id,
        coalesce(max(l.value) FILTER (l.name = 'similarity'), max(l.value) FILTER (l.name = 'face_cosine')) AS similarity,
        max(l.value) FILTER (l.name = 'context_diversity') AS diversity,
        max(l.value) FILTER (l.name = 'audit_stratum') AS audit_stratum,
        max(l.value) FILTER (l.name = 'audit_draw') AS audit_draw
    FROM live_score l SEMI JOIN kept_pair k ON k.id = l.target GROUP BY 1
)
SELECT p.id AS pair_id, p.kind, true AS accepted, s.category, s.phrase, s.is_living, w.similarity, w.diversity,
    w.audit_stratum, w.audit_draw, k.video_id AS target_video_id, r.video_id AS reference_video_id,
    k.clip_id AS target_clip_id, r.clip_id AS reference_clip_id, ts.uri AS target_uri, rs.uri AS reference_uri,
    ta.frame / tv.fps AS target_time_s, ra.frame / rv.fps AS reference_time_s, c.text AS caption,
    ts.licence, rs.licence AS reference_licence, ts.consent,
    p.target_appearance_id, p.reference_appearance_id, p.target_subject_id, p.reference_subject_id
FROM kept_pair k JOIN pair p ON p.id = k.id AND p.work_key = k.work_key
JOIN kept_appearance r ON r.id = p.reference_appearance_id
JOIN kept_subject ks ON ks.id = p.target_subject_id JOIN subject s ON s.id = ks.id AND s.work_key = ks.work_key
JOIN appearance ta ON ta.id = k.appearance_id AND ta.work_key = (SELECT work_key FROM kept_appearance x WHERE x.id = k.appearance_id)
JOIN appearance ra ON ra.id = r.id AND ra.work_key = r.work_key
JOIN kept_video tk ON tk.id = k.video_id JOIN video tv ON tv.id = tk.id AND tv.work_key = tk.work_key
LEFT JOIN kept_video rk ON rk.id = r.video_id LEFT JOIN video rv ON rv.id = rk.id AND rv.work_key = rk.work_key
JOIN source_now ts ON ts.id = tv.source_id JOIN source_now rs ON rs.id = coalesce(rv.source_id, r.source_id)
LEFT JOIN clip_caption c ON c.clip_id = k.clip_id LEFT JOIN wide w ON w.pair_id = p.id
"""
"""Pairs that the gates accept, with what people sort and filter by. Similarity is of the faces where these decide."""

LIVE = ("status", "verdict", "num_votes", "other_context")
"""Columns that change with every vote."""

NOT_REFUSED = """target_subject_id NOT IN (SELECT subject_id FROM subject_refused)
    AND (reference_subject_id IS NULL OR reference_subject_id NOT IN (SELECT subject_id FROM subject_refused))"""
"""What pairs are to be judged and exported: those of subjects that people did not refuse."""

_READY = f"""
CREATE OR REPLACE TEMP VIEW export_ready AS
SELECT {", ".join(name for name in EXPORT_COLUMNS if name not in LIVE)},
    coalesce(v.status, 'machine') AS status, v.verdict, coalesce(v.num_votes, 0) AS num_votes, x.other_context
FROM pair_shown LEFT JOIN pair_status v USING (pair_id) LEFT JOIN pair_context x USING (pair_id) WHERE {NOT_REFUSED}
"""
"""The documented columns that `--where` may name (`backend.exports.where.EXPORT_COLUMNS`)."""

_PICTURES = """
SELECT a.id, coalesce(min(m.crop), min(a.artifact)) FROM kept_appearance ka
JOIN appearance a ON a.id = ka.id AND a.work_key = ka.work_key
LEFT JOIN kept_mask k ON k.appearance_id = a.id LEFT JOIN mask m ON m.id = k.id AND m.work_key = k.work_key
WHERE a.id IN (SELECT unnest(?::VARCHAR[])) GROUP BY 1
"""
"""The cut-out of each appearance; the picture itself of one that is no frame."""


def create_pair_tables(now: Snapshot) -> None:
    """Makes what `create_pair_views` does, `pair_shown`, and the view `export_ready` for this snapshot."""
    create_pair_views(now)
    create_subject_views(now)
    create_anchor_views(now)
    for statement in (_SHOWN, _READY):
        now.query(statement)


def create_pair_views(now: Snapshot) -> None:
    """Makes `source_now`, `pair_status` and `pair_context` (views) and `clip_caption`."""
    for statement in (_SOURCES, _STATUS, _CONTEXT, _CAPTION):
        now.query(statement)


def pair_rows(now: Snapshot, pair_ids: Sequence[str]) -> list[PairRow]:
    """Rows for pairs of the snapshot, in the order asked for; ids that are not in it are left out."""
    shown = {
        row[0]: row[1:]
        for row in now.query(
            """SELECT p.pair_id, kind, coalesce(s.status, 'machine'), s.verdict, coalesce(s.num_votes, 0), category, phrase,
            target_appearance_id, reference_appearance_id, target_clip_id, reference_clip_id
            FROM pair_shown p LEFT JOIN pair_status s ON s.pair_id = p.pair_id WHERE p.pair_id IN (SELECT unnest(?::VARCHAR[]))""",
            [list(pair_ids)],
        )
    }
    pictures = dict(now.query(_PICTURES, [[name for row in shown.values() for name in row[6:8]]]))
    clips = [name for row in shown.values() for name in row[8:10]]
    captions = dict(
        now.query("SELECT clip_id, text FROM clip_caption WHERE clip_id IN (SELECT unnest(?::VARCHAR[]))", [clips])
    )
    scores: dict[str, dict[str, float | None]] = {}
    for target, name, value in now.query(
        "SELECT target, name, value FROM live_score WHERE target IN (SELECT unnest(?::VARCHAR[])) ORDER BY name",
        [list(shown)],
    ):
        scores.setdefault(target, {})[name] = value

    def stimulus(slot: str, appearance: str, clip: str | None) -> Stimulus:
        crop = pictures.get(appearance)
        return Stimulus(
            slot=slot,
            media=f"a-{crop}" if crop else None,
            clip_media=f"p-{clip}" if clip else None,
            text=captions.get(clip, ""),
        )

    rows = []
    for pair_id in pair_ids:
        if pair_id not in shown:
            continue
        kind, status, verdict, num_votes, category, phrase, *places = shown[pair_id]
        rows.append(
            PairRow(
                pair_id=pair_id,
                kind=kind,
                status=status,
                verdict=verdict,
                num_votes=num_votes,
                accepted=True,
                category=category,
                phrase=phrase,
                scores=scores.get(pair_id, {}),
                target=stimulus("target", places[0], places[2]),
                reference=stimulus("reference", places[1], places[3]),
            )
        )
    return rows


ORDERS = {
    "uncertain": "coalesce(audit_draw, 'inf')",
    "best": "coalesce(-similarity, 'inf')",
    "id": "0::DOUBLE",
}
"""What each order sorts by, smallest first; equal ones by the pair's id. A number for every pair."""


def pair_page(now: Snapshot, *, where: str, order: str, limit: int, after: str | None) -> PairPage:
    """Pairs that `where` selects, in a stable order. Raises SettingsError for an unknown order, a wrong `where` or `after`.

    A page goes on behind a place in the order, not behind a row, which may have been judged or held back since.
    """
    if order not in ORDERS:
        raise SettingsError(f"order {order!r} is not known{nearest(order, ORDERS)}")
    chosen = parse_where(where)
    values = list(chosen.parameters)
    place, last_id = (float("-inf"), "") if after is None else _place(after)
    matching = f"""SELECT pair_id, {ORDERS[order]} AS place
        FROM (SELECT pair_id FROM export_ready WHERE kind <> 'in_pair' AND ({chosen.sql})) JOIN pair_shown USING (pair_id)"""
    total = now.query(f"SELECT count(*) FROM ({matching})", values)[0][0]
    rows = now.query(
        f"SELECT pair_id, place FROM ({matching}) WHERE place > ? OR (place = ? AND pair_id > ?) ORDER BY 2, 1 LIMIT ?",
        [*values, place, place, last_id, limit + 1],
    )
    shown = rows[:limit]
    next_after = f"{shown[-1][1]!r}:{shown[-1][0]}" if len(rows) > limit else None
    return PairPage(rows=tuple(pair_rows(now, [row[0] for row in shown])), total=total, next_after=next_after)


def _place(after: str) -> tuple[float, str]:
    number, _, pair_id = after.partition(":")
    try:
        return float(number), pair_id
    except ValueError as error:
        raise SettingsError(f"after is {after[:80]!r}; give the next_after of the page before, as it came") from error
