"""Rows of an export in order, with their splits: what formats about pairs and samples begin with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from backend.domain import ProjectError, SettingsError
from backend.exports.rows import ExportPair, ExportRows, ExportSample, ExportSide, ExportVideo
from backend.exports.split import Split, nodes_of, split_of_nodes, video_node

WHOLE = "train"
"""The part that everything is in without a split, in formats that must name one: readers ask for `train` first."""

WORDS = {"where": "do not meet the condition of --where", "not chosen": "were not chosen"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """By id, with the split of each; only videos that pairs come from."""

    pairs: tuple[ExportPair, ...]
    samples: tuple[ExportSample, ...]
    videos: tuple[ExportVideo, ...]

    def sides(self) -> dict[str, ExportSide]:
        """By appearance."""
        return {side.appearance_id: side for pair in self.pairs for side in (pair.target, pair.reference)}

    def only(self, pair_ids: Collection[str]) -> "Arranged":
        """What was written of it: these pairs and the videos that they come from."""
        pairs = tuple(pair for pair in self.pairs if pair.pair_id in pair_ids)
        return replace(self, pairs=pairs, videos=tuple(_used(self.videos, pairs)))

    def parts(self) -> tuple[str, ...]:
        """The splits that pairs fall into, by name."""
        return tuple(sorted({pair.split or WHOLE for pair in self.pairs}))


def arranged(rows: ExportRows) -> Arranged:
    """Raises SettingsError for a wrong split, or a pair that speaks of a video not given."""
    split = Split.parse(rows.about.split)
    sorted_pairs = sorted(rows.pairs, key=lambda pair: pair.pair_id)
    sorted_videos = _used(sorted(rows.videos, key=lambda video: video.video_id), sorted_pairs)
    if split:
        part = split_of_nodes(sorted_pairs, sorted_videos, rows.duplicates, split=split)
        sorted_pairs = [replace(pair, split=part[nodes_of(pair)[0]]) for pair in sorted_pairs]
        sorted_videos = [replace(video, split=part[video_node(video.video_id)]) for video in sorted_videos]
    split_of = {pair.pair_id: pair.split for pair in sorted_pairs}
    return Arranged(
        pairs=tuple(sorted_pairs),
        samples=tuple(
            replace(sample, split=split_of[sample.references[0].pair_id])
            for sample in sorted(rows.samples, key=lambda sample: sample.sample_id)
        ),
        videos=tuple(sorted_videos),
    )


def require_content(number: int, left_out: Mapping[str, int]) -> None:
    """Refuses an export that would hold nothing, saying what left nothing. Raises ProjectError; an earlier export stays."""
    if number:
        return
    if not left_out:
        raise ProjectError(
            "nothing is exported: the gates accept no pair; `studio-backend status` tells what they hold back"
        )
    counts = sorted(left_out.items(), key=lambda one: (-one[1], one[0]))
    reasons = "; ".join(f"{count} {WORDS.get(reason, reason)}" for reason, count in counts)
    raise ProjectError(f"nothing is exported: all pairs are left out: {reasons}; loosen what leaves out most")


def _used(videos: Sequence[ExportVideo], pairs: Sequence[ExportPair]) -> list[ExportVideo]:
    wanted = {side.video_id for pair in pairs for side in (pair.target, pair.reference) if side.video_id}
    missing = sorted(wanted - {video.video_id for video in videos})
    if missing:
        raise SettingsError(f"pairs speak of video {missing[0]}, which the export was not given; rebuild the catalog")
    return [video for video in videos if video.video_id in wanted]
