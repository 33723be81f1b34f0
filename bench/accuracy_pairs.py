"""How well pairs of one identity are found: on sample worlds against their truth, and on real clips with labels.

`python -m bench.accuracy_pairs WORLD… [--real DIR]` judges the whole flow, `--given 1000-1009` pairing alone with the true
boxes of sample worlds. `--fit 0-9` writes resources/classical_appearance.json again.
"""

import argparse
import csv
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backend.domain import Appearance, Clip, Footage, Mask, Pair, Subject, Video, digest, resource
from backend.engine.context import load
from backend.geometry import boxes, rle
from backend.media.images import read_image
from backend.media.index import build_index
from backend.media.reader import VideoReader
from backend.models import MODELS
from backend.models.classical_embedder import calibration
from backend.recipes import plan_for
from backend.sampleworld import Truth, VideoTruth, read_truth
from backend.settings import ProjectSettings
from backend.stages.retrieval_evidence import Bounds, View, judge_pair
from bench.accuracy_pairs_fit import fit_fusion, fit_means, write
from bench.accuracy_pairs_worlds import Curated, GivenWorld, curate, given_world, subjects_on

PRECISION, RECALL = 0.95, 0.70
LINK_IDENTITIES = ("man_cap", "woman_jeans", "dog_spotted", "tennis_player", "woman_d3")
MAX_WRONG_LINKS = 0.10
CONTEXTS = ("context_diversity", "near_duplicate")
STILL_MARGIN = 0.06
"""What a reference picture leaves free on each side of its subject, as a share of the side."""
RULES = ("mask", "box")
"""How a kept appearance is given an identity. By mask, which is judged: the one on whom at least half of its mask lies. By
box: the one whose true box has an IoU of .5 or more with its box, so that a part of the right one counts as wrong."""
Row = dict[str, Any]
Link = tuple[str, int, int, str]
"""Video, shot, later shot, and who is joined with whom."""


def run(world_dirs: Sequence[Path], real_dir: Path | None) -> list[Row]:
    """Rows `{name, value, target, n, note}` over worlds (whole and worst) and, when there, the real folder `dev`."""
    rows: list[Row] = []
    if world_dirs:
        counts = [world_counts(Path(folder)) for folder in world_dirs]
        for rule in RULES:
            rows += count_rows([of_world[rule] for of_world in counts], f"whole flow, identity by {rule}")
    if real_dir is not None:
        rows += real_links(Path(real_dir))
        rows += real_verdicts(Path(real_dir))
    return rows


def run_given(seeds: Iterable[int]) -> list[Row]:
    """The same figures with the true boxes and masks of sample worlds: what is lost in pairing alone."""
    counts = []
    for seed in seeds:
        world = given_world(seed)
        world.pair()
        counts.append(given_counts(world))
    return count_rows(counts, "true boxes")


def count_rows(counts: Sequence["WorldCounts"], label: str) -> list[Row]:
    """Precision, recall and accepted copies over worlds."""
    mistakes = " | ".join(f"{c.name}: {mistake}" for c in counts for mistake in c.mistakes)
    rows = _whole_and_worst(f"pairs precision ({label})", [(c.right, c.right + c.wrong) for c in counts], PRECISION)
    rows += _whole_and_worst(f"pairs recall ({label})", [(c.recalled, c.wanted) for c in counts], RECALL)
    copies, planted = sum(c.copies for c in counts), sum(c.planted for c in counts)
    return [*rows, _row(f"near-duplicates accepted ({label})", copies, 0, planted, mistakes)]


@dataclass(frozen=True, slots=True)
class WorldCounts:
    """Accepted pairs right and wrong; links wanted and recalled; planted copies, and those accepted."""

    name: str
    right: int
    wrong: int
    wanted: int
    recalled: int
    planted: int
    copies: int
    mistakes: tuple[str, ...] = ()


def world_counts(folder: Path) -> dict[str, WorldCounts]:
    """Curates a world's videos and compares what is accepted with its truth, by each of RULES."""
    truth = read_truth(folder)
    copies, wanted = planted_copies(truth), wanted_links(truth)
    links: dict[str, list[tuple[Link, bool]]] = {rule: [] for rule in RULES}
    with tempfile.TemporaryDirectory() as scratch:
        whole = curate([folder / video.file for video in truth.videos], Path(scratch))
    for video in truth.videos:
        curated = whole.of_file(folder / video.file)
        shot = {a.id: shot_of(video, a) for a in curated.of(Appearance)}
        for rule, identity in identities(video, curated).items():
            for pair in accepted(curated):
                a, b = pair.target_appearance_id, pair.reference_appearance_id
                names = (identity[a], identity[b])
                link = (video.name, min(shot[a], shot[b]), max(shot[a], shot[b]), f"{names[0]} with {names[1]}")
                links[rule].append((link, names[0] is not None and names[0] == names[1]))
    joined = {(*w[:3], f"{w[3]} with {w[3]}") for w in wanted}
    return {rule: _counted(folder.name, found, joined, copies) for rule, found in links.items()}


