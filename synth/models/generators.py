"""From noise and label to an image: the generators of `image_gan` and the decoder of `image_vae`."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALLEST_MAP = 4  # pixels
SLOPE = 0.2  # of leaky ReLU below zero
LABEL_WIDTH = 32
MAX_CHANNELS = 256
CODE_WIDTH = 128
GROUPS = 8


def doublings(height: int, width: int) -> int:
    """How often an image is halved until its smaller side has 4 to 7 pixels."""
    return max(0, int(math.log2(min(height, width) / SMALLEST_MAP)))


def start_size(size: int, times: int) -> int:
    """Pixels to begin with so that doubling so often covers `size`; what is over is cropped."""
    return math.ceil(size / 2**times)


class Modulated(nn.Module):
    """Group norm (Wu, He 2018), scaled and shifted by each row's code (Perez et al. 2018), then leaky ReLU."""

    def __init__(self, channels: int, code_width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(math.gcd(GROUPS, channels), channels, affine=False)
        self.to_scale = nn.Linear(code_width, 2 * channels)
        nn.init.normal_(self.to_scale.weight, std=0.02)
        nn.init.zeros_(self.to_scale.bias)

    def forward(self, maps: Tensor, code: Tensor) -> Tensor:
        scale, shift = self.to_scale(code)[:, :, None, None].chunk(2, 1)
        return functional.leaky_relu(torch.addcmul(shift, self.norm(maps), 1 + scale), SLOPE)


class ModulatedGenerator(nn.Module):
    """Dense layer, then modulated norms and transposed convolutions that double; the last doubling is a pixel shuffle.

    Working at half the size and shuffling (Shi et al. 2016) costs a third of working at the full size. `channels` are
    those at half the size; each smaller map has twice as many.
    """

    def __init__(self, shape: tuple[int, int, int], labels: int, noise_width: int, channels: int) -> None:
        super().__init__()
        self.shape = shape
        times = max(1, doublings(*shape[1:]))
        widths = [min(channels << step, MAX_CHANNELS) for step in reversed(range(times))]
        self.start = (widths[0], start_size(shape[1], times), start_size(shape[2], times))
        self.embed = nn.Embedding(labels, LABEL_WIDTH)
        self.code = nn.Sequential(nn.Linear(noise_width + LABEL_WIDTH, CODE_WIDTH), nn.LeakyReLU(SLOPE))
        self.dense = nn.Linear(noise_width + LABEL_WIDTH, math.prod(self.start))
        self.norms = nn.ModuleList(Modulated(width, CODE_WIDTH) for width in widths)
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, 2, 1) for before, after in itertools.pairwise(widths)
        )
        self.refine = nn.Conv2d(widths[-1], widths[-1], 3, padding=1)
        self.last_norm = Modulated(widths[-1], CODE_WIDTH)
        self.paint = nn.Sequential(nn.Conv2d(widths[-1], 4 * shape[0], 3, padding=1), nn.PixelShuffle(2))

    def forward(self, noise: Tensor, label: Tensor) -> Tensor:
        """(N, noise_width), (N,) -> (N, C, H, W) in [-1, 1]."""
        both = torch.cat([noise, self.embed(label)], 1)
        code = self.code(both)
        maps = self.dense(both).view(-1, *self.start)
        for norm, grow in zip(self.norms, [*self.grow, self.refine], strict=True):
            maps = grow(norm(maps, code))
        maps = self.paint(self.last_norm(maps, code))
        return maps[:, :, : self.shape[1], : self.shape[2]].tanh()


class ClassicGenerator(nn.Module):
    """The classic: dense to (h/4)(w/4)256, three transposed 5x5 convolutions, batch norm, leaky ReLU, tanh."""

    def __init__(self, shape: tuple[int, int, int], labels: int, noise_width: int, channels: int) -> None:
        super().__init__()
        self.shape = shape
        self.start = (channels, start_size(shape[1], 2), start_size(shape[2], 2))
        self.embed = nn.Embedding(labels, LABEL_WIDTH)
        self.dense = nn.Linear(noise_width + LABEL_WIDTH, math.prod(self.start), bias=False)
        self.maps = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(SLOPE),
            nn.ConvTranspose2d(channels, channels // 2, 5, 1, 2, bias=False),
            nn.BatchNorm2d(channels // 2),
            nn.LeakyReLU(SLOPE),
            nn.ConvTranspose2d(channels // 2, channels // 4, 5, 2, 2, output_padding=1, bias=False),
            nn.BatchNorm2d(channels // 4),
            nn.LeakyReLU(SLOPE),
            nn.ConvTranspose2d(channels // 4, shape[0], 5, 2, 2, output_padding=1),
        )

    def forward(self, noise: Tensor, label: Tensor) -> Tensor:
        """(N, noise_width), (N,) -> (N, C, H, W) in [-1, 1]."""
        maps = self.dense(torch.cat([noise, self.embed(label)], 1)).view(-1, *self.start)
        maps = self.maps(maps)
        return maps[:, :, : self.shape[1], : self.shape[2]].tanh()
