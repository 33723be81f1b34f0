"""Curation stages, one file each, named here. A stage is a frozen dataclass: see `backend.domain.Stage`."""

STAGES: dict[str, str] = {}
