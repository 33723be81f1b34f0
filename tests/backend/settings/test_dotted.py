"""Settings by dotted names: set, taken back, spelled; and what fields say of themselves."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import SettingsError
from backend.settings import ProjectSettings, drafted, meanings, parse_assignment, read_settings, spelled, write_settings

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
VALUES = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(TEXT, max_size=4),
)


@pytest.mark.parametrize(("text", "value"), [(".8", 0.8), ("-.5", -0.5), (".8.1", ".8.1"), (".mp4", ".mp4"), ("8.", "8.")])
def test_a_number_may_begin_with_its_point(text: str, value: float | str) -> None:
    assert parse_assignment(f"gates.pair.similarity.min={text}") == ("gates.pair.similarity.min", value)


@given(VALUES)
def test_what_is_spelled_reads_back_as_the_same_value(value: object) -> None:
    found = parse_assignment(f"x={spelled(value)}")[1]
    assert found == value
    assert isinstance(found, str) == isinstance(value, str)
    assert isinstance(found, bool) == isinstance(value, bool)


@given(TEXT)
def test_any_place_of_weights_is_written_and_read(tmp_path_factory: pytest.TempPathFactory, place: str) -> None:
    path = tmp_path_factory.mktemp("p") / "project.toml"
    settings = drafted(ProjectSettings(), [f"models.Judge={spelled(place)}"], ())
    assert settings.models == {"Judge": place}
    write_settings(path, settings)
    assert read_settings(path) == settings


def test_assignments_set_fields_stages_gates_and_roles() -> None:
    found = drafted(
        ProjectSettings(),
        ["workers=3", "stages.split_shots.max_s=30", "gates.pair.similarity.min=1", "roles.Judge=openai", "device=cuda:1"],
        (),
    )
    assert (found.workers, found.device, found.roles) == (3, "cuda:1", {"Judge": "openai"})
    assert (found.stages, found.gates) == ({"split_shots": {"max_s": 30}}, {"pair.similarity.min": 1.0})


def test_taken_back_leaves_what_was_there_before_anything_was_set() -> None:
    names = ("workers", "stages.split_shots.max_s", "gates.pair.similarity.min", "roles.Judge", "models.Judge")
    changed = drafted(ProjectSettings(), [f"{name}=5" for name in names], ())
    assert changed != ProjectSettings()
    assert drafted(changed, (), names) == ProjectSettings()
    kept = replace(ProjectSettings(), stages={"split_shots": {"max_s": 9.0, "width_px": 160}})
    assert drafted(kept, (), ("stages.split_shots.max_s",)).stages == {"split_shots": {"width_px": 160}}
    assert drafted(kept, ("workers=2",), ("workers",)).workers == 2, "what is set holds over what is taken back"


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("wrokers=2", "did you mean workers"),
        ("workers=two", "needs a value of type int"),
        ("workers=-1", "give 0"),
        ("gates.pair.similarity.min=high", "a gate needs a number"),
        ("stages=3", "stages is a table"),
        ("format_version=2", "format_version is of the program"),
        ("selections.mine=3", "saved under Thresholds"),
        ("device=gpu", "choose auto, cpu"),
        ("model_memory_gib=nan", "give 0"),
        ("preview_gib=inf", "give 0"),
        ("seed", "has no value"),
    ],
)
def test_a_wrong_assignment_is_a_sentence(assignment: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        drafted(ProjectSettings(), [assignment], ())


def test_an_unknown_name_cannot_be_taken_back() -> None:
    with pytest.raises(SettingsError, match="did you mean workers"):
        drafted(ProjectSettings(), (), ("worker",))


def test_a_table_of_project_toml_that_is_none_is_refused(tmp_path) -> None:
    (tmp_path / "project.toml").write_text("stages = 3\n")
    with pytest.raises(SettingsError, match="is a table"):
        read_settings(tmp_path / "project.toml")


@dataclass
class Bow:
    """Strings and wood."""

    tension: float = 1.0  # as Tourte measured it
    hair: int = 150
    """How many
    hairs it has."""
    name: str = ""


@dataclass
class LongBow(Bow):
    hair: int = 200  # more of them


def test_a_field_means_what_stands_behind_or_below_it() -> None:
    assert meanings(Bow) == {"tension": "as Tourte measured it", "hair": "How many hairs it has."}
    assert meanings(LongBow) == {"tension": "as Tourte measured it", "hair": "more of them"}
