"""Recipes and runtimes are read safely, and mistakes are answered in words before any engine starts."""

from __future__ import annotations

from pathlib import Path

import pytest

import conf
from conf.errors import RecipeError

GOOD = conf.text("digits")


def refusal(tmp_path: Path, written: str | bytes, *overrides: str) -> str:
    """What `load` says of a recipe that it refuses."""
    file = tmp_path / "mine.yaml"
    file.write_bytes(written if isinstance(written, bytes) else written.encode())
    with pytest.raises(RecipeError) as caught:
        conf.load(str(file), "local", overrides)
    return str(caught.value)


@pytest.mark.parametrize("name", conf.names())
def test_every_shipped_recipe_is_valid(name: str) -> None:
    """A shipped recipe loads, is named like its file and says what it is about."""
    recipe = conf.load(name).recipe
    assert recipe.name == name
    assert recipe.about


@pytest.mark.parametrize("name", conf.names("runtime"))
def test_every_shipped_runtime_is_valid(name: str) -> None:
    """A shipped runtime loads and is named like its file."""
    assert conf.load("digits", name).runtime.name == name


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "is empty"),
        ("- a\n- b\n", "not a mapping"),
        (b"name: \xff\xfe", "not UTF-8"),
        ("x: !!python/object/apply:os.system ['true']", "not plain YAML"),
        ("a: &a [1]\nb: *a", "an alias at line 2"),
        ("name: a\nname: b", "stands twice"),
        ("name: [" * 3000, "not plain YAML"),
        ("# " + "x" * (1 << 20), "at most 1,048,576"),
    ],
)
def test_unsafe_or_broken_yaml_is_refused_in_a_sentence(tmp_path: Path, written: str | bytes, said: str) -> None:
    """Tags, alias bombs, doubled keys, depth, size and encoding are each refused, naming the file."""
    message = refusal(tmp_path, written)
    assert said in message
    assert "mine.yaml" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("augment.copys=3", "augment.copys: unknown key 'copys'. The nearest is copies."),
        ("seed=-1", "seed: input should be greater than or equal to 0. It has -1."),
        ("seed=abc", "seed: "),
        ("split.train=1.5", "split.train: a share lies in 0 to 1. It has 1.5."),
        ("split.train=0.9", None),
        ("image.channels=2", "image.channels: "),
        ("augment.copies=0", "augment.copies: "),
        ("generate.0.model=image_gam", "generate[0].model: "),
        ("generate.0.rows={per_label: {eleven: 5}}", "'eleven', which is not among the labels"),
        ("generate.9.preset=x", "9 is not a place in a list of 2"),
        ("name=../up", "name: "),
        ("name=a`b", "name: "),
        ('name="a\\0b"', "name: "),
        ("name=CON.", "name: "),
        ("sources.0.name=../up", "sources[0].name: "),
        ("generate.0.name=a/b", "generate[0].name: "),
        (f"name={'a' * 300}", "name: "),
        ("split={train: 100, test: 0.5, rest: unlabelled}", "there must be a label: part"),
        ("split={train: 100}", "says nothing of test"),
        ("split={train: 0.8, test: 0.5}", "add up to more than 1"),
        ("publish=synthetic_only", None),
        ("nonsense", "needs the form a.b=value"),
    ],
)
def test_a_mistake_names_its_key_and_the_mend(tmp_path: Path, override: str, said: str | None) -> None:
    """Each wrong value is refused with the key's path; a right one passes."""
    if said is None:
        file = tmp_path / "mine.yaml"
        file.write_text(GOOD)
        conf.load(str(file), "local", [override])
    else:
        assert said in refusal(tmp_path, GOOD, override)


SECRETS = (
    "s3://user:hunter2@bucket/x",
    "abfss://box@account.dfs.example/x?se=1&sig=hunter2",
    "s3://bucket/x?aws_secret_access_key=hunter2",
)


