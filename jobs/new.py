"""Write a recipe for a person's own images: commented, with the reason for each choice, and fit to run as it stands."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from conf.errors import RecipeError
from jobs.look import Found, Look

SIDE_MAX = 64  # generators and judges train in minutes on a CPU up to here
SIDE_MIN = 8
SIDE_MULTIPLE = 4  # a resized picture's sides: generators halve them twice or more
GAN_SIDE_MAX = 32  # beyond it a GAN wants a GPU, so it is written as a comment
GAN_ROWS_MIN = 50
MIXTURE_ROWS_MIN = 3
OUTLIER_ROWS_MIN = 20
IMBALANCE = 1.5
LABEL_WIDTH = 100


@dataclass(frozen=True)
class Form:
    """The declared form of the images, and why."""

    height: int
    width: int
    channels: int
    resize: str | None
    encoding: str
    why: str


def check_name(name: str) -> None:
    """Raise RecipeError for a name that cannot be a recipe's, with one near it that can."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name):
        fit = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_0123456789") or "mine"
        raise RecipeError(f"{name!r} cannot name a recipe: small letters, digits, _ and -, a letter first, such as {fit[:63]!r}.")


def write(name: str, look: Look, file: Path) -> str:
    """The text of the recipe `name` for what was seen, to be saved as `file`."""
    form = _form(look)
    parts = [_head(name, look, file), _image(form), _labels(look), _sources(look), _clean(look, form), _split(look)]
    parts += [_augment(look, form), _generate(look, form), _judging(look, form)]
    return "\n".join(parts)


def _form(look: Look) -> Form:
    """One size, channels and encoding for all images, from what most of them have."""
    (height, width), most = look.sizes.most_common(1)[0]
    seen = sum(look.sizes.values())
    jpeg = look.formats.get("JPEG", 0) > seen / 2 and min(height, width) >= SIDE_MAX
    channels = look.channels
    if most == seen and SIDE_MIN <= min(height, width) and max(height, width) <= 2 * SIDE_MAX:
        why = f"all {seen:,} images looked at are {width}x{height}, so none is resized; one of another size is refused"
        return Form(height, width, channels, None, "jpeg" if jpeg else "png", why)
    heights, widths = zip(*look.sizes.elements(), strict=True)
    height, width = sorted(heights)[seen // 2], sorted(widths)[seen // 2]
    shapes = sorted(w / h for h, w in look.sizes.elements())
    alike = shapes[int(0.95 * (seen - 1))] / shapes[int(0.05 * (seen - 1))] < 1.15
    low, high = min(min(heights), min(widths)), max(max(heights), max(widths))
    scale = min(1.0, SIDE_MAX / max(height, width))
    sides = [max(SIDE_MIN, round(side * scale / SIDE_MULTIPLE) * SIDE_MULTIPLE) for side in (height, width)]
    how = "stretched: their shapes are alike" if alike else "fitted whole into the frame: their shapes differ"
    why = f"sides run from {low} to {high} px; {how}. Smaller trains faster, up to 128 shows more"
    return Form(sides[0], sides[1], channels, "stretch" if alike else "fit", "png", why)


def _head(name: str, look: Look, file: Path) -> str:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in look.formats.most_common(3))
    damaged = f"; {look.unreadable:,} of them cannot be read and will be quarantined" if look.unreadable else ""
    return "\n".join(
        [
            f"# Written by `seedbed new {name}` after looking at {look.total:,} images ({kinds} looked into{damaged}).",
            f"# It runs as it is: seedbed run {_shown(file)}   What each key may say: seedbed list steps, seedbed list generators.",
            f"name: {name}",
            f"about: {json.dumps(f'{look.total:,} images of {len(look.labels)} classes', ensure_ascii=False)}",
            "modality: image",
            "seed: 1   # another seed: other splits, other draws",
            f"data: {_quoted(_from(look.data, file.parent))}   # where the paths below start (relative: from this file's folder); --set data=DIR places it",
            "",
        ]
    )


