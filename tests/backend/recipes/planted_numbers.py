"""What each stage of each recipe does on the script's world, counted by hand: items worked on, held back and found.

The numbers follow from the script alone (`planted_script`). Of `film`, by shots: 0 the woman's head, so near that she fills
the picture, talking; 1 the same woman and a man who is too small to be cut out; 2 a dog; 3 the man from behind; 4 the man,
turning from front to right; 5 and 6 a mug in two places; 7 and 8 two bags that differ by their logos only; 9 a cat, whom the
planted filter thinks unsafe; 10 nobody; 11 the dog again, a badge across the picture. Of `late`: 0 another woman, talking, her
sound late; 1 the same from her left. Of `close`: one woman, happy and then sad.

Columns are the recipes phantom, opens2v, kaleido, gloria and full; None where a recipe does without.
"""

from collections.abc import Mapping

Row = tuple[object, object, object, object, object, str]
COLUMNS = ("phantom", "opens2v", "kaleido", "gloria", "full")

WORKED: Mapping[str, Row] = {
    # stage: (items worked on, items that it does not apply to)
    "probe_source": ((3, 0), (3, 0), (3, 0), (3, 0), (3, 0), "three files"),
    "split_shots": ((3, 0), (3, 0), (3, 0), (3, 0), (3, 0), "three videos"),
    "find_borders": ((15, 0), (15, 0), (15, 0), (15, 0), (15, 0), "12 shots, 2 and 1"),
    "find_overlays": ((15, 0), (15, 0), (15, 0), (15, 0), (15, 0), "12 shots, 2 and 1"),
    "measure_motion": ((14, 0), (14, 0), (14, 0), (14, 0), (14, 0), "less the one under the badge"),
    "score_quality": ((14, 0), (14, 0), None, None, (14, 0), "the same"),
    "hash_clips": ((14, 0), (13, 0), (14, 0), (14, 0), (14, 0), "OpenS2V: less the one with technical faults, the dog's"),
    "caption_clips": ((14, 0), (13, 0), (14, 0), (14, 0), (14, 0), "the same"),
    "check_safety": ((14, 0), (13, 0), (14, 0), (14, 0), (14, 0), "the same"),
    "count_people_words": (None, (12, 0), None, None, (13, 0), "less the cat"),
    "extract_phrases": ((13, 0), (7, 0), (13, 0), (13, 0), (13, 0), "OpenS2V: seven captions name people"),
    "follow_faces": (None, (7, 0), (13, 0), (13, 0), (13, 0), "the same"),
    "measure_face_spans": (None, (7, 0), None, None, (13, 0), "the same"),
    "find_subjects": ((12, 1), (2, 0), (12, 1), (12, 1), (12, 1), "nobody in shot 10; OpenS2V: two clips of long faces"),
    "count_people": (None, None, None, (12, 1), (12, 1), "nobody to count in shot 10"),
    "measure_sync": (None, None, None, (2, 4), (2, 11), "two talkers; others show no face, a small or short one, or are mute"),
    "verify_subjects": ((36, 0), None, None, None, (36, 0), "12 of 13 subjects on three frames each: not the small man"),
    "segment_subjects": ((36, 0), (6, 0), (36, 0), (15, 0), (36, 0), "the same; two clips and five with one person each"),
    "find_logos": ((12, 24), None, None, None, (12, 24), "four things on three frames; the other eight are alive"),
    "check_categories": (None, None, (36, 0), None, (36, 0), "as many as cut-outs"),
    "check_frontal": (None, None, (11, 2), None, (12, 1), "nobody in shot 10; Kaleido: the second bag is gone"),
    "score_references": (None, (6, 0), (25, 0), None, (36, 0), "Kaleido: 36 less 3 of another category less 8 not frontal"),
    "paint_background": (None, (2, 0), (9, 4), None, (12, 1), "Kaleido: no cut-out of shots 3, 8 and 10, nor of the woman's left"),
    "embed_appearances": ((36, 0), (6, 0), (25, 0), (15, 0), (36, 0), "what was cut out and kept"),
    "pair_subjects": ((3, 0), (1, 2), (3, 0), (3, 0), (3, 0), "OpenS2V: both clips are of one video"),
    "match_logos": ((2, 1), None, None, None, (2, 1), "one clip is no pair: not for `close`"),
    "diverse_contexts": ((3, 0), (3, 0), (3, 0), (3, 0), (3, 0), "three videos"),
    "match_phrases": (None, (1, 2), None, None, (2, 1), "videos with pairs of two clips"),
    "find_picture_subjects": ((0, 3), None, None, None, (0, 3), "no source is a picture"),
    "build_banks": ((3, 0), None, None, None, (3, 0), "three sources"),
    "pair_across": ((3, 0), None, None, None, (3, 0), "three sources"),
    "match_logos_across": ((0, 3), None, None, None, (0, 3), "no thing is in two videos"),
    "verify_pairs": ((2, 1), None, None, None, (3, 0), "`film` and `late` have pairs of two clips; full: all have made ones"),
    "verify_pairs_across": ((0, 3), None, None, None, (0, 3), "no thing is in two videos"),
    "choose_references": (None, (2, 0), (9, 4), None, (12, 1), "every cut-out fills 8 %: clips that have one"),
    "make_references": (None, (2, 4), (9, 16), None, (12, 24), "one of three frames of each, in Kaleido also of one"),
    "measure_viewpoints": (None, None, None, (5, 0), (7, 6), "clips with people"),
    "read_expressions": (None, None, None, (3, 2), (5, 8), "clips with faces: not from behind nor from the left"),
    "select_anchors": ((3, 0), None, None, (3, 0), (3, 0), "three videos"),
    "verify_anchors": (None, None, None, (1, 2), (1, 2), "expressions of a large source are in `close`"),
    "assemble_samples": ((3, 0), (1, 2), (3, 0), (3, 0), (3, 0), "OpenS2V: both clips are of one video"),
    "audit_pairs": ((7, 12), (2, 4), (3, 24), (2, 5), (7, 23), "pairs of two clips; not those of one, nor made ones"),
}  # fmt: skip

