"""docs/metrics.md, written from what each metric declares: `python -m metrics.catalogue`."""

import dataclasses
import inspect
from pathlib import Path

from metrics.evaluation import metric
from metrics.spec import Metric
from metrics.stage import roles_of
from metrics.table import METRICS, SETS

TARGET = Path(__file__).parents[1] / "docs" / "metrics.md"
HEAD = """# Metrics
Written by `python -m metrics.catalogue` from each metric's own declaration; a test holds it to them. A metric measures one
generated video of a case. Where it gives no value its row is NULL with a reason that begins with the state, below.
Ids that end in `_compat` reproduce an upstream
script with its quirks; the metric of the same name without it is the one to use. Metrics that rest on classical
vision, as those with `embedded_` ids, are never ranked beside model scores, nor are values of other metrics that a role
of the embedded profile had part in (`sync_c` with the embedded SyncScorer).

`studio-backend evaluate --metrics a,b` takes ids and names of sets; without it every metric runs whose roles are bound.
The run goes on over every video, and its exit code says what it came to:

| state | what it means | exit code |
|---|---|--:|
| `not applicable` | the case, or what the video shows, gives the metric nothing to measure | 0 |
| `no detection` | nothing was found of what it compares: no face, no subject | 0 |
| `too short` | the video has fewer frames than the metric needs | 1 |
| `unavailable` | a model is not bound, or its weights are missing | 1 |
| `failed` | the video or a reference cannot be read, a model gave no number, a judge no score; also a video that belongs to no case, and two videos of one case and seed | 1 |
| `over budget` | `--max-cost` is spent: a stop; the same call with a higher one goes on | 75 |

What ended is not measured again, but for `unavailable` and `over budget`, which every call tries. `--retry-failed` tries what ended as `failed`
once more, and asks judges anew where they gave no grade. What comes of it takes the old row's place; what was found beside that one, as a
judge's answers, stays: `--json` names it as `earlier_evidence`.
"""


def written() -> str:
    """The document."""
    parts = [HEAD, "## Sets", *(f"- `{name}`: {', '.join(f'`{one}`' for one in ids)}" for name, ids in SETS.items()), ""]
    for name in sorted(METRICS):
        parts += _section(metric(name))
    return "\n".join(parts)


def _section(one: Metric) -> list[str]:
    low, high = ("" if bound is None else f"{bound:g}" for bound in one.range)
    roles = ", ".join(sorted(roles_of(one))) or "none"
    lines = [f"## {one.id}", f"*{one.title}.* {_words(one)}", ""]
    lines += [
        f"- source: {one.source}",
        f"- range: {low or '−∞'} to {high or '∞'}, {'higher' if one.higher_is_better else 'lower'} is better; version {one.version}"
        + ("; never ranked, since it rests on classical vision" if one.is_classical else ""),
        f"- needs: {', '.join(one.needs) or 'the video alone'}; roles: {roles}",
    ]
    choices = [f"`{field.name}` = `{getattr(one, field.name)!r}`" for field in dataclasses.fields(one)]  # pyright: ignore[reportArgumentType]
    if choices:
        lines.append(f"- recorded choices: {', '.join(choices)}")
    return [*lines, ""]


def _words(one: Metric) -> str:
    return " ".join(line.strip() for line in (inspect.getdoc(type(one)) or "").splitlines()).strip()


if __name__ == "__main__":
    TARGET.write_text(written(), encoding="utf-8")
