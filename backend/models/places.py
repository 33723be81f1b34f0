"""Where a model's weights lie: a local folder or file, or `hub:OWNER/NAME` of the Hugging Face hub's local cache.

A judge may be far away instead: `openai:MODEL@https://host/v1`, an endpoint that speaks OpenAI's protocol.
"""

import hashlib
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

from backend.domain import ModelUnavailable
from backend.models.outgoing import AllowedEndpoints, Origin, origin_of

HUB = "hub:"
REMOTE = "openai:"
WEIGHTS = frozenset({".safetensors", ".bin", ".pt", ".pth", ".onnx", ".ckpt"})
EDGE_BYTES = 1 << 20  # read at each end of a weight file: whole ones have 15 GB and more


class WithWeights(Protocol):
    """An implementation that is loaded from a place: what the others have, and how it is made.

    `model_id` of the class names the kind; of an object, the kind and its weights. torch is imported when one is made.
    """

    model_id: str
    suggested: ClassVar[str]
    """What the papers take, as a name on the hub or a file."""
    published_gb: ClassVar[float]
    """What that takes on the disk, in 10^9 bytes, as published; 0 where nothing is suggested."""
    licence: ClassVar[str]

    def __init__(self, place: "ModelPlace", *, device: str, dtype: str) -> None: ...


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """The location that `[models]` in project.toml gives a role."""

    role: str
    location: str
    suggested: str = ""
    """What the papers take, for the sentence that says what to do."""
    footage_may_leave: bool = False
    """The project's own switch for endpoints beyond this machine."""

    @property
    def is_held(self) -> bool:
        """Whether weights of this machine's are named; a model far away is asked over the network."""
        return bool(self.location) and not self.location.startswith(REMOTE)

    def path(self) -> Path:
        """The folder or file. Raises ModelUnavailable when it is not there; nothing is ever downloaded unasked."""
        if not self.location:
            hint = f', for example "{HUB}{self.suggested}" or a folder that holds it' if self.suggested else ""
            raise ModelUnavailable(f"role {self.role} has no weights; set models.{self.role} in project.toml{hint}")
        if self.location.startswith(HUB):
            return self._cached(self.location.removeprefix(HUB))
        found = Path(self.location).expanduser()
        if not found.exists():
            raise ModelUnavailable(f"models.{self.role} = {self.location!r} does not exist; put the weights there")
        return found

    def endpoint(self) -> tuple[str, str]:
        """Model and base URL of a far place. Raises ModelUnavailable when it is none or not safe to send a key to."""
        model, _, url = self.location.removeprefix(REMOTE).rpartition("@")
        try:
            origin, problem = origin_of(url), ""
        except ValueError as error:
            origin, problem = None, f": {error}" if url else ""
        if origin is None or not (self.location.startswith(REMOTE) and model and "@" not in model):
            raise ModelUnavailable(
                f'models.{self.role} names no endpoint{problem}; set it to "{REMOTE}MODEL@https://host/v1" (http only to this '
                "machine; the key comes from the environment, never from here)"
            )
        return model, f"{origin}{urllib.parse.urlsplit(url).path}".rstrip("/")

    def require_sending(self) -> Origin:
        """The origin of an endpoint that pictures and texts may be sent to: the one way on which a project's leave this machine.

        Raises ModelUnavailable, naming the switch, unless the user allowed the endpoint and, where it lies beyond this
        machine, the project allows that its footage leaves.
        """
        origin = AllowedEndpoints().require(self.endpoint()[1], self.role)
        if not (origin.is_loopback or self.footage_may_leave):
            raise ModelUnavailable(
                f"models.{self.role} would send what this project holds of people to {origin}; nothing leaves this machine unless "
                "footage_may_leave = true in project.toml says so"
            )
        return origin

    def weight_bytes(self) -> int:
        """Bytes of the weight files, safetensors alone where there are any; 0 where nothing lies."""
        try:
            found = self.path()
        except ModelUnavailable:
            return 0
        files = [found] if found.is_file() else [path for path in found.rglob("*") if path.suffix in WEIGHTS]
        chosen = [path for path in files if path.suffix == ".safetensors"] or files
        return sum(path.stat().st_size for path in chosen)

    def digest(self) -> str:
        """Names the weights: a hash of the small files, and of size and both ends of the large ones."""
        found = self.path()
        hasher = hashlib.blake2b(digest_size=8)
        files = [found] if found.is_file() else sorted(path for path in found.rglob("*") if path.is_file())
        for path in files:
            hasher.update(f"{path.relative_to(found) if found.is_dir() else ''}:{path.stat().st_size}:".encode())
            with path.open("rb") as file:
                if path.suffix in WEIGHTS and path.stat().st_size > 2 * EDGE_BYTES:
                    hasher.update(file.read(EDGE_BYTES))
                    file.seek(-EDGE_BYTES, 2)
                hasher.update(file.read())
        return hasher.hexdigest()

    def model_id(self, kind: str) -> str:
        """A kind of model and the digest of its weights (or its model and endpoint); says so where these are missing."""
        try:
            if self.location.startswith(REMOTE):
                return f"{kind}@{'@'.join(self.endpoint())}"
            return f"{kind}@{self.digest()}"
        except ModelUnavailable:
            return f"{kind}@missing"

    def _cached(self, name: str) -> Path:
        try:
            from huggingface_hub import snapshot_download
            from huggingface_hub.errors import LocalEntryNotFoundError
        except ImportError as error:
            raise ModelUnavailable("hub models need the extra: pip install 'subject-studio[models]'") from error
        try:
            return Path(snapshot_download(name, local_files_only=True))
        except (LocalEntryNotFoundError, OSError) as error:
            raise ModelUnavailable(
                f"models.{self.role} = {self.location!r} is not in the hub's cache; get it with `hf download {name}`"
            ) from error


def place_of(
    role: str, implementation: type, models: Mapping[str, str], *, footage_may_leave: bool = False
) -> ModelPlace | None:
    """Where an implementation's weights are; None for one without weights."""
    suggested = getattr(implementation, "suggested", None)
    return None if suggested is None else ModelPlace(role, models.get(role, ""), suggested, footage_may_leave)


def model_id_of(role: str, implementation: type, models: Mapping[str, str]) -> str:
    """Names an implementation and its weights without loading them."""
    place = place_of(role, implementation, models)
    kind = cast(Any, implementation).model_id
    return kind if place is None else place.model_id(kind)
