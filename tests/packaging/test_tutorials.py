"""The tutorials do what they say: their commands run in order, as a shell reads them, to the result that they name.

With the checkout's programs, or with `--installed FOLDER --extra EXTRA` with those of an environment that holds the wheel and what EXTRA names:
then only tutorials that name EXTRA are followed (packaging/try_wheel.sh).
"""

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.certificates import certificate
from tests.packaging.tls_proxy import tls_proxy

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
NAMES = ("annotator", "evaluator", "researcher", "server")
"""One for each kind of user."""
SERVER, SERVED_AT = "s2v.example", 8471


@dataclass(frozen=True)
class Installed:
    """An environment that holds the wheel, and what one extra of it names (empty: none)."""

    folder: Path
    extra: str


def test_every_kind_of_user_has_a_tutorial() -> None:
    assert {path.stem for path in TUTORIALS.glob("*.md")} == set(NAMES)
    assert all(len(blocks(name)) >= 3 for name in NAMES)


def test_every_tutorial_is_followed_with_the_wheel_and_the_extra_that_it_names() -> None:
    script = (ROOT / "packaging" / "try_wheel.sh").read_text("utf-8")
    tried = {found or "" for found in re.findall(r"^ *follow(?: ([\w,]+))?$", script, re.MULTILINE)}
    assert {extra(name) for name in NAMES} == tried


@pytest.fixture
def installed(pytestconfig: pytest.Config) -> Installed | None:
    """Where the wheel is; None follows with the checkout's programs."""
    folder = pytestconfig.getoption("--installed")
    return Installed(folder, str(pytestconfig.getoption("--extra"))) if folder else None


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.thorough
def test_annotator_hands_on_what_was_confirmed(tmp_path: Path, installed: Installed | None) -> None:
    followed("annotator", tmp_path, installed)
    judged = json.loads((tmp_path / "judged.json").read_text())
    exported = [json.loads(line) for line in (tmp_path / "verified" / "pairs.jsonl").read_text().splitlines()]
    assert {pair["pair_id"] for pair in exported} == {pair for pair, choice in judged.items() if choice == "same"} != set()
    assert {(pair["verdict"], pair["num_votes"]) for pair in exported} == {("same", 1)}


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.thorough
def test_evaluator_gets_a_leaderboard_and_what_people_say(tmp_path: Path, installed: Installed | None) -> None:
    followed("evaluator", tmp_path, installed)
    systems = {"faithful", "copy_paste", "wrong_identity"}
    assert {row["system"] for row in rows(tmp_path / "board.csv")} == systems
    cases = json.loads((tmp_path / "world" / "cases.json").read_text())
    votes = Counter(line["case_id"] for line in rows(tmp_path / "votes.csv"))
    assert votes == dict.fromkeys(cases, 6 * 3), "six raters, three pairs of systems"
    found = [row for row in rows(tmp_path / "figures" / "strengths.csv") if row["model"] == "davidson"]
    strengths = {row["system"]: float(row["value"]) for row in found}
    assert max(strengths, key=lambda name: strengths[name]) == "faithful", "the planted taste comes out"
    for page in ("board.html", "likeness.html", "sheets/compare.html", "page.html"):
        assert "<html" in (tmp_path / page).read_text("utf-8")


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.thorough
def test_researcher_gets_a_split_a_run_and_scores(tmp_path: Path, installed: Installed | None) -> None:
    told = followed("researcher", tmp_path, installed)
    assert re.search(r"^parts: \['train'.*\] leaks: \{\}$", told, re.MULTILINE)
    assert (tmp_path / "run" / "export" / "transformer").is_dir()
    assert list((tmp_path / "made").glob("*.mp4"))
    assert {row["system"] for row in rows(tmp_path / "board.csv")} == {"tiny", "faithful"}


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.thorough
def test_server_answers_behind_a_proxy_those_who_show_the_token(tmp_path: Path, installed: Installed | None) -> None:
    pem = certificate(tmp_path, SERVER)
    with tls_proxy(pem, to=SERVED_AT) as port:
        (tmp_path / ".curlrc").write_text(f'connect-to = "{SERVER}:443:127.0.0.1:{port}"\ncacert = "{pem}"\n')
        told = followed("server", tmp_path, installed)
    assert "\n401\n" in told
    assert '"ready":true' in told.replace(" ", "")
    assert "restored" in told


