"""Planning a study through the Api: what it would be, before anything is kept; what it can be made of."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from backend.api import Api
from backend.domain import ProjectError, SettingsError
from backend.domain.studies import Rules, StudySummary
from backend.domain.study_plans import PageNotice, StudyDraft
from backend.studies import STUDIES
from backend.studies.forms import load_form
from backend.workspace import Workspace
from backend.workspace.page_notice import read_notice, telling
from tests.backend.workspace.study_project import LENIENT, SYSTEMS, named, newcomer


@pytest.fixture
def draft(benchmark: Path) -> StudyDraft:
    return StudyDraft(
        name="taste",
        form="kaleido",
        aspects=("video_quality",),
        systems=named(benchmark),
        cases=str(benchmark / "cases.json"),
        trials=6,
        rules=LENIENT,
        stop_half_width=0.2,
    )


def test_a_plan_says_what_creation_then_decides_and_keeps_nothing(
    api: Api, workspace: Workspace, draft: StudyDraft
) -> None:
    before = workspace.journal.head()
    plan = api.plan_study(draft=draft)
    assert workspace.journal.head() == before
    assert api.studies() == ()
    assert api.study_options().benchmarks == (), "videos that were only named are not listed"
    made = api.create_study(**asdict(draft))
    assert replace(plan, created_at=made.created_at) == made
    (kept,) = api.study_options().benchmarks
    assert (kept.cases, [(one.name, one.cases) for one in kept.systems]) == (6, [(name, 6) for name in sorted(SYSTEMS)])
    from_names = replace(draft, name="", systems=SYSTEMS, cases=None)
    again = api.plan_study(draft=from_names)
    assert (again.items, again.trials, again.power) == (plan.items, plan.trials, plan.power)


def test_a_plan_needs_no_name_but_no_wrong_one(api: Api, draft: StudyDraft) -> None:
    assert api.plan_study(draft=replace(draft, name="")).items == 18
    api.create_study(**asdict(draft))
    with pytest.raises(ProjectError, match="exists already"):
        api.plan_study(draft=draft)
    with pytest.raises(SettingsError, match="1 to 100 letters"):
        api.plan_study(draft=replace(draft, name="a\nb"))
    with pytest.raises(SettingsError, match="1 to 100 letters"):
        api.create_study(**asdict(replace(draft, name=" ")))


def test_a_plan_refuses_what_creation_refuses(api: Api, draft: StudyDraft) -> None:
    for wrong, said in (
        ({"kind": "taste"}, "kind 'taste' is none of"),
        ({"aspects": ("beauty",)}, "aspect 'beauty' is no question of form kaleido"),
        ({"rules": ("min_second=3",)}, "rule 'min_second=3' is not known"),
        ({"cases": None}, "give its cases file too"),
        ({"systems": draft.systems[:2], "sequential": True}, "three or more systems"),
    ):
        with pytest.raises(SettingsError, match=said):
            api.plan_study(draft=replace(draft, **wrong))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_options_are_the_shipped_forms_in_each_language(api: Api, language: str) -> None:
    options = api.study_options(language=language)
    assert tuple(dict.fromkeys(form.kind for form in options.forms)) == tuple(STUDIES)
    for form in options.forms:
        shipped = load_form(form.name if language == "en" else f"{form.name}_{language}")
        assert [(one.name, one.text) for one in form.aspects] == [(q.name, q.text) for q in shipped.questions]
        assert form.title == shipped.title
    assert {rule.name: rule.value for rule in options.rules} == {k: float(v) for k, v in asdict(Rules()).items()}
    assert [(one.name, one.pairs, one.raters) for one in options.presets] == [("", 200, 5), ("opens2v", 30, 173)]
    with pytest.raises(SettingsError, match="'tlh' is none of en, zh"):
        api.study_options(language="tlh")


def test_everybody_who_joined_is_listed_with_where_they_stand(api: Api, study: StudySummary) -> None:
    assert api.participants(study="taste") == ()
    first, second = newcomer(api, "taste"), newcomer(api, "taste", group="expert")
    api.withdraw(participant=first.id)
    found = api.participants(study="taste")
    assert [(one.id, one.group, one.state) for one in found] == [
        (first.id, "public", "withdrawn"),
        (second.id, "expert", "consented"),
    ]
    api.erase_participant(participant=first.id)
    assert [one.id for one in api.participants(study="taste")] == [second.id]


def test_a_report_with_nothing_to_write_is_refused(api: Api, study: StudySummary, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="name a page, a folder for figures, or both"):
        api.write_study_report(name="taste")
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="cannot be written"):
        api.write_study_report(name="taste", html=str(tmp_path / "file" / "report.html"), bootstraps=10)


def test_the_page_is_told_while_it_is_served_and_no_longer(api: Api, workspace: Workspace) -> None:
    assert api.study_page() == PageNotice()
    with telling(workspace.layout, "http://127.0.0.1:8470"):
        assert api.study_page().url == "http://127.0.0.1:8470"
        with telling(workspace.layout, "http://127.0.0.1:9000"):
            assert api.study_page().url == "http://127.0.0.1:8470", "the first one"
        assert api.study_page().since.startswith("20")
    assert read_notice(workspace.layout) == PageNotice(), "its file stays, the lock is gone"
