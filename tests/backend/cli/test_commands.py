"""The command line: its surface is frozen, its answers are one JSON document, its exit codes mean what they say."""

import json
import sys
from pathlib import Path

import pytest
import typer.main

from backend.cli.app import app, main
from backend.settings import read_settings

EVALUATE = {
    "--dry-run",
    "--max-cost",
    "--prices",
    "--real",
    "--cases",
    "--videos",
    "--system",
    "--metrics",
    "--references",
    "--preset",
    "--project",
    "--profile",
    "--engine",
    "--workers",
    "--address",
    "--set",
    "--retry-failed",
    "--json",
}
COMMANDS = {
    "backup": {"--project", "--out", "--json"},
    "cases approve": {"--by", "--all", "--comment", "--references", "--project", "--json"},
    "cases ask": {"--references", "--project", "--json"},
    "cases check": {"--references", "--json"},
    "cases create": {"--project", "--out", "--count", "--seed", "--from", "--skeleton", "--approved-only", "--json"},
    "cases edit": {"--prompt", "--by", "--references", "--project", "--json"},
    "cases name": set(),
    "cases reject": {"--by", "--reason", "--comment", "--references", "--project", "--json"},
    "cases stats": {"--references", "--html", "--json"},
    "cases sync": {"--references", "--project", "--json"},
    "curate": {
        "--project",
        "--profile",
        "--recipe",
        "--engine",
        "--workers",
        "--address",
        "--set",
        "--retry-failed",
        "--retry",
        "--json",
    },
    "demo": {"--project", "--profile", "--recipe", "--engine", "--workers", "--set", "--json", "--no-open"},
    "doctor": {"--project", "--json"},
    "eval": EVALUATE,
    "evaluate": EVALUATE,
    "export": {"--project", "--out", "--where", "--selection", "--split", "--system", "--benchmark", "--purpose", "--json"},
    "import": {
        "--project",
        "--videos",
        "--names",
        "--column",
        "--pictures",
        "--model",
        "--map",
        "--keep",
        "--missing",
        "--out",
        "--licence",
        "--attribution",
        "--system",
        "--cases",
        "--references",
        "--json",
    },
    "generate": {
        "--system",
        "--cases",
        "--out",
        "--name",
        "--seeds",
        "--references",
        "--watermark",
        "--watermark-key",
        "--probe",
        "--limit",
        "--set",
        "--json",
    },
    "ingest": {"--project", "--licence", "--attribution", "--again", "--json"},
    "init": {"--project", "--profile", "--recipe", "--engine", "--workers", "--set", "--json"},
    "jobs cancel": {"--project", "--json"},
    "jobs list": {"--project", "--limit", "--json"},
    "jobs log": {"--project", "--follow", "--json"},
    "jobs quarantine": {"--project", "--stage", "--search", "--json"},
    "label-studio pull": {"--url", "--number", "--project", "--json"},
    "label-studio push": {"--again", "--url", "--study", "--limit", "--login", "--overlap", "--project", "--json"},
    "label-studio suggest": {"--url", "--number", "--port", "--project", "--token-file"},
    "label-studio take": {"--url", "--number", "--project", "--json"},
    "latents": {"--data", "--engine", "--workers", "--address", "--set", "--json"},
    "leaderboard": {
        "--project",
        "--benchmark",
        "--preset",
        "--systems",
        "--only",
        "--against",
        "--html",
        "--csv",
        "--seed",
        "--json",
    },
    "provenance": {"--watermark-key", "--keys", "--export-key", "--trust", "--name", "--json"},
    "rebuild": {"--project", "--json"},
    "recipes": {"--json"},
    "report": {"--project", "--out", "--json"},
    "calibrate thresholds": {"--score", "--precision", "--out", "--apply", "--project", "--json"},
    "calibrate embedder": {"--out", "--project", "--json"},
    "calibrate metrics": {
        "--study",
        "--aspect",
        "--name",
        "--metrics",
        "--preset",
        "--by",
        "--scaling",
        "--folds",
        "--bootstraps",
        "--seed",
        "--out",
        "--project",
        "--json",
    },
    "report ablate": {"--project", "--out", "--json"},
    "report compare": {
        "--project",
        "--out",
        "--systems",
        "--cases",
        "--metrics",
        "--frames",
        "--at",
        "--benchmark",
        "--json",
    },
    "endpoints allow": {"--json"},
    "endpoints forbid": {"--json"},
    "endpoints list": {"--json"},
    "restore": {"--project", "--artifacts", "--json"},
    "sample-world": {"--seed", "--videos", "--duration", "--cases", "--takes", "--json"},
    "serve": {
        "--host",
        "--port",
        "--public-url",
        "--behind-proxy",
        "--tls-cert",
        "--tls-key",
        "--token-file",
        "--with-parent",
        "--project",
    },
    "status": {"--project", "--json"},
    "total": {"--preset", "--json"},
    "train": {"--data", "--out", "--set", "--resume", "--json"},
    "verify": {"--project", "--json"},
    "journal tail": {"--project", "--limit", "--json"},
    "journal export": {"--project", "--json"},
    "journal audit": {"--project", "--limit", "--json"},
    "consent": {
        "--subject",
        "--clip",
        "--video",
        "--purpose",
        "--withdraw",
        "--version",
        "--scope",
        "--given-at",
        "--rater",
        "--project",
        "--json",
    },
    "erase": {
        "--participant",
        "--video",
        "--clip",
        "--subject",
        "--source",
        "--expired",
        "--yes",
        "--delete-backups",
        "--rater",
        "--project",
        "--json",
    },
    "study close": {"--because", "--project", "--json"},
    "study create": {
        "--dry-run",
        "--sequential",
        "--hold-out",
        "--stop-at",
        "--kind",
        "--form",
        "--aspects",
        "--system",
        "--cases",
        "--references",
        "--benchmark",
        "--preset",
        "--pairs",
        "--raters",
        "--trials",
        "--rule",
        "--language",
        "--seed",
        "--project",
        "--json",
    },
    "study export": {"--out", "--format", "--project", "--json"},
    "study import": {"--format", "--project", "--json"},
    "study invite": {"--num", "--group", "--days", "--url", "--project", "--json"},
    "study list": {"--project", "--json"},
    "study reopen": {"--project", "--json"},
    "study status": {"--project", "--json"},
    "study results": {"--bootstraps", "--html", "--figures", "--calibration", "--project", "--json"},
    "study serve": {
        "--host",
        "--port",
        "--public-url",
        "--behind-proxy",
        "--tls-cert",
        "--tls-key",
        "--ask-login",
        "--joins-per-minute",
        "--calls-per-second",
        "--project",
    },
}


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    monkeypatch.setattr(sys, "argv", ["studio-backend", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    found = capsys.readouterr()
    return int(ended.value.code or 0), found.out, found.err


def test_commands_and_options_are_the_frozen_ones() -> None:
    found: dict[str, set[str]] = {}
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # pyright: ignore[reportAttributeAccessIssue]
        parts = getattr(command, "commands", None)
        leaves = [(f"{name} {sub}", part) for sub, part in parts.items()] if parts else []
        if not parts or command.invoke_without_command:
            leaves.append((name, command))
        for path, leaf in leaves:
            found[path] = {option for p in leaf.params for option in p.opts if option.startswith("--")} - {"--help"}
    assert found == COMMANDS


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["statuss"], 2, "No such command"),
        (["curate", "--wrokers", "2"], 2, "No such option"),
        (["status", "--project", "nowhere"], 1, "studio-backend init --project nowhere"),
        (["init", "--project", "p", "--set", "stages.split_shots.max=3"], 1, "did you mean max_s"),
        (["init", "--project", "p", "--set", "gates.clip.duration_s.min=x"], 1, "a gate needs a number"),
        (["init", "--project", "p", "--profile", "embeded"], 1, "did you mean embedded"),
        (["init", "--project", "p", "--recipe", "ful"], 1, "did you mean full"),
        (["init", "--project", "p", "--set", "roles.Detectr=embedded"], 1, "did you mean Detector"),
        (["init", "--project", "p", "--set", "models.Juge=weights"], 1, "did you mean Judge"),
        (["init", "--project", "p", "--set", "models=weights"], 1, "models"),
    ],
)
def test_wrong_calls_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    found, out, err = run(monkeypatch, capsys, *arguments)
    assert found == code
    assert words in err
    assert out == ""


