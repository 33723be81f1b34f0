"""Reading a checkpoint of torch's distributed format for its tensors and numbers alone: no code in it is run.

torch's own reader unpickles the list of contents and what is no tensor; a run folder that somebody sent could run anything.
"""

import pickle
from io import BytesIO
from typing import Any

import torch
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta
from torch.distributed.checkpoint.planner import ReadItem

LISTS = frozenset({"torch.distributed.checkpoint.metadata", "torch.distributed.checkpoint.filesystem"})
"""Modules whose own classes stand in a list of contents."""
OTHERS = frozenset(
    {
        ("collections", "OrderedDict"),
        *((module, name) for module in ("pathlib", "pathlib._local") for name in ("PosixPath", "WindowsPath")),
        ("torch", "Size"),
        ("torch.serialization", "_get_layout"),
        *(("torch", name) for name in ("float32", "float16", "bfloat16", "float64", "int64", "int32", "uint8", "bool")),
    }
)


class TensorReader(FileSystemReader):
    """Reads a list of contents that names nothing but its own classes. Raises ValueError for another."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """As torch's, without what could run code."""
        path = self._get_metadata_path(kwargs.get("rank"))
        with self.fs.create_stream(path, "rb") as file:
            try:
                found = _Contents(file).load()
            except (pickle.UnpicklingError, AttributeError, ImportError, IndexError, EOFError) as error:
                raise ValueError(f"its list of contents cannot be read: {error}") from error
        if not isinstance(found, Metadata):
            raise ValueError("its list of contents is none")
        if found.storage_meta is None:
            found.storage_meta = StorageMeta()
        found.storage_meta.load_id = self.load_id
        return found


class TensorPlanner(DefaultLoadPlanner):
    """Reads what is no tensor as numbers, words and lists of these. Raises ValueError for anything else."""

    def load_bytes(self, read_item: ReadItem, value: BytesIO) -> None:
        """As torch's, which takes anything: so only what holds nothing else comes to it."""
        try:
            torch.load(value, weights_only=True)
        except pickle.UnpicklingError as error:
            raise ValueError(f"{read_item.dest_index.fqn} cannot be read: {error}") from error
        value.seek(0)
        super().load_bytes(read_item, value)


class _Contents(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module in LISTS and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ in LISTS:
                return found
        elif (module, name) in OTHERS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a list of contents")
