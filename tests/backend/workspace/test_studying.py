"""Studies through the Api: who may join, what is shown, what is kept, what comes out."""

import csv
import json
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.client import RemoteApi, ServicePlace
from backend.domain import ImportRefused, ProjectError, SettingsError, StudioError, Trial, Vote
from backend.domain.studies import CodedVote, PageEvent, Participant, StudySummary
from backend.media.reader import VideoReader
from backend.service import serving
from backend.workspace import Workspace
from backend.workspace.study_votes import read_votes, write_votes
from tests.backend.workspace.study_project import SYSTEMS, answer, finished, named, newcomer, write_benchmark

LENIENT = ("min_seconds=0", "min_item_seconds=0")


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"), cases=6)


@pytest.fixture
def api(workspace: Workspace) -> Api:
    """In process; one test goes over HTTP."""
    return cast(Api, workspace)


def create(api: Api, benchmark: Path, **fields) -> StudySummary:
    asked = {"name": "taste", "form": "ab", "trials": 6, "rules": LENIENT, **fields}
    return api.create_study(cases=str(benchmark / "cases.json"), systems=named(benchmark), **asked)


@pytest.fixture
def study(api: Api, benchmark: Path) -> StudySummary:
    return create(api, benchmark)


def brighter(api: Api):
    """A rater who sees what is shown: the brighter side wins, noise loses, equal sides tie."""

    def choose(trial: Trial, question: str) -> str:
        frames = {}
        for slot in ("left", "right"):
            media = next(one.media for one in trial.stimuli if one.slot == slot)
            assert media is not None
            with VideoReader(api.media(media_id=media).path) as reader:
                frames[slot] = reader.at([0])[0][-24:, -24:].astype(float)
        noise = {slot: frame.std() for slot, frame in frames.items()}
        if abs(noise["left"] - noise["right"]) > 10:
            return min(noise, key=lambda slot: noise[slot])
        light = {slot: frame.mean() for slot, frame in frames.items()}
        return "tie" if abs(light["left"] - light["right"]) < 5 else max(light, key=lambda slot: light[slot])

    return choose


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


def test_an_invitation_lets_one_person_in(api: Api, study: StudySummary) -> None:
    (one,) = api.invite(study="taste", group="expert")
    person = api.join_study(token=one.token, login="ann", address="10.0.0.1")
    assert (person.group, person.state) == ("expert", "joined")
    with pytest.raises(ProjectError, match="used already"):
        api.join_study(token=one.token)
    with pytest.raises(ProjectError, match="not valid"):
        api.join_study(token="forged" + one.token[6:])
    (late,) = api.invite(study="taste", days=1e-9)
    with pytest.raises(ProjectError, match="ended on"):
        api.join_study(token=late.token)
    (other,) = api.invite(study="taste")
    with pytest.raises(ProjectError, match="has taken part already"):
        api.join_study(token=other.token, login=" ann ")
    assert api.join_study(token=other.token, login="bob").state == "joined"


def test_nothing_of_a_token_a_login_or_an_address_is_kept(api: Api, study: StudySummary, workspace: Workspace) -> None:
    (one,) = api.invite(study="taste")
    api.join_study(token=one.token, login="ann.canary", address="203.0.113.77")
    workspace.status()
    for path in workspace.layout.root.rglob("*"):
        if path.is_file():
            found = path.read_bytes()
            assert not any(text.encode() in found for text in (one.token, "ann.canary", "203.0.113.77")), path


def test_twenty_threads_with_one_invitation_make_one_participant(workspace: Workspace, benchmark: Path) -> None:
    create(cast(Api, workspace), benchmark)
    (one,) = workspace.invite(study="taste")
    joined, refused = [], []

    def join() -> None:
        try:
            joined.append(workspace.join_study(token=one.token))
        except ProjectError as error:
            refused.append(error)

    threads = [threading.Thread(target=join) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(joined), len(refused)) == (1, 19)


def test_trials_name_no_system_and_go_on_where_they_were(api: Api, study: StudySummary) -> None:
    person = newcomer(api, "taste")
    assert api.consent(participant=person.id, text="again").consented_at == person.consented_at
    first = api.study_trials(participant=person.id, limit=3)
    assert [one.position for one in first.trials] == [0, 1, 2]
    assert first.trials[0].practice
    said = json.dumps(asdict(first))
    assert not [name for name in SYSTEMS if name in said]
    assert "singleobj" not in said
    trial = first.trials[0].trial
    assert trial.gold is not None
    assert all(one.trial.gold is None for one in first.trials if not one.practice)
    vote = vote_on(person, trial, "left")
    api.submit_votes(votes=(vote,))
    after = api.study_trials(participant=person.id, limit=1)
    assert (after.answered, after.trials[0].position) == (1, 1)
    back = api.study_trials(participant=person.id, start=0, limit=1).trials[0]
    assert [(one.choice, one.item_id, one.rev) for one in back.votes] == [("left", trial.item_id, 1)]
    assert not [name for name in SYSTEMS if name in json.dumps(asdict(back))]


