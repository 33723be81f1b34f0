"""The tables that the library is read from: one a kind, made from a snapshot when first asked for.

`library_KIND` has a row for each item that the current plan keeps or one of its gates holds back: `n` (its place in the
order of the footage), `id`, the columns of `COLUMNS`, a column for each score of the kind, `gate` and `haystack`, the
lower-case text that a search looks through. What people say (state, verdicts) is joined when it is read.
"""

import re
from dataclasses import dataclass

from backend.exports.where import Column
from backend.workspace.snapshot import Snapshot

NAMING = 2
"""So many columns of each kind say what the item is; they come first."""
MAX_SCORES = 40
"""Columns of scores; a kind with more shows the first by name."""
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")

VIDEO_SOURCE = "LEFT JOIN source_now s ON s.id = v.source_id"
_ANY_VIDEO = "(SELECT DISTINCT ON (id) * FROM video)"
_ANY_CLIP = "(SELECT DISTINCT ON (id) * FROM clip)"


@dataclass(frozen=True, slots=True)
class Table:
    """How `library_KIND` is made: `rows` selects from `shown` (id, work_key, gate); `order` is that of the footage."""

    columns: dict[str, Column]
    rows: str
    order: str
    searched: tuple[str, ...]
    scored: str = "id"
    """Whose scores are shown."""


def _text(meaning: str) -> Column:
    return Column("text", meaning)


def _number(meaning: str) -> Column:
    return Column("number", meaning)


LIVE: dict[str, Column] = {"state": _text("kept, held back by a gate, or excluded by a person")}
"""Columns of every kind that people change."""
PAIR_LIVE: dict[str, Column] = {
    "status": _text("machine, one, agreed, disputed: how far people have judged it"),
    "verdict": _text("what they say: same, different, near_duplicate or unsure"),
    "num_votes": _number("how many people have judged it"),
}

