"""A checkpoint is whole and finite, or it is refused by name and the one before is used."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import pytest
import torch

from synth import checkpoint
from synth.checkpoint import CARD, MANIFEST, WEIGHTS, CheckpointError

CARD_OF = {"decode": {"model": "image_gan", "labels": ["a", "b"]}, "about": {"steps": 3}}


def tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return {
        "a.weight": torch.randn(5, 3, generator=draw),
        "b": torch.tensor(7),
        "c": torch.randn(2, 2, generator=draw).double(),
    }


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    name = checkpoint.save(str(tmp_path / "c"), tensors(), CARD_OF)
    loaded = checkpoint.load(str(tmp_path / "c"))
    assert loaded.id == name and loaded.card["about"] == CARD_OF["about"]
    assert all(torch.equal(loaded.tensors[key], value) for key, value in tensors().items())
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == sorted([WEIGHTS, CARD, MANIFEST])


@pytest.mark.parametrize("kind", checkpoint.TYPES)
def test_tensors_of_any_type_and_size_are_saved_as_they_are(tmp_path: Path, kind: torch.dtype) -> None:
    saved = {"some": torch.arange(7).to(kind), "one": torch.ones((), dtype=kind), "none": torch.zeros(0, 3, dtype=kind)}
    checkpoint.save(str(tmp_path / "c"), saved, CARD_OF)
    loaded = checkpoint.load(str(tmp_path / "c")).tensors
    assert {name: (value.dtype, value.shape) for name, value in loaded.items()} == {
        name: (value.dtype, value.shape) for name, value in saved.items()
    }
    assert all(torch.equal(loaded[name], value) for name, value in saved.items())


def test_tensors_that_share_memory_are_saved_each_as_it_is(tmp_path: Path) -> None:
    whole = torch.arange(12.0)
    shared = {"whole": whole, "again": whole, "part": whole[3:7], "turned": whole.view(3, 4).T}
    checkpoint.save(str(tmp_path / "c"), shared, CARD_OF)
    loaded = checkpoint.load(str(tmp_path / "c")).tensors
    assert all(torch.equal(loaded[key], value) for key, value in shared.items())


def test_the_same_weights_give_the_same_bytes_and_id_whatever_is_told_about_them(tmp_path: Path) -> None:
    first = checkpoint.save(str(tmp_path / "1"), tensors(), CARD_OF)
    again = checkpoint.save(str(tmp_path / "2"), dict(reversed(tensors().items())), CARD_OF)
    told = checkpoint.save(str(tmp_path / "3"), tensors(), {**CARD_OF, "about": {"steps": 4}})
    assert first == again == told
    assert (tmp_path / "1" / WEIGHTS).read_bytes() == (tmp_path / "2" / WEIGHTS).read_bytes()
    assert checkpoint.save(str(tmp_path / "4"), tensors(1), CARD_OF) != first
    assert checkpoint.save(str(tmp_path / "5"), tensors(), {"decode": {"model": "other"}}) != first


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_never_shipped(tmp_path: Path, value: float) -> None:
    bad = {**tensors(), "a.weight": torch.tensor([1.0, value])}
    with pytest.raises(CheckpointError, match=r"a\.weight"):
        checkpoint.save(str(tmp_path / "c"), bad, CARD_OF)
    assert not (tmp_path / "c").exists()
    checkpoint.save(str(tmp_path / "c"), bad, CARD_OF, finite=False)
    with pytest.raises(CheckpointError, match=r"a\.weight"):
        checkpoint.load(str(tmp_path / "c"))


class Bomb:
    """A pickle that would leave a trace if it were loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.trace,))


def damage(folder: Path, how: str) -> None:
    """Bring about one of the faults."""
    weights = folder / WEIGHTS
    data = weights.read_bytes()
    if how == "truncated":
        weights.write_bytes(data[: len(data) // 2])
    elif how == "flipped":
        weights.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    elif how == "pickle":
        weights.write_bytes(pickle.dumps(Bomb(folder / "trace")))
    elif how == "torch.save":
        sink = io.BytesIO()
        torch.save(tensors(), sink)
        weights.write_bytes(sink.getvalue())
    elif how == "card":
        (folder / CARD).write_text((folder / CARD).read_text().replace("image_gan", "image_vae"))
    elif how == "no manifest":
        (folder / MANIFEST).unlink()
    elif how == "half a manifest":
        (folder / MANIFEST).write_text((folder / MANIFEST).read_text()[:20])
    elif how == "empty":
        weights.write_bytes(b"")
    else:
        weights.unlink()


FAULTS = {
    **dict.fromkeys(("truncated", "flipped", "pickle", "torch.save", "empty", "missing"), WEIGHTS),
    "card": CARD,
    **dict.fromkeys(("no manifest", "half a manifest"), MANIFEST),
}


@pytest.mark.parametrize("how", FAULTS)
def test_a_damaged_checkpoint_is_refused_by_name_and_the_one_before_is_used(tmp_path: Path, how: str) -> None:
    before = checkpoint.save(str(tmp_path / "1"), tensors(1), CARD_OF)
    checkpoint.save(str(tmp_path / "2"), tensors(2), CARD_OF)
    damage(tmp_path / "2", how)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(str(tmp_path / "2"))
    assert f"{tmp_path}/2/{FAULTS[how]}" in str(caught.value)
    loaded, notes = checkpoint.newest_good([str(tmp_path / "2"), str(tmp_path / "1")])
    assert loaded is not None and loaded.id == before
    assert len(notes) == 1 and FAULTS[how] in notes[0] and "Falling back" in notes[0]
    assert not (tmp_path / "2" / "trace").exists()


def test_a_pickle_with_a_manifest_to_match_is_still_refused(tmp_path: Path) -> None:
    import hashlib

    folder = tmp_path / "c"
    checkpoint.save(str(folder), tensors(), CARD_OF)
    damage(folder, "pickle")
    manifest = json.loads((folder / MANIFEST).read_text())
    data = (folder / WEIGHTS).read_bytes()
    manifest["files"][WEIGHTS] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="never loaded"):
        checkpoint.load(str(folder))
    assert not (folder / "trace").exists()


def test_a_manifest_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    checkpoint.save(str(folder), tensors(), CARD_OF)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["../other"] = manifest["files"][WEIGHTS]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=MANIFEST):
        checkpoint.load(str(folder))


def test_none_good_is_said_of_each(tmp_path: Path) -> None:
    loaded, notes = checkpoint.newest_good([str(tmp_path / "x"), str(tmp_path / "y")])
    assert loaded is None and len(notes) == 2
