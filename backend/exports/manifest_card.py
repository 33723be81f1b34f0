"""The README.md of an export: what it holds, where it comes from, under which licences."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from backend.exports.licences import terms_of
from backend.exports.rows import ExportAbout, ExportPair, ExportVideo

MOST_ROWS = 30
"""Longer tables are cut and say so."""


def card(
    pairs: Sequence[ExportPair],
    videos: Sequence[ExportVideo],
    about: ExportAbout,
    *,
    files: Sequence[str],
    left_out: Mapping[str, int] | None = None,
) -> str:
    """Markdown; its numbers are counted from the rows. `files` tells of each file of the format, a line each."""
    sides = [side for pair in pairs for side in (pair.target, pair.reference)]
    living = Counter({True: "living", False: "not living", None: "unknown"}[pair.is_living] for pair in pairs)
    seconds = sum(video.duration_s for video in videos)
    subjects = {side.subject_id for side in sides if side.subject_id}
    parts = [
        f"# {plain(about.project) or 'Subject Studio'}: subject-to-video pairs",
        "",
        f"{len(pairs)} pairs of a target and a reference that show the same subject, from {len(videos)} videos "
        f"({seconds / 60:.1f} minutes), {len(subjects)} subjects.",
        "",
        *facts(about),
        *table("Pairs by kind", "kind", Counter(pair.kind for pair in pairs)),
        *table("Pairs by what people said", "status", Counter(pair.status for pair in pairs)),
        *table("Verdicts", "verdict", Counter(pair.verdict or "none" for pair in pairs)),
        *table("Pairs by split", "split", Counter(pair.split or "none" for pair in pairs)),
        *table("Pairs by category", "category", Counter(pair.category or "unknown" for pair in pairs)),
        *table("Living subjects", "subject", living),
        *table("Videos by licence", "licence", Counter(video.licence or "not stated" for video in videos)),
        *table("Pairs by licence", "licence", Counter(pair.licence or "not stated" for pair in pairs)),
        *table("Left out", "reason", Counter(dict(about.left_out) if left_out is None else left_out)),
        *bullets("Gates that held", about.gates),
        *bullets("Models", sorted({f"{role}: {model}" for pair in pairs for role, model in pair.models})),
        *bullets("What the licences ask", asked_by(one.licence for one in (*pairs, *videos))),
        *bullets("Attribution", sorted({video.attribution for video in videos if video.attribution})),
        "## Files",
        "",
        *(f"- {file}" for file in files),
        "- `MANIFEST.sha256`: checksums; `sha256sum -c MANIFEST.sha256` checks the folder.",
        "",
        "Boxes are `x0, y0, x1, y1` in pixels of the displayed frame, half-open; spans are `[start_frame, stop_frame)`",
        "in presentation order; masks are COCO run lengths on the whole frame. Scores of two producers are never on one",
        "scale. Pictures and videos stay under the licences of their sources.",
    ]
    return "\n".join(parts) + "\n"


def asked_by(licences: Iterable[str | None]) -> list[str]:
    """What each of the licences asks of whoever uses what is under it, a line each."""
    found = sorted({licence for licence in licences if licence})
    return [f"{licence}: {', '.join(terms_of(licence)) or 'nothing that is known here'}" for licence in found]


def facts(about: ExportAbout) -> list[str]:
    """What made the export, as a list."""
    found = [
        ("Recipe", about.recipe),
        ("Profile", about.profile),
        ("Made by", f"Subject Studio {about.version}"),
        ("Made for", about.purpose),
        ("Chosen by", about.where or "every pair that the gates accept"),
        ("Split", about.split or "none"),
        ("Catalog", about.catalog_hash),
    ]
    return [*(f"- {name}: {plain(value)}" for name, value in found if value), ""]


def table(title: str, name: str, counts: Counter[str]) -> list[str]:
    """Counts under a heading, the largest first; nothing where there are none."""
    if not counts:
        return []
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    cut = [f"| {len(rows) - MOST_ROWS} more | {sum(n for _, n in rows[MOST_ROWS:])} |"] if len(rows) > MOST_ROWS else []
    lines = [f"| {plain(key)} | {count} |" for key, count in rows[:MOST_ROWS]]
    return [f"## {title}", "", f"| {name} | number |", "|---|---:|", *lines, *cut, ""]


def bullets(title: str, entries: Iterable[str]) -> list[str]:
    """Entries under a heading; nothing where there are none."""
    lines = [f"- {plain(entry)}" for entry in entries]
    return [f"## {title}", "", *lines, ""] if lines else []


def plain(text: str) -> str:
    """One line that Markdown shows as it is: names and licences come from outside."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#" else sign for sign in " ".join(text.split()))
