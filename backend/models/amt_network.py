"""AMT-S, which draws the frame halfway between two, under the keys of `amt-s.pth`. Imports torch: import it where one is made.

Written from the paper (AMT, CVPR 2023, section 3) and the published tensors; the authors' code may not be used
commercially. Flows are in pixels of their own scale; 0 and 1 name the frame before and after.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

CHANNELS = (20, 32, 44, 56)  # of the pyramid at 1/2, 1/4, 1/8 and 1/16
SIDE = 20  # channels that a residual block treats on their own
FLOWS = 3  # pairs of flow fields that are merged in the end
LEVELS, RADIUS = 4, 3  # of the lookup in the correlations
MULTIPLE = 16  # sides must be whole multiples


class AmtNetwork(nn.Module):
    """Frames `(B, 3, H, W)` in [0, 1], sides multiples of 16, to the one halfway between."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = CHANNELS
        self.feat_encoder = _FeatureEncoder()
        self.encoder = _Pyramid()
        self.decoder4 = _Decoder(2 * sixteenth + 1, 2 * sixteenth, eighth + 4)
        self.decoder3 = _Decoder(3 * eighth + 4, 3 * eighth, quarter + 4)
        self.decoder2 = _Decoder(3 * quarter + 4, 3 * quarter, half + 4)
        self.decoder1 = _Decoder(3 * half + 4, 3 * half, 8 * FLOWS)
        self.update4 = _Update(eighth, 1)
        self.update3 = _Update(quarter, 2)
        self.update2 = _Update(half, 4)
        self.comb_block = nn.Sequential(
            nn.Conv2d(3 * FLOWS, 6 * FLOWS, 3, 1, 1), nn.PReLU(6 * FLOWS), nn.Conv2d(6 * FLOWS, 3, 3, 1, 1)
        )

    def forward(self, frame0: torch.Tensor, frame1: torch.Tensor) -> torch.Tensor:
        mean = torch.cat((frame0, frame1), dim=2).mean((1, 2, 3), keepdim=True)
        frame0, frame1 = frame0 - mean, frame1 - mean
        lookup = _Lookup(*self.feat_encoder(torch.cat((frame0, frame1))).chunk(2))
        pyramid0, pyramid1 = self.encoder(frame0), self.encoder(frame1)

        deepest = pyramid0[3]
        time = torch.full_like(deepest[:, :1], 0.5)
        out = self.decoder4.convblock(torch.cat((deepest, pyramid1[3], time), dim=1))
        flow, features = out[:, :4], out[:, 4:]
        flow, features = self.update4(flow, features, lookup)
        for decoder, update, level in ((self.decoder3, self.update3, 2), (self.decoder2, self.update2, 1)):
            out = decoder.convblock(_gathered(features, pyramid0[level], pyramid1[level], flow))
            flow, features = out[:, :4] + 2 * _resized(flow, 2), out[:, 4:]
            flow, features = update(flow, features, lookup)
        out = self.decoder1.convblock(_gathered(features, pyramid0[0], pyramid1[0], flow))
        return self._merged(frame0, frame1, mean, flow, out).clamp(0, 1)

    def _merged(
        self, frame0: torch.Tensor, frame1: torch.Tensor, mean: torch.Tensor, flow: torch.Tensor, out: torch.Tensor
    ) -> torch.Tensor:
        """Both frames warped along each pair of flows, blended by its mask, with its residual; then put together."""
        delta0, delta1, masks, residuals = out.split((2 * FLOWS, 2 * FLOWS, FLOWS, 3 * FLOWS), dim=1)
        flow0, flow1 = (2 * _resized(part, 2) for part in flow.chunk(2, dim=1))
        drafts = []
        for n in range(FLOWS):
            from0 = _warped(frame0, flow0 + delta0[:, 2 * n : 2 * n + 2])
            from1 = _warped(frame1, flow1 + delta1[:, 2 * n : 2 * n + 2])
            mask = masks[:, n : n + 1].sigmoid()
            drafts.append(mask * from0 + (1 - mask) * from1 + mean + residuals[:, 3 * n : 3 * n + 3])
        return torch.stack(drafts).mean(0) + self.comb_block(torch.cat(drafts, dim=1))


