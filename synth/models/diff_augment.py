"""Differentiable augmentation of real and made rows alike (Zhao, Liu, Lin, Zhu, Han 2020).

Shifts and erasing for all images, colour for those with three channels. Draws come from torch's global CPU generator.
Shifts are products with shifted unit matrices: cheap for small images, deterministic, differentiable twice.
"""

from __future__ import annotations

import torch
from torch import Tensor

SHIFT_FRACTION = 0.125  # of height and width, at most
CUTOUT_FRACTION = 0.3  # of height and width


def augmented(image: Tensor, chance: float) -> Tensor:
    """Change each row (N, C, H, W) at random with this chance, and else leave it."""
    if chance <= 0:
        return image
    changed = cut_out(shifted(coloured(image) if image.shape[1] == 3 else image))
    chosen = torch.rand(len(image), 1, 1, 1) < chance
    return torch.where(chosen.to(image.device), changed, image)


def shifted(image: Tensor) -> Tensor:
    """Shift by whole pixels; what is uncovered is filled from the edge."""
    height, width = image.shape[2:]
    rows, columns = (_moved(len(image), size).to(image) for size in (height, width))
    return rows[:, None] @ image @ columns[:, None].mT


def _moved(count: int, size: int) -> Tensor:
    """Unit matrices (count, size, size) whose rows are shifted by up to SHIFT_FRACTION, repeating the edge."""
    reach = round(size * SHIFT_FRACTION)
    shift = torch.randint(-reach, reach + 1, (count, 1))
    taken = (torch.arange(size) + shift).clamp(0, size - 1)
    return (taken[:, :, None] == torch.arange(size)).float()


def cut_out(image: Tensor, fraction: float = CUTOUT_FRACTION) -> Tensor:
    """Set a rectangle of that share of height and width to zero (mid grey); it may reach over the edge."""
    down, right = (_outside(len(image), size, fraction) for size in image.shape[2:])
    keep = (down[:, :, None] | right[:, None, :])[:, None]
    return image * keep.to(image)


def _outside(count: int, size: int, fraction: float) -> Tensor:
    """Which places (count, size) lie outside an interval of that share of the size, drawn for each row."""
    half = size * fraction / 2
    middle = torch.rand(count, 1) * size
    return (torch.arange(size) + 0.5 - middle).abs() > half


def coloured(image: Tensor) -> Tensor:
    """Change brightness, saturation and contrast."""
    brightness, saturation, contrast = torch.rand(3, len(image), 1, 1, 1).to(image)
    image = image + (brightness - 0.5)
    grey = image.mean(1, keepdim=True)
    image = grey + (image - grey) * (saturation * 2)
    middle = image.mean((1, 2, 3), keepdim=True)
    return middle + (image - middle) * (contrast + 0.5)
