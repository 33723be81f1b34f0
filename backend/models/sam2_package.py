"""Why the package `sam2` is not used, said to whom names it."""

from typing import ClassVar

from backend.domain import ModelUnavailable
from backend.models.places import ModelPlace


class Sam2Package:
    """Refuses the package `sam2`: its wheel installs a top-level package `training` over this project's own."""

    model_id: str = "sam2-package"
    suggested: ClassVar[str] = "facebook/sam2.1-hiera-large"
    licence: ClassVar[str] = "Apache-2.0"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        raise ModelUnavailable(
            f'roles.{place.role} = "sam2_package" is refused: the wheel of sam2 installs a top-level package `training` over'
            f' this project\'s own; take roles.{place.role} = "paper", which reads the same weights in the layout of'
            f" transformers, for example hub:{self.suggested}"
        )
