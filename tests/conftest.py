"""What every test may use: real media when present, and single-threaded numerics."""

import builtins
import gc
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path

import cv2
import hypothesis
import pytest
from pytestqt.qtbot import QtBot

cv2.setNumThreads(1)
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)  # how long an example takes tells of the machine
hypothesis.settings.load_profile("patient")

pytest_plugins = ["tests.promises", "tests.chromium", "pytester"]
OWN_IMPORT = builtins.__import__
"""Before PySide6 comes with its own."""
PATIENCE_MS = 60_000
"""Least time of a wait for what a window shows: it ends as soon as that is there, and how long that takes tells of the machine."""
REAL_MEDIA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Has Python's own import in place, as in Studio (`studio.app`): pytest-qt has loaded Qt by now."""
    builtins.__import__ = OWN_IMPORT


@pytest.fixture(scope="session", autouse=True)
def _keys_of_nobody(tmp_path_factory: pytest.TempPathFactory):
    """Videos are signed with keys of the tests, never with those of whoever runs them."""
    before = os.environ.get("XDG_CONFIG_HOME")
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    yield
    os.environ.pop("XDG_CONFIG_HOME")
    if before is not None:
        os.environ["XDG_CONFIG_HOME"] = before


@pytest.fixture(scope="session")
def real_media() -> Path:
    """The folder of real media beside the repository: dev/ with labels, bad/ with broken files."""
    if not REAL_MEDIA.is_dir():
        pytest.skip("real media folder ../shared/data is absent")
    return REAL_MEDIA


@pytest.fixture
def qtbot(qtbot: QtBot) -> QtBot:
    """pytest-qt's, whose waits have patience with a busy machine."""
    wait_until = qtbot.waitUntil

    def wait(callback: Callable[[], bool | None], *, timeout: int = 0) -> None:
        wait_until(callback, timeout=max(timeout, PATIENCE_MS))

    qtbot.waitUntil = wait
    return qtbot


@pytest.fixture(autouse=True)
def _garbage_between_tests(request: pytest.FixtureRequest):
    """What a test of windows leaves is collected after it in this thread, as `studio.collector` does: never while something is painted."""
    if "qtbot" not in request.fixturenames or not gc.isenabled():
        yield
        return
    gc.disable()
    yield
    gc.collect(1)  # what was made since is young
    gc.enable()


@pytest.fixture
def frozen_heap():
    """Leaves what other tests left in memory out of collections: code that collects often then takes no longer beside them."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--installed` and `--extra`, which packaging/try_wheel.sh gives."""
    parser.addoption("--installed", type=Path, metavar="FOLDER", help="follow tutorials with the wheel in this environment")
    parser.addoption(
        "--extra", default="", help="of the wheel in that environment: tutorials that name another are skipped"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves thorough tests out of a run without `--long`."""
    if config.getoption("--long"):
        return
    left_out = [item for item in items if item.get_closest_marker("thorough")]
    items[:] = [item for item in items if not item.get_closest_marker("thorough")]
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many tests of real media did not run, so that a green run cannot hide it."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "real media" in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests of real media were skipped: ../shared/data is absent")
