"""Weights of the logistic regression over `viewpoint_cues`: its logits are sums of cue times weight.

Fitted to 476 frames of 190 drawn people of one look each, from all sides (ridge 2 on standardised cues, mirrored frames added),
none of whom is in a sample world.
"""

from collections.abc import Mapping

FRONT: Mapping[str, float] = {
    "": -3.069,
    "skin": -0.752,
    "middle_skin": 1.412,
    "most_skin": -0.169,
    "least_skin": 0.369,
    "dark": 0.029,
    "dark_in_skin": 1.720,
    "edges": 0.850,
    "frontal": 2.648,
    "profile": 1.775,
    "aspect": 1.603,
    "cut": 0.384,
    "skin_offset": -0.512,
    "toes": 0.194,
    "walks": 0.276,
    "skin_offset_hidden": 0.211,
    "skin_hidden": -0.011,
    "covered": -0.457,
    "bare": 0.476,
    "dark_offset_hidden": 3.894,
    "edge_offset_hidden": 2.299,
    "least_skin_hidden": -1.481,
    "shoulders": 0.244,
}
"""Cues that a mirror does not change; the empty name is the constant."""

SIDE: Mapping[str, float] = {
    "": 2.225,
    "skin": 0.444,
    "middle_skin": -0.235,
    "most_skin": 0.765,
    "least_skin": 0.292,
    "dark": 0.926,
    "dark_in_skin": -0.369,
    "edges": -0.966,
    "frontal": -0.384,
    "profile": -0.546,
    "aspect": 0.415,
    "cut": -0.290,
    "skin_offset": 0.735,
    "toes": -0.103,
    "walks": 0.491,
    "skin_offset_hidden": -0.531,
    "skin_hidden": -1.049,
    "covered": -0.000,
    "bare": 0.194,
    "dark_offset_hidden": -0.595,
    "edge_offset_hidden": 0.325,
    "least_skin_hidden": 0.506,
    "shoulders": -1.187,
}
"""Of either side."""

BACK: Mapping[str, float] = {
    "": -1.382,
    "skin": -0.137,
    "middle_skin": -0.941,
    "most_skin": -1.361,
    "least_skin": -0.953,
    "dark": -1.880,
    "dark_in_skin": -0.982,
    "edges": 1.082,
    "frontal": -1.879,
    "profile": -0.684,
    "aspect": -2.432,
    "cut": 0.196,
    "skin_offset": -0.959,
    "toes": 0.012,
    "walks": -1.257,
    "skin_offset_hidden": 0.851,
    "skin_hidden": 2.109,
    "covered": 0.458,
    "bare": -0.865,
    "dark_offset_hidden": -2.703,
    "edge_offset_hidden": -2.950,
    "least_skin_hidden": 0.469,
    "shoulders": 2.130,
}

RIGHT: Mapping[str, float] = {
    "skin_offset": 1.309,
    "skin_offset_hidden": 0.147,
    "dark_offset": -0.000,
    "dark_offset_hidden": 1.710,
    "edge_offset": 0.252,
    "edge_offset_hidden": 0.424,
    "toes": 1.797,
    "toes_hidden": 0.822,
    "going": 0.553,
    "profile": -1.040,
    "going_hidden": 0.654,
}
"""Cues that change their sign in a mirror: added for the right side, taken off for the left."""
