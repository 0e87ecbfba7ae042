"""Time series: windows of steps and channels, steps, rules.

A random step is `f(random, series, *, options)`, a plain one `f(series, *, options)`, one that mixes windows
`f(random, series, others, *, options)`, series as `udfs/series/values.py` has them; a rule is `reject_*(series, *,
options)`. Only names in `__all__` can be named in a recipe.

Beside them lie `repair` (one recording's times, gaps and windows), `faults` (what sensors get wrong) and `scaling`
(channels measured, encoded and decoded).
"""

from __future__ import annotations

from udfs.series.channels import channel_flip, channel_permutation, sensor_rotation
from udfs.series.dtw import dtw_mix
from udfs.series.mixing import cut_mix, interpolate
from udfs.series.noise import channel_scaling, drift, dropout, jitter, magnitude_warp
from udfs.series.rejects import reject_constant, reject_gaps, reject_not_finite, reject_spikes, reject_too_short
from udfs.series.seasons import residual_bootstrap, season_scaling, trend_scaling
from udfs.series.spectrum import frequency_masking, phase_noise
from udfs.series.timing import segment_permutation, time_warp, window_slice, window_warp

VALUES = "series"  # what the parameter of a step is called that holds them
GIVES = ("Series",)  # what a step that does not mix gives

__all__ = [
    "channel_flip",
    "channel_permutation",
    "channel_scaling",
    "cut_mix",
    "drift",
    "dropout",
    "dtw_mix",
    "frequency_masking",
    "interpolate",
    "jitter",
    "magnitude_warp",
    "phase_noise",
    "reject_constant",
    "reject_gaps",
    "reject_not_finite",
    "reject_spikes",
    "reject_too_short",
    "residual_bootstrap",
    "season_scaling",
    "segment_permutation",
    "sensor_rotation",
    "time_warp",
    "trend_scaling",
    "window_slice",
    "window_warp",
]