def identities(video: VideoTruth, curated: Curated) -> dict[str, dict[str, str | None]]:
    """For each of RULES the identity of each appearance, by its id; None when it shows nobody."""
    masks = {mask.appearance_id: mask for mask in curated.of(Mask)}
    appearances = curated.of(Appearance)
    return {
        "mask": {a.id: identity_of_mask(video, a, masks[a.id]) if a.id in masks else None for a in appearances},
        "box": {a.id: identity_of_box(video, a) for a in appearances},
    }


def given_counts(world: GivenWorld) -> WorldCounts:
    """What is accepted among the true subjects of each video of a world."""
    subjects = {s.id: s for s in world.curated.of(Subject)}
    place = {s.id: world.place[s.clip_id] for s in subjects.values()}
    copies = {(f"{a[0]}", a[1], b[1]) for a, b in (sorted(c) for c in world.copies) if a[0] == b[0]}
    wanted: set[Link] = set()
    for a in subjects.values():
        for b in subjects.values():
            (video, first), (other, second) = place[a.id], place[b.id]
            if a.track_id == b.track_id and video == other and first < second:
                wanted.add((f"{video}", first, second, f"{a.track_id} with {a.track_id}"))
    links: list[tuple[Link, bool]] = []
    for pair in accepted(world.curated):
        a, b = subjects[pair.target_subject_id], subjects[pair.reference_subject_id or ""]
        (video, first), (other, second) = place[a.id], place[b.id]
        if video == other:
            link = (f"{video}", min(first, second), max(first, second), f"{a.track_id} with {b.track_id}")
            links.append((link, a.track_id == b.track_id))
    return _counted(f"seed {world.seed}", links, wanted, copies)


def _counted(
    name: str, links: Sequence[tuple[Link, bool]], wanted: set[Link], copies: set[tuple[str, int, int]]
) -> WorldCounts:
    wanted = {link for link in wanted if link[:3] not in copies}
    wrong = [link for link, right in links if not right]
    right = [link for link, is_right in links if is_right and link[:3] not in copies]
    copied = [link for link, is_right in links if is_right and link[:3] in copies]
    found = wanted & set(right)
    mistakes = [f"wrong {link}" for link in sorted(set(wrong))] + [f"missed {link}" for link in sorted(wanted - found)]
    return WorldCounts(name, len(right), len(wrong), len(wanted), len(found), len(copies), len(copied), tuple(mistakes))


def accepted(curated: Curated, *, contexts: bool = True) -> list[Pair]:
    """Pairs of two clips of one video that the default recipe's gates accept; without `contexts`, whatever their surroundings."""
    left_out = () if contexts else CONTEXTS
    gates = [g for g in plan_for(ProjectSettings()).gates() if g.record == "pair" and g.score not in left_out]

    def passes(pair: Pair) -> bool:
        values = curated.scores[pair.id]
        return all(gate.passes(values[gate.score]) for gate in gates if gate.score in values)

    return [pair for pair in curated.of(Pair) if pair.kind == "cross_frame" and passes(pair)]


def wanted_links(truth: Truth) -> set[Link]:
    """`(video, shot, later shot, identity)` wherever an identity is eligible in both shots of a video."""
    links: set[Link] = set()
    for video in truth.videos:
        eligible: dict[str, set[int]] = defaultdict(set)
        for number, _, subject, _ in subjects_on(video):
            eligible[subject.identity].add(number)
        for identity, shots in eligible.items():
            links |= {(video.name, a, b, identity) for a in shots for b in shots if a < b}
    return links


def planted_copies(truth: Truth) -> set[tuple[str, int, int]]:
    """`(video, shot, later shot)` of planted duplicates within one video."""
    copies = set()
    for planted in truth.duplicates:
        if planted.video_a == planted.video_b:
            video = truth.video(planted.video_a)
            starts = [shot.start_frame for shot in video.shots]
            a, b = sorted(starts.index(span[0]) for span in (planted.span_a, planted.span_b))
            copies.add((video.name, a, b))
    return copies


def identity_of_mask(video: VideoTruth, appearance: Appearance, mask: Mask) -> str | None:
    """The identity on whose visible pixels most of a mask lies, at least half of it."""
    number = shot_of(video, appearance)
    found = rle.decode(mask.counts, mask.height, mask.width)
    shares = []
    for subject in video.shots[number].subjects if number >= 0 else ():
        true = subject.mask_at(appearance.frame or 0, height=mask.height, width=mask.width)
        if true is not None:
            shares.append((np.count_nonzero(found & true) / np.count_nonzero(found), subject.identity))
    best = max(shares, default=(0.0, ""))
    return best[1] if best[0] >= 0.5 else None


