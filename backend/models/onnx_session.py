"""ONNX models on one thread, so that equal inputs give equal bits."""

from pathlib import Path
from typing import Any

from backend.domain import ModelUnavailable


def onnx_session(path: Path, *, device: str, what: str) -> Any:
    """An `onnxruntime.InferenceSession` of a file, on the GPU where there is one and `device` is not `cpu`.

    Raises ModelUnavailable when the library is missing (naming `what` needs it) or the file is no ONNX model.
    """
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as runtime
    except ImportError as error:
        raise ModelUnavailable(f"{what} need the extra: pip install 'subject-studio[models]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    on_gpu = device != "cpu" and "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    providers = [*(["CUDAExecutionProvider"] if on_gpu else []), "CPUExecutionProvider"]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except (runtime.InvalidProtobuf, runtime.InvalidGraph, runtime.Fail, runtime.NotImplemented) as error:
        raise ModelUnavailable(f"{path} cannot be read as an ONNX model: {error}; get it again") from error
