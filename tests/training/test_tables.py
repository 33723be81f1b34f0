"""The tables of the model part, and the document that names their entries."""

from pathlib import Path

import pytest

from training.dropout import DROPOUT
from training.guidance import GUIDANCE
from training.layout import ANCHOR_ROLES, STREAM_ROLES
from training.model import num_parameters
from training.positions import POSITIONS
from training.shapes import SHAPES

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text()


@pytest.mark.parametrize(
    "entries", [POSITIONS, SHAPES, GUIDANCE, DROPOUT, STREAM_ROLES + ANCHOR_ROLES], ids=["schemes", "shapes", "guidance", "dropout", "roles"]
)  # fmt: skip
def test_each_entry_has_a_row_in_the_document(entries) -> None:
    assert [name for name in entries if f"| `{name}` |" not in DOCUMENT] == []


def test_counts_in_the_document_are_those_of_the_models() -> None:
    found = {name: num_parameters(make()) / 1e9 for name, make in SHAPES.items()}
    assert f"{found['wan_1_3b']:.3f} B | a clean" in DOCUMENT
    assert f"{found['wan_14b']:.3f} B | a clean" in DOCUMENT
    assert (
        f"{found['wan_i2v_14b']:.3f} B; {num_parameters(SHAPES['wan_i2v_14b']().with_audio()) / 1e9:.2f} B with sound"
        in DOCUMENT
    )
    assert f"{found['wan_5b']:.2f} B | a clean" in DOCUMENT
