"""A part of the bench that paints, run twice: on Qt's offscreen platform, and under Xvfb as X clients are."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from bench.qt import application

XVFB = ("xvfb-run", "-a", "-s", "-screen 0 1920x1200x24")
Rows = list[dict[str, Any]]


def run(part: str) -> Rows:
    """Rows of `bench.PART`: values of the offscreen run, beside each the platform and what it was under Xvfb.

    Raises RuntimeError without xvfb-run.
    """
    if shutil.which(XVFB[0]) is None:
        raise RuntimeError("xvfb-run is not installed, and this part is measured under Xvfb too; apt-get install xvfb")
    return beside(_told(part, "offscreen", ()), _told(part, "xcb", XVFB))


def beside(first: dict[str, Any], second: dict[str, Any]) -> Rows:
    """What two runs told (`platform`, `rows`), as rows of the first that say what the second found."""
    others = {row["name"]: row["value"] for row in second["rows"]}
    return [
        {
            **row,
            "platform": first["platform"],
            f"value_{second['platform']}": others[row["name"]],
            "note": f"{first['platform']}; {second['platform']} under Xvfb {others[row['name']]:.4g} {row['unit']}".rstrip(),
        }
        for row in first["rows"]
    ]


def tell(rows: Rows) -> None:
    """Prints rows and the platform that they were measured on."""
    sys.stdout.write(json.dumps({"platform": application().platformName(), "rows": rows}) + "\n")


def _told(part: str, platform: str, before: Sequence[str]) -> dict[str, Any]:
    environment = {**os.environ, "QT_QPA_PLATFORM": platform}
    command = [*before, sys.executable, "-m", f"bench.{part}"]
    told = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = json.loads(told.splitlines()[-1])
    assert found["platform"] == platform, f"Qt painted on {found['platform']}, not on {platform}"
    return found
