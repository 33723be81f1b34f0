"""What judges cost: a forecast that calls nobody, prices that the user gives, and a budget that holds for all workers."""

import json
import math
import os
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path

from PIL import Image

from backend.domain import Case, Inquiry, Judge, ModelUnavailable, SettingsError, Verdict
from metrics.judging import Answers, Question
from metrics.spec import Metric, VideoFacts


class BudgetSpent(ModelUnavailable):
    """The maximum cost is reached; its rows are over budget, not failed, and a later run goes on from there."""

    kind = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What an endpoint charges, in any currency, and how it counts. Counting is OpenAI's for pictures in high detail."""

    per_million_in: float
    per_million_out: float
    tokens_per_picture: int = 85
    tokens_per_tile: int = 170
    tile_px: int = 512
    characters_per_token: float = 3.0
    """English has about 4.5; less is meant to err upwards."""
    tokens_out: int = 4
    """A digit, with room."""

    def tokens_in(self, question: Question) -> int:
        """What a question takes, erring upwards."""
        tiles = (math.ceil(w / self.tile_px) * math.ceil(h / self.tile_px) for w, h in question.sizes)
        pictures = sum(self.tokens_per_picture + self.tokens_per_tile * num for num in tiles)
        return pictures + math.ceil(len(question.text) / self.characters_per_token)

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.per_million_in + tokens_out * self.per_million_out) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run would ask of judges, before retries and without regard to answers that are kept."""

    num_calls: int
    num_pictures: int
    num_tokens_in: int
    num_tokens_out: int
    cost: float | None = None
    """None without prices."""
    calls: tuple[tuple[str, int], ...] = ()
    """Calls by metric id."""


def forecast(
    metrics: Iterable[Metric], work: Sequence[tuple[Case, VideoFacts]], *, prices: Prices | None = None
) -> Forecast:
    """Counts calls, pictures, tokens and cost. Videos whose case lacks what a metric needs are left out of it.

    Without prices, tokens are counted as `Prices` does by itself, and nothing is said of cost.
    """
    asked: list[Question] = []
    calls: list[tuple[str, int]] = []
    for metric in metrics:
        judged = [feature for feature in metric.features.values() if isinstance(feature, Answers)]
        before = len(asked)
        for case, facts in work:
            if "references" not in metric.needs or case.references:
                asked += [question for feature in judged for question in feature.foreseen(case, facts)]
        if judged:
            calls.append((metric.id, len(asked) - before))
    num_pictures = sum(len(question.sizes) for question in asked)
    counting = prices or Prices(per_million_in=0, per_million_out=0)
    tokens_in, tokens_out = sum(map(counting.tokens_in, asked)), counting.tokens_out * len(asked)
    return Forecast(
        num_calls=len(asked),
        num_pictures=num_pictures,
        num_tokens_in=tokens_in,
        num_tokens_out=tokens_out,
        cost=prices.cost(tokens_in, tokens_out) if prices else None,
        calls=tuple(calls),
    )


def read_prices(path: Path, model: str) -> Prices:
    """Prices of `[models."MODEL"]` in a TOML file. Raises SettingsError when they are missing or wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))["models"][model]
        known = {field.name for field in fields(Prices)}
        if unknown := set(table) - known:
            raise SettingsError(f"{path}: {sorted(unknown)[0]} is no price; there are {', '.join(sorted(known))}")
        prices = Prices(**table)
        if not all(math.isfinite(value) and value >= 0 for value in table.values()):
            raise SettingsError(f"{path}: prices of {model} must be numbers from 0")
        if prices.tile_px < 1 or prices.characters_per_token <= 0:
            raise SettingsError(f"{path}: tile_px and characters_per_token of {model} must be above 0")
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise SettingsError(
            f'{path} gives no prices of {model} ({error!r}); write [models."{model}"] with per_million_in and per_million_out'
        ) from error
    return prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A most that several workers may spend together, and go on within at a later run: a ledger of lines, each whole."""

    most: float
    ledger: Path

    @property
    def spent(self) -> float:
        """What was spent and is set aside for calls under way. Raises SettingsError for a ledger that is none."""
        try:
            lines = self.ledger.read_text(encoding="utf-8").splitlines()
            return math.fsum(float(json.loads(line)["cost"]) for line in lines)
        except FileNotFoundError:
            return 0.0
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingsError(f"{self.ledger} is no ledger of costs ({error!r}); name another or delete it") from error

    def reserve(self, cost: float) -> None:
        """Sets an amount aside. Raises BudgetSpent when it is not left, and sets nothing aside then."""
        self._write(cost)
        if self.spent > self.most * (1 + 1e-9):
            self._write(-cost)
            raise BudgetSpent(
                f"the judge's next questions may cost {cost:.4g}, and {max(0.0, self.most - self.spent):.4g} of {self.most:.4g} "
                "is left; raise the maximum cost to go on, answers so far are kept"
            )

    def settle(self, reserved: float, cost: float) -> None:
        """Puts what was really spent in place of what was set aside."""
        self._write(cost - reserved)

    def _write(self, cost: float) -> None:
        self.ledger.parent.mkdir(parents=True, exist_ok=True)
        # One write to a file opened for appending: lines of several processes do not mix.
        descriptor = os.open(self.ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, (json.dumps({"cost": cost}) + "\n").encode())
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Purse:
    """A budget with the prices it is spent at."""

    budget: Budget
    prices: Prices

    def judge(self, judge: Judge) -> "BudgetedJudge":
        return BudgetedJudge(judge, self.budget, prices=self.prices)


class BudgetedJudge:
    """A judge that is asked only as long as the budget lasts. Retries may pass the maximum by those of one video."""

    def __init__(self, judge: Judge, budget: Budget, *, prices: Prices) -> None:
        self.model_id, self.sampling = judge.model_id, judge.sampling
        self._judge, self._budget, self._prices = judge, budget, prices

    def ask(
        self, inquiries: Sequence[Inquiry], answered: Callable[[Inquiry, Verdict], None] | None = None
    ) -> list[Verdict]:
        """As the judge does. Raises BudgetSpent, having asked nothing, when what is left may not suffice."""
        costs = [self._foreseen(inquiry) for inquiry in inquiries]
        reserved = math.fsum(costs)
        self._budget.reserve(reserved)
        spent = 0.0
        try:
            verdicts = self._judge.ask(inquiries, answered)
            spent = math.fsum(map(self._spent, verdicts, costs))
        finally:
            self._budget.settle(reserved, spent)
        return verdicts

    def _foreseen(self, inquiry: Inquiry) -> float:
        question = Question(inquiry.prompt, tuple(_size(image) for image in inquiry.images))
        return self._prices.cost(self._prices.tokens_in(question), self._prices.tokens_out)

    def _spent(self, verdict: Verdict, foreseen: float) -> float:
        """By the endpoint's own count, or as foreseen for each call where it gives none."""
        if verdict.num_tokens_in:
            return self._prices.cost(verdict.num_tokens_in, verdict.num_tokens_out)
        return foreseen * verdict.num_calls


def _size(image: bytes) -> tuple[int, int]:
    with Image.open(BytesIO(image)) as picture:
        return picture.size
