"""Nothing that a participant's browser is sent tells which system made a video: bytes, headers, addresses, sides."""

import base64
import itertools
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import cast
from urllib.parse import quote

import av
import httpx
import numpy as np
import pytest
from scipy.stats import chisquare

from backend.api import Api
from backend.domain.studies import MAIN, StudyDesign, StudyItem, StudyMedia
from backend.media.images import encode_png
from backend.service.study_page.words import static_files
from backend.studies.design import trials_of
from backend.workspace import Workspace
from tests.backend.service.study_page.visitor import LENIENT, Visitor
from tests.promises import Tally

SECRETS = {
    "system": ("Quetzalmodel", "Wolverinemodel"),
    "prompt": ("amaranthine pangolin", "chartreuse ocelot"),  # as a system rewrote it
    "run": ("run-20260101-zebra", "run-20260102-yak"),
    "study": ("ours-against-theirs",),
    "file": ("quokka_checkpoint", "axolotl_checkpoint", "benchmark-of-secrets"),
}


def told_video(path: Path, *, shade: int, system: str, prompt: str, run: str, size: tuple[int, int], fps: int) -> None:
    """A video whose container says who made it, as generators like to write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        container.metadata.update({"title": system, "comment": prompt, "description": run, "artist": str(path)})
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for k in range(6):
            pixels = np.full((size[1], size[0], 3), shade, np.uint8)
            pixels[: 8 + 4 * k] = 255 - shade
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


@pytest.fixture
def api(tmp_path: Path):
    """Two systems whose every trace is a word that occurs nowhere else."""
    folder = tmp_path / SECRETS["file"][2]
    cases = {}
    for k in range(3):
        (folder / "references").mkdir(parents=True, exist_ok=True)
        (folder / "references" / f"case{k}.png").write_bytes(encode_png(np.full((30, 30, 3), 60 * k, np.uint8)))
        cases[f"singleobj_{k}"] = {
            "img_paths": [f"references/case{k}.png"],
            "prompt": f"A cup number {k} turns.",
            "synthesis_flag": "wrong",
            "class_label": ["Cup"],
        }
        for n, (size, fps) in enumerate((((64, 48), 8), ((96, 64), 12))):
            told_video(
                folder / SECRETS["file"][n] / f"singleobj_{k}.mkv",
                shade=50 + 90 * n + 12 * k,
                system=SECRETS["system"][n],
                prompt=SECRETS["prompt"][n],
                run=SECRETS["run"][n],
                size=size,
                fps=fps,
            )
    (folder / "cases.json").write_text(json.dumps(cases))
    workspace = Workspace(tmp_path / "project", create=True)
    cast(Api, workspace).create_study(
        name=SECRETS["study"][0],
        form="opens2v",
        trials=3,
        rules=LENIENT,
        cases=str(folder / "cases.json"),
        systems=tuple(f"{name}={folder / SECRETS['file'][n]}" for n, name in enumerate(SECRETS["system"])),
    )
    yield cast(Api, workspace)
    workspace.close()


def spellings(word: str) -> list[bytes]:
    """A word as it might travel, in any case, as text, in an address, as UTF-16, base64 (at each offset) or hexadecimal."""
    raw = word.encode()
    return [
        raw.lower(),
        quote(word).encode().lower(),
        word.encode("utf-16-le").lower(),
        raw.hex().encode(),
        *(base64.b64encode(b"\0" * k + raw)[4:-4].lower() for k in range(3)),
    ]


def leaks(answers: Iterable[httpx.Response], words: Iterable[str]) -> list[str]:
    """Words that stand in an address, a header or a body, in any spelling."""
    sent = [
        b"\n".join((str(answer.url).encode(), *(b": ".join(pair) for pair in answer.headers.raw), answer.content)).lower()
        for answer in answers
    ]
    return [word for word in words if any(spelled in one for spelled in spellings(word) for one in sent)]


@pytest.mark.slow
@pytest.mark.promise(
    "nothing that a participant's browser is sent names a system, a run, a file, a study or the prompt that a system made of a case",
    area="Service",
    goal="0 of 12 words in 7 spellings in the addresses, headers and bytes of a whole session",
    control="tests/backend/service/study_page/test_blindness.py::test_a_word_in_a_header_a_body_or_an_address_is_found",
)
def test_no_byte_of_a_session_names_a_system_a_run_a_file_or_its_prompt(api: Api, tally: Tally) -> None:
    visitor = Visitor(api)
    token = api.invite(study=SECRETS["study"][0])[0].token
    visitor.get("/s/")
    for name in static_files():
        visitor.get(f"/s/static/{name}")
    visitor.begin(token)
    visitor.state()
    videos: dict[bytes, set[str]] = {}
    for position in range(20):
        found = Visitor(api)
        found.http.cookies = visitor.http.cookies
        found.answers = visitor.answers
        for trial in found.trials(position)[:1]:
            for panel in trial["panels"]:
                if panel["media"]:
                    sent = found.get(panel["media"])
                    assert sent.status_code == 200
                    found.get(panel["media"], {"range": "bytes=0-63"})
                    if panel["shows"] == "video":
                        videos.setdefault(sent.content, set()).add(panel["media"])
            for question in trial["questions"]:
                found.answer(trial, question, "left", comment="Why?")
                found.answer(trial, question, "both_bad")  # a conflict, with what was stored
                found.answer(trial, question, "none such")
    visitor.state()
    visitor.post("/s/finish", {})
    visitor.slide()
    visitor.post("/s/finish", {})
    assert visitor.state()["step"] == "done"
    assert len(visitor.answers) > 100
    assert len(videos) >= 6  # both systems' videos of every case were sent
    assert any(len(used) > 1 for used in videos.values()), "a repeated trial shows a video under another address"
    ids = (api.study(name=SECRETS["study"][0]).id, str(Path(api.about().project)))
    words = (*(word for words in SECRETS.values() for word in words), *ids)
    told = leaks(visitor.answers, words)
    tally.record(len(words), lost=len(told), note=f"{len(visitor.answers)} answers")
    assert told == []


@pytest.mark.parametrize("spelled", range(7))
def test_a_word_in_a_header_a_body_or_an_address_is_found(spelled: int) -> None:
    word = SECRETS["system"][0]
    planted = spellings(word)[spelled]
    asked = httpx.Request("GET", "http://127.0.0.1/s/" + (quote(word) if spelled == 1 else ""))
    header = {"x-made-by": planted.decode("latin-1")} if spelled not in (1, 2) else {}
    answer = httpx.Response(200, headers=header, content=b"<p>" + planted * (spelled == 2), request=asked)
    assert leaks([answer], (word, "another")) == [word]


@pytest.mark.slow
def test_copies_of_both_systems_are_of_one_class(api: Api) -> None:
    visitor = Visitor(api).begin(api.invite(study=SECRETS["study"][0])[0].token)
    found = set()
    for trial in visitor.trials():
        for panel in trial["panels"]:
            if panel["shows"] == "video":
                path = Path(api.media(media_id=f"t-{trial['id']}-{panel['slot']}").path)
                with av.open(str(path)) as container:
                    stream = container.streams.video[0]
                    context = stream.codec_context
                    found.add(
                        (
                            context.codec.name,
                            context.pix_fmt,
                            context.profile,
                            (context.width, context.height),
                            stream.average_rate,
                            len(container.streams),
                            tuple(sorted(container.metadata.items())),
                            tuple(sorted(stream.metadata.items())),
                        )
                    )
    assert len(found) == 1, found


SYSTEMS = ("a", "b", "c")
STUDIES, PARTICIPANTS = 20, 100


def design_of(num_cases: int, seed: int) -> StudyDesign:
    items = tuple(
        StudyItem(
            role=MAIN,
            case_id=f"case{k}",
            category=f"kind{k % 3}",
            systems=pair,
            media=tuple(StudyMedia(system=s, path=f"{s}/{k}.mp4") for s in pair),
        )
        for k in range(num_cases)
        for pair in itertools.combinations(SYSTEMS, 2)
    )
    return StudyDesign(
        name=f"study {seed}",
        kind="preference",
        form="ab",
        aspects=("better",),
        systems=SYSTEMS,
        benchmark="b",
        cases_hash="h",
        items=items,
        trials=12,
        gold=0,
        identical=0,
        practice=0,
        seed=seed,
    )


@pytest.fixture(scope="module")
def shown() -> list[list[tuple[tuple[str, ...], str]]]:
    """Of 2,000 participants the pair and the system on the left of every trial, in order."""
    found = []
    for seed in range(STUDIES):
        design = design_of(10, seed)
        by_id = {item.id: item for item in design.items}
        for place in range(PARTICIPANTS):
            items = [(by_id[trial.item_id], trial) for trial in trials_of(design, place)]
            found.append([(item.systems, item.systems[trial.order[0]]) for item, trial in items])
    assert len(found) == 2_000
    return found


def telling(shown: list[list[tuple[tuple[str, ...], str]]]) -> list[str]:
    """By what the side of a video would tell something of its system: counts that chance makes in fewer than 1 of 100 studies."""
    left = Counter(one for trials in shown for one in trials)
    counts = {f"{pair}": [left[pair, system] for system in pair] for pair in itertools.combinations(SYSTEMS, 2)}
    firsts = Counter(trials[0][1] for trials in shown)
    counts["the first trial"] = [firsts[system] for system in SYSTEMS]
    for parity in (0, 1):
        places = Counter(on_left for trials in shown for _, on_left in trials[parity::2])
        counts[f"every other trial, from {parity}"] = [places[system] for system in SYSTEMS]
    order = [[pair[0] == on_left for pair, on_left in trials] for trials in shown]
    same = Counter(first == second for trials in order for first, second in itertools.pairwise(trials))
    counts["the trial before"] = [same[True], same[False]]
    return [what for what, found in counts.items() if chisquare(found).pvalue <= 0.01]


@pytest.mark.promise(
    "the side that a video is shown on tells nothing of its system, of the first trial or of the next one",
    area="Service",
    goal="0 of 7 counts over 2,000 participants that chance makes in fewer than 1 of 100 studies",
    control="tests/backend/service/study_page/test_blindness.py::test_sides_that_tell_something_are_found",
)
def test_the_side_tells_nothing_of_the_system_over_2000_assignments(shown: list, tally: Tally) -> None:
    told = telling(shown)
    tally.record(len(shown), lost=len(told))
    assert told == []


def test_sides_that_tell_something_are_found(shown: list) -> None:
    always = [[(pair, pair[0]) for pair, _ in trials] for trials in shown]
    assert len(telling(always)) == 7
    by_turns = [[(pair, pair[place % 2]) for place, (pair, _) in enumerate(trials)] for trials in shown]
    assert "the trial before" in telling(by_turns)
