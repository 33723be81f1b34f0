"""Human studies: what people are asked, and what follows from their answers."""

STUDIES: dict[str, str] = {
    "best_of": "backend.studies.best_of:BestOf",
    "comparative": "backend.studies.pairwise:Comparative",
    "identity": "backend.studies.single:Identity",
    "preference": "backend.studies.pairwise:Preference",
    "rating": "backend.studies.single:Rating",
}
"""Kinds of studies: name -> `module:Class`."""
