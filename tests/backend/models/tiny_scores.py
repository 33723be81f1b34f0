"""Tiny models that give scores and features, in the files that the published ones come in: ONNX, TorchScript, transformers."""

import warnings
from pathlib import Path
from typing import Any

import torch

VIEW: tuple[Any, ...] = (3, 32, 224, 224)
"""Of a clip, as DOVER's graph takes it."""


def save_dover(
    path: Path, *, batch: Any = 1, names=("aes_view", "tech_view"), view=VIEW, outputs: int = 2, scale: float = 1.0
) -> Path:
    """A graph whose scores are means of its views: the aesthetic one times 100, the technical one times `scale`."""
    import onnx
    from onnx import TensorProto, helper

    given = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [b, *view]) for n, b in zip(names, (1, batch), strict=True)
    ]
    nodes, results = [], []
    for number, (name, factor) in enumerate(zip(names, (100.0, scale), strict=True)):
        # One axis after another: a sum of five million float32 would be off by a thousandth.
        steps = [name, *(f"{name}_{axis}" for axis in (4, 3, 2)), f"m{number}"]
        for axis, before, after in zip((4, 3, 2, 1), steps, steps[1:]):
            nodes.append(helper.make_node("ReduceMean", [before], [after], axes=[axis], keepdims=0))
        nodes.append(helper.make_node("Constant", [], [f"f{number}"], value_float=factor))
        nodes.append(helper.make_node("Mul", [f"m{number}", f"f{number}"], [f"s{number}"]))
        results.append(helper.make_tensor_value_info(f"s{number}", TensorProto.FLOAT, None))
    graph = helper.make_graph(nodes, "dover", given, results[-outputs:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def save_classifier(folder: Path, labels: tuple[str, ...], **config: Any) -> Path:
    """A ViT of two layers with a processor of 32 pixels."""
    import transformers as tf

    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    made = tf.ViTConfig(**sizes, image_size=32, patch_size=16, id2label=dict(enumerate(labels)), **config)
    model = tf.ViTForImageClassification(made)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.3)
    model.save_pretrained(folder)
    tf.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


class Script(torch.nn.Module):
    """Takes what I3D's script takes; gives mean and largest value as it was asked to prepare them."""

    def forward(
        self, x: torch.Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> torch.Tensor:
        if not return_features:
            return torch.zeros(x.shape[0], 1)
        if rescale:
            x = 2 * x / 255 - 1
        if resize:
            x = torch.nn.functional.interpolate(x, size=[x.shape[2], 8, 8], mode="trilinear", align_corners=False)
        return torch.cat([x.mean(dim=[2, 3, 4]), x.amax(dim=[3, 4]).flatten(1)], dim=1)


def save_i3d(path: Path) -> Path:
    """`Script` as the TorchScript file that StyleGAN-V published I3D as."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.script(Script()).save(str(path))
    return path
