"""Checkpoints: safetensors, a card, and a manifest that is written last. Never pickle.

A folder holds `weights.safetensors`, `card.json` and `MANIFEST.json` with the sha256 of the other two. Nothing is
renamed, so an object store will do: a folder without a manifest, or whose files do not match it, is no checkpoint.
The card's part `decode` is all that is needed beside the weights to make rows again; the checkpoint's id hashes the
weights and that part, nothing else.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from conf import runs
from conf.errors import StageError

WEIGHTS, CARD, MANIFEST = "weights.safetensors", "card.json", "MANIFEST.json"
ID_HEX = 16
HEADER_ALIGNED = 8  # bytes that a safetensors header is a multiple of
TYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
_PICKLE_STARTS = (
    b"\x80\x02",
    b"\x80\x03",
    b"\x80\x04",
    b"\x80\x05",
    b"PK\x03\x04",
)  # pickle protocols, torch.save's zip


class CheckpointError(StageError):
    """A checkpoint that is damaged, incomplete, or not a checkpoint; the message names the file."""


@dataclass(frozen=True)
class Loaded:
    """A checkpoint that was read and verified."""

    tensors: dict[str, Tensor]
    card: dict[str, Any]
    id: str
    folder: str


def identity(tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> str:
    """16 hex digits over the weights (names, types, shapes, bytes) and the card's `decode`."""
    state = hashlib.blake2b(digest_size=ID_HEX // 2)
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous().cpu()
        told = json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode()
        state.update(struct.pack(">Q", len(told)) + told)
        state.update(_bytes_of(tensor))
    state.update(_json(card.get("decode", {})))
    return state.hexdigest()


def save(folder: str, tensors: Mapping[str, Tensor], card: Mapping[str, Any], *, finite: bool = True) -> str:
    """Write a checkpoint and return its id; the same tensors and card give the same bytes.

    Raises CheckpointError where a tensor is not finite: such weights are never shipped. (A half-finished fit may
    hold an infinity that is no fault, as a log likelihood before the first round does; it is saved with
    `finite=False`.)
    """
    if finite:
        refuse_not_finite(tensors, folder)
    in_order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))  # each aligned to its size
    plain = {name: tensors[name].detach().cpu().contiguous() for name in in_order}
    name = identity(plain, card)
    files = {WEIGHTS: _as_safetensors(plain), CARD: [_json({**card, "id": name})]}
    system, path = runs.filesystem(folder)
    try:
        system.create_dir(path, recursive=True)
        _forget(system, f"{path}/{MANIFEST}")
        entries = {file: _write(system, f"{path}/{file}", parts) for file, parts in files.items()}
        _write(system, f"{path}/{MANIFEST}", [_json({"id": name, "files": entries})])
    except (OSError, pa.ArrowException) as error:
        raise CheckpointError(
            f"{folder}: the checkpoint cannot be written: {error}. Free space, then run again."
        ) from error
    return name


def _as_safetensors(tensors: Mapping[str, Tensor]) -> Iterator[bytes | memoryview]:
    """A safetensors file in parts, without a copy of the tensors: the library would hold two of all of them."""
    header, end = dict[str, Any](), 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    told = _json(header)
    told += b" " * (-len(told) % HEADER_ALIGNED)
    yield struct.pack("<Q", len(told)) + told
    for tensor in tensors.values():
        yield _bytes_of(tensor)


def _bytes_of(tensor: Tensor) -> bytes | memoryview:
    """The bytes of a contiguous tensor, not copied."""
    return tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b""


def load(folder: str, *, finite: bool = True) -> Loaded:
    """Read a checkpoint, verifying sizes, sha256, id and that all is finite.

    Raises CheckpointError naming the file at fault.
    """
    system, path = runs.filesystem(folder)
    manifest = _manifest(_read(system, path, folder, MANIFEST), folder)
    files = {name: _verified(system, path, folder, name, entry) for name, entry in manifest["files"].items()}
    for needed in (WEIGHTS, CARD):
        if needed not in files:
            raise CheckpointError(f"{folder}/{MANIFEST} does not list {needed}: this is not a checkpoint.")
    card = _parsed(files[CARD], f"{folder}/{CARD}")
    try:
        tensors = safetensors.torch.load(files[WEIGHTS])
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{folder}/{WEIGHTS} is not safetensors: {error}.") from error
    if finite:
        refuse_not_finite(tensors, f"{folder}/{WEIGHTS}")
    if identity(tensors, card) != manifest["id"]:
        raise CheckpointError(
            f"{folder}/{MANIFEST} names {manifest['id']}, which is not what {WEIGHTS} and {CARD} hold."
        )
    return Loaded(tensors, card, manifest["id"], folder)


def newest_good(folders: Iterable[str], *, finite: bool = True) -> tuple[Loaded | None, list[str]]:
    """The first of `folders` (newest first) that is a whole checkpoint, and one sentence for each passed over."""
    notes: list[str] = []
    for folder in folders:
        try:
            loaded = load(folder, finite=finite)
        except CheckpointError as error:
            notes.append(f"{error} Falling back to the one before.")
        else:
            return loaded, notes
    return None, notes


def refuse_not_finite(tensors: Mapping[str, Tensor], where: str) -> None:
    """Raise CheckpointError where a floating tensor holds NaN or infinity."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{where}: the tensor {name} holds NaN or infinity; such weights are never shipped.")


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _write(system: pafs.FileSystem, path: str, parts: Iterable[bytes | memoryview]) -> dict[str, Any]:
    """Write a file; return what the manifest says of it."""
    size, state = 0, hashlib.sha256()
    with system.open_output_stream(path) as stream:
        for part in parts:
            stream.write(part)
            state.update(part)
            size += len(part)
    return {"bytes": size, "sha256": state.hexdigest()}


def _forget(system: pafs.FileSystem, path: str) -> None:
    """Delete a file that may be there: while files change under a manifest, there is none."""
    if system.get_file_info(path).type == pafs.FileType.File:
        system.delete_file(path)


def _read(system: pafs.FileSystem, path: str, folder: str, name: str) -> bytes:
    try:
        with system.open_input_stream(f"{path}/{name}") as stream:
            return stream.read()
    except (OSError, pa.ArrowException) as error:
        raise CheckpointError(f"{folder}/{name} is missing or cannot be read: the checkpoint is not whole.") from error


def _parsed(data: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{where} holds no JSON object.")
    return value


def _manifest(data: bytes, folder: str) -> dict[str, Any]:
    """The manifest, with the shape that `load` relies on."""
    value = _parsed(data, f"{folder}/{MANIFEST}")
    files: Any = value.get("files")
    sound = isinstance(files, dict) and all(
        isinstance(e, dict) and {"bytes", "sha256"} <= e.keys() for e in files.values()
    )
    if not sound or not isinstance(value.get("id"), str) or any("/" in name for name in files):
        raise CheckpointError(f"{folder}/{MANIFEST} is not a manifest.")
    return value


def _verified(system: pafs.FileSystem, path: str, folder: str, name: str, entry: Mapping[str, Any]) -> bytes:
    """A file's bytes, if they are those that the manifest names."""
    data = _read(system, path, folder, name)
    if data.startswith(_PICKLE_STARTS):
        raise CheckpointError(
            f"{folder}/{name} is a pickle or an archive of one; these can run code and are never loaded."
        )
    if len(data) != entry["bytes"]:
        raise CheckpointError(
            f"{folder}/{name} has {len(data):,} bytes, its manifest says {entry['bytes']:,}: it was cut short."
        )
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise CheckpointError(f"{folder}/{name} does not match its sha256: it was damaged.")
    return data