def test_the_researchers_script_finds_leaks(tmp_path: Path) -> None:
    (block,) = [block for block in blocks("researcher") if "leaks.py" in block]
    side = {"source_id": "s", "video_hash": "h", "subject_id": None, "crop": None}
    other = {**side, "source_id": "t", "video_hash": "i"}
    lines = [{"split": part, "target": side, "reference": other} for part in ("train", "val")]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pairs.jsonl").write_text("\n".join(map(json.dumps, lines[:1])))
    assert run(block, tmp_path) == "parts: ['train'] leaks: {}\n"
    (tmp_path / "data" / "pairs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(AssertionError, match="source_id"):
        run(block, tmp_path)


def test_a_tutorial_that_fails_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="Broken"):
        run("echo fine\ncat Broken.json\necho never\n", tmp_path)


def test_with_the_wheel_nothing_of_the_checkout_is_used(tmp_path: Path) -> None:
    clean = tmp_path / "clean"
    (clean / "bin").mkdir(parents=True)
    with pytest.raises(AssertionError, match="studio-backend: command not found"):
        run("studio-backend --version", tmp_path, clean)
    program = clean / "bin" / "studio-backend"
    program.write_text('#!/bin/sh\necho $0 on "$PYTHONPATH"\n')
    program.chmod(0o755)
    assert run("studio-backend", tmp_path, clean) == f"{program} on \n"


def followed(name: str, folder: Path, installed: Installed | None) -> str:
    """What a tutorial printed whose commands were run to the end."""
    if installed and installed.extra != extra(name):
        pytest.skip(f"the {name}'s tutorial wants [{extra(name)}]")
    return run("\n".join(blocks(name)), folder, installed.folder if installed else None)


def blocks(name: str) -> list[str]:
    """A tutorial's blocks of commands."""
    return re.findall(r"^```sh\n(.*?)^```", text(name), re.MULTILINE | re.DOTALL)


def extra(name: str) -> str:
    """The extra that a tutorial says the wheel is installed with; empty for none."""
    (said,) = re.findall(r"the wheel\s+installed\s+(without\s+an\s+extra|with\s+`\[[\w,]+\]`)", text(name))
    return said.partition("[")[2].rstrip("]`")


def text(name: str) -> str:
    return (TUTORIALS / f"{name}.md").read_text("utf-8")


def run(script: str, folder: Path, installed: Path | None = None) -> str:
    """Runs commands in a folder, with a person's part done by `judging`, until one fails; gives what they printed.

    `installed`: an environment whose programs they are, with nothing of the checkout; the checkout's without one.
    """
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    python = str(installed / "bin" / "python") if installed else sys.executable
    of_checkout = {} if installed else {"studio-backend": ("-m", "backend.cli"), "python": ()}
    for program, called in {**of_checkout, "studio": (str(Path(__file__).with_name("judging.py")),)}.items():
        shim = programs / program
        shim.write_text(f'#!/bin/sh\nexec {shlex.join([python, *called])} "$@"\n')
        shim.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{installed / 'bin'}:/usr/bin:/bin" if installed else f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": "" if installed else str(ROOT),
        "CURL_HOME": str(folder),
        "OMP_NUM_THREADS": "1",
    }
    # `set -e` ends at the first command that fails, and the trap whatever still serves.
    whole = f"set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}"
    done = subprocess.run(["bash", "-c", whole], cwd=folder, env=environment, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
