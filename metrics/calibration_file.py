"""Calibrations as files: `calibration.json`, written whole or not at all, read with every field checked."""

import hashlib
import json
import math
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from backend.domain import SettingsError
from backend.domain.calibration import MetricCalibration, MetricFit
from backend.store.whole_file import write_whole

FORMAT = "subject-studio-calibration"
SUM_TOLERANCE = 1e-6


def write_calibration(calibration: MetricCalibration, path: Path) -> None:
    """Replaces the file. Equal calibrations give equal bytes. Raises ProjectError where it cannot be written."""
    said = {"format": FORMAT, **asdict(calibration), "checksum": _checksum(calibration)}
    write_whole(path, json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_calibration(path: Path) -> MetricCalibration:
    """What `write_calibration` wrote. Raises SettingsError for anything else, naming file and field; also for changed numbers."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"calibration {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"calibration {path} is no JSON: {error}") from error
    if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
        raise SettingsError(f"{path} is no calibration; `studio-backend calibrate metrics` writes them")
    checksum = raw.pop("checksum", None)  # files of before have none
    try:
        found = TypeAdapter(MetricCalibration).validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"calibration {path}: {place}: {first['msg']}; calibrate again") from error
    for fit in found.fits:
        if problem := _problem(fit):
            raise SettingsError(f"calibration {path}, {fit.domain or 'all domains'}: {problem}; calibrate again")
    if checksum is not None and checksum != _checksum(found):
        raise SettingsError(f"calibration {path} is not as it was written: it was changed or damaged; calibrate again")
    return found


def _checksum(calibration: MetricCalibration) -> str:
    """Of what is read from the file, not of its bytes: how it is laid out does not matter."""
    said = json.dumps(asdict(calibration), sort_keys=True, allow_nan=False)
    return hashlib.sha256(said.encode()).hexdigest()


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
