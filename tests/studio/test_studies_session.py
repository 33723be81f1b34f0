"""The draft of a study and what is remembered of studies, without a window."""

from dataclasses import asdict

import pytest

from backend.domain.dashboards import Dashboard, PairTally, RaterTally
from backend.domain.studies import (
    AspectResults,
    Estimate,
    HeldOutRow,
    Invitation,
    Participant,
    PointsRow,
    Rules,
    ShareRow,
    StrengthRow,
    StudySummary,
)
from backend.domain.study_plans import (
    AspectOption,
    BenchmarkOption,
    FormOption,
    PresetOption,
    RuleOption,
    StudyDraft,
    StudyOptions,
    SystemOption,
)
from studio.sessions.results import Sheet, as_csv, wins_sheet
from studio.sessions.studies import FROM_FILE, DraftSession, StudiesSession, folder_name, share_of, state_of
from studio.sessions.study_sheets import came_in_sheet, links_sheet, people_sheet, ranking_sheet
from studio.texts import LANGUAGES, texts


def options(*, benchmarks: tuple[BenchmarkOption, ...] = ()) -> StudyOptions:
    asked = tuple(AspectOption(name=name, text=f"{name}?") for name in ("look", "text"))
    return StudyOptions(
        forms=(
            FormOption(kind="best_of", name="best", title="Best", aspects=asked[:1]),
            FormOption(kind="preference", name="six", title="Six", aspects=asked),
            FormOption(kind="preference", name="one", title="One", aspects=asked[1:]),
        ),
        benchmarks=benchmarks,
        presets=(
            PresetOption(name="", pairs=200, raters=5, trials=30, source=""),
            PresetOption(name="paper", pairs=30, raters=173, trials=30, source="a paper"),
        ),
        rules=(
            RuleOption(name="min_seconds", value=300.0, is_switch=False, is_whole=False),
            RuleOption(name="slider", value=1.0, is_switch=True, is_whole=False),
        ),
        languages=("en", "zh"),
        groups=("expert", "public"),
        vote_formats=("jsonl",),
    )


BENCH = BenchmarkOption(
    name="bench", cases=4, systems=tuple(SystemOption(name=name, cases=4) for name in ("ours", "text", "theirs"))
)


def summary(name: str = "taste", **fields) -> StudySummary:
    about = {
        "study_id": name, "name": name, "kind": "preference", "form": "ab", "aspects": ("better",), "systems": ("a", "b"),
        "benchmark": "toy", "items": 6, "trials": 9, "participants_needed": 4,
    }  # fmt: skip
    return StudySummary(**{**about, **fields})


def test_a_draft_begins_as_creation_does_with_all_that_is_listed() -> None:
    draft = DraftSession(options=options(benchmarks=(BENCH,)))
    assert draft.asked() == StudyDraft(
        form="six", aspects=("look", "text"), systems=("ours", "text", "theirs"), benchmark="bench"
    )
    assert draft.lacks == ""
    assert not draft.is_ready, "neither planned nor named"


def test_what_is_left_out_is_an_aspect_or_a_system_never_both() -> None:
    draft = DraftSession(options=options(benchmarks=(BENCH,)))
    draft.ask("text", asked=False)
    assert (draft.aspects, draft.systems) == (("look",), ("ours", "text", "theirs"))
    draft.compare("text", compared=False)
    draft.ask("text", asked=True)
    assert (draft.aspects, draft.systems) == (("look", "text"), ("ours", "theirs"))
    draft.choose_kind("best_of")
    assert (draft.form, draft.aspects) == ("best", ("look",))
    draft.ask("look", asked=False)
    assert draft.lacks == "aspect"


def test_cases_from_a_file_need_the_file_and_systems_of_different_names() -> None:
    draft = DraftSession(options=options())
    assert (draft.source, draft.lacks) == (FROM_FILE, "cases")
    draft.cases = " /videos/cases.json "
    assert draft.lacks == "system"
    assert draft.add_system(" ours = /videos/ours ")
    assert not draft.add_system("ours=/other"), "a name stands for one system"
    assert not draft.add_system("  ")
    assert draft.add_system("theirs")
    asked = draft.asked()
    assert (asked.cases, asked.systems, asked.benchmark) == ("/videos/cases.json", ("ours = /videos/ours", "theirs"), "")
    draft.drop_system("theirs")
    assert draft.systems == ("ours = /videos/ours",)