def identity_of_box(video: VideoTruth, appearance: Appearance) -> str | None:
    """The identity whose true box on that frame overlaps best, at IoU >= .5."""
    number = shot_of(video, appearance)
    rows = [(s.identity, s.at(appearance.frame or 0)) for s in video.shots[number].subjects] if number >= 0 else []
    overlaps = [(boxes.iou(row.box, appearance.box), name) for name, row in rows if row is not None and row.box is not None]
    best = max(overlaps, default=(0.0, ""))
    return best[1] if best[0] >= 0.5 else None


def shot_of(video: VideoTruth, appearance: Appearance) -> int:
    """Number of the shot of an appearance's frame, -1 inside a transition."""
    frame = appearance.frame or 0
    return next((k for k, s in enumerate(video.shots) if s.start_frame <= frame < s.stop_frame), -1)


def real_links(real_dir: Path) -> list[Row]:
    """Identity links of long_contexts.mp4 before context diversity, and what diversity leaves."""
    file = "video/long_contexts.mp4"
    segments = [row for row in _csv(real_dir / "labels" / "long_segments.csv") if row["file"] == file]
    with tempfile.TemporaryDirectory() as scratch:
        curated = curate([real_dir / file], Path(scratch))
    frames = {a.id: a.frame or 0 for a in curated.of(Appearance)}

    def people_at(frame: int) -> tuple[int, set[str]]:
        for number, row in enumerate(segments):
            if int(row["first"]) <= frame <= int(row["last"]):
                return number, {name for name in row["subjects"].split(";") if name}
        return -1, set()

    links: dict[tuple[int, int], set[str]] = {}
    diverse: set[str] = set()
    for pair in accepted(curated, contexts=False):
        (a, names_a), (b, names_b) = (
            people_at(frames[x]) for x in (pair.target_appearance_id, pair.reference_appearance_id)
        )
        if a != b:
            links[min(a, b), max(a, b)] = names_a & names_b
    for pair in accepted(curated):
        diverse |= people_at(frames[pair.target_appearance_id])[1] & people_at(frames[pair.reference_appearance_id])[1]
    found = {name for names in links.values() for name in names}
    wrong = sum(not names for names in links.values())
    note = "; ".join(
        f"{segments[a]['first']}-{segments[b]['first']}" for (a, b), names in sorted(links.items()) if not names
    )
    missed = ", ".join(name for name in LINK_IDENTITIES if name not in found)
    return [
        _row(
            "identities linked (long_contexts)",
            sum(n in found for n in LINK_IDENTITIES),
            5,
            5,
            f"missed: {missed or 'none'}",
        ),
        _row("wrong links (long_contexts)", wrong / max(1, len(links)), MAX_WRONG_LINKS, len(links), note),
        _row(
            "man_cap after context diversity", float("man_cap" in diverse), 1, 1, f"diverse: {', '.join(sorted(diverse))}"
        ),
    ]


def real_verdicts(real_dir: Path) -> list[Row]:
    """The labelled clip pairs through `judge_pair`: agreement of accept or reject, beside the majority."""
    embedders = [load(MODELS[role]["embedded"])() for role in ("AppearanceEmbedder", "BackgroundEmbedder", "FaceEmbedder")]
    table: Counter[tuple[str, str]] = Counter()
    lines = []
    rows = _csv(real_dir / "labels" / "clip_pairs.csv")
    for row in rows:
        sides = [_views(real_dir / row[side], row[f"{side}_frames"]) for side in ("a", "b")]
        if all(sides):
            verdict = judge_pair(sides[0], sides[1], embedders, bounds=Bounds())
            choice, detail = verdict.choice, f"{verdict.similarity:.2f}/{verdict.context_diversity:.2f}"
        else:
            choice, detail = "reject_other_subject", "no subject found"
        wanted = "reject_other_subject" if row["wanted"] == "reject_other_person" else row["wanted"]
        table[wanted, choice] += 1
        lines.append(f"{row['subject']}: {row['wanted']} -> {choice} ({detail})")
    agreed = sum(n for (wanted, choice), n in table.items() if (wanted == "accept") == (choice == "accept"))
    majority = max(sum(n for (w, _), n in table.items() if (w == "accept") == sign) for sign in (True, False))
    confusion = "; ".join(f"{wanted} as {choice}: {n}" for (wanted, choice), n in sorted(table.items()))
    exact = sum(n for (wanted, choice), n in table.items() if wanted == choice)
    return [
        _row("clip pairs, accept or reject", agreed, majority, len(rows), f"majority {majority}; {confusion}"),
        _row("clip pairs, exact verdict", exact, None, len(rows), " | ".join(lines)),
    ]


