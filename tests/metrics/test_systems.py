"""systems.toml: facts are read, conditions keep systems, and each mistake is named with its place."""

from pathlib import Path

import pytest

from backend.domain import SettingsError
from backend.domain.ranking import SystemFacts
from metrics.systems import read_systems

FULL = """
[systems."VACE-14B"]
venue = "ICCV 2025"
open = true
base = "Wan2.1-14B"
domains = ["open", "human", "single"]
references = 3
size = "1280x720"
frames = 81
fps = 16
seed = 42
cost = 0.9

[systems.ConsisID]
open = true
domains = ["human"]
references = 1

[systems.Kling]
open = false
"""


def written(tmp_path: Path, text: str) -> str:
    (tmp_path / "systems.toml").write_text(text)
    return str(tmp_path / "systems.toml")


def test_every_fact_is_read(tmp_path: Path) -> None:
    first, second, _ = read_systems(written(tmp_path, FULL))
    assert first == SystemFacts(
        name="VACE-14B",
        venue="ICCV 2025",
        open=True,
        base="Wan2.1-14B",
        domains=("open", "human", "single"),
        references=3,
        size="1280x720",
        frames=81,
        fps=16,
        seed=42,
        cost=0.9,
    )
    assert (second.cost, second.venue, second.domains) == (None, "", ("human",))


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ("", ["VACE-14B", "ConsisID", "Kling"]),
        ("open=true", ["VACE-14B", "ConsisID"]),
        ("open=false", ["Kling"]),
        ("references=2", ["VACE-14B", "Kling"]),
        ("domains=open", ["VACE-14B", "Kling"]),
        ("open=true,domains=open", ["VACE-14B"]),
        ("base=wan2.1-14b, fps=16", ["VACE-14B"]),
    ],
)
def test_conditions_keep_systems(tmp_path: Path, only: str, names: list[str]) -> None:
    assert [one.name for one in read_systems(written(tmp_path, FULL), only)] == names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"holds nothing beside or instead of \[systems"),
        ("[system.a]\nopen = true", r"holds system beside or instead of \[systems"),
        ("[systems.a]\nopn = true", "system 'a': opn is unknown; did you mean open"),
        ("[systems.a]\nopen = 'yes'", "open is 'yes'; give true or false"),
        ("[systems.a]\nreferences = -1", "references is -1; give a whole number"),
        ("[systems.a]\nreferences = true", "references is True; give a whole number"),
        ("[systems.a]\ncost = nan", "cost is nan; give a number of at least 0"),
        ("[systems.a]\nsize = 'HD'", "size is 'HD'; give width and height"),
        ("[systems.a]\ndomains = ['opn']", "give a list of open, human, single"),
        ("[systems]\na = 3", "system 'a' is 3; give a table"),
        ("[systems.a", "is no TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read_systems(written(tmp_path, text))


def test_unknown_condition_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="condition 'opne' is no field=value; did you mean open"):
        read_systems(written(tmp_path, FULL), "opne=true")
    with pytest.raises(SettingsError, match="give a number of references"):
        read_systems(written(tmp_path, FULL), "references=many")