def _from(data: Path, folder: Path) -> str:
    """`data` relative to the recipe's folder where it lies below it, else whole."""
    data, folder = data.resolve(), folder.resolve()
    return os.path.relpath(data, folder) if data.is_relative_to(folder) else str(data)


def _shown(file: Path) -> str:
    return f"./{file}" if not file.is_absolute() and len(file.parts) == 1 else str(file)


def _quoted(text: str) -> str:
    """`text` as a YAML scalar: JSON strings are YAML."""
    return json.dumps(text, ensure_ascii=False)


def _image(form: Form) -> str:
    resize = f", resize: {form.resize}" if form.resize else ""
    encoding = ", encoding: jpeg" if form.encoding == "jpeg" else ""
    colours = "no colour was seen, so one channel" if form.channels == 1 else "there is colour, so three channels"
    return (
        f"# {form.why[:1].upper()}{form.why[1:]}; {colours}.\n"
        f"image: {{height: {form.height}, width: {form.width}, channels: {form.channels}{resize}{encoding}}}"
    )


def _labels(look: Look) -> str:
    per_label = look.per_label()
    counts = ", ".join(f"{label}: {per_label[label]:,}" for label in look.labels[:12])
    more = f", and {len(look.labels) - 12} more" if len(look.labels) > 12 else ""
    few = [label for label in look.labels if per_label[label] < 5]
    lines = [f"# Images to train on, by label: {counts}{more}.".replace("\n", " ")]
    if few:
        lines.append(f"# Few for {', '.join(map(repr, few[:5]))}: with under 5 images a class has hardly one in each split; more would help most here.")
    return "\n".join([*lines, f"labels: [{', '.join(_quoted(label) for label in look.labels)}]"])


def _sources(look: Look) -> str:
    return "\n".join(["sources:", *(f"  - {{{_source(found, look)}}}" for found in look.sources)])


def _source(found: Found, look: Look) -> str:
    said = [f"name: {found.name}", f"reader: {found.reader}", f"path: {_quoted(found.path)}"]
    if found.manifest and found.columns:
        said += [f"manifest: {_quoted(found.manifest)}", f"file_column: {_quoted(found.columns[0])}"]
        said += [f"label_column: {_quoted(found.columns[1])}"]
    if _given(look) and found.split and (found.split != "train" or found.reader == "npz"):
        said.append(f"split: {found.split}")
    return ", ".join(said)


def _given(look: Look) -> bool:
    """Whether the splits that were found are used: a test part must be among them."""
    return "test" in look.counts and "train" in look.counts


def _clean(look: Look, form: Form) -> str:
    fewest = min(look.per_label().values(), default=0)
    lines = [
        "clean:",
        "  rules:",
        "    - image.reject_blank: {min_std: 1.0}   # an image of one colour teaches nothing",
        "  # Copies are merged; near copies stay, but together in one split, so that none leaks into the test.",
        "  duplicates: {exact: drop, near: group, max_distance_bits: 2}",
    ]
    if fewest >= OUTLIER_ROWS_MIN:
        lines.append("  outliers: {method: robust_z, threshold: 6, action: quarantine}   # far from its own class: a wrong label or a broken picture")
    else:
        lines.append(f"  # No outlier rule: the smallest class has {fewest} images, too few to say what is usual.")
    return "\n".join(lines)


def _split(look: Look) -> str:
    if _given(look):
        val = "given" if "val" in look.counts else "0.15"
        train = "train: given, rest: ignore" if look.sources[0].reader == "npz" and val == "given" else "rest: train"
        return f"# The test images were given apart and stay so.\nsplit: {{test: given, val: {val}, {train}, stratify: label}}"
    total = look.total
    share = 0.2 if total < 1000 else 0.15 if total < 10_000 else 0.1
    return (
        f"# {share:.0%} to measure by (test), {share:.0%} to choose by (val): with {total:,} images, fewer would measure too roughly.\n"
        f"split: {{val: {share}, test: {share}, rest: train, stratify: label}}"
    )


