"""Pure functions over frames, boxes and scores: what can be measured without a model."""
