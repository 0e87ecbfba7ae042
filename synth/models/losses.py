"""Losses of `image_gan`: scores in, a scalar out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import one_hot, relu, softplus

MIN_SPREAD = 1e-4
Scorer = Callable[[Tensor], Tensor]  # rows (N, ...) -> scores (N,)


def critic_loss(loss: str, real: Tensor, fake: Tensor) -> Tensor:
    """What the critic lowers."""
    if loss == "hinge":  # Lim, Ye 2017
        return relu(1 - real).mean() + relu(1 + fake).mean()
    if loss == "wgan_gp":  # Arjovsky et al. 2017
        return fake.mean() - real.mean()
    return softplus(-real).mean() + softplus(fake).mean()  # Goodfellow et al. 2014, equation 1


def generator_loss(loss: str, fake: Tensor) -> Tensor:
    """What the generator lowers."""
    if loss == "minimax":  # Goodfellow et al. 2014, equation 1: log(1 - sigmoid(score))
        return -softplus(fake).mean()
    if loss == "non_saturating":  # §3 there: -log(sigmoid(score))
        return softplus(-fake).mean()
    return -fake.mean()


def gradient_penalty(score: Scorer, real: Tensor, fake: Tensor) -> Tensor:
    """How far the critic's slope between real and made rows is from 1 (Gulrajani et al. 2017, equation 3)."""
    place = torch.rand(len(real), *(1 for _ in real.shape[1:])).to(real.device)
    between = torch.lerp(real, fake, place).requires_grad_(True)
    with torch.enable_grad():
        slope = torch.autograd.grad(score(between).sum(), between, create_graph=True)[0]
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def diversity_loss(fake: Tensor, real: Tensor, label: Tensor, labels: int) -> Tensor:
    """Squared log ratio of the variance within a label, made to real, averaged over the labels of the batch."""
    member = one_hot(label, labels).to(real.dtype)
    rows = member.sum(0)
    ratio = (_variance(fake, member) + MIN_SPREAD).log() - (_variance(real, member) + MIN_SPREAD).log()
    several = (rows > 1).to(real.dtype)
    return (ratio.square() * several).sum() / several.sum().clamp_min(1)


def _variance(image: Tensor, member: Tensor) -> Tensor:
    """Mean over pixels of the variance within each label (labels,)."""
    pixels = image.flatten(1)
    share = member / member.sum(0).clamp_min(1)
    centred = pixels - member @ (share.T @ pixels)
    return share.T @ centred.square().mean(1)
