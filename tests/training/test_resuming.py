"""What a run refuses when it goes on, and what it tells and does: another export, other numbers of ranks."""

import json
import re

import pytest
import torch.distributed as dist

from backend.domain import ProjectError, SettingsError
from tests.training.made_export import made_export
from tests.training.made_run import trained
from training.observe import read_metrics
from training.resuming import EXPORT_OF_RUN, Parts, changed_steps, check_export, keep_export


@pytest.fixture(scope="module", autouse=True)
def _one_group():
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


@pytest.fixture
def exports(tmp_path):
    """Two that differ in their lists alone."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "MANIFEST.sha256").write_text(f"{name * 10}  pairs.jsonl\n")
    return tmp_path / "one", tmp_path / "other"


def test_a_run_goes_on_with_its_own_export_wherever_that_lies(exports, tmp_path):
    one, _ = exports
    keep_export(tmp_path / "run", one)
    assert check_export(tmp_path / "run", one) == ""
    assert check_export(tmp_path / "run", one.rename(tmp_path / "moved")) == ""


def test_another_export_is_refused_with_both_and_what_to_do(exports, tmp_path):
    one, other = exports
    keep_export(tmp_path / "run", one)
    with pytest.raises(
        ProjectError, match=rf"samples are those of {one} .*, not of {other} .*go on with --data {one}, or start"
    ):
        check_export(tmp_path / "run", other)


def test_a_run_that_kept_no_export_goes_on_with_a_remark(exports, tmp_path):
    assert "did not keep which export" in check_export(tmp_path / "run", exports[0])


def test_damaged_words_of_an_export_are_a_sentence(exports, tmp_path):
    keep_export(tmp_path / "run", exports[0])
    (tmp_path / "run" / EXPORT_OF_RUN).write_text('{"folder": "x"')
    with pytest.raises(SettingsError, match=r"export\.json cannot be read.*remove it if"):
        check_export(tmp_path / "run", exports[0])


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (Parts(2, 1), Parts(1, 1), "trained by 2, now by 1 .* 1 batches in place of 2; set run.accumulation=2 for the same"),
        (Parts(8, 2), Parts(4, 2), "trained by 8, now by 4 .* 8 batches in place of 16; set run.accumulation=4 for the same"),
        (Parts(1, 1), Parts(2, 1), "2 batches in place of 1; no run.accumulation gives the same steps by 2"),
        (Parts(8, 1), Parts(3, 1), "no run.accumulation gives the same steps by 3"),
    ],
)  # fmt: skip
def test_other_numbers_of_ranks_are_told_with_the_setting_that_mends_it(before, now, told):
    assert re.search(told, changed_steps(before, now))


@pytest.mark.parametrize("before", [Parts(2, 1), Parts(1, 2), Parts()])
def test_steps_of_as_many_batches_or_of_an_unknown_number_say_nothing(before):
    assert changed_steps(before, Parts(1, 2)) == ""


@pytest.mark.slow
def test_a_run_keeps_its_export_and_what_makes_a_step(tmp_path):
    """Refused over another export with all that it had; it goes on with its own, told that its steps are larger now."""
    export, other = made_export(tmp_path / "a", videos=2), made_export(tmp_path / "b", videos=3)
    run = tmp_path / "run"
    assert trained(export, run, "run.steps=1").remarks == ()
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(ProjectError, match="was trained on another export"):
        trained(other, run, "run.steps=2", resume=True)
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    (remark,) = trained(export, run, "run.steps=2", "run.accumulation=2", resume=True).remarks
    assert "a step is of 2 batches in place of 1; set run.accumulation=1 for the same steps" in remark
    (run / EXPORT_OF_RUN).unlink()
    (remark,) = trained(export, run, "run.steps=3", resume=True).remarks
    assert "did not keep which export" in remark
    kept = json.loads((run / EXPORT_OF_RUN).read_text())
    assert kept["folder"] == str(export)
    assert [line["step"] for line in read_metrics(run)] == [1, 2, 3]