def vote_on(person: Participant, trial: Trial, choice: str | None, *, rev: int = 1, id: str = "") -> Vote:
    return Vote(
        id=id or f"{trial.item_id}-better",
        rev=rev,
        study_id=person.study_id,
        trial_id=trial.id,
        item_id=trial.item_id,
        rater=person.id,
        rater_kind="person",
        question="better",
        choice=choice,
    )


def test_votes_may_be_changed_until_the_end_and_are_counted_once(api: Api, study: StudySummary) -> None:
    person = newcomer(api, "taste")
    trial = api.study_trials(participant=person.id, start=3, limit=1).trials[0].trial
    votes = (vote_on(person, trial, "left"), vote_on(person, trial, "right", rev=2))
    first = api.submit_votes(votes=votes)
    assert api.submit_votes(votes=votes) == first
    (kept,) = api.study_trials(participant=person.id, start=3, limit=1).trials[0].votes
    assert (kept.choice, kept.rev) == ("right", 2)
    other_tab = vote_on(person, trial, "tie", id="another-tab")
    api.submit_votes(votes=(other_tab,))
    (row,) = api.votes(study_id=study.study_id)[-1:]
    assert row.choice == "tie"
    answer(api, person, lambda *_: "tie")
    api.page_events(participant=person.id, events=(PageEvent(id="s", name="slider_passed"),))
    done = api.finish_study(participant=person.id)
    assert (done.state, len(done.code)) == ("finished", 8)
    assert api.finish_study(participant=person.id) == done
    assert api.submit_votes(votes=(other_tab,))[0].applied  # what an outbox sends again is answered
    with pytest.raises(StudioError, match="takes no further answers"):
        api.submit_votes(votes=(replace(other_tab, rev=9, choice="left"),))
    counted = [one for one in api.study_results(name="taste", bootstraps=20).raters if one.participant == person.id]
    assert counted[0].votes <= 6 + 5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"choice": "middle"}, "no choice of better"),
        ({"question": "beauty"}, "not asked"),
        ({"item_id": "trial_00000000000000000000"}, "does not have"),
        ({"rater": "p_nobody"}, "takes part in no study"),
        ({"comment": "x" * 50_000}, "shorten it to 2000"),
        ({"reasons": ("beauty",)}, "does not offer"),
        ({"rev": 2**63}, "out of range"),
    ],
)
def test_an_answer_that_cannot_be_is_refused(api: Api, study: StudySummary, change: dict, sentence: str) -> None:
    person = newcomer(api, "taste")
    trial = api.study_trials(participant=person.id, limit=1).trials[0].trial
    with pytest.raises(StudioError, match=sentence):
        api.submit_votes(votes=(replace(vote_on(person, trial, "left"), **change),))
    assert api.study_trials(participant=person.id, limit=1).answered == 0


def test_an_open_response_cannot_be_finished(api: Api, study: StudySummary) -> None:
    person = newcomer(api, "taste")
    with pytest.raises(ProjectError, match=r"\d+ of \d+ trials are not answered yet"):
        api.finish_study(participant=person.id)
    (invitation,) = api.invite(study="taste")
    joined = api.join_study(token=invitation.token)
    assert api.study_trials(participant=joined.id).trials == ()
    with pytest.raises(ProjectError, match="not agreed"):
        api.finish_study(participant=joined.id)


@pytest.mark.slow
def test_media_are_in_one_class_and_told_apart_by_nobody(api: Api, study: StudySummary) -> None:
    people = [newcomer(api, "taste") for _ in range(2)]
    ids, sizes = [], set()
    for person in people:
        for one in api.study_trials(participant=person.id, limit=4).trials:
            for stimulus in one.trial.stimuli:
                if stimulus.media and not stimulus.slot.startswith("reference"):
                    found = api.media(media_id=stimulus.media)
                    ids.append(stimulus.media)
                    assert not [name for name in SYSTEMS if name in found.path]
                    with VideoReader(found.path) as reader:
                        assert reader.num_frames == found.num_frames
                        sizes.add((reader.width, reader.height, found.fps))
    assert len(sizes) == 1
    assert len(set(ids)) == len(ids)
    with pytest.raises(ProjectError, match="does not exist"):
        api.media(media_id="t-trial_00000000000000000000-left")
    with pytest.raises(ProjectError, match="does not exist"):
        api.media(media_id=ids[0].rpartition("-")[0] + "-reference_9")