def test_rules_are_told_where_they_differ_and_zero_sizes_are_the_designs() -> None:
    draft = DraftSession(options=options(benchmarks=(BENCH,)))
    seconds, slider = draft.options.rules
    draft.set_rule(seconds, 12.5)
    draft.set_rule(slider, 0.0)
    draft.trials = 6
    assert draft.asked().rules == ("min_seconds=12.5", "slider=false")
    assert (draft.asked().trials, draft.asked().pairs) == (6, None)
    draft.set_rule(seconds, 300.0)
    assert draft.asked().rules == ("slider=false",)
    assert draft.rule("min_seconds") == 300.0
    draft.preset = "paper"
    assert draft.usual.raters == 173


def test_every_change_makes_what_was_planned_stale() -> None:
    draft = DraftSession(options=options(benchmarks=(BENCH,)))
    draft.name = "taste"
    draft.plan, number = summary(), draft.number
    assert draft.is_ready
    draft.set_rule(draft.options.rules[0], 60.0)
    assert draft.number > number
    assert not draft.is_ready


@pytest.mark.parametrize(
    ("fields", "state", "share"),
    [
        ({}, "waiting", 0.0),
        ({"joined": 2, "finished": 1}, "running", 0.25),
        ({"joined": 9, "finished": 5}, "complete", 1.0),
        ({"joined": 9, "finished": 5, "closed_at": "2026-01-01"}, "closed", 1.0),
    ],
)
def test_a_study_says_how_far_it_is(fields: dict, state: str, share: float) -> None:
    assert (state_of(summary(**fields)), share_of(summary(**fields))) == (state, share)


def test_the_newest_study_is_looked_at_until_another_one_is() -> None:
    session = StudiesSession()
    session.know((summary("one"), summary("two")))
    assert session.study == summary("two")
    assert session.go(-1)
    assert not session.go(-1), "there is none before the first"
    session.know((summary("one"), summary("two"), summary("three")))
    assert session.current == "one"
    session.know(())
    assert session.study is None


def test_results_are_asked_for_when_something_came_in() -> None:
    session = StudiesSession()
    assert session.is_news(summary(), "counts")
    assert session.is_news(summary(), "results"), "each has its own"
    assert not session.is_news(summary(), "counts")
    for joined, votes, done in ((1, 0, 0), (1, 3, 0), (1, 3, 1)):
        assert session.is_news(summary(joined=joined, votes=votes, finished=done), "counts")
    assert session.is_news(summary(joined=1, votes=3, finished=1, withdrawn=1), "counts")
    session.forget_seen("taste")
    assert session.is_news(summary(), "results")


def test_invitations_stay_with_their_study_newest_first() -> None:
    session = StudiesSession()
    made = [Invitation(study_id="s", token=f"t{k}", group="public", expires_at="2027-01-01T00:00:00+00:00") for k in "12"]
    session.tell("one", made[:1])
    session.tell("one", made[1:])
    assert session.told("one") == (made[1], made[0])
    assert session.told("two") == ()
    sheet = links_sheet(session.told("one"), "https://study.example/")
    assert sheet.rows[0] == ("https://study.example/s/join/t2", "public", "2027-01-01")
    assert links_sheet(made, "").rows[0][0] == "t1"
    assert as_csv(links_sheet(made, "=cmd()")).splitlines()[1].startswith("'=cmd()")


def test_votes_that_came_in_count_both_bad_as_ties_and_apart() -> None:
    pair = PairTally(question="better", a="a", b="b", wins=4, ties=1, losses=2, both_bad=1, skipped=3, num_left=5)
    busy = RaterTally(rater="r", votes=3, left=1, right=2, median_s=4.5)
    (row,) = came_in_sheet(Dashboard(pairs=(pair,), busiest=(busy,), num_raters=1, coverage={1: 2})).rows
    assert row == ("better", "a", "4 : 2 : 2", "b", 5 / 8, 1, 3)


def estimate(value: float | None, half: float = 0.1) -> Estimate:
    if value is None:
        return Estimate(reason="every vote is a tie")
    return Estimate(value=value, low=value - half, high=value + half, n=9)