def _train_rows(look: Look) -> int:
    """About how many train rows there will be."""
    pool = sum(look.per_label().values())
    if _given(look):
        return pool if "val" in look.counts else round(0.85 * pool)
    return round(pool * (0.6 if look.total < 1000 else 0.7 if look.total < 10_000 else 0.8))


def _augment(look: Look, form: Form) -> str:
    rows = _train_rows(look)
    copies = 20 if rows < 300 else 10 if rows < 3000 else 4 if rows < 20_000 else 1
    lines = [
        f"# About {rows:,} train rows: {copies} altered copies of each. Copies that make a judge worse are not merged (gate).",
        "augment:",
        f"  copies: {copies}",
        "  steps:",
        "    - image.affine: {rotate_degrees: [-10, 10], scale: [0.9, 1.1], translate_fraction: [-0.08, 0.08]}",
        "    # - image.horizontal_flip: {p: 0.5}   # only where left and right mean the same: not for digits, letters, signs",
        "    - image.brightness: {p: 0.5}   # light changes",
        "    - image.contrast: {p: 0.5}",
    ]
    if form.channels == 3:
        lines.append("    - image.colour_jitter: {p: 0.5}   # colour changes with light and camera; drop it where colour is what tells classes apart")
    lines.append("    - image.gaussian_noise: {std: 6, p: 0.3}   # sensors are noisy")
    return "\n".join(lines)


def _plan(look: Look) -> tuple[str, str]:
    """How many rows to sample, and why."""
    counts = look.per_label()
    largest, smallest = max(counts.values()), max(1, min(counts.values()))
    if largest / smallest >= IMBALANCE:
        rarest = min(counts, key=lambda label: counts[label])
        why = f"{json.dumps(rarest, ensure_ascii=False)} has {smallest:,} images where another has {largest:,}: rows are made until all classes have as many"
        return "{balance: majority}", why
    mean = max(20, round(_train_rows(look) / len(look.labels)))
    return f"{{per_label: {mean}}}", "classes are about even: as many new rows as there are real ones"


def _generate(look: Look, form: Form) -> str:
    rows, why = _plan(look)
    smallest = min(look.per_label().values(), default=0)
    if smallest < MIXTURE_ROWS_MIN:
        return f"# No generator: the smallest class has {smallest} images, and a generator needs at least {MIXTURE_ROWS_MIN} to learn from.\ngenerate: []"
    gan = f"  - {{model: image_gan, preset: hinge, train: {{max_steps: 1500, batch_size: 40}}, rows: {rows}}}"
    lines = [f"# {why[:1].upper()}{why[1:]}.", "generate:", f"  - {{model: image_mixture, rows: {rows}}}   # seconds on a CPU: the baseline"]
    if _train_rows(look) < GAN_ROWS_MIN:
        lines.append(f"  # {gan.strip()}   # a GAN has too little to learn from in about {_train_rows(look)} rows")
    elif max(form.height, form.width) > GAN_SIDE_MAX:
        lines.append(f"  # {gan.strip()}   # at this size a GAN takes long without a GPU")
    else:
        lines.append(f"{gan}   # minutes")
    return "\n".join(lines)


def _judging(look: Look, form: Form) -> str:
    steps = 1200 if max(form.height, form.width) <= GAN_SIDE_MAX else 600
    return (
        "# A made row is merged when a judge of real rows agrees with its label, when it copies no train row, and when rows of its kind do no harm.\n"
        "gate: {min_label_agreement: 0.5, copies: quarantine, usefulness: not_worse}\n"
        f"evaluate: {{judges: [cnn, svc], seeds: 3, steps: {steps}}}   # who measures, on real test rows, what the made ones are worth\n"
    )