def test_weights_are_set_as_any_other_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    places = {"Judge": "openai:a-model@http://127.0.0.1:1/v1?k=v", "ClipB32": "hub:openai/clip-vit-base-patch32"}
    options = [word for role, place in places.items() for word in ("--set", f"models.{role}={place}")]
    assert run(monkeypatch, capsys, "init", "--project", tmp_path / "p", *options)[0] == 0
    assert read_settings(tmp_path / "p" / "project.toml").models == places


def test_json_is_one_document_also_on_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = run(monkeypatch, capsys, "status", "--project", tmp_path / "none", "--json")
    assert code == 1
    assert json.loads(out)["error"]["kind"] == "project"


@pytest.mark.slow
def test_project_with_a_broken_file_lists_it_and_keeps_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    project = tmp_path / "проект 项目"
    videos = tmp_path / "видео files"
    videos.mkdir()
    (videos / "broken.mp4").write_bytes(b"")
    (videos / "notes.txt").write_text("hello")
    assert run(monkeypatch, capsys, "init", "--project", project)[0] == 0
    assert run(monkeypatch, capsys, "ingest", videos, "--project", project)[0] == 0
    code, out, err = run(monkeypatch, capsys, "curate", "--project", project, "--engine", "inline", "--json")
    found = json.loads(out)
    assert code == 1
    assert found["states"] == {"failed(empty)": 1, "skipped": 1}
    assert all(json.loads(line)["kind"] == "curate" for line in err.splitlines())
    code, out, _ = run(monkeypatch, capsys, "verify", "--project", project, "--json")
    assert code == 0
    assert json.loads(out)["ok"] is True