@pytest.mark.slow
def test_raters_who_see_what_is_shown_are_read_rightly(workspace: Workspace, benchmark: Path) -> None:
    api = cast(Api, workspace)
    create(api, benchmark, trials=9)
    for number in range(2):
        finished(api, "taste", brighter(api), login=f"rater {number}")
    results = api.study_results(name="taste", bootstraps=50)
    assert [step.kept for step in results.funnel] == [2] * len(results.funnel)
    (aspect,) = results.groups[0].aspects
    assert aspect.votes == 18
    by_pair = {(row.system, row.rival): row for row in aspect.wins}
    assert all(by_pair[pair].losses == 0 for pair in (("good", "fair"), ("good", "poor"), ("fair", "poor")))
    assert "votes separate the systems" in aspect.strengths[0].davidson.reason
    assert [row.gold.value for row in results.raters] == [1.0, 1.0]
    assert [row.consistency.value for row in results.raters] == [1.0, 1.0]


def test_withdrawn_and_second_responses_are_rows_of_the_funnel(api: Api, study: StudySummary) -> None:
    def tie(*_: object) -> str:
        return "tie"

    kept = finished(api, "taste", tie, address="10.0.0.9")
    twin = finished(api, "taste", tie, address="10.0.0.9")
    gone = finished(api, "taste", tie)
    api.withdraw(participant=gone.id)
    newcomer(api, "taste")
    results = api.study_results(name="taste", bootstraps=20)
    steps = {step.rule: step for step in results.funnel}
    assert steps["joined"].kept == 4
    assert (steps["withdrawn"].removed, steps["unfinished"].removed) == (1, 1)
    removed = {row.participant: row.removed_by for row in results.raters}
    # Whoever says tie to everything fails the gold trials
    assert (removed[kept.id], removed[twin.id]) == ("min_gold_accuracy", "min_gold_accuracy")
    assert results.groups[0].participants == 0
    assert "no response counts yet" in results.remarks[0]
    assert results.groups[0].aspects[0].strengths[0].davidson.reason == "no votes"


def test_who_works_on_the_project_goes_on_under_their_name(api: Api, study: StudySummary) -> None:
    first = api.take_part(study="taste", login="ann")
    assert api.take_part(study="taste", login="ann") == first
    api.consent(participant=first.id, text="yes")
    trials = api.next_trials(study_id=study.study_id, rater=first.id, limit=2)
    assert len(trials) == 2
    (more,) = api.next_trials(study_id=study.study_id, rater=first.id, limit=1, skip=tuple(t.item_id for t in trials))
    assert more.item_id not in {t.item_id for t in trials}
    state = api.queue_state(study_id=study.study_id, rater=first.id)
    assert (state.judged, state.total) == (0, study.trials)
    assert api.form(name=trials[0].form).questions[0].name == "better"


@pytest.mark.slow
def test_a_project_that_is_opened_again_knows_everything(tmp_path: Path, benchmark: Path) -> None:
    opened = Workspace(tmp_path / "p", create=True)
    api = cast(Api, opened)
    create(api, benchmark)
    done = finished(api, "taste", lambda *_: "left")
    person = newcomer(api, "taste")
    trial = api.study_trials(participant=person.id).trials[0].trial
    api.submit_votes(votes=(vote_on(person, trial, "left"),))
    before = (
        api.studies(),
        api.study_results(name="taste", bootstraps=20),
        api.study_trials(participant=person.id, limit=9),
    )
    opened.close()
    again = Workspace(tmp_path / "p")
    try:
        after = (
            again.studies(),
            again.study_results(name="taste", bootstraps=20),
            again.study_trials(participant=person.id, limit=9),
        )
        assert after[0] == before[0]
        assert after[1].groups == before[1].groups
        assert after[2].trials == before[2].trials
        assert again.participant(participant=done.id).code == done.code
        assert again.rebuild().ok
        assert again.study_results(name="taste", bootstraps=20).groups == before[1].groups
    finally:
        again.close()