class _FeatureEncoder(nn.Module):
    """Features at 1/8 for the correlations. Its normalisations have no weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 7, 2, 3)
        self.layer1 = nn.Sequential(_Bottleneck(32, 32, 1), _Bottleneck(32, 32, 1))
        self.layer2 = nn.Sequential(_Bottleneck(32, 64, 2), _Bottleneck(64, 64, 1))
        self.layer3 = nn.Sequential(_Bottleneck(64, 96, 2), _Bottleneck(96, 96, 1))
        self.conv2 = nn.Conv2d(96, 84, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2(self.layer3(self.layer2(self.layer1(F.relu(F.instance_norm(self.conv1(x)))))))


class _Bottleneck(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after // 4, 1)
        self.conv2 = nn.Conv2d(after // 4, after // 4, 3, stride, 1)
        self.conv3 = nn.Conv2d(after // 4, after, 1)
        self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride)) if stride > 1 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for layer in (self.conv1, self.conv2, self.conv3):
            y = F.relu(F.instance_norm(layer(y)))
        return F.relu(y + (x if self.downsample is None else F.instance_norm(self.downsample(x))))


class _Pyramid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        before = 3
        for number, channels in enumerate(CHANNELS, 1):
            self.add_module(f"pyramid{number}", nn.Sequential(_conv(before, channels, 2), _conv(channels, channels)))
            before = channels

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for layer in self.children():
            x = layer(x)
            found.append(x)
        return found


class _Decoder(nn.Module):
    """From one scale to the next finer: flows first, then features."""

    def __init__(self, before: int, inside: int, after: int) -> None:
        super().__init__()
        self.convblock = nn.Sequential(_conv(before, inside), _Residual(inside), nn.ConvTranspose2d(inside, after, 4, 2, 1))


class _Residual(nn.Module):
    """Five convolutions, of which the second and fourth see the last SIDE channels only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = _conv(channels, channels), _conv(SIDE, SIDE), _conv(channels, channels)
        self.conv4, self.conv5 = _conv(SIDE, SIDE), nn.Conv2d(channels, channels, 3, 1, 1)
        self.prelu = nn.PReLU(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv1(x)
        y = self.conv3(torch.cat((y[:, :-SIDE], self.conv2(y[:, -SIDE:])), dim=1))
        y = self.conv5(torch.cat((y[:, :-SIDE], self.conv4(y[:, -SIDE:])), dim=1))
        return self.prelu(x + y)


class _Update(nn.Module):
    """Corrects flows and features at `scale` times 1/8 by the correlations where the flows point."""

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        self._scale = scale
        self.convc1 = nn.Conv2d(2 * LEVELS * (2 * RADIUS + 1) ** 2, 64, 1)
        self.convf1 = nn.Conv2d(4, 40, 7, padding=3)
        self.convf2 = nn.Conv2d(40, 20, 3, padding=1)
        self.conv = nn.Conv2d(64 + 20, 68, 3, padding=1)
        self.gru = _head(68 + 4 + channels, 76)
        self.feat_head = _head(76, channels)
        self.flow_head = _head(76, 4)

    def forward(self, flow: torch.Tensor, features: torch.Tensor, lookup: "_Lookup") -> tuple[torch.Tensor, torch.Tensor]:
        scale = self._scale
        coarse = _resized(flow, 1 / scale) / scale
        known = _resized(features, 1 / scale)
        motion = _leaky(self.convf2(_leaky(self.convf1(coarse))))
        seen = _leaky(self.conv(torch.cat((_leaky(self.convc1(lookup(coarse))), motion), dim=1)))
        out = self.gru(torch.cat((seen, coarse, known), dim=1))
        return flow + scale * _resized(self.flow_head(out), scale), features + _resized(self.feat_head(out), scale)


class _Lookup:
    """All-pairs correlations of both frames' features, in both directions, at LEVELS scales."""

    def __init__(self, features0: torch.Tensor, features1: torch.Tensor) -> None:
        size, dim, self._rows, self._columns = features0.shape
        pairs = features0.flatten(2).transpose(1, 2) @ features1.flatten(2) / math.sqrt(dim)
        self._forward = self._levels(pairs)
        self._backward = self._levels(pairs.transpose(1, 2))
        steps = torch.arange(-RADIUS, RADIUS + 1, device=pairs.device, dtype=pairs.dtype)
        self._steps = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1)  # the first column is added to x
        rows, columns = (torch.arange(n, device=pairs.device, dtype=pairs.dtype) for n in (self._rows, self._columns))
        self._places = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1]).expand(size, 2, -1, -1)

    def __call__(self, flow: torch.Tensor) -> torch.Tensor:
        """`(B, 2 LEVELS (2 RADIUS + 1)^2, h, w)` for flows `(B, 4, h, w)` from the middle to both frames, made twice as
        long: from each frame to the other."""
        flow0, flow1 = flow.chunk(2, dim=1)
        looked = [
            self._sampled(levels, self._places + 2 * part)
            for levels, part in ((self._forward, flow1), (self._backward, flow0))
        ]
        return torch.cat(looked, dim=1)

    def _levels(self, pairs: torch.Tensor) -> list[torch.Tensor]:
        level = pairs.reshape(-1, 1, self._rows, self._columns)
        found = [level]
        for _ in range(LEVELS - 1):
            found.append(F.avg_pool2d(found[-1], 2, 2))
        return found

    def _sampled(self, levels: list[torch.Tensor], places: torch.Tensor) -> torch.Tensor:
        centres = places.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
        found = []
        for number, level in enumerate(levels):
            height, width = level.shape[-2:]
            extent = torch.tensor((width - 1, height - 1), device=level.device, dtype=level.dtype)
            grid = 2 * (centres / 2**number + self._steps) / extent - 1
            found.append(F.grid_sample(level, grid, align_corners=True).reshape(len(places), self._rows, self._columns, -1))
        return torch.cat(found, dim=-1).permute(0, 3, 1, 2)


def _gathered(features: torch.Tensor, level0: torch.Tensor, level1: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    flow0, flow1 = flow.chunk(2, dim=1)
    return torch.cat((features, _warped(level0, flow0), _warped(level1, flow1), flow), dim=1)


def _warped(picture: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """The picture looked up where the flow points, in pixels; its border goes on outside."""
    height, width = flow.shape[-2:]
    rows, columns = (torch.linspace(-1, 1, n, device=flow.device, dtype=flow.dtype) for n in (height, width))
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], dim=-1)
    extent = torch.tensor(((width - 1) / 2, (height - 1) / 2), device=flow.device, dtype=flow.dtype)
    return F.grid_sample(picture, grid + flow.permute(0, 2, 3, 1) / extent, padding_mode="border", align_corners=True)


def _resized(x: torch.Tensor, factor: float) -> torch.Tensor:
    return x if factor == 1 else F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def _conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1), nn.PReLU(after))


def _head(before: int, after: int) -> nn.Sequential:
    hidden = 76
    return nn.Sequential(nn.Conv2d(before, hidden, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(hidden, after, 3, padding=1))


def _leaky(x: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(x, 0.1)
