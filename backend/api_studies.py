"""What a user can do with studies: the part of `Api` that asks people about systems' videos."""

from typing import Protocol

from backend.domain.dashboards import Dashboard
from backend.domain.studies import (
    Erased,
    Invitation,
    PageEvent,
    Participant,
    StudyDesign,
    StudyPass,
    StudyResults,
    StudySummary,
    VoteFiles,
)
from backend.domain.study_plans import PageNotice, StudyDraft, StudyOptions, StudyReport, WidthPoint


class StudyApi(Protocol):
    """Operations on studies. A study is named by its name or its id.

    Trials that are given out name slots and opaque ids only. Votes on them go through `Api.submit_votes`, with the
    participant as `rater` and the trial's `item_id` as it came; they may be changed until `finish_study`.
    """

    def study_options(self, *, language: str = "en") -> StudyOptions:
        """What a study can be made of here: kinds with their forms and questions, benchmarks with their systems, presets, rules.

        Questions are in `language`. Raises SettingsError for one that no form has.
        """
        ...

    def plan_study(self, *, draft: StudyDraft) -> StudySummary:
        """What `create_study` would decide, with what that can tell; nothing is kept. The name may still be empty.

        Raises as `create_study` does.
        """
        ...

    def create_study(
        self,
        *,
        name: str,
        kind: str = "preference",
        form: str = "",
        aspects: tuple[str, ...] = (),
        systems: tuple[str, ...] = (),
        cases: str | None = None,
        references: str | None = None,
        benchmark: str = "",
        preset: str = "",
        pairs: int | None = None,
        raters: int | None = None,
        trials: int | None = None,
        rules: tuple[str, ...] = (),
        sequential: bool = False,
        hold_out: float = 0.1,
        stop_half_width: float = 0.0,
        language: str = "en",
        seed: int = 0,
    ) -> StudySummary:
        """Decides a study of systems over the cases of a benchmark and journals it; nothing of it changes later.

        `systems` are names of evaluated ones, or `NAME=DIR` with the file `cases`; without any, all. `pairs` bounds the
        main items, balanced over categories. `preset`: opens2v (30 samples of two videos). `rules` as `min_seconds=60`.
        `sequential` asks about the pairs whose votes tell most, but for the share `hold_out` of trials; the study closes
        itself when every main figure's interval reaches `stop_half_width` to each side (0: never).
        Raises SettingsError for unknown or repeated names, ProjectError for a name that is taken or missing media.
        """
        ...

    def studies(self) -> tuple[StudySummary, ...]:
        """Every study of the project, oldest first."""
        ...

    def study(self, *, name: str) -> StudyDesign:
        """A study as it was decided. Raises ProjectError for a name that is none."""
        ...

    def prepare_study(self, *, name: str, limit: int = 4) -> int:
        """Copies up to `limit` more of a study's videos into the class that is shown; gives how many are still to do.

        Otherwise each is copied when somebody first sees it, and they wait. Raises as `media` for a file that is gone.
        """
        ...

    def study_dashboard(self, *, name: str, raters: int = 20) -> Dashboard:
        """A study's votes as they came in, before its rules: counts by question and pair, and the busiest raters."""
        ...

    def study_results(self, *, name: str, bootstraps: int = 1000) -> StudyResults:
        """What the votes come to, after the study's rules: rankings, rates, agreement, raters, and the funnel."""
        ...

    def study_widths(self, *, name: str, points: int = 12) -> tuple[WidthPoint, ...]:
        """How narrow a study's intervals became as responses came in, at up to `points` numbers of them, after its rules.

        Empty while fewer are handed in than the rule that closes a study looks at.
        """
        ...

    def write_study_report(
        self, *, name: str, html: str = "", figures: str = "", calibrations: tuple[str, ...] = (), bootstraps: int = 1000
    ) -> StudyReport:
        """Writes a study's report as one offline page, its figures as SVG and CSV into a folder, or both.

        Metrics stand beside the votes as the files `calibrations` tell, else those that the project keeps of this study.
        Raises SettingsError for a file that is none or rests on another study, ProjectError for a place that cannot be written.
        """
        ...

    def study_page(self) -> PageNotice:
        """Whether the page of this project's studies is served now, by its owner or by `study serve`, and where."""
        ...

    def serve_study_page(self, *, port: int = 8470, ask_login: bool = False) -> PageNotice:
        """Serves the page to this machine until it is stopped or the owner ends; an owner stays as long as it is served.

        Raises ProjectError where it is served already, ServiceError for a port that is taken (kind `port_taken`). Beyond this
        machine it is served by `study serve`, with TLS or behind a proxy.
        """
        ...

    def stop_study_page(self) -> PageNotice:
        """Ends the page that `serve_study_page` began. Raises ProjectError where another process serves it, or nobody does."""
        ...

    def close_study(self, *, name: str, because: str = "") -> StudySummary:
        """Ends a study: nobody joins, nothing more is given out, and who has begun hands in what they answered.

        `because` is kept in the journal and the report. Raises ProjectError for a study that is closed.
        """
        ...

    def reopen_study(self, *, name: str) -> StudySummary:
        """Lets a closed study go on; its own rule does not close it again. Raises ProjectError for one that is open."""
        ...

    def invite(self, *, study: str, num: int = 1, group: str = "public", days: float = 30.0) -> tuple[Invitation, ...]:
        """New invitations, each for one person. Their tokens are told here and nowhere again."""
        ...

    def join_study(self, *, token: str, login: str = "", address: str = "", background: str = "") -> Participant:
        """Uses an invitation up. Raises ProjectError for one that is forged, used or too old, and for a login that took part."""
        ...

    def take_part(self, *, study: str, login: str, group: str = "expert") -> Participant:
        """Joins without an invitation, for people who work on the project; the same login goes on where it was."""
        ...

    def participant(self, *, participant: str) -> Participant:
        """A participant as they stand now. Raises ProjectError for an id that is none."""
        ...

    def participants(self, *, study: str) -> tuple[Participant, ...]:
        """Everybody who joined a study, in that order, those who withdrew among them; not those who were erased."""
        ...

    def consent(self, *, participant: str, text: str) -> Participant:
        """Keeps what somebody agreed to; their trials are decided now. Again changes nothing."""
        ...

    def study_trials(self, *, participant: str, start: int | None = None, limit: int = 3) -> StudyPass:
        """Trials of a participant from a position on; without one, from the first that is not wholly answered."""
        ...

    def page_events(self, *, participant: str, events: tuple[PageEvent, ...]) -> int:
        """Keeps what a participant's page reports, by the server's clock; gives how many were new."""
        ...

    def finish_study(self, *, participant: str) -> Participant:
        """Ends a response whose trials are all answered (of a closed study: some), and gives the completion code.

        Again gives the same.
        """
        ...

    def withdraw(self, *, participant: str) -> Participant:
        """Takes a participant out of the results; what they said stays in the journal until `erase_participant`."""
        ...

    def erase_participant(self, *, participant: str, delete_backups: bool = False) -> Erased:
        """Removes every byte that a participant left in this project; the journal's chain still verifies."""
        ...

    def export_votes(self, *, study: str, out: str, format: str = "jsonl") -> VoteFiles:
        """Writes a study's coded votes: jsonl, parquet, csv (safe in spreadsheets) or vbench2 (human_anno JSON)."""
        ...

    def import_votes(self, *, study: str, path: str, format: str = "jsonl") -> VoteFiles:
        """Reads votes on a study's items that were given elsewhere. Raises ImportRefused naming the line that is wrong."""
        ...