def test_page_events_are_kept_once_and_checked(api: Api, study: StudySummary) -> None:
    person = newcomer(api, "taste")
    events = (PageEvent(id="a", name="offline"), PageEvent(id="b", name="played", value=1.0))
    assert api.page_events(participant=person.id, events=events) == 2
    assert api.page_events(participant=person.id, events=events) == 0
    with pytest.raises(SettingsError, match="no fit name"):
        api.page_events(participant=person.id, events=(PageEvent(id="c", name="<b>"),))
    with pytest.raises(SettingsError, match="does not have"):
        api.page_events(participant=person.id, events=(PageEvent(id="c", name="played", trial_id="trial_x"),))


def test_a_whole_study_over_http(workspace: Workspace, benchmark: Path) -> None:
    with serving(cast(Api, workspace), workspace.layout.root):
        remote = RemoteApi(ServicePlace(workspace.layout.root))
        api = cast(Api, remote)
        made = create(api, benchmark)
        assert api.study(name="taste").items[0].systems
        person = finished(api, "taste", lambda *_: "tie", login="ann")
        assert api.studies() == (replace(made, remarks=(), invited=1, joined=1, finished=1, votes=made.trials),)
        (row,) = api.study_results(name="taste", bootstraps=20).raters
        assert row.participant == person.id
        assert api.erase_participant(participant=person.id).votes == made.trials
        with pytest.raises(ProjectError, match="takes part in no study"):
            api.participant(participant=person.id)
        remote.close()


CANARY = "kestrel-canary-4471"


@pytest.mark.slow
def test_an_erased_participant_leaves_no_byte(workspace: Workspace, benchmark: Path) -> None:
    api = cast(Api, workspace)
    create(api, benchmark)
    (invitation,) = api.invite(study="taste")
    person = api.join_study(token=invitation.token, login=CANARY, address=CANARY, background=CANARY)
    api.consent(participant=person.id, text=f"I, {CANARY}, agree.")
    for one in api.study_trials(participant=person.id, limit=50).trials:
        api.submit_votes(votes=(replace(vote_on(person, one.trial, "left"), comment=CANARY),))
    api.page_events(participant=person.id, events=(PageEvent(id=CANARY, name="slider_passed"),))
    api.finish_study(participant=person.id)
    other = finished(api, "taste", lambda *_: "right")
    workspace.status()
    workspace.catalog.checkpoint()
    assert holding(workspace, CANARY)
    backup = api.backup()
    done = api.erase_participant(participant=person.id)
    assert done.votes == api.study_trials(participant=other.id).total
    assert done.backups == (backup,)
    assert holding(workspace, CANARY, person.id) == [
        path for path in holding(workspace, CANARY, person.id) if backup in path
    ]
    assert api.verify().ok
    assert api.verify().journal_events == workspace.journal.head().seq
    with pytest.raises(ProjectError, match="takes part in no study"):
        api.participant(participant=person.id)
    with pytest.raises(ProjectError, match="used already"):
        api.join_study(token=invitation.token)
    assert [row.participant for row in api.study_results(name="taste", bootstraps=20).raters] == [other.id]
    api.join_study(token=api.invite(study="taste")[0].token, login=CANARY)


def holding(workspace: Workspace, *texts: str) -> list[str]:
    """Files of the project that hold one of the texts."""
    files = (path for path in workspace.layout.root.rglob("*") if path.is_file())
    return [str(path) for path in files if any(text.encode() in path.read_bytes() for text in texts)]


def test_backups_are_deleted_with_the_person_when_that_is_asked(workspace: Workspace, benchmark: Path) -> None:
    api = cast(Api, workspace)
    create(api, benchmark)
    person = api.take_part(study="taste", login="ann")
    backup = api.backup()
    done = api.erase_participant(participant=person.id, delete_backups=True)
    assert (done.backups, done.deleted_backups) == ((), (backup,))
    assert holding(workspace, person.id) == []


