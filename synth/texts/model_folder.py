"""A language model in Hugging Face's form: read from a folder or from a checkpoint, without a network, code or pickle.

`transformers` builds the net; it is an extra (`pip install 'seedbed[hf]'`). Weights are read by `safetensors` alone.
The tokenizer must be one of bytes, so that whatever pieces are drawn, what they write is known.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from conf.errors import RecipeError

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
MAX_BYTES = 2 << 30  # of weights: a training holds them five times
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
MISSING = "text_pretrained needs transformers, which is not installed: pip install 'seedbed[hf]' on each machine."


@dataclass(frozen=True)
class ModelFolder:
    """What a folder says of its model, as text, and its weights."""

    config: str
    tokenizer: str
    weights: dict[str, Tensor]


class Vocabulary:
    """A tokenizer of bytes, as drawing sees it: what each piece writes."""

    def __init__(self, tokenizer: str, size: int) -> None:
        """`size` is how many pieces the net knows, which may be more than the tokenizer has."""
        self.encoder = _tokenizer(tokenizer)
        special = {int(each["id"]) for each in json.loads(tokenizer).get("added_tokens", [])}
        names = {number: name for name, number in self.encoder.get_vocab().items() if number not in special}
        self.written = tuple(_bytes_of(names.get(number, "")) for number in range(size))

    def __len__(self) -> int:
        return len(self.written)

    def encode(self, text: str) -> list[int]:
        """A text's pieces."""
        return list(self.encoder.encode(text, add_special_tokens=False).ids)

    def decode(self, pieces: Iterable[int]) -> str:
        """The text; bytes that are no whole character are left out."""
        return b"".join(self.written[piece] for piece in pieces).decode("utf-8", "ignore")

    @functools.cached_property
    def writes(self) -> Tensor:
        """bool (pieces + 1,): what may be drawn: pieces that write something, and the end."""
        return torch.tensor([*(bool(each) for each in self.written), True])


def check(folder: str) -> None:
    """Raise RecipeError where a folder holds no model that can be used, with the mend."""
    place = Path(folder)
    if not folder or not place.is_dir():
        raise RecipeError(
            f"options.folder is {folder!r}, and there is no such folder: it names one of your own models."
        )
    names = sorted(each.name for each in place.iterdir())
    weights = [name for name in names if name.endswith(".safetensors")]
    if not weights and any(name.endswith(PICKLES) for name in names):
        raise RecipeError(
            f"{folder} holds its weights as a pickle, which can run code and is never loaded: write them anew with "
            "model.save_pretrained(DIR), which makes safetensors."
        )
    missing = [name for name in (CONFIG, TOKENIZER) if name not in names] + ([] if weights else ["*.safetensors"])
    if missing:
        raise RecipeError(f"{folder} has no {missing[0]}: a model's folder holds {CONFIG}, {TOKENIZER}, *.safetensors.")
    size = sum((place / name).stat().st_size for name in weights)
    if size > MAX_BYTES:
        raise RecipeError(f"{folder} holds {size >> 20:,} MiB of weights, and {MAX_BYTES >> 20:,} are the most.")
    told = _json(place / CONFIG)
    if "auto_map" in told:
        raise RecipeError(f"{folder}/{CONFIG} asks for code of its own (auto_map), and no code of a folder is run.")
    if not _is_of_bytes(_json(place / TOKENIZER)):
        raise RecipeError(f"{folder}/{TOKENIZER} is not a tokenizer of bytes (ByteLevel), as GPT-2's or Llama 3's is.")
    _transformers()


def read(folder: str) -> ModelFolder:
    """A checked folder's content. Raises RecipeError where it cannot be used."""
    check(folder)
    place, weights = Path(folder), dict[str, Tensor]()
    for file in sorted(place.glob("*.safetensors")):
        try:
            weights |= safetensors.torch.load_file(file)
        except (SafetensorError, OSError) as error:
            raise RecipeError(f"{file} is not whole: {error}. Copy it again.") from error
    return ModelFolder((place / CONFIG).read_text("utf-8"), (place / TOKENIZER).read_text("utf-8"), weights)