TABLES: dict[str, Table] = {
    "video": Table(
        columns={
            "name": _text("the file's name"),
            "duration_s": _number("its length in seconds"),
            "num_clips": _number("clips of it that are kept"),
            "num_subjects": _number("subjects in them that are kept"),
            "width": _number("of the displayed frame, in pixels"),
            "height": _number("of the displayed frame, in pixels"),
            "fps": _number("frames a second"),
            "num_frames": _number("frames in all"),
            "codec": _text("how its pictures are coded"),
            "has_audio": Column("bool", "whether it has sound"),
            "licence": _text("under which it may be used"),
            "attribution": _text("whom to name"),
            "uri": _text("where the file lies"),
            "video_id": _text("its id"),
        },
        rows=f"""SELECT b.id, b.gate, parse_filename(s.uri) AS name, v.duration_s, coalesce(c.num, 0) AS num_clips,
            coalesce(u.num, 0) AS num_subjects, v.width, v.height, v.fps, v.num_frames, v.codec, v.has_audio, s.licence,
            s.attribution, s.uri, v.id AS video_id
        FROM shown b JOIN video v ON v.id = b.id AND v.work_key = b.work_key {VIDEO_SOURCE}
        LEFT JOIN (SELECT video_id, count(*) AS num FROM kept_clip GROUP BY 1) c ON c.video_id = b.id
        LEFT JOIN (SELECT video_id, count(*) AS num FROM kept_subject GROUP BY 1) u ON u.video_id = b.id""",
        order="name, id",
        searched=("name", "codec", "licence", "attribution", "uri", "video_id"),
    ),
    "clip": Table(
        columns={
            "name": _text("the file of its video"),
            "caption": _text("what is said of it"),
            "start_s": _number("where it begins in the video, in seconds"),
            "duration_s": _number("its length in seconds"),
            "num_subjects": _number("subjects in it that are kept"),
            "num_frames": _number("frames in all"),
            "opens_with": _text("what stands at its start: start, cut, gradual or split"),
            "caption_by": _text("who wrote the caption"),
            "clip_id": _text("its id"),
            "video_id": _text("id of its video"),
        },
        rows=f"""SELECT b.id, b.gate, parse_filename(s.uri) AS name, w.text AS caption, c.start_s, c.stop_s - c.start_s AS duration_s,
            coalesce(u.num, 0) AS num_subjects, c.stop_frame - c.start_frame AS num_frames, c.opens_with, w.author AS caption_by,
            c.id AS clip_id, c.video_id
        FROM shown b JOIN clip c ON c.id = b.id AND c.work_key = b.work_key
        LEFT JOIN {_ANY_VIDEO} v ON v.id = c.video_id {VIDEO_SOURCE} LEFT JOIN clip_caption w ON w.clip_id = b.id
        LEFT JOIN (SELECT clip_id, count(*) AS num FROM kept_subject GROUP BY 1) u ON u.clip_id = b.id""",
        order="name, video_id, start_s, id",
        searched=("name", "caption", "opens_with", "clip_id", "video_id"),
    ),
    "subject": Table(
        columns={
            "phrase": _text("what the caption calls it"),
            "category": _text("its place in the taxonomy"),
            "is_living": Column("bool", "whether it lives"),
            "name": _text("the file of its video"),
            "start_s": _number("where its clip begins, in seconds"),
            "num_appearances": _number("frames on which it was cut out"),
            "confidence": _number("how sure the detector is, at best"),
            "subject_id": _text("its id"),
            "clip_id": _text("id of its clip"),
            "video_id": _text("id of its video"),
        },
        rows=f"""SELECT b.id, b.gate, u.phrase, u.category, u.is_living, parse_filename(s.uri) AS name, c.start_s,
            coalesce(a.num, 0) AS num_appearances, a.confidence, u.id AS subject_id, u.clip_id, c.video_id
        FROM shown b JOIN subject u ON u.id = b.id AND u.work_key = b.work_key LEFT JOIN {_ANY_CLIP} c ON c.id = u.clip_id
        LEFT JOIN {_ANY_VIDEO} v ON v.id = c.video_id {VIDEO_SOURCE}
        LEFT JOIN (SELECT k.subject_id, count(*) AS num, max(a.confidence) AS confidence FROM kept_appearance k
            JOIN appearance a ON a.id = k.id AND a.work_key = k.work_key WHERE k.subject_id NOTNULL GROUP BY 1) a ON a.subject_id = b.id""",
        order="name, video_id, start_s, phrase, id",
        searched=("phrase", "category", "name", "subject_id", "clip_id", "video_id"),
    ),
    "anchor": Table(
        columns={
            "kind": _text("global, viewpoint or expression"),
            "label": _text("which view or expression"),
            "phrase": _text("what the caption calls its subject"),
            "category": _text("its subject's place in the taxonomy"),
            "inside": Column("bool", "whether its frame lies in the clip that it is an anchor of"),
            "name": _text("the file of its video"),
            "time_s": _number("where its frame is in the video, in seconds"),
            "confidence": _number("how sure the detector is of the appearance"),
            "anchor_id": _text("its id"),
            "appearance_id": _text("id of its appearance"),
            "subject_id": _text("id of its subject"),
            "clip_id": _text("id of the clip that it is an anchor of"),
            "video_id": _text("id of its video"),
        },
        rows=f"""SELECT b.id, b.gate, n.kind, n.label, u.phrase, u.category, n.inside, parse_filename(s.uri) AS name,
            a.frame / v.fps AS time_s, a.confidence, n.id AS anchor_id, n.appearance_id, a.subject_id, n.clip_id, v.id AS video_id
        FROM shown b JOIN anchor n ON n.id = b.id AND n.work_key = b.work_key
        LEFT JOIN (SELECT DISTINCT ON (id) * FROM appearance) a ON a.id = n.appearance_id
        LEFT JOIN (SELECT DISTINCT ON (id) * FROM subject) u ON u.id = a.subject_id LEFT JOIN {_ANY_CLIP} c ON c.id = u.clip_id
        LEFT JOIN {_ANY_VIDEO} v ON v.id = c.video_id {VIDEO_SOURCE}""",
        order="name, video_id, subject_id, kind, label, id",
        searched=("kind", "label", "phrase", "category", "name", "anchor_id", "subject_id", "clip_id", "video_id"),
    ),
    "pair": Table(
        columns={
            "phrase": _text("what the caption calls the target"),
            "category": _text("the target's place in the taxonomy"),
            "kind": _text("in_pair, cross_frame, cross_video or generated"),
            "name": _text("the file of the target's video"),
            "reference_name": _text("the file that the reference is from"),
            "target_time_s": _number("where the target's frame is, in seconds"),
            "pair_id": _text("its id"),
            "subject_id": _text("id of the target's subject"),
            "clip_id": _text("id of the target's clip"),
            "video_id": _text("id of the target's video"),
            "reference_subject_id": _text("id of the reference's subject"),
            "reference_clip_id": _text("id of the reference's clip"),
            "reference_video_id": _text("id of the reference's video"),
        },
        rows=f"""SELECT b.id, b.gate, u.phrase, u.category, p.kind, parse_filename(s.uri) AS name,
            parse_filename(rs.uri) AS reference_name, a.frame / v.fps AS target_time_s, p.id AS pair_id,
            p.target_subject_id AS subject_id, u.clip_id, c.video_id, p.reference_subject_id, ru.clip_id AS reference_clip_id,
            rc.video_id AS reference_video_id
        FROM shown b JOIN pair p ON p.id = b.id AND p.work_key = b.work_key
        LEFT JOIN (SELECT DISTINCT ON (id) * FROM subject) u ON u.id = p.target_subject_id
        LEFT JOIN (SELECT DISTINCT ON (id) * FROM appearance) a ON a.id = p.target_appearance_id
        LEFT JOIN {_ANY_CLIP} c ON c.id = u.clip_id LEFT JOIN {_ANY_VIDEO} v ON v.id = c.video_id {VIDEO_SOURCE}
        LEFT JOIN (SELECT DISTINCT ON (id) * FROM subject) ru ON ru.id = p.reference_subject_id
        LEFT JOIN {_ANY_CLIP} rc ON rc.id = ru.clip_id LEFT JOIN {_ANY_VIDEO} rv ON rv.id = rc.video_id
        LEFT JOIN kept_appearance ra ON ra.id = p.reference_appearance_id
        LEFT JOIN source_now rs ON rs.id = coalesce(rv.source_id, ra.source_id)""",
        order="name, video_id, target_time_s, reference_name, id",
        searched=("phrase", "category", "kind", "name", "reference_name", "pair_id", "subject_id", "clip_id", "video_id"),
    ),
}

