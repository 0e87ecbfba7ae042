"""The contract between generative models and everything around them.

A model is plain torch: it knows nothing of workers, files, rows or recipes. `fit` trains it, `checkpoint` saves its
`state_dict()`, `sampler` calls its `sample`. Each module here that is named in a recipe (`image_gan`, …) has

    Config                          frozen dataclass: every option with its default; where it is trained by steps, also
                                    `max_steps`, `batch_size` and `learning_rate`, the training that it wants
    PRESETS: dict[str, Config]      named settings; the first is the default
    build(config, ...)              -> Trained | SumsFitted (or both); draws its weights from torch's global generator,
                                    so seed that first. Of images: build(config, channels, height, width, labels); of
                                    tables: build(config, shape), a `columns.Shape`; of texts: build(config, shape), a
                                    `text_writer.Shape`; of series: build(config, shape), a `windows.Shape`

There are two ways of being fitted, and a model may have one or both (then phases come first, and sums are taken from
the averaged weights that will be saved):

`Trained`: `phases()` lists what is trained in turn. One step runs each phase `repeats` times, each time on the next
batch: `loss = phase.module(batch)["loss"]`, zero_grad, backward, optimiser step. `phase.module.parameters()` are
exactly what that phase trains; other parts are reached outside the module tree with their gradients off, so that each
phase can be wrapped in DistributedDataParallel from outside (`broadcast_buffers=False`), double backward included.
Phase modules share parts with the model: train the phases, save the model. No state but parameters and
buffers lives in a model: these, the optimisers and torch's global generator are all that a resumed training needs.

`SumsFitted`: repeat { sums = total of `accumulate(batch)` over all train rows; `converged = update(sums)` } until
converged. Sums are float64 and add up across batches and workers in any split, so that every worker may call `update`
on the same totals.

A batch is a dict of tensors, all of N rows but `progress`:
    image     (N, C, H, W) float32 in [-1, 1]; images only
    tokens    (N, columns) int64, each column's in [0, its tokens), in the order of drawing; of texts
              (N, T) int64, a text's pieces, then its end to the end
    series    (N, T, C) float32, encoded: about zero mean and unit variance in every channel, nothing missing
    label     (N,) int64 in [0, labels)
    index     (N,) int64: the row's place among all train rows, 0 … rows-1, which is random with regard to their content
    progress  () float32 in [0, 1]: the share of the training steps that is done (phases only)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from torch import Tensor, nn

Batch: TypeAlias = dict[str, Tensor]
Sums: TypeAlias = dict[str, Tensor]

# A row's last bits may depend on where it stands in its batch and on how large that is (kernels differ), so the row of
# index i is always computed at position i % SAMPLE_BLOCK of a batch of SAMPLE_BLOCK rows, padded where need be.
SAMPLE_BLOCK = 64


@dataclass(frozen=True)
class Phase:
    """One optimiser and the loss that it lowers."""

    name: str
    module: nn.Module  # module(batch) -> {"loss": scalar with gradient, other named scalars to report}
    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)  # of Adam
    weight_decay: float = 0.0
    repeats: int = 1  # times that this phase runs in one step, each on its own batch
    decay: float = 0.0  # over this last share of the steps the learning rate falls linearly to zero
    warm_up_steps: int = 0  # over these first steps it rises linearly
    cosine: bool = False  # it falls along half a cosine over all the steps, instead of `decay`
    mixed_precision: bool = True  # on a GPU, products of matrices are of bfloat16


def cosine_phase(name: str, module: nn.Module, config: Any, **more: Any) -> Phase:
    """A phase at the config's `learning_rate`, which rises over `warm_up_steps` and falls as a cosine, with its
    `weight_decay`; `more` as Phase has it.
    """
    told = {"weight_decay": config.weight_decay, "warm_up_steps": config.warm_up_steps, "cosine": True}
    return Phase(name, module, config.learning_rate, **told, **more)


class Generator(Protocol):
    """What every model of images offers once it is fitted."""

    noise_width: int

    def sample(self, noise: Tensor, condition: Tensor, temperature: float = 1.0) -> Tensor:
        """Make images (N, C, H, W) in [-1, 1] from standard normal (N, noise_width) float32 and labels (N,) int64.

        Row i depends on row i of its arguments alone. Temperature below 1 trades variety for typicality.
        """


@runtime_checkable
class Trained(Protocol):
    """A model trained by gradient steps."""

    balanced: bool  # wants each batch to hold every label equally often (as far as rows per label allow)
    average_decay: float  # of the exponential moving average of its parameters that is saved; 0 = save the last ones

    def phases(self) -> list[Phase]:
        """List the phases of one training step, in order."""


@runtime_checkable
class Measured(Protocol):
    """A model of series that looks at all train rows once, before its first step; it is the same on every worker."""

    def measure(self, series: Tensor) -> None:
        """Take what is needed of windows (N, T, C) into buffers."""


@runtime_checkable
class SumsFitted(Protocol):
    """A model fitted by sums over the train rows."""

    def accumulate(self, batch: Batch) -> Sums:
        """Sum over the rows of a batch what the present round of fitting needs: float64, additive."""

    def update(self, sums: Sums) -> bool:
        """Take the totals over all train rows, move to the next round, and say whether the fit has converged."""
