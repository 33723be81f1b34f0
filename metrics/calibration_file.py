"""Calibrations as files: `calibration.json`, written whole or not at all, read with every field checked."""

import json
import math
import os
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from backend.domain import SettingsError
from backend.domain.calibration import MetricCalibration, MetricFit

FORMAT = "subject-studio-calibration"
SUM_TOLERANCE = 1e-6


def write_calibration(calibration: MetricCalibration, path: Path) -> None:
    """Replaces the file. Equal calibrations give equal bytes."""
    text = json.dumps({"format": FORMAT, **asdict(calibration)}, indent=1, ensure_ascii=False, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text + "\n", encoding="utf-8")
    fresh.replace(path)


def read_calibration(path: Path) -> MetricCalibration:
    """What `write_calibration` wrote. Raises SettingsError for anything else, naming file and field."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"calibration {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"calibration {path} is no JSON: {error}") from error
    if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
        raise SettingsError(f"{path} is no calibration; `studio-backend calibrate metrics` writes them")
    try:
        found = TypeAdapter(MetricCalibration).validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"calibration {path}: {place}: {first['msg']}; calibrate again") from error
    for fit in found.fits:
        if problem := _problem(fit):
            raise SettingsError(f"calibration {path}, {fit.domain or 'all domains'}: {problem}; calibrate again")
    return found


def _problem(fit: MetricFit) -> str:
    """What keeps a fit from scaling and weighing; empty when nothing does."""
    values = [one.weight.value for one in fit.weights]
    if any(value is None or not value >= 0 for value in values):
        return "a weight is missing or below 0"
    if values and not math.isclose(sum(value or 0.0 for value in values), 1.0, abs_tol=SUM_TOLERANCE):
        return "weights do not sum to 1"
    for one in fit.weights:
        rising = all(a < b for a, b in zip(one.raw, one.raw[1:], strict=False))
        if not one.raw or len(one.raw) != len(one.scaled) or not rising:
            return f"the map of {one.metric} has no rising knots"
    return ""
