"""A small file of cases with drawn references."""

import json
from pathlib import Path

from backend.domain import Case
from backend.media.images import encode_png
from metrics.benchmark import read_cases
from tests.training.made_export import cut_out

PROMPT = "A square of colour 1 moves right"


def made_cases(folder: Path, *, count: int = 2, **fields: object) -> Path:
    """`folder/cases.json`: `square_1`, `square_2` ..., each of one reference; `fields` are of every case."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    cases = {}
    for number in range(1, count + 1):
        (folder / "pictures" / f"{number}.png").write_bytes(encode_png(cut_out(number)))
        given = {"img_paths": [f"pictures/{number}.png"], "prompt": PROMPT, "class_label": ["square"], **fields}
        cases[f"square_{number}"] = given
    (folder / "cases.json").write_text(json.dumps(cases))
    return folder / "cases.json"


def cases_in(folder: Path, *, count: int = 2, **fields: object) -> tuple[Case, ...]:
    """The same, read."""
    return read_cases(made_cases(folder, count=count, **fields)).cases
