"""What an export may hold: footage of people who agreed to its purpose, under licences that are stated."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from backend.domain import ProjectError
from backend.domain.privacy import ALLOW, LEAVE_OUT, REFUSE
from backend.exports.licences import is_stated, strictest
from backend.exports.rows import ExportPair, ExportSample, ExportVideo
from backend.settings import ProjectSettings
from backend.workspace.consents import Shows, require_purpose, shown_people
from backend.workspace.snapshot import Snapshot

NAMED = 3  # files in a refusal
_OTHER, _UNKNOWN, _WITHDRAWN = "no consent", "consent not known", "consent withdrawn"


class Permitted:
    """What may be exported for a purpose. Everybody whom a target's clip shows is asked, of a reference the one it shows."""

    def __init__(self, now: Snapshot, settings: ProjectSettings, *, purpose: str) -> None:
        require_purpose(purpose)
        self._settings, self._purpose = settings, purpose
        self.left_out: Counter[str] = Counter()
        people = shown_people(now)
        self._of_subject = {one.subject_id: one for one in people}
        self._in_clip: dict[str, list[Shows]] = {}
        for one in people:
            self._in_clip.setdefault(one.clip_id, []).append(one)
        denied = [one.subject_id for one in people if self._refusal([one])]
        appearances = now.query("SELECT id FROM appearance WHERE subject_id IN (SELECT unnest(?::VARCHAR[]))", [denied])
        self._denied = {name for (name,) in appearances}

    def pairs(self, pairs: Sequence[ExportPair], *, whole_clips: bool) -> list[ExportPair]:
        """Those that may go, of formats with `whole_clips` only if a reference's clip may go too.

        Raises ProjectError when the project refuses exports of what is not known.
        """
        kept = []
        unlicensed: Counter[str] = Counter()
        unasked: Counter[str] = Counter()
        for pair in pairs:
            sides = (pair.target, pair.reference)
            bare = [side.source_uri for side in sides if not is_stated(side.licence)]
            people = [*self._in_clip.get(pair.target.clip_id or "", ())]
            if whole_clips:
                people += self._in_clip.get(pair.reference.clip_id or "", ())
            elif pair.reference.subject_id in self._of_subject:
                people.append(self._of_subject[pair.reference.subject_id])
            reason = self._refusal(people)
            if reason and reason[0] == _UNKNOWN and self._settings.unknown_consent == REFUSE:
                unasked[reason[1]] += 1
            elif reason:
                self.left_out[self._words(reason[0])] += 1
            elif bare and self._settings.unknown_licence == REFUSE:
                unlicensed.update(set(bare))
            elif bare and self._settings.unknown_licence == LEAVE_OUT:
                self.left_out["licence not stated"] += 1
            else:
                kept.append(pair)
        _refuse(unlicensed, unasked)
        return kept

    def clip(self, clip_id: str, video: ExportVideo | None) -> bool:
        """Whether a clip may go that is exported by itself, of a video. Raises ProjectError as `pairs`."""
        reason = self._refusal(self._in_clip.get(clip_id, ()))
        bare = video is None or not is_stated(video.licence)
        if reason and reason[0] == _UNKNOWN and self._settings.unknown_consent == REFUSE:
            _refuse({}, {reason[1]: 1})
        if bare and not reason and self._settings.unknown_licence == REFUSE:
            _refuse({video.uri if video else clip_id: 1}, {})
        return not reason and not (bare and self._settings.unknown_licence == LEAVE_OUT)

    def samples(
        self, samples: Iterable[ExportSample], pairs: Sequence[ExportPair], anchors: Mapping[str, str | None]
    ) -> list[ExportSample]:
        """With the licence that all their pictures leave them, without anchors that may not go. `anchors`: licences by appearance."""
        of_pair = {pair.pair_id: pair.licence for pair in pairs}
        takes_bare = self._settings.unknown_licence == ALLOW
        found = []
        for sample in samples:
            kept = tuple(
                anchor
                for anchor in sample.anchors
                if anchor.appearance_id not in self._denied and (takes_bare or is_stated(anchors.get(anchor.appearance_id)))
            )
            licence = strictest(
                [*(of_pair[one.pair_id] for one in sample.references), *(anchors.get(one.appearance_id) for one in kept)]
            )
            found.append(replace(sample, anchors=kept, licence=licence))
        return found

    def _refusal(self, people: Sequence[Shows]) -> tuple[str, str] | None:
        """Why footage that shows these may not go, and who is in the way."""
        for one in people:
            if one.purposes is not None and self._purpose not in one.purposes:
                return (_WITHDRAWN if not one.purposes else _OTHER), one.subject_id
        unknown = [one for one in people if one.is_person and one.purposes is None]
        if unknown and self._settings.unknown_consent in (LEAVE_OUT, REFUSE):
            return _UNKNOWN, unknown[0].subject_id
        return None

    def _words(self, reason: str) -> str:
        told = {_OTHER: f"no consent for {self._purpose}", _UNKNOWN: f"consent not known for {self._purpose}"}
        return told.get(reason, reason)


def _refuse(unlicensed: Counter[str] | dict[str, int], unasked: Counter[str] | dict[str, int]) -> None:
    if unlicensed:
        names = sorted(Path(uri).name for uri in unlicensed)
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        raise ProjectError(
            f"nothing is exported: no licence is stated of {', '.join(names[:NAMED])}{more}; state it with "
            "`studio-backend ingest FILE --licence CC-BY-4.0`, or set unknown_licence=leave_out in project.toml"
        )
    if unasked:
        raise ProjectError(
            f"nothing is exported: {len(unasked)} people's consent is not known, as of {min(unasked)}; record it with "
            "`studio-backend consent`, or set unknown_consent=leave_out in project.toml"
        )
