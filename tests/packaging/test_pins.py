"""What is built is built of pinned packages."""

import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "packaging" / "pins.py"))


def test_what_no_list_pins_is_told() -> None:
    loose = script()["loose"]
    pins = ["av==18.1.0", "pydantic-core==2.50.4", "", "rich==14.0"]
    assert loose({"av": "18.1.0", "pydantic_core": "2.50.4", "pip": "1", "subject-studio": "0"}, pins) == []
    free, other = loose({"tqdm": "4.1", "rich": "15.0"}, pins)[::-1]
    assert free.startswith("tqdm 4.1 is installed and not pinned")
    assert other.startswith("rich 15.0 is installed and 14.0 pinned")


def test_tools_of_the_build_are_pinned_once() -> None:
    lists = [(ROOT / name).read_text("utf-8").split() for name in ("constraints.txt", "packaging/tools.txt")]
    names = [[line.partition("==")[0].lower() for line in lines if "==" in line] for lines in lists]
    assert all("==" in line for line in lists[1])
    assert not set(names[0]) & set(names[1])
    assert {"pyinstaller", "mkdocs", "setuptools"} <= set(names[1])