def _views(path: Path, span: str) -> list[View]:
    """Subjects that the embedded detector and segmenter find in a span of a video, or in a picture."""
    detector, segmenter = (load(MODELS[role]["embedded"])() for role in ("Detector", "Segmenter"))
    if not span:
        picture = read_image(path)
        scale = min(1.0, 1280 / max(picture.shape[:2]))
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        reader: Any = Still(picture)
        first, last = 0, 0
    else:
        reader = VideoReader(path, build_index(path))
        first, last = (int(x) for x in span.split("-"))
        last = min(last, reader.num_frames - 1)
    footage = whole_footage(reader, first, last + 1)
    frames = sorted(set(footage.fractions((0.05, 0.5, 0.95))))
    found = [(d.frame, d.box, d.track or 0) for d in detector.detect(footage, frames, ())]
    if not found and not span:  # a reference picture shows its subject, wherever a detector of video sees none
        margin_x, margin_y = reader.width * STILL_MARGIN, reader.height * STILL_MARGIN
        found = [(0, (margin_x, margin_y, reader.width - margin_x, reader.height - margin_y), 0)]
    views = []
    for index, box, track in found:
        frame = reader.at([index])[0]
        mask = segmenter.segment(frame, [box])[0][0]
        if mask.any():
            views.append(View(frame, mask, box, track))
    return views


class Still:
    """A picture as a video of one frame."""

    def __init__(self, picture: np.ndarray) -> None:
        self._picture = picture
        self.num_frames, self.times_s = 1, np.zeros(1)
        self.height, self.width = picture.shape[:2]

    def at(self, indices: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
        picture = self._picture if size is None else cv2.resize(self._picture, size, interpolation=cv2.INTER_AREA)
        return np.stack([picture for _ in indices])

    def stream(self, start: int = 0, stop: int | None = None, *, step: int = 1, size=None, chunk: int = 32):
        yield 0, self.at([0], size=size)


def whole_footage(reader: Any, start: int, stop: int) -> Footage:
    """Footage of a span without borders or overlays."""
    video = Video(
        content_hash=digest((reader.width, reader.height, reader.num_frames)), source_id="bench", num_frames=reader.num_frames,
        fps=25.0, duration_s=reader.num_frames / 25, width=reader.width, height=reader.height, rotation=0, codec="", has_audio=False,
        index="",
    )  # fmt: skip
    clip = Clip(
        video_id=video.id, start_frame=start, stop_frame=stop, start_s=start / 25, stop_s=stop / 25, opens_with="start"
    )
    return Footage(video, clip, reader, (0.0, 0.0, float(reader.width), float(reader.height)))


def _whole_and_worst(name: str, shares: Sequence[tuple[int, int]], target: float | None) -> list[Row]:
    values = [a / b for a, b in shares if b]
    total = sum(b for _, b in shares)
    whole = sum(a for a, _ in shares) / max(1, total)
    lowest = min(values, default=0.0)
    return [
        _row(name, whole, target, total, f"over {len(shares)} worlds"),
        _row(f"{name}, worst world", lowest, None, total, ""),
    ]


def _row(name: str, value: float, target: float | None, n: int, note: str) -> Row:
    return {"name": name, "value": value, "target": target, "n": n, "note": note}


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def refit(seeds: str) -> None:
    """Films the worlds of some seeds, fits means and then weights on them, and writes the shipped calibration."""
    path = resource("classical_appearance.json")
    worlds = [given_world(seed) for seed in _seeds(seeds)]
    means = fit_means([world.blocks for world in worlds])
    made_by = f"python -m bench.accuracy_pairs --fit {seeds}"
    write(path, made_by=made_by, means=means, fusion={"weights": {}, "bias": 0.0, "evidence_means": {}} | _as_shipped())
    calibration.cache_clear()
    for world in worlds:
        world.pair()
    write(path, made_by=made_by, means=means, fusion=fit_fusion(worlds))
    calibration.cache_clear()


def _as_shipped() -> dict[str, object]:
    fusion = calibration().fusion
    return {"weights": dict(fusion.weights), "bias": fusion.bias, "evidence_means": dict(fusion.means)}


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("worlds", nargs="*", type=Path)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--given", metavar="SEEDS")
    parser.add_argument("--fit", metavar="SEEDS")
    wanted = parser.parse_args()
    cv2.setNumThreads(1)
    if wanted.fit:
        refit(wanted.fit)
    rows = run(wanted.worlds, wanted.real) + (run_given(_seeds(wanted.given)) if wanted.given else [])
    for row in rows:
        target = "" if row["target"] is None else f"target {row['target']:g}"
        sys.stdout.write(f"{row['name']:48s} {row['value']:8.3f}  {target:12s} n {row['n']:<5d} {row['note']}\n")


if __name__ == "__main__":
    main()
