"""No state is told by its colour alone: each has a sign of its own beside its word, or a pattern."""

from collections.abc import Mapping

import pytest

from studio import job_list, quarantine_model, training_panel
from studio.charts import flow_plot
from studio.charts.map_plot import mark_of
from studio.pages import settings_roles, studies_layout

SIGNS: dict[str, Mapping[str, object]] = {
    "jobs": job_list.MARKS,
    "runs": training_panel.RUN_MARKS,
    "failures": quarantine_model.MARKS,
    "roles": {state: sign for state, (sign, _) in settings_roles.MARKS.items()},
    "studies": studies_layout.MARKS,
    "items of a stage": flow_plot.PATTERNS,
}


@pytest.mark.parametrize("what", SIGNS)
def test_each_state_has_its_own_sign(what: str) -> None:
    signs = list(SIGNS[what].values())
    assert len(set(signs)) == len(signs) > 2


def test_twelve_groups_of_a_map_have_shapes_of_their_own() -> None:
    assert len({shape for shape, _, _ in map(mark_of, range(12))}) == 12
