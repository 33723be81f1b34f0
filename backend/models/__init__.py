"""Implementations of roles, named here. `embedded` needs no weights; `paper` loads the models that the papers name."""

MODELS: dict[str, dict[str, str]] = {}
