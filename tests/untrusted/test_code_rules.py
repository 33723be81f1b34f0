"""Calls that run what they read stand nowhere in the product: looked for in the syntax tree of every file."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises import Tally

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("backend", "studio", "metrics", "training", "bench", "packaging", ".ci")
FORBIDDEN = frozenset(
    {
        "pickle.load",
        "pickle.loads",
        "cloudpickle.loads",
        "dill.load",
        "joblib.load",
        "marshal.loads",
        "shelve.open",
        "pandas.read_pickle",
        "torch.jit.load",
        "torch.package.PackageImporter",
        "yaml.unsafe_load",
        "yaml.full_load",
        "yaml.load_all",
        "os.system",
        "os.popen",
        "subprocess.getoutput",
        "eval",
        "exec",
        "runpy.run_path",
        "SLConfig.fromfile",
        "Image.open",
        "cv2.VideoCapture",
        "cv2.imread",
        "decord.VideoReader",
        "av.open",
    }
)
SAFE_LOADERS = ("SafeLoader", "CSafeLoader")
MEDIA = frozenset({"Image.open", "cv2.VideoCapture", "cv2.imread", "decord.VideoReader", "av.open"})
"""Opening media is left to one package, which knows limits."""
OPENS_MEDIA = frozenset(
    {
        "backend/media/container.py",
        "backend/media/content.py",  # av.open to write
        "backend/media/images.py",
        "backend/media/writer.py",  # av.open to write
        "backend/report/pictures.py",  # its own limit, and its own formats
        "backend/models/judge_local.py",  # what we encoded for a judge
        "metrics/judging_cost.py",  # the size of what we encoded for a judge
    }
)
SCRIPTS = "backend/models/scripts.py"
"""Looks at a TorchScript's program before it loads it."""
RESTRICTED = frozenset({"backend/models/call_wire.py", "training/checkpoint_reader.py"})
"""Have an Unpickler of their own, with a list of what may come."""


def faults(text: str, path: str) -> list[str]:
    """What is forbidden in a file, by line."""
    return [f"{path}:{line}: {what}" for line, what in _found(ast.parse(text), path)]


def _found(tree: ast.AST, path: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            words = {word.arg: word.value for word in node.keywords if word.arg}
            is_allowed = (name in MEDIA and (path in OPENS_MEDIA or path.startswith("bench/"))) or (
                name == "torch.jit.load" and path == SCRIPTS
            )
            if name in FORBIDDEN and not is_allowed:
                yield node.lineno, name
            if name in ("torch.load", "load_state_dict_from_url") and not _is(words.get("weights_only"), True):
                yield node.lineno, f"{name} without weights_only=True"
            if name == "yaml.load" and not ast.unparse(words.get("Loader", ast.Constant(None))).endswith(SAFE_LOADERS):
                yield node.lineno, "yaml.load without a safe loader"
            for word in ("allow_pickle", "shell", "trust_remote_code"):
                if word in words and not _is(words[word], False):
                    yield node.lineno, f"{word}={ast.unparse(words[word])}"
        elif isinstance(node, ast.ClassDef):
            if any(ast.unparse(base).endswith("Unpickler") for base in node.bases) and path not in RESTRICTED:
                yield node.lineno, f"an Unpickler of its own, {node.name}"
        elif isinstance(node, ast.ImportFrom) and node.module in ("pickle", "marshal", "shelve", "dill", "torch", "yaml"):
            for name in node.names:
                if name.name in ("load", "loads", "Unpickler"):
                    yield node.lineno, f"from {node.module} import {name.name}"


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def product() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(found) > 500
    return found


@pytest.mark.promise(
    "nothing in the product unpickles, evaluates or runs what it reads",
    area="Untrusted files",
    goal="0 calls in the syntax tree of every file: torch.load, pickle, numpy, yaml, eval, exec, shells, trust_remote_code, media opened elsewhere",
    control="tests/untrusted/test_code_rules.py::test_each_rule_finds_what_it_forbids",
)
@pytest.mark.slow
def test_no_call_runs_what_it_reads(tally: Tally) -> None:
    files = product()
    found = [fault for path in files for fault in faults(path.read_text("utf-8"), path.relative_to(ROOT).as_posix())]
    tally.record(len(files), lost=len({fault.partition(":")[0] for fault in found}))
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "pickle.load(file)",
        "pickle.loads(data)",
        "from pickle import loads",
        "from torch import load",
        "class Mine(pickle.Unpickler): pass",
        "numpy.load(path, allow_pickle=True)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.load(text)",
        "yaml.unsafe_load(text)",
        "eval(text)",
        "exec(text)",
        "subprocess.run(line, shell=True)",
        "os.system(line)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=asked)",
        "SLConfig.fromfile(path)",
        "av.open(path)",
        "Image.open(path)",
        "cv2.VideoCapture(path)",
    ],
)
def test_each_rule_finds_what_it_forbids(line: str) -> None:
    assert len(faults(f"def f():\n    {line}\n" if not line.startswith("class") else line, "backend/x.py")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path, weights_only=True)",
        "yaml.load(text, Loader=yaml.CSafeLoader)",
        "np.load(path, allow_pickle=False)",
        "model.eval()",
        "AutoModel.from_pretrained(name, trust_remote_code=False)",
    ],
)
def test_what_is_safe_is_left_alone(line: str) -> None:
    assert faults(line, "backend/x.py") == []
