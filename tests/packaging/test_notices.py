"""The bundle tells what it carries, under which terms, and brings their texts."""

import runpy
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_bundle_carries_what_the_window_needs_with_its_terms() -> None:
    notices = runpy.run_path(str(ROOT / "packaging" / "notices.py"))
    carried = {one.metadata["Name"].lower() for one in notices["carried"]()}
    assert {"av", "pyside6_essentials", "shiboken6", "starlette", "numpy"} <= carried
    assert not carried & {"torch", "pytest", "pyinstaller", "subject-studio"}
    assert any(path.name == "LICENSE.txt" for path in notices["texts"](distribution("av")))


def test_terms_of_what_brings_none_lie_beside() -> None:
    for name, title in {
        "GPL-3.txt": "GNU GENERAL PUBLIC LICENSE",
        "LGPL-3.txt": "GNU LESSER GENERAL PUBLIC LICENSE",
    }.items():
        text = (ROOT / "packaging" / "licences" / name).read_text("utf-8")
        assert title in text and "Version 3, 29 June 2007" in text
