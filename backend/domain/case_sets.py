"""What is told about sets of cases: how they were made, who approved them, what they hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesMade:
    """A case set drawn from a project: the file, how many cases of which category, what a person should know."""

    path: str
    cases: int
    categories: dict[str, int]
    wanted: dict[str, int]
    """Cases of each category that were asked for."""
    lacking: tuple[str, ...] = ()
    """What the asked skeleton states and the project has not, one line each."""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStanding:
    """One case of a file, and the last word of people on its content."""

    name: str
    content: str
    """What a vote's `item_id` names."""
    verdict: str | None
    """approve, reject, or None while it waits."""
    rater: str = ""
    made_at: str = ""
    reasons: tuple[str, ...] = ()
    comment: str = ""
    prompt: str = ""
    """As it is now; a person may have written it anew."""
    caption_by: str = ""
    edited: bool = False
    """Whether the file still holds an earlier prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReview:
    """Where a cases file stands: `written` says whether it was brought up to people's last word."""

    path: str
    cases: tuple[CaseStanding, ...]
    written: bool
    remarks: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Cases approved, rejected and waiting."""
        verdicts = [case.verdict for case in self.cases]
        return {
            "approved": verdicts.count("approve"),
            "rejected": verdicts.count("reject"),
            "waiting": verdicts.count(None),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStats:
    """Counts of a cases file, as OpenS2V-Nexus's Fig. 3 gives them. `sources` count cases."""

    benchmark: str
    cases: int
    categories: dict[str, int]
    references: dict[str, int]
    """Cases by their number of references."""
    kinds: dict[str, int]
    """References by what they show of their subject; `unsaid` where nobody said."""
    prompt_words: dict[str, float]
    """least, mean, median, most."""
    words: tuple[int, ...]
    """Words of each prompt, in the file's order."""
    cloud: dict[str, int]
    """How often prompts say a word, the most frequent first; small words are left out."""
    labels: dict[str, int]
    """References by what they show, the most frequent first."""
    domains: dict[str, int]
    """References by the domain of what they show; `unknown` outside the taxonomy."""
    sources: dict[str, int]
    """real, synthetic, unsaid."""
    subjects: dict[str, int]
    """human, other."""
    languages: dict[str, int]
    captions: dict[str, int]
    """Cases by what wrote the prompt: person, model, sidecar, unsaid."""
    durations: dict[str, float]
    """least, mean, median, most seconds, of the cases that name one."""
    approved: int
    """Cases whose content, as it is now, a person has approved."""
