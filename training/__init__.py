"""Training and generation of subject-to-video models.

The model part, from the bottom up; each module says what the papers give and what is our choice:

- `layout`: Segment, SequenceLayout, clip_segments: what a sequence holds, its ids, runs and loss.
- `positions`: POSITIONS, position_scheme: where anchors stand.
- `rope`, `audio_branch` (audio_windows), `blocks`: parts of the transformer.
- `shapes`: SHAPES, WanShape, forward_flops.
- `model`: S2VTransformer, AnchorCache, Sharding, build, num_parameters: the forward over a layout.
- `times`: TimeSampling; `flow`: noised, velocity, clean, flow_loss, drawn_times.
- `guidance`: GuidanceChain, GUIDANCE; `dropout`: DropoutPlan, DROPOUT; `conditioning`: Conditions, Arrangement, encode_each.
- `sampling`: Sampler, GuidedModel, clip_latents, denoise; `long_video`: LongVideo, generate_long.
- `anchors`: SupersetAnchoring, Candidate, ChosenAnchor (numpy only); `loading`: load_transformer.

A training step in these words: `conditions.without(plan.draw(n, rng))`, `t = drawn_times(times, n, generator, spatial_tokens=...)`,
`arrangement.velocity(model, noised(x, noise, t), 1000 * t, conditions)`, `flow_loss(said, x, noise, layout)`.

`recipes`, `config`, `describing` and all that these import are plain data without torch: commands and forms name settings at once.
"""