HELD_BACK: Mapping[str, Row] = {
    # gate: records whose score it refuses; every other gate refuses none
    "clip.clean_fraction.min": (1, 1, 1, 1, 1, "the badge leaves .42 of the picture"),
    "clip.technical.min": (0, 1, 0, 0, 0, "the planted scorer finds faults where a dog is alone"),
    "clip.safety.min": (1, 1, 1, 1, 1, "the cat"),
    "clip.human.min": (0, 5, 0, 0, 0, "the mug twice, the bags, nobody"),
    "clip.face_span_frames.min": (0, 5, 0, 0, 0, "of seven only shots 0 and 1 are 81 frames long, with a face throughout"),
    "appearance.min_side_px.min": (3, 3, 3, 3, 3, "the small man on three frames"),
    "clip.single_person.min": (0, 0, 0, 6, 0, "two people; a dog, a mug twice, two bags: none"),
    "clip.sync_shift.max": (0, 0, 0, 1, 0, "six frames late"),
    "appearance.category_margin.min": (0, 0, 3, 0, 0, "the second bag looks like a mug on three frames"),
    "appearance.frontal_face.min": (0, 0, 8, 0, 0, "three from behind, three from the left, two of the turning man"),
    "plate.painted_fraction.max": (0, 1, 1, 0, 1, "the head of shot 0 is more than .45 of the picture"),
    "plate.people_left.max": (0, 1, 1, 0, 1, "the small man of shot 1 is not cut out"),
    "pair.appearance_cosine.max": (1, 0, 1, 0, 1, "the mug's first views are one picture; Gloria has no upper bound"),
    "pair.logo_match.min": (2, 0, 0, 0, 2, "the bags' logos, two pairs of frames"),
    "pair.made_similarity.min": (0, 0, 2, 0, 1, "the dog, of whom the planted artist paints something else"),
    "anchor.expression_source_px.min": (0, 0, 0, 2, 4, "neutral and happy in shot 0; full: for shot 1 as well, from outside"),
    "anchor.judged_label.min": (0, 0, 0, 1, 1, "the planted judge sees sadness where happiness was read"),
}  # fmt: skip

