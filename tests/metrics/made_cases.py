"""Cases files and pictures made up for tests."""

import json
from pathlib import Path

import numpy as np

from backend.media.images import encode_png

WORDS = "one two three four five"


def case(count: int = 1, *, prompt: str = WORDS, label: str = "Cup", **more: object) -> dict:
    """A case of `Images/0.png`, `Images/1.png` ..."""
    images = [f"Images/{n}.png" for n in range(count)]
    return {"img_paths": images, "prompt": prompt, "class_label": [label] * count, **more}


def picture(number: int) -> bytes:
    """A small PNG that no other number has."""
    return encode_png(np.full((4, 5, 3), number, np.uint8))


def written(folder: Path, cases: dict, pictures: int = 9) -> str:
    """A cases file with its first pictures."""
    (folder / "Images").mkdir(exist_ok=True)
    for number in range(pictures):
        (folder / "Images" / f"{number}.png").write_bytes(picture(number))
    (folder / "cases.json").write_text(json.dumps(cases))
    return str(folder / "cases.json")
