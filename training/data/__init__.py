"""From an export to batches: what a trainer reads.

- `shapes`: ClipShapes, PictureShapes: which sizes latents have.
- `listing`: what an export asks to be encoded, as records of a cache's own catalog.
- `stages`: ListClips, EncodeClips, EncodePictures, EncodeTexts: the work, run by the kernel's engine.
- `latents`: `encode`, the job that does it.
- `shards`: LatentCache: sharded safetensors and their index.
- `modes`: which references a clip is shown with.
- `batches`: batches of equal shapes under a token budget, in an order that (seed, epoch) decides.
- `loader`: Loader: batches as tensors, read ahead, and how long the trainer waited.
"""
