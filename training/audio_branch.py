"""Sound for the video: windowed cross-attention beside that to text (Gloria, section 4.2).

Features of a wav2vec 2 model are brought to the video's frame rate and cut into windows of as many frames as one latent frame
holds; a latent frame attends to its own window alone. The branch has keys, values and an output projection of its own; the
value projection starts at zero, so a new branch changes nothing. Our choices, where the paper is silent: queries are those of the text
attention (the published 17 B fits no larger reading), the output projection has no bias (a bias would learn before the
values do), and only frames that are to be generated listen.

Shapes: B samples, T latent frames, F video frames, A channels of the features, E of the branch, W frames of a window,
S tokens, N heads, P channels of a head, D width.
"""

import torch
import torch.nn.functional as F
from torch import nn

FRAMES_PER_LATENT = 4  # the temporal compression of Wan's VAE, which holds the first frame alone


def audio_windows(features_BFA: torch.Tensor, num_frames: int) -> torch.Tensor:
    """Features at any rate -> (B, T, W, A): one window for each latent frame of a clip of `num_frames` (1 + 4 n) frames.

    The features span the clip and are resampled linearly, middle of sample to middle of frame. The first frame is alone in its latent; its window
    repeats it (our choice). Raises ValueError where `num_frames` is not 1 + 4 n.
    """
    if num_frames % FRAMES_PER_LATENT != 1:
        raise ValueError(f"a clip of Wan's VAE has 1 + {FRAMES_PER_LATENT} n frames, not {num_frames}")
    per_frame = F.interpolate(features_BFA.transpose(1, 2), size=num_frames, mode="linear").transpose(1, 2)
    padded = torch.cat((per_frame[:, :1].expand(-1, FRAMES_PER_LATENT - 1, -1), per_frame), dim=1)
    return padded.unflatten(1, (-1, FRAMES_PER_LATENT))


class AudioAttention(nn.Module):
    """One block's branch. `queries` come turned by nothing: within a window all frames are near."""

    def __init__(self, width: int, audio_width: int, heads: int, eps: float) -> None:
        super().__init__()
        self.heads = heads
        self.to_k = nn.Linear(audio_width, width)
        self.to_v = nn.Linear(audio_width, width)
        self.to_out = nn.Linear(width, width, bias=False)
        self.norm_k = nn.RMSNorm(width, eps=eps)
        self.silence()

    def silence(self) -> None:
        """Values at zero: the branch gives exactly nothing, and at first only the values learn (Gloria, section 4.4)."""
        nn.init.zeros_(self.to_v.weight)
        nn.init.zeros_(self.to_v.bias)

    def forward(
        self, queries_BSD: torch.Tensor, audio_BTWE: torch.Tensor, *, tokens_per_frame: int, start: int
    ) -> torch.Tensor:
        """What sound adds to a run of video tokens (B, S, D), the first of which is token `start` of the first window's frame on.

        A run may begin and end within a frame, as a share of a sequence does.
        """
        key, value = self.norm_k(self.to_k(audio_BTWE)), self.to_v(audio_BTWE)
        parts = []
        for low, high, frame in _runs(queries_BSD.shape[1], tokens_per_frame, start):
            frames = max((high - low) // tokens_per_frame, 1)
            window = slice(frame, frame + frames)
            parts.append(self._attend(queries_BSD[:, low:high], key[:, window], value[:, window]))
        if not parts:  # gradients of zero, not none: ranks that share weights have to agree on which have gradients
            return self.to_out(queries_BSD) + 0 * (key.sum() + value.sum())
        return self.to_out(torch.cat(parts, dim=1) if len(parts) > 1 else parts[0])

    def _attend(self, queries_BSD: torch.Tensor, key_BTWD: torch.Tensor, value_BTWD: torch.Tensor) -> torch.Tensor:
        batch, frames = key_BTWD.shape[:2]

        def by_frame(x: torch.Tensor) -> torch.Tensor:
            return x.reshape(batch * frames, -1, self.heads, x.shape[-1] // self.heads).transpose(1, 2)

        found = F.scaled_dot_product_attention(by_frame(queries_BSD), by_frame(key_BTWD), by_frame(value_BTWD))
        return found.transpose(1, 2).reshape(batch, -1, queries_BSD.shape[-1])


def _runs(tokens: int, per_frame: int, start: int) -> list[tuple[int, int, int]]:
    """Token ranges and their first frame: the rest of a begun frame, whole frames together, the part of the last."""
    head = min(-start % per_frame, tokens)
    whole = (tokens - head) // per_frame * per_frame
    borders = [(0, head), (head, head + whole), (head + whole, tokens)]
    return [(low, high, (start + low) // per_frame) for low, high in borders if high > low]
