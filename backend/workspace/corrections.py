"""What people put right, as readers of a snapshot see it: their value in place of the machine's, under the same name.

A snapshot reads records from tables of the catalog. Where people corrected some of a kind, a view of the kind's name
stands before its table on the snapshot's own connection, so that every reader sees people's values and the machine's
rows stay as they were made. Curation reads the tables: a correction changes no work key.
"""

from backend.workspace.snapshot import Snapshot

_CROPS = """
CREATE OR REPLACE TEMP TABLE correction_crop AS
SELECT item_id, crop FROM correction WHERE what IN ('box', 'mask') AND crop NOTNULL
AND item_id IN (SELECT item_id FROM correction_now WHERE what IN ('box', 'mask'))
QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY seq DESC) = 1
"""
"""The cut-out after the last change of box or mask, withdrawals among them."""

_VIEWS = {
    "caption": """SELECT r.* REPLACE (coalesce(n.text, r.text) AS text, coalesce(n.rater, r.author) AS author), r.rowid AS rowid
        FROM {table} r LEFT JOIN correction_now n ON n.item_id = r.clip_id AND n.what = 'caption'""",
    "phrase": """SELECT r.* REPLACE (
            CASE WHEN n.text IS NULL THEN r.start ELSE strpos(n.text, r.text) - 1 END AS start,
            CASE WHEN n.text IS NULL THEN r.stop ELSE strpos(n.text, r.text) - 1 + length(r.text) END AS stop), r.rowid AS rowid
        FROM {table} r LEFT JOIN (SELECT DISTINCT ON (id) id, clip_id FROM caption) c ON c.id = r.caption_id
        LEFT JOIN correction_now n ON n.item_id = c.clip_id AND n.what = 'caption'
        WHERE n.text IS NULL OR strpos(n.text, r.text) > 0""",
    "subject": """SELECT r.* REPLACE (coalesce(p.text, r.phrase) AS phrase, coalesce(c.text, r.category) AS category,
            CASE WHEN c.text IS NULL THEN r.is_living ELSE c.living END AS is_living), r.rowid AS rowid
        FROM {table} r LEFT JOIN correction_now p ON p.item_id = r.id AND p.what = 'phrase'
        LEFT JOIN correction_now c ON c.item_id = r.id AND c.what = 'category'""",
    "appearance": """SELECT r.* REPLACE (coalesce(n.box, r.box) AS box), r.rowid AS rowid
        FROM {table} r LEFT JOIN correction_now n ON n.item_id = r.id AND n.what = 'box'""",
    "mask": """SELECT r.* REPLACE (CASE WHEN n.counts IS NULL THEN r.counts ELSE encode(n.counts) END AS counts,
            coalesce(n.rater, r.author) AS author, coalesce(c.crop, r.crop) AS crop), r.rowid AS rowid
        FROM {table} r LEFT JOIN correction_now n ON n.item_id = r.appearance_id AND n.what = 'mask'
        LEFT JOIN correction_crop c ON c.item_id = r.appearance_id""",
}
"""By kind of record: its table with people's values. A phrase stays where a corrected caption still holds it."""

_CHANGED_BY = {
    "caption": ("caption",),
    "phrase": ("caption",),
    "subject": ("phrase", "category"),
    "appearance": ("box",),
    "mask": ("box", "mask"),
}


def apply_corrections(now: Snapshot) -> None:
    """Makes views before the tables of records that people corrected."""
    now.query(_CROPS)
    said = {what for (what,) in now.query("SELECT DISTINCT what FROM correction_now")}
    ((catalog,),) = now.query("SELECT current_database()")
    for kind, view in _VIEWS.items():
        if said & set(_CHANGED_BY[kind]):
            table = f'"{catalog}".main."{kind}"'
            now.query(f'CREATE OR REPLACE TEMP VIEW "{kind}" AS {view.format(table=table)}')
