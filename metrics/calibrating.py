"""A calibration from a study's items and votes and what was measured of their videos."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Protocol

from backend.domain import SettingsError
from backend.domain.calibration import MetricCalibration
from backend.domain.studies import CodedVote, StudyItem
from metrics.calibration import Calibrate, MetricFacts
from metrics.classical import RowOfRoles, embedded_roles, is_classical
from metrics.evaluation import metric
from metrics.judged import Judged, JudgedPair, PairVote, join
from metrics.leaderboard import COUNTS
from metrics.presets import preset
from metrics.table import METRICS, SETS


class MeasuredRow(RowOfRoles, Protocol):
    """The same, of a video that has a name."""

    @property
    def generation_id(self) -> str: ...


def calibrate_metrics(
    items: Iterable[StudyItem],
    votes: Iterable[CodedVote],
    rows: Iterable[MeasuredRow],
    *,
    domains: Mapping[str, str],
    metrics: Sequence[str] = (),
    preset_id: str = "",
    scaling: str = "isotonic",
    folds: int = 5,
    draws: int = 1000,
    seed: int = 0,
    name: str,
    study: str,
    aspect: str,
    made_at: str,
) -> MetricCalibration:
    """Weights of metrics by the votes of one aspect; `domains` are by case, and have fits of their own.

    Without names, all measured metrics that rest on models; classical ones when there are no others, since their scales
    are not mixed. `preset_id` is the published total to compare with. Raises SettingsError for unknown names, a wrong
    number of folds, and where nothing was compared or measured.
    """
    rows = list(rows)
    found = judged(items, votes, rows, domains=domains, metrics=_chosen(metrics))
    if not metrics:
        found = _of_one_kind(found, embedded_roles(rows))
    facts = {one: _facts(one, preset_id) for one in found.metrics}
    try:
        fit = Calibrate(scaling=scaling, folds=folds, num_draws=draws, seed=seed, facts=facts)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    published = preset(preset_id) if preset_id else None
    return fit(found, name=name, study=study, aspect=aspect, made_at=made_at, published=published)


def judged(
    items: Iterable[StudyItem],
    votes: Iterable[CodedVote],
    rows: Iterable[MeasuredRow],
    *,
    domains: Mapping[str, str],
    metrics: Sequence[str] = (),
) -> Judged:
    """A study's pairs of two systems with their votes and the metrics asked for (all without). Raises as `metrics.judged.join`."""
    pairs = [
        JudgedPair(
            item=item.id,
            prompt=item.case_id,
            systems=(item.media[0].system, item.media[1].system),
            generations=(item.media[0].generation_id, item.media[1].generation_id),
            domain=domains.get(item.case_id, ""),
        )
        for item in items
        if len(item.media) == 2 and item.media[0].system != item.media[1].system
    ]
    values: dict[str, dict[str, float | None]] = {}
    for row in rows:
        if not row.metric.endswith(COUNTS) and (not metrics or row.metric in metrics):
            values.setdefault(row.generation_id, {})[row.metric] = row.value
    said = [
        PairVote(
            item=vote.item_id,
            rater=vote.rater,
            value=vote.value,
            first_on_left=vote.first_on_left,
            both_bad=vote.both_bad,
        )
        for vote in votes
    ]
    return join(pairs, said, values)


def _chosen(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in SETS:
            metric(name)  # refuses an unknown one
    return tuple(dict.fromkeys(one for name in names for one in SETS.get(name, (name,))))


def _of_one_kind(found: Judged, embedded: Container[str]) -> Judged:
    """The metrics that rest on models alone, or all when none does; `embedded` are those that the embedded profile had part in."""
    models = [k for k, name in enumerate(found.metrics) if not (is_classical(name) or name in embedded)]
    return found.with_metrics(models) if models else found


def _facts(name: str, preset_id: str) -> MetricFacts:
    """As the published total takes a metric, else as it declares itself."""
    if name not in METRICS:
        return MetricFacts(title=name)
    told = metric(name)
    term = next((one for one in preset(preset_id).terms if one.metric == name), None) if preset_id else None
    low, high = (term.low, term.high) if term else told.range
    scale = (low, high) if low is not None and high is not None else None
    return MetricFacts(title=told.title, version=told.version, higher_is_better=told.higher_is_better, range=scale)
