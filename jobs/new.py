"""Write a recipe for a person's own images: commented, with the reason for each choice, and fit to run as it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from conf.errors import RecipeError
from jobs.look import Found, Look
from jobs.recipe_text import commented, from_folder, quoted, shown

SIDE_MAX = 64  # generators and judges train in minutes on a CPU up to here
SIDE_MIN = 8
SIDE_MULTIPLE = 4  # a resized picture's sides: generators halve them twice or more
GAN_SIDE_MAX = 32  # beyond it a GAN wants a GPU, so it is written as a comment
GAN_ROWS_MIN = 50
MIXTURE_ROWS_MIN = 3
OUTLIER_ROWS_MIN = 20
IMBALANCE = 1.5  # largest class to smallest, from which on the small ones are filled up
FEW_ROWS = 5
ROWS_PER_LABEL_MIN = 20
COPIES = ((300, 20), (3000, 10), (20_000, 4))  # below so many train rows, so many copies; beyond, one


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
        raise RecipeError(
            f"{name!r} cannot name a recipe: small letters, digits, _ and -, a letter first, such as {fit[:63]!r}."
        )


def write(name: str, look: Look, file: Path) -> str:
    """The text of the recipe `name` for what was seen, to be saved as `file`."""
    form = form_of(look)
    parts = [_head(name, look, file), _image(form), _labels(look), _sources(look), _clean(look), _split(look)]
    parts += [_augment(look, form), _generate(look, form), _judging(form)]
    return "\n".join(parts)


def form_of(look: Look) -> Form:
    """One size, channels and encoding for all images, from what most of them have."""
    (height, width), most = look.sizes.most_common(1)[0]
    seen = sum(look.sizes.values())
    jpeg = look.formats.get("JPEG", 0) > seen / 2 and min(height, width) >= SIDE_MAX
    channels = look.channels
    if most == seen and min(height, width) >= SIDE_MIN and max(height, width) <= 2 * SIDE_MAX:
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
            commented(f"Written by `seedbed new {name}` from {look.total:,} images ({kinds} looked into{damaged})."),
            f"# It runs as it is: seedbed run {shown(file)}",
            "# What else its keys may say: seedbed list steps, seedbed list generators.",
            f"name: {name}",
            f"about: {quoted(f'{look.total:,} images of {len(look.labels)} classes')}",
            "modality: image",
            "seed: 1   # another seed: other splits, other draws",
            "# Where the paths below start (relative: from this file's folder); --set data=DIR places it elsewhere.",
            f"data: {quoted(from_folder(look.data, file.parent))}",
            "",
        ]
    )


def _image(form: Form) -> str:
    resize = f", resize: {form.resize}" if form.resize else ""
    encoding = ", encoding: jpeg" if form.encoding == "jpeg" else ""
    colours = "no colour was seen, so one channel" if form.channels == 1 else "there is colour, so three channels"
    said = f"height: {form.height}, width: {form.width}, channels: {form.channels}{resize}{encoding}"
    return f"{commented(f'{form.why}; {colours}.')}\nimage: {{{said}}}"


def _labels(look: Look) -> str:
    per_label = look.per_label()
    counts = ", ".join(f"{label}: {per_label[label]:,}" for label in look.labels[:12])
    more = f", and {len(look.labels) - 12} more" if len(look.labels) > 12 else ""
    lines = [commented(f"Images to train on, by label: {counts}{more}.")]
    few = [label for label in look.labels if per_label[label] < FEW_ROWS]
    if few:
        named = ", ".join(map(repr, few[:5]))
        lines.append(
            commented(
                f"Few for {named}: a class of under {FEW_ROWS} has hardly one in each split. More would help most here."
            )
        )
    return "\n".join([*lines, f"labels: [{', '.join(quoted(label) for label in look.labels)}]"])


def _sources(look: Look) -> str:
    return "\n".join(["sources:", *(f"  - {{{_source(found, look)}}}" for found in look.sources)])


def _source(found: Found, look: Look) -> str:
    said = [f"name: {found.name}", f"reader: {found.reader}", f"path: {quoted(found.path)}"]
    if found.manifest and found.columns:
        said += [f"manifest: {quoted(found.manifest)}", f"file_column: {quoted(found.columns[0])}"]
        said += [f"label_column: {quoted(found.columns[1])}"]
    if _given(look) and found.split and (found.split != "train" or found.reader == "npz"):
        said.append(f"split: {found.split}")
    return ", ".join(said)


def _given(look: Look) -> bool:
    """Whether the splits that were found are used: a test part must be among them."""
    return "test" in look.counts and "train" in look.counts


def _clean(look: Look) -> str:
    fewest = min(look.per_label().values(), default=0)
    lines = [
        "clean:",
        "  rules:",
        "    - image.reject_blank: {min_std: 1.0}   # an image of one colour teaches nothing",
        commented(
            "Copies are merged. Near copies stay, but together in one split, so that none leaks into the test.", 2
        ),
        "  duplicates: {exact: drop, near: group, max_distance_bits: 2}",
    ]
    if fewest >= OUTLIER_ROWS_MIN:
        lines.append(commented("Far from the rest of its class: a wrong label or a broken picture.", 2))
        lines.append("  outliers: {method: robust_z, threshold: 6, action: quarantine}")
    else:
        lines.append(
            commented(f"No outlier rule: the smallest class has {fewest} images, too few to say what is usual.", 2)
        )
    return "\n".join(lines)


def _split(look: Look) -> str:
    if _given(look):
        val = "given" if "val" in look.counts else "0.15"
        train = "train: given, rest: ignore" if look.sources[0].reader == "npz" and val == "given" else "rest: train"
        said = f"test: given, val: {val}, {train}, stratify: label"
        return f"{commented('The test images were given apart and stay so.')}\nsplit: {{{said}}}"
    total = look.total
    share = 0.2 if total < 1000 else 0.15 if total < 10_000 else 0.1
    why = f"{share:.0%} to measure by (test) and to choose by (val): fewer of {total:,} would be too rough."
    return f"{commented(why)}\nsplit: {{val: {share}, test: {share}, rest: train, stratify: label}}"


def _train_rows(look: Look) -> int:
    """About how many train rows there will be."""
    pool = sum(look.per_label().values())
    if _given(look):
        return pool if "val" in look.counts else round(0.85 * pool)
    return round(pool * (0.6 if look.total < 1000 else 0.7 if look.total < 10_000 else 0.8))


def _augment(look: Look, form: Form) -> str:
    rows = _train_rows(look)
    copies = next((copies for most, copies in COPIES if rows < most), 1)
    lines = [
        commented(
            f"About {rows:,} train rows: {copies} altered copies of each. Copies that do harm are not merged (gate)."
        ),
        "augment:",
        f"  copies: {copies}",
        "  steps:",
        "    - image.affine: {rotate_degrees: [-10, 10], scale: [0.9, 1.1], translate_fraction: [-0.08, 0.08]}",
        "    # Only where left and right mean the same: not for digits, letters, signs.",
        "    # - image.horizontal_flip: {p: 0.5}",
        "    - image.brightness: {p: 0.5}   # light changes",
        "    - image.contrast: {p: 0.5}",
    ]
    if form.channels == 3:
        lines.append("    # Colours change with light and camera; leave it out where colour tells classes apart.")
        lines.append("    - image.colour_jitter: {p: 0.5}")
    return "\n".join([*lines, "    - image.gaussian_noise: {std: 6, p: 0.3}   # sensors are noisy"])


def _plan(look: Look) -> tuple[str, str]:
    """How many rows to sample, and why."""
    counts = look.per_label()
    largest, smallest = max(counts.values()), max(1, min(counts.values()))
    if largest / smallest >= IMBALANCE:
        rarest = min(counts, key=lambda label: counts[label])
        why = f"{quoted(rarest)} has {smallest:,} images where another has {largest:,}: they are made even."
        return "{balance: majority}", f"The class {why}"
    mean = max(ROWS_PER_LABEL_MIN, round(_train_rows(look) / len(look.labels)))
    return f"{{per_label: {mean}}}", "Classes are about even: as many new rows as there are real ones."


def _generate(look: Look, form: Form) -> str:
    rows, why = _plan(look)
    smallest = min(look.per_label().values(), default=0)
    if smallest < MIXTURE_ROWS_MIN:
        why = f"No generator: the smallest class has {smallest} images; {MIXTURE_ROWS_MIN} are the least to learn from."
        return f"{commented(why)}\ngenerate: []"
    gan = f"{{model: image_gan, preset: hinge, train: {{max_steps: 1500, batch_size: 40}}, rows: {rows}}}"
    lines = [
        commented(why),
        "generate:",
        f"  - {{model: image_mixture, rows: {rows}}}   # seconds on a CPU: the baseline",
    ]
    if _train_rows(look) < GAN_ROWS_MIN:
        return "\n".join([*lines, commented("A GAN has too little to learn from in so few rows.", 2), f"  # - {gan}"])
    if max(form.height, form.width) > GAN_SIDE_MAX:
        return "\n".join([*lines, commented("At this size a GAN takes long without a GPU.", 2), f"  # - {gan}"])
    return "\n".join([*lines, f"  - {gan}   # minutes"])


def _judging(form: Form) -> str:
    steps = 1200 if max(form.height, form.width) <= GAN_SIDE_MAX else 600
    why = (
        "A made row is merged when a judge of real rows agrees with its label, when it copies no train row, and when "
        "rows of its kind do no harm."
    )
    return "\n".join(
        [
            commented(why),
            "gate: {min_label_agreement: 0.3, copies: quarantine, usefulness: not_worse}",
            "# Who measures, on real test rows, what the made ones are worth.",
            f"evaluate: {{judges: [cnn, svc], seeds: 3, steps: {steps}}}",
            "",
        ]
    )