def test_an_erasure_that_broke_off_is_finished_by_asking_again(
    workspace: Workspace, benchmark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = cast(Api, workspace)
    create(api, benchmark)
    person = api.take_part(study="taste", login="ann")

    def full() -> None:
        raise ProjectError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(workspace.catalog, "rewrite", full)
        with pytest.raises(ProjectError, match="the disk is full"):
            api.erase_participant(participant=person.id)
    assert api.erase_participant(participant=person.id).events == 0
    assert holding(workspace, person.id) == []
    assert api.verify().ok


def test_erasing_waits_for_long_reads(workspace: Workspace, benchmark: Path) -> None:
    api = cast(Api, workspace)
    create(api, benchmark)
    person = api.take_part(study="taste", login="ann")
    with workspace.catalog.reading(), pytest.raises(ProjectError, match="is being read"):
        api.erase_participant(participant=person.id)
    assert api.participant(participant=person.id) == person


def leftish(trial: Trial, _: str) -> str:
    """Some answer that depends on the trial alone."""
    return ("left", "right", "tie", "both_bad")[int(trial.item_id[-2:], 16) % 4]


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_votes_written_are_read_into_another_project(api: Api, benchmark: Path, tmp_path: Path, format: str) -> None:
    create(api, benchmark, rules=(*LENIENT, "min_gold_accuracy=0"))
    for _ in range(3):
        finished(api, "taste", leftish)
    out = tmp_path / f"votes.{format}"
    written = api.export_votes(study="taste", out=str(out), format=format)
    opened = Workspace(tmp_path / "other", create=True)
    other = cast(Api, opened)
    try:
        create(other, benchmark)
        read = other.import_votes(study="taste", path=str(out), format=format)
        assert read.votes == 3 * 6
        assert written.votes == 3 * (6 + 2 + 1 + 1)  # gold, identical, and one repeat: six trials leave no room for two
        assert other.import_votes(study="taste", path=str(out), format=format).votes == 0
        ours, theirs = (one.study_results(name="taste", bootstraps=20).groups[0].aspects[0] for one in (api, other))
        assert theirs.votes == ours.votes == 18
        counts = [[(r.system, r.rival, r.wins, r.ties, r.losses, r.both_bad) for r in one.wins] for one in (ours, theirs)]
        assert counts[0] == counts[1]
    finally:
        opened.close()


def test_human_anno_holds_majorities_of_ordered_pairs(api: Api, benchmark: Path, tmp_path: Path) -> None:
    create(api, benchmark, trials=18, rules=(*LENIENT, "min_gold_accuracy=0"))
    finished(api, "taste", brighter(api))
    api.export_votes(study="taste", out=str(tmp_path / "anno.json"), format="vbench2")
    (question,) = json.loads((tmp_path / "anno.json").read_text()).items()
    assert question[0] == "better"
    assert len(question[1]) == 6
    for case in question[1]:
        assert case["human_anno"] == {
            "good": {"fair": 1.0, "poor": 1.0},
            "fair": {"good": 0.0, "poor": 1.0},
            "poor": {"good": 0.0, "fair": 0.0},
        }
    create(api, benchmark, name="again")
    assert api.import_votes(study="again", path=str(tmp_path / "anno.json"), format="vbench2").votes == 18


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1", "plain")


@pytest.mark.parametrize("text", FORMULAS)
def test_csv_cells_are_no_formulas_and_come_back_as_they_were(api: Api, benchmark: Path, tmp_path: Path, text: str) -> None:
    create(api, benchmark)
    design = api.study(name="taste")
    item = design.items[0]
    vote = CodedVote(
        vote_id=text,
        item_id=item.id,
        case_id=item.case_id,
        category=text,
        role="main",
        rater=text,
        group=text,
        question="better",
        systems=item.systems,
        shown=item.systems,
        choice="left",
        value=1.0,
    )
    write_votes([vote], design, tmp_path / "votes.csv", format="csv")
    with (tmp_path / "votes.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert not [cell for cell in row.values() if cell.startswith(FORMULAS[:-1])]
    ((found, read),) = read_votes(tmp_path / "votes.csv", design, format="csv")
    assert (found, read.rater, read.choice) == (item, text, "left")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"rater": ""}, "vote 1: it needs case_id"),
        ({"case_id": "nothing_1"}, "has no item of case 'nothing_1'"),
        ({"question": "beauty"}, "'beauty' is not asked"),
        ({"choice": "middle"}, "'middle' of rater 'ann' on case singleobj_1"),
        ({"shown": ["good", "poor"]}, "are not those of the item"),
    ],
)
def test_a_wrong_line_of_an_import_is_named(api: Api, benchmark: Path, tmp_path: Path, row: dict, sentence: str) -> None:
    create(api, benchmark)
    fit = {"case_id": "singleobj_1", "systems": ["good", "fair"], "question": "better", "rater": "ann", "choice": "left"}
    (tmp_path / "in.jsonl").write_text(json.dumps(fit | row))
    with pytest.raises(ImportRefused, match=sentence):
        api.import_votes(study="taste", path=str(tmp_path / "in.jsonl"))
    (tmp_path / "in.jsonl").write_text("{")
    with pytest.raises(ImportRefused, match="is no jsonl file"):
        api.import_votes(study="taste", path=str(tmp_path / "in.jsonl"))
