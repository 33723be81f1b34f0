"""A self-made insightface pack that finds coloured cells, and a narrow CurricularFace: real formats, known answers.

The detector finds a magenta cell of 32 px (bright red and blue, little green) and a yellow one of 16 px wherever it
lies on the grid of its size. The recogniser tells magenta cells by their pattern of green.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from backend.models.curricular_face import backbone
from backend.models.places import ModelPlace

SIZE = (320, 192)
KEYPOINTS = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.55), (0.35, 0.75), (0.65, 0.75))
"""Of a cell, in its own units."""
LIMIT = 2.3  # of red + blue - green (magenta) or red + green - blue (yellow), each in [-1, 1]
DIMENSION = 64


def write_pack(folder: Path, *, cells: int = 1) -> Path:
    """The pack. `cells`: how many cells a found face is wide and high, the one that it was found by in the middle."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_detector(cells), str(folder / "det.onnx"))
    onnx.save(_recogniser(), str(folder / "rec.onnx"))
    return folder


def write_curricular(path: Path) -> Path:
    torch.manual_seed(0)
    network = backbone((4, 4, 8, 8, 16, 16), stem=4, dimension=512)
    torch.save(network.state_dict(), path)
    return path


def place(role: str, path: Path) -> ModelPlace:
    return ModelPlace(role, str(path))


def cell(identity: int, side: int = 32) -> np.ndarray:
    """A person: a magenta cell with blocks of more and less green."""
    green = np.random.default_rng(identity).integers(0, 2, (4, 4)) * 80
    picture = np.full((side, side, 3), 255, np.uint8)
    picture[..., 1] = np.kron(green, np.ones((side // 4, side // 4))).astype(np.uint8)
    return picture


def scene(cells: dict[tuple[int, int], int], size: tuple[int, int] = SIZE, *, small: tuple = ()) -> np.ndarray:
    """A black frame with people by their place `(column, row)` on the grid of 32, small faces on that of 16."""
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    for (column, row), identity in cells.items():
        frame[32 * row : 32 * row + 32, 32 * column : 32 * column + 32] = cell(identity)
    for column, row in small:
        frame[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = (255, 255, 0)
    return frame


def _detector(cells: int) -> onnx.ModelProto:
    """Nine outputs as SCRFD with key points: scores, boxes and points of strides 8, 16, 32, two anchors a cell."""
    nodes, weights, outputs = [], [], []

    def constant(name: str, values: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    colours = {8: (0, 0, 0), 16: (1, 1, -1), 32: (1, -1, 1)}
    for stride, colour in colours.items():
        filters = constant(f"colour_{stride}", np.array(colour).reshape(1, 3, 1, 1))
        nodes.append(helper.make_node("Conv", ["image", filters], [f"likeness_{stride}"]))
        nodes.append(
            helper.make_node(
                "AveragePool", [f"likeness_{stride}"], [f"pooled_{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2
            )
        )
        # A second anchor of each cell that never fires: weight 0.
        spread = constant(f"spread_{stride}", np.array([40, 0]).reshape(2, 1, 1, 1))
        shift = constant(f"shift_{stride}", np.array([-40 * LIMIT, -40]))
        nodes.append(helper.make_node("Conv", [f"pooled_{stride}", spread, shift], [f"both_{stride}"]))
        nodes.append(helper.make_node("Transpose", [f"both_{stride}"], [f"last_{stride}"], perm=[0, 2, 3, 1]))
        rows = numpy_helper.from_array(np.array([-1, 1], np.int64), f"rows_{stride}")
        weights.append(rows)
        nodes.append(helper.make_node("Reshape", [f"last_{stride}", rows.name], [f"flat_{stride}"]))
        nodes.append(helper.make_node("Sigmoid", [f"flat_{stride}"], [f"score_{stride}"]))
    beside = (cells - 1) / 2
    places = {"box": (beside, beside, 1 + beside, 1 + beside), "points": np.ravel(KEYPOINTS) * cells - beside}
    for kind, values in places.items():
        for stride in colours:
            zero = constant(f"zero_{kind}_{stride}", np.zeros((1, len(values))))
            bias = constant(f"values_{kind}_{stride}", np.array(values))
            nodes.append(helper.make_node("Gemm", [f"score_{stride}", zero, bias], [f"{kind}_{stride}"]))
    for kind, width in {"score": 1, "box": 4, "points": 10}.items():
        outputs += [
            helper.make_tensor_value_info(f"{kind}_{stride}", TensorProto.FLOAT, [None, width]) for stride in colours
        ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, None, None])
    return _model(nodes, [image], outputs, weights)


def _recogniser() -> onnx.ModelProto:
    """Green, averaged over an 8 x 8 grid and centred, through a random matrix `(64, 64)`."""
    rng = np.random.default_rng(7)
    green = np.zeros((192, DIMENSION), np.float32)
    green[64:128] = rng.normal(size=(64, DIMENSION))
    weights = [
        numpy_helper.from_array(green, "mixing"),
        numpy_helper.from_array((0.69 * green.sum(axis=0)).astype(np.float32), "centre"),  # 40 of 255, in [-1, 1]
    ]
    nodes = [
        helper.make_node("AveragePool", ["face"], ["grid"], kernel_shape=[14, 14], strides=[14, 14]),
        helper.make_node("Flatten", ["grid"], ["flat"]),
        helper.make_node("Gemm", ["flat", "mixing", "centre"], ["embedding"]),
    ]
    face = helper.make_tensor_value_info("face", TensorProto.FLOAT, [None, 3, 112, 112])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [None, DIMENSION])
    return _model(nodes, [face], [embedding], weights)


def _model(nodes: list, inputs: list, outputs: list, weights: list) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