def test_empty_folder_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    run(monkeypatch, capsys, "init", "--project", tmp_path / "p")
    code, _, err = run(monkeypatch, capsys, "ingest", tmp_path / "empty", "--project", tmp_path / "p")
    assert code == 1
    assert "no file found" in err


def test_doctor_names_every_bound_role(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(monkeypatch, capsys, "init", "--project", tmp_path / "p")
    code, out, _ = run(monkeypatch, capsys, "doctor", "--project", tmp_path / "p", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["missing"] == []
    assert found["roles"]["Segmenter"]["implementation"] == "embedded"


@pytest.mark.slow
def test_backup_restores_votes_and_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"not a video at all, but listed")
    run(monkeypatch, capsys, "init", "--project", tmp_path / "p")
    run(monkeypatch, capsys, "ingest", tmp_path / "clip.mp4", "--project", tmp_path / "p")
    run(monkeypatch, capsys, "curate", "--project", tmp_path / "p", "--engine", "inline")
    before = json.loads(run(monkeypatch, capsys, "verify", "--project", tmp_path / "p", "--json")[1])
    out = tmp_path / "saved"
    assert run(monkeypatch, capsys, "backup", "--project", tmp_path / "p", "--out", out)[0] == 0
    code, text, err = run(monkeypatch, capsys, "restore", out, "--project", tmp_path / "again", "--json")
    assert code == 0, err
    assert json.loads(text)["catalog_hash"] == before["catalog_hash"]
    code, _, err = run(monkeypatch, capsys, "restore", out, "--project", tmp_path / "again")
    assert code == 1
    assert "again" in err


def test_totals_keep_their_systems_and_name_what_is_no_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scores = {
        "aesthetics": 44.59,
        "motion_amplitude": 41.6,
        "motion_smoothness": 86.93,
        "facesim": 40.1,
        "gmescore": 66.2,
        "nexusscore": 45.89,
        "naturalscore": 74.59,
    }
    path = tmp_path / "scores.json"
    path.write_text(json.dumps([{"system": "Kling1.6", **scores}]))
    code, out, _ = run(monkeypatch, capsys, "total", path, "--preset", "opens2v-v1.1-open", "--json")
    assert code == 0
    assert json.loads(out) == [{"system": "Kling1.6", **scores, "total": 56.23}], "OpenS2V-Nexus, Table 3"
    path.write_text(json.dumps([{"system": "Kling1.6", **scores}, {"system": "x", **scores, "facesim": float("nan")}]))
    code, out, err = run(monkeypatch, capsys, "total", path, "--json")
    assert code == 1 and "x: facesim is not a number" in err
    assert [row["total"] for row in json.loads(out)] == [56.23, None]


def test_leaderboard_writes_what_spreadsheets_do_not_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    case = {"img_paths": ["a.png"], "prompt": "A mug.", "class_label": ["Cup"]}
    (tmp_path / "cases.json").write_text(json.dumps({"singleobj_1": case, "singleobj_2": case}))
    (tmp_path / "scores").mkdir()
    gme = {"singleobj_1": {"gme_score": 0.5}, "singleobj_2": {"gme_score": 0.7}}
    (tmp_path / "scores" / "gmescore.json").write_text(json.dumps(gme))
    project = ("--project", tmp_path / "p")
    about = ("--system", "=1+1", "--cases", tmp_path / "cases.json")
    code, out, _ = run(monkeypatch, capsys, "import", "opens2v-scores", tmp_path / "scores", *about, *project, "--json")
    assert code == 0 and json.loads(out)["scores"] == 2
    code, out, _ = run(monkeypatch, capsys, "leaderboard", *project, "--csv", tmp_path / "b.csv")
    assert code == 0 and "0.6000*" in out and "imported" in out
    rows = (tmp_path / "b.csv").read_text().splitlines()
    assert rows[0].startswith("benchmark,preset,system,metric,value,low,high")
    assert all(",'=1+1," in row for row in rows[1:])
    code, out, _ = run(monkeypatch, capsys, "leaderboard", *project, "--json")
    found = {(s["metric"], s["kind"]): s["value"] for s in json.loads(out)["standings"]}
    assert code == 0 and found["gmescore", ""] == pytest.approx(0.6) and found["total", ""] is None
    code, _, _ = run(monkeypatch, capsys, "export", "opens2v-scores", "--system", "=1+1", "--out", tmp_path / "o", *project)
    assert code == 0 and json.loads((tmp_path / "o" / "gmescore.json").read_text()) == gme