def test_a_ranking_shows_the_main_figure_of_its_kind_or_why_there_is_none() -> None:
    strength = StrengthRow(
        system="ours", rank=1, ranks=(1, 2), davidson=estimate(1.0), bradley_terry=estimate(None), elo=None,
        majority=estimate(0.5), rate=estimate(0.75),
    )  # fmt: skip
    (row,) = ranking_sheet(AspectResults(aspect="look", votes=9, strengths=(strength,))).rows
    assert row[:5] == ("1 (1–2)", "ours", "1.000  [0.900, 1.100]", "every vote is a tie", None)
    fair = HeldOutRow(system="ours", davidson=estimate(0.5), rate=estimate(0.6))
    held = ranking_sheet(AspectResults(aspect="look", votes=9, strengths=(strength,), held_out=(fair,)))
    assert (held.head[-1], held.rows[0][-1]) == ("held_out", "0.500  [0.400, 0.600]")
    chosen = ShareRow(system="ours", chosen=4, share=estimate(0.4), wilson=estimate(0.4, 0.2))
    shares = ranking_sheet(AspectResults(aspect="best", votes=10, shares=(chosen,)))
    assert shares.rows == (("ours", 4, "0.400  [0.300, 0.500]", "0.400  [0.200, 0.600]"),)
    points = PointsRow(system="ours", mean=estimate(3.5), counts=(0, 1, 2, 3, 4))
    rated = ranking_sheet(AspectResults(aspect="quality", votes=10, points=(points,)))
    assert rated.rows == (("ours", "3.500  [3.400, 3.600]", 0, 1, 2, 3, 4),)


def test_people_are_listed_newest_first_also_before_results_are_known() -> None:
    people = [
        Participant(id="p1", study_id="s", group="public", state="finished", joined_at="2026-01-02T03:04:05", code="AB"),
        Participant(id="p2", study_id="s", group="expert", joined_at="2026-01-03T03:04:05"),
    ]
    assert [(row[0], row[5], row[6], row[-1]) for row in people_sheet(people, None).rows] == [
        ("p2", None, None, "2026-01-03 03:04"),
        ("p1", "AB", None, "2026-01-02 03:04"),
    ]


def test_a_studys_name_makes_a_folder_inside_the_exports() -> None:
    assert [folder_name(name) for name in ("taste", "../../etc", "a/b c", "…", "研究")] == [
        "taste", "etc", "a_b_c", "study", "研究",
    ]  # fmt: skip


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_rule_and_step_of_the_funnel_has_its_words(name: str) -> None:
    said = texts(name)
    assert [rule for rule in asdict(Rules()) if f"studies.rule_{rule}" not in said] == []
    steps = ("joined", "withdrawn", "unfinished", "min_seconds", "min_item_seconds", "max_straight", "extreme_share",
             "min_gold_accuracy", "slider", "one_per_login", "one_per_ip")  # fmt: skip
    assert [step for step in steps if f"studies.step_{step}" not in said] == []


@pytest.mark.parametrize(("rank", "ranks", "said"), [(2, (2, 3), "2 (2–3)"), (1, (1, 1), "1"), (None, None, None)])
def test_results_and_studies_say_the_same_of_a_system(
    rank: int | None, ranks: tuple[int, int] | None, said: str | None
) -> None:
    likely = Estimate(value=0.25, low=-0.5, high=1.0, n=9)
    strength = StrengthRow(
        system="ours",
        bradley_terry=likely,
        davidson=Estimate(value=0.2, low=-0.4, high=0.8, n=9),
        elo=1043,
        majority=Estimate(value=0.6, n=9),
        rate=Estimate(value=0.55, low=0.4, high=0.7, n=9),
        rank=rank,
        ranks=ranks,
    )
    aspect = AspectResults(aspect="look", votes=9, strengths=(strength,))

    def cells(sheet: Sheet) -> dict[str, object]:
        return dict(zip(sheet.head, sheet.rows[0], strict=True))

    of_results, of_studies = cells(wins_sheet(aspect)), cells(ranking_sheet(aspect))
    shared = of_results.keys() & of_studies.keys()
    assert shared == {"system", "rank", "davidson", "bradley_terry", "elo", "win_rate"}
    assert {name: of_results[name] for name in shared} == {name: of_studies[name] for name in shared}
    assert of_results["rank"] == said