_SHOWN = """
SELECT id, work_key, NULL::VARCHAR AS gate FROM kept_{kind} UNION ALL
SELECT r.id, arg_max(r.work_key, r.rowid), any_value(g.gate) FROM (
    SELECT id, min(gate) AS gate FROM gated WHERE kind = '{kind}' GROUP BY 1) g
JOIN "{kind}" r ON r.id = g.id ANTI JOIN kept_{kind} k ON k.id = g.id GROUP BY 1
"""


def make_table(now: Snapshot, kind: str) -> dict[str, Column]:
    """Makes `library_KIND` in the snapshot and gives its columns: those of the kind, then scores by name."""
    table = TABLES[kind]
    now.query(f"CREATE OR REPLACE TEMP TABLE library_shown AS {_SHOWN.format(kind=kind)}")
    scores = _scores(now, table)
    wide = ", ".join(f'max(l.value) FILTER (l.name = {_quoted(name)}) AS "{name}"' for name in scores)
    joined, picked = "", ""
    if scores:
        joined = f"""LEFT JOIN (SELECT l.target, {wide} FROM live_score l SEMI JOIN library_shown k ON k.id = l.target
            WHERE l.name IN ({", ".join(map(_quoted, scores))}) GROUP BY 1) w ON w.target = t.id"""
        picked = "".join(f', w."{name}"' for name in scores)
    haystack = " || ' ' || ".join(f"coalesce({name}, '')" for name in table.searched)
    now.query(
        f"""CREATE OR REPLACE TEMP TABLE library_{kind} AS
        SELECT row_number() OVER (ORDER BY {table.order}) - 1 AS n, t.*, lower({haystack}) AS haystack{picked}
        FROM (WITH shown AS (FROM library_shown) {table.rows}) t {joined} ORDER BY n"""
    )
    now.query("DROP TABLE library_shown")
    live = {**LIVE, **(PAIR_LIVE if kind == "pair" else {})}
    own = list(table.columns.items())
    return {
        **dict(own[:NAMING]),
        **live,
        **dict(own[NAMING:]),
        "gate": _text("the gate that holds it back"),
        **{name: _number("a score") for name in scores},
    }


def _scores(now: Snapshot, table: Table) -> list[str]:
    """Names of scores of items of the kind that can be columns."""
    found = now.query("SELECT DISTINCT l.name FROM live_score l SEMI JOIN library_shown k ON k.id = l.target ORDER BY 1")
    taken = {*table.columns, *LIVE, *PAIR_LIVE, "n", "id", "gate", "haystack"}
    return [name for (name,) in found if _NAME.fullmatch(name) and name not in taken][:MAX_SCORES]


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