def net_of(config: str) -> nn.Module:
    """The net that a config.json tells of, without weights. Raises RecipeError where it is none that writes texts."""
    transformers, told = _transformers(), json.loads(config)
    if not isinstance(told, dict) or "model_type" not in told:
        raise RecipeError(f"{CONFIG} names no model_type.")
    try:
        form = transformers.AutoConfig.for_model(**{**told, "attn_implementation": "eager"})
        return transformers.AutoModelForCausalLM.from_config(form, dtype=torch.float32)
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError(f"{CONFIG} tells of no causal language model that transformers knows: {error}") from error


def pieces_of(net: Any) -> int:
    """How many pieces a net tells apart."""
    return int(net.get_output_embeddings().weight.shape[0])


def filled(net: nn.Module, weights: dict[str, Tensor], folder: str) -> nn.Module:
    """The net with a folder's weights; heads that share the embeddings may be left out of the file."""
    own = net.state_dict()
    prefix = getattr(net, "base_model_prefix", "")
    named = {name if name in own else f"{prefix}.{name}": tensor.float() for name, tensor in weights.items()}
    shared = {tensor.data_ptr() for name, tensor in own.items() if name in named}
    missing = [name for name, tensor in own.items() if name not in named and tensor.data_ptr() not in shared]
    try:
        net.load_state_dict({name: tensor for name, tensor in named.items() if name in own}, strict=False)
    except RuntimeError as error:
        raise RecipeError(f"{folder}: {CONFIG} and weights do not belong together: {error}") from error
    if missing:
        raise RecipeError(f"{folder}: its weights lack {missing[0]}, which {CONFIG} asks for.")
    return net


def ends(config: str) -> tuple[int, int]:
    """The pieces with which a text begins and ends."""
    told = json.loads(config)
    end = told.get("eos_token_id")
    end = end[0] if isinstance(end, list) and end else end
    if not isinstance(end, int):
        raise RecipeError(f"{CONFIG} names no eos_token_id, and a text needs an end.")
    begin = told.get("bos_token_id")
    return (begin if isinstance(begin, int) else end), end


def check_room(config: str, longest: int, folder: str) -> None:
    """Raise RecipeError where a prompt and its text are longer than the net reads at once."""
    told = json.loads(config)
    rooms = [told.get(name) for name in ("n_positions", "max_position_embeddings")]
    room = next((each for each in rooms if isinstance(each, int)), longest)
    if longest > room:
        raise RecipeError(
            f"{folder} reads {room:,} pieces at once, and prompt and text come to {longest:,}: lower options.context by"
            f" {longest - room:,}, or say a shorter options.prompt."
        )


def as_tensor(text: str) -> Tensor:
    """A text's bytes, to be stored beside weights."""
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


def as_text(tensor: Tensor) -> str:
    """The text that `as_tensor` stored."""
    return tensor.numpy().tobytes().decode()


def _transformers() -> Any:
    """The package, which must not look for anything elsewhere."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_OFFLINE"] = "1"
    try:
        import transformers
    except ImportError as error:
        raise RecipeError(MISSING) from error
    return transformers


def _tokenizer(told: str) -> Any:
    """The tokenizer that a tokenizer.json tells of."""
    _transformers()
    from tokenizers import Tokenizer

    return Tokenizer.from_str(told)


def _json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path} is not JSON: {error}.") from error
    if not isinstance(told, dict):
        raise RecipeError(f"{path} holds no JSON object.")
    return told


def _is_of_bytes(told: dict[str, Any]) -> bool:
    """Whether a tokenizer's pieces are written as bytes."""
    decoder = told.get("decoder") or {}
    each = decoder.get("decoders", [decoder]) if isinstance(decoder, dict) else []
    return any(isinstance(part, dict) and part.get("type") == "ByteLevel" for part in each)


@functools.cache
def _byte_of() -> dict[str, int]:
    """The character that stands for each byte in such a tokenizer: itself where it can be seen, else from 256 on."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in set(seen)]
    return {chr(byte): byte for byte in seen} | {chr(256 + place): byte for place, byte in enumerate(others)}


def _bytes_of(name: str) -> bytes:
    """The bytes that a piece writes; none where it is no piece of bytes."""
    known = _byte_of()
    return bytes(known[sign] for sign in name) if all(sign in known for sign in name) else b""
