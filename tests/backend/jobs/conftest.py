from collections.abc import Callable, Iterator

import pytest

from backend.jobs.model_service import ModelService
from backend.jobs.model_worker import ModelWorkerSettings


@pytest.fixture
def serve() -> Iterator[Callable[..., ModelService]]:
    """Makes model services on the CPU, and ends them."""
    made: list[ModelService] = []

    def make(**settings: object) -> ModelService:
        made.append(ModelService(ModelWorkerSettings(**settings), devices=["cpu"]))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for service in made:
        service.close()
