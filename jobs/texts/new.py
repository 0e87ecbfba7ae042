"""Write a recipe for a person's own texts: commented, with the reason for each choice, and fit to run as it stands."""

from __future__ import annotations

from pathlib import Path

from jobs.recipe_text import commented, from_folder, quoted, shown
from jobs.tabular import new
from jobs.tabular.facts import Facts, is_regression
from jobs.tabular.new import IMBALANCE, flow, kept_classes
from jobs.tabular.profile import Profile

FEW_ROWS = 2000  # below, more of them are kept for tests
COPIES = ((300, 8), (3000, 4), (20_000, 2))  # below so many train rows, so many copies; beyond, one


def text_of(profile: Profile) -> Facts | None:
    """The one column of a table that holds texts, where the label is of classes; None for a table of other things."""
    if is_regression(profile.label_facts):
        return None
    found = [column for column in profile.columns if column.name != profile.label and column.is_text]
    return found[0] if len(found) == 1 else None


def written(name: str, profile: Profile, file: Path) -> tuple[str, str]:
    """The text of a recipe for a table or its texts, and in a few words what these are."""
    if text := text_of(profile):
        return write(name, profile, text, file), f"{profile.rows:,} texts"
    return new.write(name, profile, file), f"{profile.rows:,} rows of {len(profile.columns)} columns"


def write(name: str, profile: Profile, text: Facts, file: Path) -> str:
    """The text of the recipe `name` for what was seen, to be saved as `file`."""
    parts = [
        _head(name, profile, text, file),
        _labels(profile),
        _sources(profile, text),
        _clean(profile),
        _split(profile),
    ]
    return "\n".join([*parts, _making(profile)])


def _head(name: str, profile: Profile, text: Facts, file: Path) -> str:
    told = f"{profile.rows:,} texts of about {text.words:.0f} words"
    others = [each.theirs for each in profile.columns if each.name not in (text.name, profile.label)]
    left = (
        [commented(f"Not read: {', '.join(others[:12])}. A recipe of texts has a text and a label.")] if others else []
    )
    return "\n".join(
        [
            commented(
                f"Written by `seedbed new {name}` from {told}: the column {text.theirs}, labelled by {profile.label}."
            ),
            *[commented(note) for note in profile.found.notes],
            *left,
            f"# It runs as it is: seedbed run {shown(file)}",
            "# What else its keys may say: seedbed list steps text.",
            f"name: {name}",
            f"about: {quoted(told)}",
            "modality: text",
            "seed: 1   # another seed: other splits, other draws",
            "# Where the paths below start (relative: from this file's folder); --set data=DIR places it elsewhere.",
            f"data: {quoted(from_folder(profile.found.data, file.parent))}",
        ]
    )


def _labels(profile: Profile) -> str:
    counts = kept_classes(profile)
    rarest = min(counts, key=lambda word: counts[word])
    told = ", ".join(f"{word}: {count:,}" for word, count in list(counts.items())[:12])
    lines = [commented(f"Rows by label: {told}. A text of another label is refused.")]
    if max(counts.values()) > IMBALANCE * counts[rarest]:
        lines.append(commented(f"{rarest} is rare: look at its F1, as accuracy alone would hide it."))
    return "\n".join([*lines, f"labels: [{', '.join(quoted(word) for word in counts)}]"])


def _sources(profile: Profile, text: Facts) -> str:
    source = profile.found.source()
    source.pop("columns", None)
    names = {"text": text.theirs, "label": next(c.theirs for c in profile.columns if c.name == profile.label)}
    if source.get("header") is False:
        ours = {text.name: "text", profile.label: "label"}
        source["header"] = [ours.get(name, name) for name in profile.found.names]
    elif renamed := {theirs: ours for ours, theirs in names.items() if ours != theirs}:
        source["columns"] = renamed
    if len(profile.found.names) > len(names):
        source["drift"] = "merge"
    return "\n".join(["sources:", f"  - {flow(source)}"])


def _clean(profile: Profile) -> str:
    return "\n".join(
        [
            "clean:",
            commented(
                "Repairs and rules, in this order. Refused texts lie in the table quarantine, with the reason.", 2
            ),
            "  rules:",
            "    - text.fix_encoding          # donâ€™t: decoded as another encoding than its own",
            "    - text.strip_html",
            "    - text.strip_control         # zero-width letters, control characters",
            "    - text.collapse_whitespace",
            "    - text.reject_empty",
            "    # - text.mask_private        # e-mails, phones, cards, web addresses, IBANs, IP addresses",
            "    # - text.reject_language: {languages: [en], severity: warn}",
            commented(f"{profile.copies:,} rows equal another. Texts that share most words stay in one split.", 2),
            "  duplicates: {exact: drop, near: group}",
        ]
    )


def _split(profile: Profile) -> str:
    test, val = (0.3, 0.2) if profile.rows < FEW_ROWS else (0.2, 0.1)
    why = f"Of {profile.rows:,} rows {test:.0%} are for the test, {val:.0%} tell what is of use; the rest trains."
    return "\n".join([commented(why), f"split: {{test: {test}, val: {val}, rest: train, stratify: label}}"])


def _making(profile: Profile) -> str:
    copies = next((copies for rows, copies in COPIES if profile.rows < rows), 1)
    return "\n".join(
        [
            commented(
                "Children of every train text; they keep its label. Words are English; leave steps out that are not."
            ),
            f"augment:\n  copies: {copies}\n  steps:",
            "    - text.synonym_replacement: {p: 0.15}",
            "    - text.word_deletion: {p: 0.1}",
            "    - text.keyboard_typos: {p: 0.02}",
            commented("Made rows are merged when rows of their kind do no harm."),
            "gate: {usefulness: not_worse}",
            "# Who measures, on real test rows, what the made ones are worth.",
            "evaluate: {judges: [words, characters], seeds: 3}",
            "",
        ]
    )
