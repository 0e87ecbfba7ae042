"""What `augment: auto` chooses among, where a recipe names no candidates: a few lists of steps for each modality.

Each stands for one belief about the data: objects lie a little elsewhere, light differs, time runs unevenly, words go
missing. Most data hold to some of them only, and cross-validation on the train rows tells which.
"""

from __future__ import annotations

from typing import Any

AUTO = "auto"
METHOD = "cross_validation"
_MOVED = {"image.affine": {"rotate_degrees": [-12, 12], "scale": [0.9, 1.1], "translate_fraction": [-0.1, 0.1]}}
_BENT = {"image.elastic": {"std_px": 0.4, "grid": 4}}
_LIT = [{"image.brightness": {"max_change": 0.2}}, {"image.contrast": {"max_change": 0.2}}]
_SLICED = {"series.window_slice": {"share": [0.7, 0.95]}}
_WARPED = {"series.magnitude_warp": {"std": 0.1}}
_DELETED = {"text.word_deletion": {"p": 0.1}}
_RESAID = {"text.synonym_replacement": {"p": 0.15}}
_SWAPPED = {"text.word_swap": {"p": 0.1}}
_TYPED = {"text.keyboard_typos": {"p": 0.03}}

_STEPS: dict[str, dict[str, list[Any]]] = {
    "image": {
        "moved": [_MOVED],
        "moved_and_bent": [_MOVED, _BENT],
        "flipped": ["image.horizontal_flip"],
        "lit": _LIT,
        "noisy": ["image.gaussian_noise"],
        "mixed": [_MOVED, {"image.mixup": {"partners": "same_label", "p": 0.5}}],
        "all": [_MOVED, _BENT, *_LIT, {"image.gaussian_noise": {"std": 8, "p": 0.5}}],
    },
    "series": {
        "sliced": [_SLICED],
        "stretched": ["series.window_warp"],
        "uneven": ["series.time_warp"],
        "louder": [_WARPED],
        "noisy": ["series.jitter"],
        "reordered": ["series.segment_permutation"],
        "mixed": [{"series.interpolate": {"partners": "same_label"}}],
        "sliced_and_louder": [_SLICED, _WARPED],
        "sliced_and_stretched": [_SLICED, "series.window_warp"],
    },
    "text": {
        "deleted": [_DELETED],
        "typed": [_TYPED],
        "resaid": [_RESAID],
        "swapped": [_SWAPPED],
        "deleted_and_resaid": [_DELETED, _RESAID],
        "all": [_DELETED, _TYPED, _RESAID, _SWAPPED],
    },
    "table": {
        "jittered": ["table.gaussian_jitter"],
        "swapped": ["table.category_swap"],
        "jittered_and_swapped": ["table.gaussian_jitter", "table.category_swap"],
        "between_neighbours": ["table.smote_nc"],
    },
}
COPIES = {"image": 10, "series": 8, "text": 8, "table": 3}


def laid_out(augment: Any, modality: str) -> Any:
    """What a recipe says under augment, with the candidates of its modality where it chooses and names none."""
    if isinstance(augment, str) and augment != AUTO:
        raise ValueError(f"augment is {augment!r}, and may be steps, a choice among candidates, or the word {AUTO}")
    told = {"choose": METHOD} if augment == AUTO else augment
    if not isinstance(told, dict) or told.get("choose") != METHOD or modality not in _STEPS:
        return told
    lists = [{"name": name, "steps": steps} for name, steps in _STEPS[modality].items()]
    return {"copies": COPIES[modality], "candidates": lists, **told}
