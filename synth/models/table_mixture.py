"""A mixture of kinds of rows, in each of which every column has a distribution of its own: the baseline that the others
must beat.

Latent classes (Lazarsfeld, Henry 1968), fitted in seconds on a CPU by EM whose sums add up across workers. Within a
component a column of numbers leans on a normal distribution over the table's own quantiles, as far as the component's
rows say too little of single values; a column of categories leans on its shares among all rows. Any columns may be
given: what is known of a row tells how much each component speaks for it, and the others follow exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.models import Batch, Sums
from synth.models.columns import Shape
from synth.models.drawing import Drawer

TINY = 1e-9  # of a token's share: no token is impossible
BLOCK = 1024  # rows at a time, where many components look at each
MIN_SPREAD = 0.05  # of a component's normal scores


@dataclass(frozen=True)
class Config:
    """How many components, and how far they lean on what is known without them."""

    components: int = 400  # at most
    detail: float = 2.0  # a table of n rows gets detail x √n components
    number_rows: float = 20.0  # of a component that the normal distribution of a column of numbers weighs as much as
    category_rows: float = 1.0  # the same, of the shares among all rows
    spread_rows: float = 2.0  # the same, of the spread among all rows within a component's normal distribution
    max_rounds: int = 30
    tolerance: float = 0.01  # converged when the log likelihood of a row grows by less


PRESETS = {"standard": Config(), "fast": Config(components=100, max_rounds=15)}


def build(config: Config, shape: Shape) -> TableMixture:
    """Make an unfitted mixture."""
    return TableMixture(config, shape)


class TableMixture(nn.Module):
    """Shares of components, and the log probability of each column's tokens in each of them."""

    round: Tensor
    share: Tensor
    told: Tensor
    log_likelihood_per_row: Tensor
    starts: Tensor
    marginal: Tensor
    score: Tensor
    ordered: Tensor

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.config = config
        self.sizes = [len(count) for count in shape.counts]
        rows = float(shape.counts[0].sum())
        self.components = max(1, min(config.components, round(config.detail * math.sqrt(rows)), int(rows)))
        places = torch.tensor([0, *self.sizes]).cumsum(0)
        marginal = torch.cat([(count + TINY) / (count + TINY).sum() for count in shape.counts]).double()
        positions = torch.cat(list(shape.positions)).double()
        score = torch.special.ndtri(positions.clamp(1e-4, 1 - 1e-4))
        for name, value in {
            "starts": places[:-1],
            "marginal": marginal,
            "ordered": ~positions.isnan(),  # tokens that lie on the scale of normal scores
            "score": score.nan_to_num(0.0),
        }.items():
            self.register_buffer(name, value, persistent=False)
        self.register_buffer("round", torch.zeros((), dtype=torch.int64))
        self.register_buffer("share", torch.full((self.components,), 1 / self.components, dtype=torch.float64))
        self.register_buffer("told", marginal.log()[:, None].repeat(1, self.components))  # (tokens, K)
        self.register_buffer("log_likelihood_per_row", torch.full((), -math.inf, dtype=torch.float64))

    def accumulate(self, batch: Batch) -> Sums:
        """Sum what the present round needs: first rows, of which each begins a component; then shares of rows."""
        tokens = batch["tokens"] + self.starts
        if self.round == 0:
            early = batch["index"] < self.components
            begun = torch.zeros(len(self.marginal), self.components, dtype=torch.float64, device=tokens.device)
            begun[tokens[early].flatten(), batch["index"][early].repeat_interleave(tokens.shape[1])] = 1.0
            return {"rows": begun}
        found = torch.zeros_like(self.told)
        total = self.share.new_zeros(2)
        size = self.share.new_zeros(self.components)
        for part in tokens.split(BLOCK):
            joint = self.joint(part)
            likely = joint.logsumexp(1, keepdim=True)
            weight = (joint - likely).exp()
            total += torch.stack([likely.sum(), likely.new_tensor(float(len(part)))])
            size += weight.sum(0)
            for column in range(part.shape[1]):
                found.index_add_(0, part[:, column], weight)
        return {"rows": found, "size": size, "log_likelihood": total}

    def update(self, sums: Sums) -> bool:
        """Finish the present round; true when EM has converged."""
        self.round += 1
        if self.round == 1:
            self._settle(sums["rows"])
            return False
        total, rows = sums["log_likelihood"]
        gained = total / rows - self.log_likelihood_per_row
        self.log_likelihood_per_row.copy_(total / rows)
        self.share.copy_((sums["size"] + TINY) / (sums["size"] + TINY).sum())
        self._settle(sums["rows"])
        return bool(self.round > self.config.max_rounds or 0 <= gained < self.config.tolerance)

    def _settle(self, rows: Tensor) -> None:
        """Take what each component's rows had: (tokens, K)."""
        start = 0
        for size in self.sizes:
            here = slice(start, start + size)
            base, weight = self._base(rows[here], here)
            likely = rows[here] + weight * base
            self.told[here] = (likely / likely.sum(0) + TINY).log()
            start += size

    def _base(self, rows: Tensor, here: slice) -> tuple[Tensor, float]:
        """What a column's tokens (tokens, K or 1) lean on in each component, and how heavily."""
        marginal, ordered = self.marginal[here, None], self.ordered[here, None].double()
        if not bool(ordered.any()):
            return marginal, self.config.category_rows
        score, weight = self.score[here, None], rows * ordered
        size = weight.sum(0) + TINY
        mean = (weight * score).sum(0) / size
        second = (weight * (score - mean).square()).sum(0)
        lean = self.config.spread_rows
        spread = ((second + lean) / (size + lean)).sqrt().clamp_min(MIN_SPREAD)
        mean = mean * size / (size + lean / 10)
        tilt = -0.5 * ((score - mean) / spread).square() + 0.5 * score.square()
        there = (rows.sum(0) - (rows * ordered).sum(0) + TINY) / (rows.sum(0) + TINY)  # of rows off the scale
        on = marginal * ordered * (tilt - tilt.amax(0)).exp()
        off = marginal * (1 - ordered)
        off_share = (there + off.sum(0)) / 2
        return on / on.sum(0) * (1 - off_share) + off / off.sum(0).clamp_min(TINY) * off_share, self.config.number_rows

    def joint(self, tokens: Tensor) -> Tensor:
        """Log of share times likelihood (N, K) of tokens (N, C) that count among those of all columns."""
        return functional.embedding_bag(tokens, self.told, mode="sum") + self.share.log()

    @torch.no_grad()
    def log_likelihood(self, tokens: Tensor) -> Tensor:
        """(N,) in nats, of tokens (N, C) in the order of drawing."""
        parts = (tokens + self.starts).split(BLOCK)
        return torch.cat([self.joint(part).logsumexp(1) for part in parts])

    def held_out(self, batch: Batch) -> float:
        """Nats by which a row surprises."""
        return -float(self.log_likelihood(batch["tokens"]).mean())

    def drawer(self, made: Sequence[Tensor]) -> MixtureDrawer:
        """Ready for drawing; `made` says of each column which tokens may be made, bool (tokens,)."""
        return MixtureDrawer(self, made)


class MixtureDrawer(Drawer):
    """Each column by the components that what is known speaks for."""

    def __init__(self, model: TableMixture, made: Sequence[Tensor]) -> None:
        super().__init__(made)
        self.model, nothing = model, model.told.new_zeros(1, model.components)
        self.told = torch.cat([model.told, nothing])
        self.likely = [each.exp().T.contiguous() for each in model.told.split(self.sizes)]  # (K, tokens)

    def logits(self, column: int, tokens: Tensor, known: Tensor, block: Any) -> Tensor:
        """Log probabilities of a column's tokens."""
        places = torch.where(known, tokens + self.model.starts, len(self.told) - 1)
        joint = functional.embedding_bag(places, self.told, mode="sum") + self.model.share.log()
        return (joint.softmax(1) @ self.likely[column]).log().float()
