"""Images: codec, rules that refuse, steps that change, measures.

Images are uint8[N, H, W, C], C of 1 or 3 (RGB), all of one size. A random step is `f(random, images, *, options)`,
one without chance `f(images, *, options)`, one that mixes rows `f(random, images, others, *, options)`; a rule is
`reject_*(images, *, options)` and gives a reason or null per image. Only names in `__all__` can be named in a recipe.

Beside them lie `statistics` (per-channel measures and the encodings that use them), `features` (distance from a
class) and `hashing` (near duplicates).
"""

from __future__ import annotations

from udfs.image.codec import decode, decode_masks, encode, encode_masks
from udfs.image.colour import brightness, colour_jitter, contrast, gamma, grayscale, hue, saturation
from udfs.image.effects import blur, day_to_night, jpeg_compression, sharpen
from udfs.image.framing import centre_crop, pad, random_crop, resize, resized_crop
from udfs.image.geometry import (
    affine,
    elastic,
    horizontal_flip,
    perspective,
    rotate,
    scale,
    shear,
    translate,
    vertical_flip,
)
from udfs.image.hashing import perceptual_hash, same_content
from udfs.image.mixing import cutmix, interpolate, mixup
from udfs.image.noise import gaussian_noise, salt_and_pepper, speckle
from udfs.image.occlusion import cutout, erase, grid_mask
from udfs.image.rejects import (
    reject_blank,
    reject_blurred,
    reject_low_contrast,
    reject_too_bright,
    reject_too_dark,
    reject_wrong_size,
)

VALUES = "images"  # what the parameter of a step is called that holds them
GIVES = ("Stack", "Images")  # what a step that does not mix gives

__all__ = [
    "affine",
    "blur",
    "brightness",
    "centre_crop",
    "colour_jitter",
    "contrast",
    "cutmix",
    "cutout",
    "day_to_night",
    "decode",
    "decode_masks",
    "elastic",
    "encode",
    "encode_masks",
    "erase",
    "gamma",
    "gaussian_noise",
    "grayscale",
    "grid_mask",
    "horizontal_flip",
    "hue",
    "interpolate",
    "jpeg_compression",
    "mixup",
    "pad",
    "perceptual_hash",
    "perspective",
    "random_crop",
    "reject_blank",
    "reject_blurred",
    "reject_low_contrast",
    "reject_too_bright",
    "reject_too_dark",
    "reject_wrong_size",
    "resize",
    "resized_crop",
    "rotate",
    "salt_and_pepper",
    "same_content",
    "saturation",
    "scale",
    "sharpen",
    "shear",
    "speckle",
    "translate",
    "vertical_flip",
]
