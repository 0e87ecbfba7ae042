"""A Gaussian mixture per label over principal components: the baseline that the others must beat.

Fitted by sums alone, in seconds on a CPU: first the principal components of all rows, whose sums are pixels x
components, so that 128 px images fit too; then the mixture. At the end, small components gain what their few rows
cannot have shown: a wider spread, and small moves of their mean as directions of variance (Hinton, Dayan, Revow 1997;
the tangents of Simard et al. 1998).

Given up: what lies outside the principal components, so rows look a little smooth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from synth.models import Batch, Sums
from synth.models.gaussian_mixture import IN_USE, GaussianMixture, MixtureConfig
from synth.models.principal import Principal


@dataclass(frozen=True)
class Config(MixtureConfig):
    """The mixture's, and what it is a mixture of."""

    principal_components: int = 80
    unseen_rows: float = 12.0  # a component of n rows is widened by unseen_rows / (n + unseen_rows) of the moves below
    shift_fraction: float = 0.03  # standard deviation of shifts, of the height
    turn_fraction: float = 0.1  # of turns (radians), scalings and shears


PRESETS = {"standard": Config()}


def build(config: Config, channels: int, height: int, width: int, labels: int) -> ImageMixture:
    """Make an unfitted mixture for images of this size."""
    return ImageMixture(config, (channels, height, width), labels)


class ImageMixture(Principal):
    """Principal components, and a mixture over them; all state is in buffers."""

    def __init__(self, config: Config, shape: tuple[int, int, int], labels: int) -> None:
        super().__init__(math.prod(shape), config.principal_components)
        self.config, self.shape = config, shape
        self.mixture = GaussianMixture(config, labels, self.basis.shape[1])
        self.noise_width = self.mixture.noise_width

    def accumulate(self, batch: Batch) -> Sums:
        """Sum what the present round needs."""
        rows = batch["image"].flatten(1).double()
        if self.is_searching:
            return self.accumulate_subspace(rows)
        return self.mixture.accumulate(self.coordinates(rows), batch["label"], batch["index"])

    def update(self, sums: Sums) -> bool:
        """Finish the present round."""
        converged = False
        if self.is_searching:
            self.update_subspace(sums)
        elif converged := self.mixture.update(sums):
            self._widen()
        self.round += 1
        return converged

    def _widen(self) -> None:
        """Add to each component what its few rows cannot have shown."""
        config, mixture = self.config, self.mixture
        for label, part in (mixture.sizes > IN_USE).nonzero():
            unseen = config.unseen_rows / (mixture.sizes[label, part] + config.unseen_rows)
            mean = self._decode(mixture.means[label, part][None])[0]
            moves = movements(mean, config.shift_fraction, config.turn_fraction).flatten(1) @ self.basis
            factor = mixture.factors[label, part]
            covariance = (1 + unseen) * factor @ factor.T + unseen * moves.T @ moves
            mixture.factors[label, part] = torch.linalg.cholesky(covariance)

    def _decode(self, coordinates: Tensor) -> Tensor:
        return (coordinates @ self.basis.T + self.centre).view(-1, *self.shape)

    @torch.no_grad()
    def sample(self, noise: Tensor, condition: Tensor, temperature: float = 1.0) -> Tensor:
        """Make images."""
        return self._decode(self.mixture.draw(noise, condition, temperature)).clamp(-1, 1).float()


def movements(image: Tensor, shift_fraction: float, turn_fraction: float) -> Tensor:
    """Changes of an image (C, H, W) under small movements (6, C, H, W), its tangents (Simard et al. 1998).

    Two shifts by that share of the height; rotation, scaling and two shears by that angle or share.
    """
    height, width = image.shape[1:]
    padded = nn.functional.pad(image[None], (1, 1, 1, 1), mode="replicate")[0]
    down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2  # per pixel
    right = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    y = (torch.arange(height, dtype=image.dtype, device=image.device) - (height - 1) / 2)[:, None]
    x = (torch.arange(width, dtype=image.dtype, device=image.device) - (width - 1) / 2)[None]
    shifts = torch.stack([down, right]) * shift_fraction * height
    turns = torch.stack([x * down - y * right, y * down + x * right, x * down + y * right, y * down - x * right])
    return torch.cat([shifts, turns * turn_fraction])
