"""Studies of systems' videos: what is put before raters, who answered, what is left out and why, what came of it.

An *item* is what is compared, in canonical terms (`systems` in the design's order); a *trial* is an item as one
participant was shown it. Answers are stored in terms of what was shown (`left`, `video_3`), together with the systems in
shown order, and coded into canonical terms when they are counted.
"""

from dataclasses import dataclass, field

from backend.domain.ids import content_id
from backend.domain.people import Trial, Vote

MAIN, GOLD, IDENTICAL, PRACTICE, REPEAT = "main", "gold", "identical", "practice", "repeat"
"""What an item or a trial is for. A repeat is a second trial of a main item; only main trials are counted."""

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which responses are left out of a result. Raw votes stay; every rule is a step of the funnel."""

    min_seconds: float = 300.0  # OpenS2V-Nexus, D.6: less than five minutes is left out; 0 turns it off
    max_item_seconds: float = 120.0  # what one trial may add to that time, so that a pause is not diligence (ours)
    extreme_share: float = 0.5  # OpenS2V-Nexus, D.6: more answers of 1 or 5 than this; only on five points
    one_per_login: bool = True  # OpenS2V-Nexus, D.6
    one_per_ip: bool = True  # OpenS2V-Nexus, D.6; turn it off for people behind one router
    slider: bool = True  # OpenS2V-Nexus, D.6: the check at the end must have been passed, where the study has one
    min_gold_accuracy: float = 0.6  # of gold and identical trials; honest slips pass, guessing (.25 to .5) does not (ours)
    min_gold: int = 2  # checks that must have been answered before anybody is left out (Prolific: two failures)
    min_item_seconds: float = 1.0  # median time of a trial; nobody watches two clips in less (ours)
    max_straight: int = 25  # equal answers of one key in a row; at p = .6 a chance of 3e-6 (ours); 0 turns it off


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyMedia:
    """One video of an item. `treatment` is empty or `noise`: gold trials show a video that was spoilt."""

    system: str
    path: str
    content_hash: str = ""
    seed: int = 0
    generation_id: str = ""
    treatment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyItem:
    """What is put before a rater. `systems` and `media` are parallel, in canonical order; one of each for a rating."""

    role: str
    """main, gold, identical or practice."""
    case_id: str
    """The case's name in its benchmark."""
    category: str
    systems: tuple[str, ...]
    media: tuple[StudyMedia, ...]
    prompt: str = ""
    references: tuple[str, ...] = ()
    gold: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """By question the canonical answers that are right: `a`, `b` or `tie` of a pair, a system's place from 0, `1` to `5`."""

    @property
    def id(self) -> str:
        shown = tuple((one.content_hash or one.path, one.treatment) for one in self.media)
        return content_id("item", self.role, self.case_id, self.systems, shown, self.references)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDesign:
    """A study as it was decided, once: `items` of every role, and how many of each a participant is given."""

    name: str
    kind: str
    """identity, preference, best_of, rating or comparative (`backend.studies.STUDIES`)."""
    form: str
    aspects: tuple[str, ...]
    """Names of the form's questions that are asked."""
    systems: tuple[str, ...]
    benchmark: str
    cases_hash: str
    """Of the contents of the cases that items were made of."""
    items: tuple[StudyItem, ...] = ()
    seed: int = 0
    preset: str = ""
    raters_per_item: int = 5
    trials: int = 30
    """Main trials of a participant, at most as many as there are main items."""
    repeats: int = 1
    """Main trials that are shown again to the same participant as they were."""
    flips: int = 1
    """And with the sides exchanged."""
    gold: int = 2
    identical: int = 1
    practice: int = 2
    rules: Rules = Rules()
    sequential: bool = False
    """Whether pairs of systems are chosen by what a vote would tell; else every item comes equally often."""
    hold_out: float = 0.1
    """Of a sequential study: the share of main trials that come evenly, as in any other: a fair sample of the items."""
    stop_half_width: float = 0.0
    """Half of the 95 % interval of every main figure at which the study closes itself; 0 never."""
    language: str = "en"
    consent: str = ""
    """What participants agree to, in place of the shipped text."""
    created_at: str = ""

    @property
    def id(self) -> str:
        return content_id("study", self.name, self.kind, self.form, self.aspects, self.systems, self.cases_hash, self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A link for one person. `token` is given once, when it is made; only its hash is kept."""

    study_id: str
    token: str
    group: str
    expires_at: str
    """ISO 8601 UTC."""

    def link(self, url: str) -> str:
        """What the one person opens, of a page that is served at `url`."""
        return invitation_link(url, self.token)


def invitation_link(url: str, token: str) -> str:
    """The address that uses a token up, of a page that is served at `url`."""
    return f"{url.rstrip('/')}/s/join/{token}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Somebody who takes part. The id is random; login and address are kept as keyed hashes only."""

    id: str
    study_id: str
    group: str
    """expert or public."""
    background: str = ""
    invited_by: str = ""
    """Hash of the invitation's token; empty for somebody who works on the project, `import` for votes from a file."""
    login_hash: str = ""
    ip_hash: str = ""
    state: str = "joined"
    """joined, consented, finished or withdrawn."""
    joined_at: str = ""
    consented_at: str = ""
    finished_at: str = ""
    code: str = ""
    """What a finished participant is given as a proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTrial:
    """A trial of one participant. Its `trial.item_id` is opaque and theirs alone; `votes` are their answers so far."""

    position: int
    """From 0."""
    practice: bool
    trial: Trial
    votes: tuple[Vote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPass:
    """How far a participant is, and the trials that were asked for."""

    participant: Participant
    answered: int
    total: int
    """Of a study that was closed: what was answered, since no more is asked."""
    trials: tuple[StudyTrial, ...] = ()
    is_closed: bool = False

    @property
    def left(self) -> int:
        return self.total - self.answered


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEvent:
    """What a participant's page reports: `shown`, `played`, `hidden`, `visible`, `offline`, `slider_passed` ..."""

    id: str
    """A fresh uuid: the same one again changes nothing."""
    name: str
    trial_id: str = ""
    """The trial's `item_id`, where the event is about one."""
    value: float | None = None
    made_at: str = ""
    """By the participant's clock; the server's is kept beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval over `n` observations; without a value, `reason` says why there is none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerRow:
    """What a study of so many pairs and raters could tell: the interval's half width, and what it finds 8 times of 10."""

    pairs: int
    raters: int
    votes: int
    half_width: float
    detectable: float
    """The least share of wins, above .5, that is told from .5 with a power of .8."""
    chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySummary:
    """A study in a list. Counts are of now."""

    study_id: str
    name: str
    kind: str
    form: str
    aspects: tuple[str, ...]
    systems: tuple[str, ...]
    benchmark: str
    items: int
    """Main items."""
    trials: int
    """Of one participant, of every role."""
    participants_needed: int
    """So that every main item is answered by `raters_per_item` people."""
    invited: int = 0
    joined: int = 0
    finished: int = 0
    withdrawn: int = 0
    votes: int = 0
    created_at: str = ""
    sequential: bool = False
    stop_half_width: float = 0.0
    closed_at: str = ""
    """When the study was closed; empty while it takes answers."""
    closed_because: str = ""
    power: tuple[PowerRow, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedVote:
    """One counted answer in canonical terms, whatever the sides were."""

    vote_id: str
    item_id: str
    case_id: str
    category: str
    role: str
    rater: str
    group: str
    question: str
    systems: tuple[str, ...]
    """In canonical order."""
    shown: tuple[str, ...]
    """The same systems as they were shown, left first."""
    choice: str
    """As it was given: left, tie, video_2, 4 ..."""
    value: float | None
    """Of a pair: 1 for the first system, 0 for the second, .5 for a tie; best of N: the chosen one's place; else points."""
    both_bad: bool = False
    strength: int | None = None
    """Of a comparison on five points: 2 much, 1 slightly, 0 as good."""
    first_on_left: bool = True
    reasons: tuple[str, ...] = ()
    comment: str = ""
    """In the participant's own words."""
    seconds: float = 0.0
    held_out: bool = True
    """Whether the item came evenly; False where a sequential study chose it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStep:
    """One rule: how many responses it left out of those that the rules before it kept."""

    rule: str
    removed: int
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WinRow:
    """A system against a rival. A tie is half a win; both bad is a tie that is counted apart as well."""

    system: str
    rival: str
    wins: int
    ties: int
    losses: int
    both_bad: int
    rate: Estimate
    """Two-way cluster bootstrap over items and raters."""
    wilson: Estimate
    """As if every vote were independent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrengthRow:
    """A system's place among all. Davidson's model knows ties; Bradley-Terry counts one as half a win for each side."""

    system: str
    rank: int | None
    davidson: Estimate
    """log strength, mean 0 over systems."""
    bradley_terry: Estimate
    elo: float | None
    """400 / ln 10 of the Bradley-Terry strength above 1000, as arenas print it."""
    majority: Estimate
    """Mean over items and rivals of 1 for a majority, .5 for a tie, 0 for a defeat (Gloria, 5)."""
    ranks: tuple[int, int] | None = None
    """Best and worst rank that the intervals of differences allow; not corrected for being many."""
    rate: Estimate = Estimate()
    """Wins and half the ties of all votes that the system took part in: it depends on whom it met."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutRow:
    """A system by the votes of a sequential study's hold-out alone, to be laid beside those of all votes."""

    system: str
    davidson: Estimate
    rate: Estimate
    """Wins and half the ties against all rivals alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRow:
    """How often a system was chosen as the best of N, or was said to show the same subject."""

    system: str
    chosen: int
    share: Estimate
    wilson: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsRow:
    """A system's mean on five points; `counts` of 1 to 5."""

    system: str
    mean: Estimate
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRow:
    """How far raters agree: krippendorff_alpha, fleiss_kappa, cohen_kappa, raw, noise_ceiling or majority."""

    measure: str
    value: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasRow:
    """How often the left side was chosen among answers that chose a side, and the chance of that without a bias."""

    left: int
    right: int
    share: Estimate
    p_value: float | None
    between_orders: Estimate = Estimate()
    """How much more often a system wins on the left than on the right."""
    log_odds: Estimate = Estimate()
    """What the left side adds to the log odds of winning, beside the strengths of both systems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AspectResults:
    """What one question came to, for the kinds that have it: the others' rows are empty."""

    aspect: str
    votes: int
    wins: tuple[WinRow, ...] = ()
    strengths: tuple[StrengthRow, ...] = ()
    tie_rate: Estimate = Estimate()
    """Davidson's nu."""
    shares: tuple[ShareRow, ...] = ()
    points: tuple[PointsRow, ...] = ()
    agreement: tuple[AgreementRow, ...] = ()
    alpha_without: tuple[tuple[str, float | None], ...] = ()
    """Krippendorff's alpha without each participant in turn; None where it is not defined then."""
    icc: Estimate = Estimate()
    """How alike the votes on one item are: of the share for its first system, or of points."""
    design_effect: float | None = None
    """By how much that multiplies the votes that are needed, at as many raters an item as there are."""
    bias: BiasRow | None = None
    reasons: tuple[tuple[str, str, int], ...] = ()
    """`(reason, system, count)`: the system that the answer preferred; empty for a tie."""
    held_out: tuple[HeldOutRow, ...] = ()
    """Of a sequential study."""
    held_out_votes: int = 0
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupResults:
    """The results of one group of participants; of all of them when `group` is empty."""

    group: str
    participants: int
    aspects: tuple[AspectResults, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterRow:
    """One participant's quality. `removed_by` names the rule that left them out, empty for those who count."""

    participant: str
    group: str
    votes: int
    seconds: float
    """0 of an imported one."""
    median_item_s: float | None
    gold: Estimate
    consistency: Estimate
    """Share of repeated trials that were answered alike."""
    left_share: float | None
    longest_run: int
    left_p: float | None = None
    """Of the two-sided binomial test that the share of the left side is a half."""
    entropy_bits: float = 0.0
    """Of the answers as they were given: 0 when all are one."""
    removed_by: str = ""
    background: str = ""
    """As they wrote it, if they did."""
    is_imported: bool = False
    """Their votes were read from a file: how they were shown, and how long they took, nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopState:
    """How near a study is to closing itself. The main figure is Davidson's strength of pairs, else a share or points."""

    wanted: float = 0.0
    """Half of a 95 % interval; 0 without a rule."""
    widest: float | None = None
    """The widest such half among main figures now; None where one of them has no interval."""
    about: str = ""
    """The aspect and the system that it is of, or why there is none."""

    @property
    def is_reached(self) -> bool:
        return self.wanted > 0 and self.widest is not None and self.widest <= self.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResults:
    """What a study came to: `groups` begins with everybody; `funnel` with those who joined."""

    study: StudySummary
    groups: tuple[GroupResults, ...]
    raters: tuple[RaterRow, ...]
    funnel: tuple[FunnelStep, ...]
    stop: StopState = StopState()
    remarks: tuple[str, ...] = ()
    answered_between: tuple[str, ...] = ()
    """Days on which the first that counts joined and the last ended, ISO 8601; empty where all were imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteFiles:
    """Votes that were written to a file or read from one."""

    path: str
    format: str
    votes: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an erasure did. `backups` are folders that may still hold the person, with their dates as names."""

    events: int
    votes: int
    backups: tuple[str, ...]
    deleted_backups: tuple[str, ...] = field(default=())
