"""Which system to take for what, from a leaderboard: only what its intervals and ranks bear out."""

from backend.domain.ranking import TOTAL, Leaderboard, Standing, SystemFacts


def guide_of(board: Leaderboard) -> tuple[str, ...]:
    """A line each: the best in the total, in each ranked metric with intervals, with public weights, by kind of subject, by cost."""
    facts = {one.name: one for one in board.systems}
    lines = [_line("best total", _placed(board, TOTAL))]
    lines += [_line(f"best {c.title}", _placed(board, c.metric)) for c in board.columns if not (c.embedded or c.of_set)]
    public = [s for s in _placed(board, TOTAL) if _is_open(facts.get(s.system))]
    if public:
        lines.append(_line("best total with public weights", public))
    for kind in ("subjects", "references"):
        groups = sorted({s.group for s in board.standings if s.kind == kind})
        lines += [_line(f"best total, {kind} {group}", _placed(board, TOTAL, kind, group)) for group in groups]
    priced = [(one.cost, one.name) for one in board.systems if one.cost is not None]
    if priced:
        cost, name = min(priced)
        lines.append(f"cheapest: {name}, {cost:g} a video")
    return tuple(line for line in lines if line)


def _placed(board: Leaderboard, metric: str, kind: str = "", group: str = "") -> list[Standing]:
    own = [s for s in board.standings if (s.metric, s.kind, s.group) == (metric, kind, group) and s.rank is not None]
    return sorted(own, key=lambda s: (s.rank or 0, s.system))


def _line(what: str, placed: list[Standing]) -> str:
    if len(placed) < 2:
        return ""
    best = placed[0]
    close = [s.system for s in placed[1:] if _overlap(best, s)]
    known = f" ({best.low:.3f} to {best.high:.3f})" if best.low is not None and best.high is not None else ""
    doubt = f"; intervals of {', '.join(close[:3])} overlap it" if close else ""
    return f"{what}: {best.system}, {best.value:.3f}{known}{doubt}"


def _overlap(a: Standing, b: Standing) -> bool:
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return False
    return a.low <= b.high and b.low <= a.high


def _is_open(facts: SystemFacts | None) -> bool:
    return facts is not None and facts.open is True