@pytest.mark.parametrize("uri", SECRETS)
@pytest.mark.parametrize("key", ["data", "sources.0.path", "data_about"])
def test_a_password_in_a_recipe_is_refused_and_not_repeated(tmp_path: Path, uri: str, key: str) -> None:
    """It would stand in every marker and report; the message says where it is and not what it is."""
    message = refusal(tmp_path, GOOD, f"{key}={uri}")
    assert "holds a password or key" in message and "hunter2" not in message
    assert key.replace(".0.", "[0].") in message


def test_a_password_in_a_root_or_runtime_is_refused_and_one_for_spark_is_not_told(tmp_path: Path) -> None:
    """Spark's own settings are where credentials belong; no message repeats one."""
    with pytest.raises(RecipeError, match="--root: the URI holds a password") as caught:
        conf.load("digits", root=SECRETS[0])
    assert "hunter2" not in str(caught.value)
    runtime = tmp_path / "mine.yaml"
    runtime.write_text(f"name: mine\nfiles: {SECRETS[1]}\n")
    with pytest.raises(RecipeError, match="files: the URI holds a password") as caught:
        conf.load("digits", str(runtime))
    assert "hunter2" not in str(caught.value)
    runtime.write_text("name: mine\nspark: {confs: {fs.s3a.secret.key: [hunter2], fs.s3a.access.key: 4711}}\n")
    with pytest.raises(RecipeError, match=r"spark\.confs") as caught:
        conf.load("digits", str(runtime))
    assert "hunter2" not in str(caught.value) and "4711" not in str(caught.value)


@pytest.mark.parametrize("uri", ["s3://bucket/x?region=eu", "abfss://box@account.dfs.example/x", "hdfs://host:8020/x"])
def test_a_place_without_a_password_is_taken(uri: str) -> None:
    """Containers, ports and parameters are no secrets."""
    assert conf.load("digits", overrides=[f"data={uri}"]).recipe.data == uri


def test_more_workers_than_cores_are_refused_at_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Ray starts; a cluster that is there says itself what it has."""
    runtime = tmp_path / "mine.yaml"
    runtime.write_text("name: mine\nray: {cpus: 2}\ntrain: {workers: 3}\n")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(RecipeError, match=r"train\.workers: 3 workers need as many cores, and ray\.cpus is 2"):
        conf.load("digits", str(runtime))
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    assert conf.load("digits", str(runtime)).runtime.train.workers == 3


def test_an_unknown_recipe_names_the_nearest() -> None:
    """A misspelt shipped name is answered with the nearest one."""
    with pytest.raises(RecipeError, match="The nearest is digits"):
        conf.load("digit")


def test_overrides_reach_lists_and_nested_keys() -> None:
    """`--set` lays one value over the recipe and leaves the rest."""
    config = conf.load("digits", "local", ["generate.0.rows.per_label=5", "augment.copies=3"])
    assert config.recipe.generate[0].rows.per_label == 5
    assert config.recipe.generate[1].rows.per_label == 200
    assert config.recipe.augment is not None
    assert config.recipe.augment.copies == 3


def test_the_root_comes_from_the_flag_then_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """--root wins over SEEDBED_ROOT, which wins over ./seedbed-data."""
    monkeypatch.setenv("SEEDBED_ROOT", str(tmp_path / "env"))
    assert conf.load("digits").files == str(tmp_path / "env")
    assert conf.load("digits", root=str(tmp_path / "flag")).files == str(tmp_path / "flag")


def test_data_of_a_recipe_file_lies_beside_the_file(tmp_path: Path) -> None:
    """A relative `data:` in a file is relative to the file; --set data= is taken as it is."""
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD + "data: pictures\n")
    assert conf.load(str(file)).recipe.data == str(tmp_path / "pictures")
    assert conf.load(str(file), overrides=["data=/else/where"]).recipe.data == "/else/where"