FOUND: Mapping[str, Row] = {
    # what is kept in the end
    "clips": (13, 2, 13, 5, 13, "Gloria: one person, in sync: shots 0, 3 and 4, the second of `late`, `close`"),
    "subjects": (13, 3, 13, 5, 13, "one a clip, two in shot 1, none in shot 10"),
    "masks": (36, 6, 25, 15, 36, "as cut out and kept"),
    "face tracks": (None, 3, 6, 3, 6, "shots 0, 1 (two) and 4, the talker of `late`, `close`"),
    "spans of 81 frames": (None, 2, None, None, 2, "shots 0 and 1"),
    "tags of subjects": (9, 3, 9, 5, 9, "one a living subject"),
    "tags of objects": (4, 0, 4, 0, 4, "two mugs, two bags"),
    "tags of places": (13, 2, 13, 5, 13, "one a clip"),
    "tags that no caption holds": (0, 0, 0, 0, 0, "one was invented for each clip"),
    "clips in sync": (None, None, None, 1, 1, "shot 0"),
    "clips out of sync": (None, None, None, 0, 1, "the talker of `late`"),
    "marked cut-outs": (12, None, None, None, 12, "four things on three frames"),
    "plates": (None, 0, 7, None, 10, "9 and 12 less the one with too large a hole and the one with somebody left"),
    "cross_frame pairs": (7, 2, 3, 2, 7, "two each of the woman, the man, the other woman and, less the copy, the mug"),
    "cross_video pairs": (0, None, None, None, 0, "nobody is in two videos"),
    "in_pair pairs": (12, 2, 8, 5, 12, "one of each subject that is kept on two frames"),
    "generated pairs": (None, 2, 16, None, 11, "one or two of each reference, less the dog's"),
    "made pairs that a judge saw": (None, 0, 0, None, 11, "all of full; the other recipes ask no judge"),
    "global anchors inside": (12, None, None, 5, 12, "one a subject that is cut out"),
    "anchors on made pictures": (0, 0, 0, 0, 0, "an anchor is a frame of the subject"),
    "global anchors outside": (8, None, None, 2, 8, "the woman, the man, the mug and the other woman in two clips each"),
    "front anchors inside": (None, None, None, 3, 6, "shots 0 and 4, `close`; full: both of shot 1, the talker of `late`"),
    "right anchors inside": (None, None, None, 1, 1, "shot 4, at its end"),
    "back anchors inside": (None, None, None, 1, 1, "shot 3"),
    "left anchors inside": (None, None, None, 1, 1, "the second of `late`"),
    "front anchors outside": (None, None, None, 1, 4, "of shot 4 for 3; full: of 0 and 1 for each other, in `late` for her left"),
    "right anchors outside": (None, None, None, 1, 1, "of shot 4 for 3"),
    "back anchors outside": (None, None, None, 1, 1, "of shot 3 for 4"),
    "left anchors outside": (None, None, None, 0, 1, "in `late` for the talker"),
    "sad anchors inside": (None, None, None, 2, 2, "one as it was read, one as it was corrected"),
    "happy anchors inside": (None, None, None, 0, 0, "corrected"),
    "reference anchors inside": (None, 2, 9, None, 12, "one a subject that is cut out"),
    "cross_pair samples": (8, 2, 8, 2, 11, "clips with a pair of two clips or a made reference"),
    "in_pair samples": (12, 2, 8, 5, 12, "clips with a subject on two frames"),
}  # fmt: skip


def column(table: Mapping[str, Row], recipe: str) -> dict[str, object]:
    """The numbers of a recipe by the rows' names, of those rows that it has."""
    place = COLUMNS.index(recipe)
    return {name: row[place] for name, row in table.items() if row[place] is not None}
