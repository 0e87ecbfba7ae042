"""From an image and its label to a score, and to its label: the critic of `image_gan`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from synth.models.generators import MAX_CHANNELS, SLOPE, doublings

FEATURES = 128


class Critic(nn.Module):
    """Convolutions that halve, a dense layer, and a score that the label's embedding projects (Miyato, Koyama 2018).

    With `spread`, rows also carry how their features deviate among the rows of their own label in the batch, real and
    made apart: minibatch standard deviation (Karras et al. 2018), by label. Its second task is to recognise labels.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        labels: int,
        channels: int,
        *,
        spectral: bool,
        spread: bool,
        dropout: float = 0.0,
        halvings: int | None = None,
    ) -> None:
        super().__init__()
        bound = spectral_norm if spectral else lambda layer: layer
        self.spread = spread
        layers: list[nn.Module] = []
        before, (height, width) = shape[0], shape[1:]
        times = doublings(height, width) if halvings is None else halvings
        for step in range(times):
            after = min(channels << step, MAX_CHANNELS)
            convolution = nn.Conv2d(before, after, 5, 2, 2) if halvings else nn.Conv2d(before, after, 4, 2, 1)
            layers += [bound(convolution), nn.LeakyReLU(SLOPE)]
            layers += [nn.Dropout(dropout)] if dropout else []
            before = after
            height, width = ((height + 1) // 2, (width + 1) // 2) if halvings else (height // 2, width // 2)
        if halvings is None:
            layers += [bound(nn.Conv2d(before, before, 3, padding=1)), nn.LeakyReLU(SLOPE)]
        self.maps = nn.Sequential(*layers)
        self.dense = bound(nn.Linear(before * height * width, FEATURES))
        seen = FEATURES * (2 if spread else 1)
        self.recognise = nn.Linear(FEATURES, labels)
        self.score = nn.Linear(seen, 1)  # free to scale: a score that is bounded too tells rows apart too weakly
        self.embed = nn.Embedding(labels, seen)
        nn.init.normal_(self.embed.weight, std=seen**-0.5)

    def forward(self, image: Tensor, label: Tensor, groups: int = 1) -> tuple[Tensor, Tensor]:
        """Scores (N,), and logits of the rows' labels (N, labels).

        The batch is `groups` equal parts; rows are compared within their part.
        """
        features = functional.leaky_relu(self.dense(self.maps(image).flatten(1)), SLOPE)
        logits = self.recognise(features)
        if self.spread:
            group = torch.arange(groups, device=label.device).repeat_interleave(len(label) // groups)
            kinds = groups * logits.shape[1]
            features = torch.cat([features, deviations(features, label + logits.shape[1] * group, kinds)], 1)
        return self.score(features)[:, 0] + (self.embed(label) * features).sum(1), logits


def deviations(features: Tensor, kind: Tensor, kinds: int) -> Tensor:
    """Standard deviation of each feature among the rows of a row's kind, (N, F); matrix products, so deterministic."""
    member = functional.one_hot(kind, kinds).to(features.dtype)
    share = member / member.sum(0).clamp_min(1)
    centred = features - member @ (share.T @ features)
    return (member @ (share.T @ centred.square()) + 1e-6).sqrt()


@contextlib.contextmanager
def without_gradients(module: nn.Module) -> Iterator[None]:
    """Reach through a module without gradients for its own parameters."""
    live = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in live:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in live:
            parameter.requires_grad_(True)
