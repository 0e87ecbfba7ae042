"""Why the gate refuses a staged row: what verdicts of each modality are asked, in order, and how they are put in words.

Images, texts and series: `image_unreadable` or `empty`, `label_disagrees` (of texts and series among synthetic rows
only: steps keep the label, and judges of few rows know less), `copy_of_train`, `too_far`; of behaviour, which has no
labels, the same without that. Tables: `breaks_constraint`,
`copy_of_train`, `unlikely` (less than nearly all train rows, by the row's own generator), `too_far`. Copies are refused
among synthetic rows only: a child lies near its parent by construction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conf.schema import Gate

if TYPE_CHECKING:
    from pyspark.sql import Column

TOLD = {
    "image": "is_unreadable",
    "table": "breaks_constraint",
    "text": "is_unreadable",
    "series": "is_unreadable",
    "behaviour": "is_unreadable",
    "fusion": "is_unreadable",
}  # what every verdict says
_OF_IMAGES = "agreement %.3f, looks like %s, nearest train row %s, %.2f of the usual distance"
_OF_USERS = "nearest train user %s, %.2f of the usual distance"
_OF_TABLES = "nearest train row %s, %.2f of the usual distance"


def reasons(modality: str, gate: Gate) -> list[tuple[str, Column]]:
    """(reason, whether it holds), the first that holds counts."""
    from pyspark.sql import functions as F

    copies = [("copy_of_train", (F.col("row_origin") == "synthetic") & F.col("is_copy"))]
    copies = copies if gate.copies == "quarantine" else []
    if modality == "table":
        broken = [("breaks_constraint", F.col("breaks_constraint"))]
        return [*broken, *copies, ("unlikely", F.col("is_unlikely")), ("too_far", F.col("is_far"))]
    if modality == "behaviour":
        return [("empty", F.col("is_unreadable")), *copies, ("too_far", F.col("is_far"))]
    unlike = ("label_disagrees", F.col("agreement") < gate.min_label_agreement)
    if modality in ("text", "series", "fusion"):
        unlike = (unlike[0], (F.col("row_origin") == "synthetic") & unlike[1])
        return [("empty", F.col("is_unreadable")), unlike, *copies, ("too_far", F.col("is_far"))]
    return [("image_unreadable", F.col("is_unreadable")), unlike, *copies, ("too_far", F.col("is_far"))]


def detail(modality: str, reason: Column) -> Column:
    """What was said of the row, in words; null where nothing could be said."""
    from pyspark.sql import functions as F

    if modality == "table":
        near = F.format_string(_OF_TABLES, "nearest_id", "distance_ratio")
        likely = F.concat(near, F.format_string(", log-likelihood %.2f", "log_likelihood"))
        told = F.when(F.col("log_likelihood").isNull(), near).otherwise(likely)
        return F.when(reason == "breaks_constraint", F.col("broken")).otherwise(told)
    if modality == "behaviour":
        return F.when(reason != "empty", F.format_string(_OF_USERS, "nearest_id", "distance_ratio"))
    told = F.format_string(_OF_IMAGES, "agreement", "predicted", "nearest_id", "distance_ratio")
    near = F.format_string(_OF_TABLES, "nearest_id", "distance_ratio")  # rows without labels agree with none
    told = F.when(F.col("agreement").isNull(), near).otherwise(told)
    return F.when(reason.isin("image_unreadable", "empty"), None).otherwise(told)
