"""Studies as sheets: the Api's figures in rows and columns, as a table shows them and a CSV file keeps them. Nothing is computed here."""

from collections.abc import Sequence

from backend.domain.dashboards import Dashboard
from backend.domain.studies import AspectResults, Invitation, Participant, StudyResults, StudySummary
from studio.sessions import results
from studio.sessions.results import Cell, Sheet, ranks_of, words_of

CHOSEN = "▸ "
"""Before the row of a table that is this study's."""


def power_sheet(study: StudySummary) -> Sheet:
    """What designs can tell, this study's among them."""
    rows = [
        (
            f"{CHOSEN if row.chosen else ''}{row.pairs}",
            row.raters,
            row.votes,
            f"± {row.half_width:.3f}",
            f"{row.detectable:.2f}",
        )
        for row in study.power
    ]
    return Sheet(head=("items", "raters", "votes", "half_width", "detectable"), rows=tuple(rows))


def came_in_sheet(found: Dashboard) -> Sheet:
    """Votes of each question and pair before any rule; both bad is a tie, and counted apart."""
    rows = [
        (
            row.question,
            row.a,
            f"{row.wins} : {row.ties + row.both_bad} : {row.losses}",
            row.b,
            row.rate,
            row.both_bad,
            row.skipped,
        )
        for row in found.pairs
    ]
    head = ("aspect", "system", "w_t_l", "rival", "win_rate", "both_bad", "skipped")
    return Sheet(head=head, rows=tuple(rows))


def busiest_sheet(found: Dashboard) -> Sheet:
    """Who gave most votes, before any rule."""
    rows = [(one.rater, one.votes, one.left, one.right, one.median_s) for one in found.busiest]
    return Sheet(head=("rater", "votes", "left", "right", "median_s"), rows=tuple(rows))


def funnel_sheet(found: StudyResults) -> Sheet:
    """What each rule left out, and how many it kept."""
    return Sheet(
        head=("rule", "left_out", "kept"), rows=tuple((step.rule, step.removed or None, step.kept) for step in found.funnel)
    )


def people_sheet(people: Sequence[Participant], found: StudyResults | None) -> Sheet:
    """Everybody who joined, newest first, with what results say of them."""
    quality = {one.participant: one for one in found.raters} if found else {}
    rows: list[tuple[Cell, ...]] = []
    for person in reversed(people):
        row = quality.get(person.id)
        measured: tuple[Cell, ...] = (None,) * 5
        if row is not None:
            minutes = None if row.is_imported else round(row.seconds / 60, 1)
            measured = (row.votes, minutes, row.median_item_s, words_of(row.gold), words_of(row.consistency))
        left_out = row.removed_by or None if row else None
        joined = person.joined_at[:16].replace("T", " ")
        rows.append(
            (
                person.id,
                person.group,
                person.background or None,
                person.state,
                left_out,
                person.code or None,
                *measured,
                joined,
            )
        )
    about = ("participant", "group", "background", "state", "removed_by", "code")
    return Sheet(head=(*about, "votes", "minutes", "median_s", "gold", "consistency", "joined"), rows=tuple(rows))


def links_sheet(made: Sequence[Invitation], url: str) -> Sheet:
    """Links of invitations, or their tokens while nobody knows where the page will be."""
    rows = [(one.link(url) if url else one.token, one.group, one.expires_at[:10]) for one in made]
    return Sheet(head=("link" if url else "token", "group", "expires"), rows=tuple(rows))


def ranking_sheet(aspect: AspectResults) -> Sheet:
    """Systems in the order of the main figure of the study's kind."""
    if aspect.shares:
        shares = [(one.system, one.chosen, words_of(one.share), words_of(one.wilson)) for one in aspect.shares]
        return Sheet(head=("system", "chosen", "share", "wilson"), rows=tuple(shares))
    if aspect.points:
        points = [(one.system, words_of(one.mean), *one.counts) for one in aspect.points]
        return Sheet(head=("system", "points", "=1", "=2", "=3", "=4", "=5"), rows=tuple(points))
    held_out = {one.system: one for one in aspect.held_out}
    rows = []
    for one in aspect.strengths:
        main = (ranks_of(one), one.system, words_of(one.davidson), words_of(one.bradley_terry))
        beside = (one.elo, words_of(one.rate), words_of(one.majority))
        fair = (words_of(held_out[one.system].davidson),) if one.system in held_out else ()
        rows.append((*main, *beside, *fair))
    head = ("rank", "system", "davidson", "bradley_terry", "elo", "win_rate", "majority")
    return Sheet(head=(*head, "held_out") if held_out else head, rows=tuple(rows))


def pairings_sheet(aspect: AspectResults) -> Sheet:
    """Each system against each rival, by both intervals."""
    rows = [
        (one.system, one.rival, one.wins, one.ties, one.both_bad, one.losses, words_of(one.rate), words_of(one.wilson))
        for one in aspect.wins
    ]
    return Sheet(head=("system", "rival", "wins", "ties", "both_bad", "losses", "win_rate", "wilson"), rows=tuple(rows))


def agreement_sheet(found: StudyResults) -> Sheet:
    """How far raters agree and how often they chose the left side, question by question; what has no value says why."""
    agreed = results.agreement_sheet(found)
    sides = [(aspect.aspect, aspect.bias) for aspect in (found.groups[0].aspects if found.groups else ()) if aspect.bias]
    rows = [
        (
            name,
            "left_side",
            bias.share.value,
            bias.share.low,
            bias.share.high,
            bias.share.n,
            "" if bias.p_value is None else f"p = {bias.p_value:.2g}",
        )
        for name, bias in sides
    ]
    return Sheet(head=agreed.head, rows=(*agreed.rows, *rows))
