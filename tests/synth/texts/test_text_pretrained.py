"""A language model of a person's own: read without pickle, network or code of its own, tuned, and rows by their id."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from conf import runs
from conf.errors import RecipeError, StageError
from synth.texts import model_folder, pretrained
from synth.texts.sampler import BLOCK, Sampler
from synth.work import work
from tests.jobs.texts.made import texts
from tests.synth.texts.learnt import config_at, job_at, learnt

SOME = texts(40)
TUNED = {"max_steps": 40, "learning_rate": 0.01, "batch_size": 16}


def lay_folder(folder: Path, **told: object) -> Path:
    """A folder as it should be, but for weights that say nothing."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", "eos_token_id": 0, **told}))
    (folder / "tokenizer.json").write_text(json.dumps({"decoder": {"type": "ByteLevel"}}))
    (folder / "model.safetensors").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with random weights, as transformers saves it, and a tokenizer of the texts' own bytes."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    folder = tmp_path_factory.mktemp("own") / "model"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<|end|>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([text for text, _ in SOME], trainer)
    torch.manual_seed(0)
    form = transformers.GPT2Config(
        vocab_size=410, n_positions=96, n_embd=32, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    transformers.GPT2LMHeadModel(form).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module")
def sampler(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Sampler:
    config = config_at(
        tmp_path_factory.mktemp("notes"), model="text_pretrained", options={"folder": str(own)}, train=TUNED
    )
    return Sampler(learnt(config, SOME))


def test_a_tuned_model_writes_as_its_rows_are_and_copies_none(sampler: Sampler) -> None:
    made = sampler.texts("good", 0, BLOCK)
    assert not set(made) & {text for text, _ in SOME} and all(text.strip() for text in made)
    assert sum("number" in text or "day" in text or "win" in text for text in made) > BLOCK / 2


def test_rows_do_not_depend_on_the_range_that_was_asked_for(sampler: Sampler) -> None:
    whole = sampler("", 0, BLOCK + 4)
    assert sampler("", BLOCK - 2, BLOCK + 2).equals(whole.slice(BLOCK - 2, 4))
    assert set(whole.column("label").to_pylist()) == {"good", "bad"}


def test_what_is_remembered_is_what_is_seen_at_once(sampler: Sampler) -> None:
    """Piece after piece, rows of both labels side by side, and all pieces together: the same nats."""
    model = sampler.model
    tokens, label = torch.randint(1, 300, (5, 6)), torch.tensor([0, 1, 1, 0, 1])
    memory = model.begin(label)
    each = [model.next(memory, tokens[:, at - 1] if at else None) for at in range(6)]
    logits = torch.stack(each, 1)[..., :-1]
    nats = logits.logsumexp(2) - logits.gather(2, tokens[..., None])[..., 0]
    assert torch.allclose(nats, model.surprise(tokens, label), atol=1e-4)


def test_a_model_that_is_not_tuned_keeps_its_weights_and_its_place_is_not_told(own: Path, tmp_path: Path) -> None:
    found = []
    for place in (own, tmp_path / "elsewhere"):
        if place != own:
            place.symlink_to(own)
        options = {"folder": str(place), "tuned": False, "top_p": 0.5}
        config = config_at(tmp_path / place.name, model="text_pretrained", options=options, train={})
        found.append(Sampler(learnt(config, SOME)))
    assert found[0].id == found[1].id
    weights = model_folder.read(str(own)).weights
    kept = found[0].model.net.state_dict()
    assert all(torch.equal(kept[name], tensor) for name, tensor in weights.items())


def test_another_file_in_the_folder_is_another_training(tmp_path: Path) -> None:
    folder = lay_folder(tmp_path / "model")
    config = config_at(tmp_path / "notes", model="text_pretrained", options={"folder": str(folder)})
    before = runs.model_files(config, "text_pretrained")
    (folder / "model.safetensors").write_bytes(b"other")
    assert runs.model_files(config, "text_pretrained") != before
    (folder / "model.safetensors").unlink()
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    with pytest.raises(RecipeError, match="is no folder"):
        runs.model_files(config, "text_pretrained")


def test_a_folder_that_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError, match="no such folder"):
        model_folder.check("")
    pickled = lay_folder(tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(RecipeError, match=r"pickle.*save_pretrained"):
        model_folder.check(str(pickled))
    with pytest.raises(RecipeError, match="no code of a folder is run"):
        model_folder.check(str(lay_folder(tmp_path / "coded", auto_map={"AutoModel": "mine.Model"})))
    words = lay_folder(tmp_path / "words")
    (words / "tokenizer.json").write_text(json.dumps({"decoder": {"type": "WordPiece"}}))
    with pytest.raises(RecipeError, match="not a tokenizer of bytes"):
        model_folder.check(str(words))
    (words / "tokenizer.json").unlink()
    with pytest.raises(RecipeError, match=r"has no tokenizer\.json"):
        model_folder.check(str(words))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(RecipeError, match=r"pip install 'seedbed\[hf\]'"):
        model_folder.check(str(lay_folder(tmp_path / "good")))


def test_a_damaged_model_ends_its_training_in_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    folder = lay_folder(tmp_path / "model")
    job = job_at(config_at(tmp_path / "notes", model="text_pretrained", options={"folder": str(folder)}), SOME)
    work(job)
    assert "is not whole" in runs.read_json(job.folder, "fitted.json")["error"]


def test_weights_of_another_net_end_the_training_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only building the net shows is a fault of the folder, too: no other try would mend it."""

    def strange(*_: object) -> None:
        raise RecipeError("config.json and weights do not belong together")

    job = job_at(config_at(tmp_path / "notes", model="text_pretrained", options={"folder": str(tmp_path)}), SOME)
    model = model_folder.ModelFolder("{}", "{}", {})
    prepared = pretrained.Prepared(job, "", model, None, None, None)  # type: ignore[arg-type]
    monkeypatch.setattr(pretrained, "net_of", strange)
    with pytest.raises(StageError, match="do not belong together"):
        prepared.build(0)


def test_a_text_longer_than_the_net_reads_is_refused_with_the_mend() -> None:
    """Beyond its last position a net has nothing to look up."""
    for name in ("n_positions", "max_position_embeddings"):
        model_folder.check_room(json.dumps({name: 96}), 96, "mine")
        with pytest.raises(RecipeError, match=r"reads 96 pieces at once.* lower options\.context by 4"):
            model_folder.check_room(json.dumps({name: 96}), 100, "mine")
    model_folder.check_room("{}", 10_000, "mine")
