"""Rows and tensors: Parquet in, uint8 images and float tensors out, and back.

Images on disk are encoded bytes, in numpy uint8[N, H, W, C], in torch float32 (N, C, H, W) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from conf import runs
from conf.errors import StageError
from conf.schema import ImageForm
from udfs import records

Images = NDArray[np.uint8]


def read_rows(folder: str | Sequence[str], columns: Sequence[str] | None = None) -> pa.Table:
    """Read the Parquet files of a folder (or a list of files), sorted by row_id, so that file boundaries do not
    matter.

    Raises StageError naming the file that cannot be read.
    """
    files = [folder] if isinstance(folder, str) and folder.endswith(".parquet") else folder
    files = list_files(files) if isinstance(files, str) else list(files)
    if not files:
        raise StageError(f"{folder} has no Parquet files: run the stage that writes them first.")
    wanted = None if columns is None else list(dict.fromkeys(["row_id", *columns]))
    table = pa.concat_tables([_read_file(file, wanted) for file in files])
    return table.take(pc.sort_indices(table.column("row_id"))).combine_chunks()


def list_files(folder: str) -> list[str]:
    """Parquet files below `folder`, sorted by name; none where it does not exist."""
    system, path = runs.filesystem(folder)
    selector = pafs.FileSelector(path, recursive=True, allow_not_found=True)
    found = sorted(info.path for info in system.get_file_info(selector) if info.path.endswith(".parquet"))
    return [folder.rstrip("/") + each[len(path.rstrip("/")) :] for each in found]


def _read_file(uri: str, columns: list[str] | None) -> pa.Table:
    system, path = runs.filesystem(uri)
    try:
        with system.open_input_file(path) as file:
            return pq.ParquetFile(file).read(columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise StageError(f"{uri} cannot be read as Parquet: {error}. Delete it and run its stage again.") from error


def in_random_order(table: pa.Table) -> pa.Table:
    """Rows sorted by the second part of their ids, a hash of their content: a fixed order, random otherwise."""
    which = pc.utf8_slice_codeunits(table.column("row_id"), records.MAKER_HEX, None)
    keyed = table.append_column("_which", which)
    return table.take(pc.sort_indices(keyed, [("_which", "ascending"), ("row_id", "ascending")])).combine_chunks()


def to_images(table: pa.Table, form: ImageForm) -> Images:
    """uint8[N, H, W, C] of the column `image`.

    Raises StageError naming the first row that is not of the declared form.
    """
    from udfs import image

    blobs = table.column("image").to_pylist()
    if not blobs:
        return np.zeros((0, form.height, form.width, form.channels), np.uint8)
    images, reasons = image.decode(blobs, form.height, form.width, form.channels)
    for place, reason in enumerate(reasons):
        if reason is not None:
            raise StageError(
                f"row {table.column('row_id')[place].as_py()} cannot be decoded: {reason}. Run clean again."
            )
    return np.ascontiguousarray(images, np.uint8)


def to_codes(table: pa.Table, labels: Sequence[str]) -> NDArray[np.int64]:
    """int64[N]: each row's label as its place among `labels`. Raises StageError for one that is not there."""
    codes = pc.index_in(table.column("label"), value_set=pa.array(labels, pa.string()))
    if codes.null_count:
        strange = table.column("label").filter(pc.is_null(codes))[0].as_py()
        raise StageError(f"a row has the label {strange!r}, which is not among the recipe's labels {list(labels)}.")
    return codes.to_numpy().astype(np.int64)


def to_tensor(images: Images) -> Tensor:
    """uint8[N, H, W, C] as float32 (N, C, H, W) in [-1, 1]."""
    return scaled(to_bytes_tensor(images))


def to_bytes_tensor(images: Images) -> Tensor:
    """uint8[N, H, W, C] as uint8 (N, C, H, W): a quarter of the memory, scaled batch by batch."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def scaled(pixels: Tensor) -> Tensor:
    """uint8 0-255 as float32 in [-1, 1]."""
    return pixels.to(torch.float32).div_(127.5).sub_(1.0)


def from_tensor(tensor: Tensor) -> Images:
    """float (N, C, H, W) in [-1, 1] as uint8[N, H, W, C], rounded; values beyond are clipped."""
    pixels = tensor.detach().float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def counts(codes: Iterable[int] | NDArray[np.int64], labels: Sequence[str]) -> dict[str, int]:
    """Rows of each label, labels without rows included."""
    found = np.bincount(np.asarray(codes, np.int64), minlength=len(labels))
    return {label: int(number) for label, number in zip(labels, found, strict=True)}
