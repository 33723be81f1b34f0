"""Deciding studies through the Api: what is drawn, what is refused."""

from pathlib import Path

import pytest

from backend.api import Api
from backend.domain import ProjectError, SettingsError, StudioError
from backend.domain.studies import StudySummary
from tests.backend.workspace.study_project import SYSTEMS, create, named, newcomer, write_benchmark


def test_a_study_is_decided_once_and_found_again(api: Api, benchmark: Path, study: StudySummary) -> None:
    assert (study.items, study.systems, study.aspects) == (18, SYSTEMS, ("better",))
    assert any("200 items were asked for and 18 can be made" in remark for remark in study.remarks)
    assert [row.pairs for row in study.power if row.chosen] == [18]
    assert study.participants_needed == 15
    assert [one.name for one in api.studies()] == ["taste"]
    design = api.study(name="taste")
    assert design == api.study(name=study.study_id)
    assert design.consent.startswith("You will watch")


def test_without_wishes_a_person_gets_thirty_trials_of_two_hundred_items(api: Api, benchmark: Path) -> None:
    made = api.create_study(name="plain", cases=str(benchmark / "cases.json"), systems=named(benchmark))
    design = api.study(name="plain")
    assert (design.form, design.trials, design.raters_per_item, len(design.aspects)) == ("opens2v", 30, 5, 6)
    assert (made.items, made.participants_needed) == (18, 5)
    preset = api.create_study(name="paper", preset="opens2v", benchmark=design.benchmark)
    assert (preset.items, preset.participants_needed) == (6, 173)  # each of six cases once


def test_what_cannot_be_a_study_is_told_in_a_sentence(
    api: Api, benchmark: Path, study: StudySummary, tmp_path: Path
) -> None:
    with pytest.raises(ProjectError, match="a study called 'taste' exists already"):
        create(api, benchmark)
    with pytest.raises(SettingsError, match="system 'best' has no video of"):
        api.create_study(name="x", systems=("good", "best"))
    with pytest.raises(SettingsError, match="two systems are called 'good'"):
        api.create_study(name="x", systems=("good", "good"))
    with pytest.raises(SettingsError, match="form 'opens3v' does not fit"):
        create(api, benchmark, name="x", form="opens3v")
    with pytest.raises(SettingsError, match="preset 'mine' is none of opens2v"):
        create(api, benchmark, name="x", preset="mine")
    (tmp_path / "none.json").write_text("{}")
    with pytest.raises(StudioError, match="case"):
        api.create_study(name="x", cases=str(tmp_path / "none.json"), systems=named(benchmark))
    with pytest.raises(ProjectError, match="study 'tast' does not exist in this project"):
        api.study(name="tast")


def test_a_study_whose_media_is_missing_is_refused_and_says_which(api: Api, tmp_path: Path) -> None:
    folder = write_benchmark(tmp_path / "own", cases=2)
    create(api, folder)
    (folder / "fair" / "singleobj_1.mp4").unlink()
    with pytest.raises(ProjectError, match=r"files are missing, first .*fair/singleobj_1.mp4"):
        api.create_study(name="again", systems=SYSTEMS)
    person = newcomer(api, "taste")
    found = api.study_trials(participant=person.id, limit=20)
    asked = [one.media for t in found.trials for one in t.trial.stimuli if one.media and "reference" not in one.slot]
    refused = []
    for media in asked:
        try:
            api.media(media_id=media)
        except ProjectError as error:
            refused.append(str(error))
    assert refused
    assert "put it back" in refused[0]
