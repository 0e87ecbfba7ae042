"""A class-conditional variational autoencoder (Kingma, Welling 2014; Sohn, Lee, Yan 2015).

Trained on reconstruction plus a KL term that warms up (Bowman et al. 2016), so that the latent is used before it is
tidied. The rows' codes of one label are then not N(0, I): after training, a Gaussian mixture over codes is fitted for
each label by sums, and sampling draws from that (two-stage: Dai, Wipf 2019).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.models import Batch, Phase, Sums
from synth.models.generators import SLOPE, ModulatedGenerator, doublings
from synth.models.latent_mixture import LatentMixture, MixtureConfig
