"""What opening a project imports on demand, imported once for all processes that are forked (tests.chaos.killing)."""

import pandas  # noqa: F401 - by pyarrow, for the first table

from backend.engine.context import load
from backend.exports import EXPORTS
from backend.recipes import plan_for
from backend.settings import ProjectSettings
from tests.chaos import killed_work  # noqa: F401

plan_for(ProjectSettings())
for place in EXPORTS.values():
    load(place)
