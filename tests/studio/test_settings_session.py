"""A draft of settings: what it changes, what it says to the service, what is left of it when the project has changed."""

from backend.domain.doctor import Doctor, RoleRow
from backend.domain.project_care import Setting, SettingsForecast, SettingsSheet, StageForecast, StageSettings
from studio.pages.settings_layout import forecast_words
from studio.sessions.settings import SettingsSession, size_words, stages_like, state_of


def setting(name: str, value: str, default: str, *, is_set: bool = False) -> Setting:
    return Setting(name=name, type="number", value=value, default=default, is_set=is_set, meaning="how long it is")


def sheet(*, workers: str = "0", max_s: str = "60") -> SettingsSheet:
    stage = StageSettings(
        stage="split_shots",
        over="video",
        meaning="Clips of one shot each",
        roles=(),
        settings=(setting("stages.split_shots.max_s", max_s, "60", is_set=max_s != "60"),),
        gates=(setting("gates.clip.duration_s.min", "0.5", "0.5"),),
    )
    return SettingsSheet(project=(setting("workers", workers, "0"),), roles=(), models=(), stages=(stage,))


def session(**values: str) -> SettingsSession:
    made = SettingsSession()
    made.know(sheet(**values))
    return made


MAX_S = "stages.split_shots.max_s"


def test_a_draft_sets_what_is_other_and_resets_what_is_the_default() -> None:
    made = session(max_s="30")
    assert made.fill("workers", "4")
    assert made.fill(MAX_S, "60")
    assert (made.assignments, made.resets) == (("workers=4",), (MAX_S,))
    assert made.value(MAX_S) == "60"
    assert made.fill(MAX_S, "30")
    assert not made.is_changed(MAX_S), "back at what is saved is no change"
    assert not made.fill("workers", "4"), "the same again is no change"


def test_every_change_makes_earlier_answers_old() -> None:
    made = session()
    made.fill("workers", "4")
    number = made.number
    made.fill("workers", "-1")
    assert not made.answered(number, SettingsForecast(changes=()), "")
    assert made.answered(made.number, None, "settings: workers is -1; give 0 (all cores) or more")
    assert made.refused == {"workers": made.trouble}
    made.fill("workers", "2")
    assert (made.trouble, made.refused) == ("", {})


def test_what_was_dropped_comes_back_once() -> None:
    made = session()
    made.fill("workers", "4")
    assert (made.drop(), made.draft) == (1, {})
    assert (made.bring_back(), made.assignments) == (1, ("workers=4",))
    assert made.bring_back() == 0
    assert (made.drop(), made.fill("workers", "5"), made.bring_back()) == (1, True, 0), "another draft is not lost for it"


def test_a_draft_is_remembered_and_fitted_to_what_is_saved_now() -> None:
    made = session(max_s="30")
    made.fill("workers", "4")
    made.reset(MAX_S)
    again = SettingsSession()
    again.remember(made.as_json())
    again.know(sheet(workers="4", max_s="30"))
    assert again.draft == {MAX_S: None}, "another person has saved the rest meanwhile"
    for damaged in ("", "{", "[1]", '{"workers": 3, "gone": "1"}'):
        other = SettingsSession()
        other.remember(damaged)
        other.know(sheet())
        assert other.draft == {}


def test_stages_are_found_by_any_word_of_theirs() -> None:
    assert stages_like(sheet(), "SHOT long") == ("split_shots",)
    assert stages_like(sheet(), "duration") == ("split_shots",)
    assert stages_like(sheet(), "shot blue") == ()


def test_roles_that_stages_ask_come_first_and_say_how_they_stand() -> None:
    def row(role: str, **more) -> RoleRow:
        return RoleRow(role=role, model_id="", **more)

    rows = (
        row("A", implementation="paper", available=False),
        row("B", implementation="", available=False, asked_by=("x",)),
        row("C", implementation="openai", available=True, location="openai:m@https://h/v1"),
        row("D", implementation="embedded", available=True, asked_by=("y",)),
    )
    made = SettingsSession(doctor=Doctor(roles={each.role: each for each in rows}, missing=()))
    assert [each.role for each in made.roles()] == ["B", "D", "A", "C"]
    assert [state_of(each) for each in made.roles()] == ["unbound", "ready", "missing", "far"]


def test_the_doctors_answer_is_old_once_the_draft_has_changed() -> None:
    made, doctor = session(), Doctor(roles={}, missing=())
    assert not made.is_examined
    made.examine(made.number, doctor)
    assert made.is_examined
    number = made.number
    made.fill("workers", "4")
    made.examine(number, doctor)
    assert not made.is_examined


def test_a_forecast_names_stages_that_run_again_and_what_waits() -> None:
    def stage(name: str, *, before: int, now: int, aside: int) -> StageForecast:
        return StageForecast(stage=name, over="clip", pending_before=before, pending=now, set_aside=aside, is_other=True)

    assert forecast_words(None) == "Looking what that means…"
    assert forecast_words(SettingsForecast(changes=())) == "No work is touched."
    one = SettingsForecast(
        changes=(), stages=(stage("split_shots", before=0, now=12, aside=12), stage("b", before=0, now=0, aside=3))
    )
    said = "1 stage runs again: split shots 12. 15 results are set aside; the old settings find them again."
    assert forecast_words(one) == said
    many = SettingsForecast(changes=(), stages=tuple(stage(f"s{n}", before=1, now=2, aside=0) for n in range(6)))
    assert forecast_words(many) == "6 stages run again: s0 2, s1 2, s2 2, s3 2 and 2 more."
    waiting = SettingsForecast(changes=(), stages=(stage("s", before=2, now=2, aside=0),))
    assert forecast_words(waiting) == "1 stage works otherwise from now on; it has no results yet."


def test_sizes_have_three_digits() -> None:
    assert [size_words(n) for n in (0, 999, 1_000, 1_440_000, 312_400_000_000)] == [
        "0 B",
        "999 B",
        "1 kB",
        "1.44 MB",
        "312 GB",
    ]
    assert [size_words(n, binary=True) for n in (1023, 1024, 3 << 30)] == ["1023 B", "1 KiB", "3 GiB"]
