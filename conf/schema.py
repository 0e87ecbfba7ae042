"""What a recipe and a runtime may say.

Units stand in names. A key that is not here is an error which names the nearest one that is. A recipe says what is
made, a runtime where and with how much; the two never mix.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MAX_NAME = 63
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class Part(BaseModel):
    """A part of a recipe or runtime: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Step(Part):
    """One step of a list: a function's name and its options.

    Written `image.rotate` or `image.rotate: {max_degrees: 10}`.
    """

    name: str
    options: dict[str, Any] = {}


def _step(value: Any) -> Any:
    """A step as written in YAML, as name and options."""
    if isinstance(value, str):
        return {"name": value, "options": {}}
    if isinstance(value, dict) and len(value) == 1 and not {"name", "options"} & value.keys():
        ((name, options),) = value.items()
        return {"name": name, "options": options or {}}
    return value


Steps = list[Annotated[Step, BeforeValidator(_step)]]


class ImageForm(Part):
    """The form that every image of the dataset has."""

    height: int = Field(ge=8, le=4096)
    width: int = Field(ge=8, le=4096)
    channels: Literal[1, 3]
    resize: Literal["fit", "stretch", "crop"] | None = None
    encoding: Literal["png", "jpeg"] = "png"
    jpeg_quality: int = Field(default=95, ge=1, le=100)
    masks: bool = False
    boxes: bool = False


class Source(Part):
    """Where real rows come from."""

    name: Name
    reader: Literal["sklearn_digits", "idx", "image_folder", "image_manifest", "npz", "parquet", "delta"]
    path: str | None = None
    images: str | None = None
    labels_path: str | None = None
    manifest: str | None = None
    mask_path: str | None = None
    file_column: str = "file"
    image_column: str = "image"
    label_column: str | None = "label"
    group_column: str | None = None
    labels: dict[str, str] = {}
    split: Literal["train", "val", "test", "unlabelled"] | None = None
    weight: float = Field(default=1.0, gt=0, le=1)
    about: str | None = None


class Duplicates(Part):
    """What becomes of copies: exact ones by content, near ones by perceptual hash and a check of the content."""

    exact: Literal["drop", "keep"] = "drop"
    near: Literal["group", "drop", "keep"] = "group"
    max_distance_bits: int = Field(default=2, ge=0, le=16)


class Outliers(Part):
    """Distance from the class's own statistics, measured on train rows."""

    method: Literal["robust_z"] = "robust_z"
    threshold: float = Field(default=6.0, gt=0)
    action: Literal["quarantine", "flag"] = "quarantine"


class Clean(Part):
    """How rows are cleaned."""

    rules: Steps = []
    duplicates: Duplicates = Duplicates()
    outliers: Outliers | None = None


def _amount(value: Any) -> Any:
    """A count (10), a share (0.1) or `given`."""
    if isinstance(value, bool) or (isinstance(value, str) and value != "given"):
        raise ValueError("needs a count such as 100, a share such as 0.1, or the word given")
    if isinstance(value, float) and not 0 <= value <= 1:
        raise ValueError("a share lies in 0 to 1")
    if isinstance(value, int) and value < 0:
        raise ValueError("a count is not negative")
    return value


Amount = Annotated[int | float | Literal["given"], BeforeValidator(_amount)]


class Split(Part):
    """Who is train, val, test or reserve; `rest` says what the others become."""

    train: Amount | None = None
    val: Amount = 0.1
    test: Amount | None = None
    reserve: Amount | None = None
    rest: Literal["train", "test", "reserve", "unlabelled", "ignore"] | None = None
    stratify: Literal["label"] | None = "label"
    group: bool = False

    @model_validator(mode="before")
    @classmethod
    def _rest_as_amount(cls, value: Any) -> Any:
        """`test: rest` is another way to say `rest: test`."""
        if not isinstance(value, dict):
            return value
        said = [key for key in ("train", "test", "reserve") if value.get(key) == "rest"]
        if len(said) > 1 or (said and value.get("rest") not in (None, said[0])):
            raise ValueError("the rest can become one thing only")
        return {**{k: v for k, v in value.items() if k not in said}, **({"rest": said[0]} if said else {})}

    @model_validator(mode="after")
    def _whole(self) -> Split:
        """Each of train, val and test must get rows from somewhere, and shares must fit into one."""
        for name in ("train", "test"):
            if getattr(self, name) is None and self.rest != name:
                raise ValueError(f"says nothing of {name}: give {name} a count, a share or given, or say rest: {name}")
        amounts = (self.train, self.val, self.test, self.reserve)
        if sum(amount for amount in amounts if isinstance(amount, float)) > 1 + 1e-9:
            raise ValueError("the shares add up to more than 1")
        return self


class Label(Part):
    """How rows without a label get one: by judges, where their confidence reaches `precision` on val."""

    judges: int = Field(default=5, ge=1, le=32)
    precision: float = Field(default=0.995, gt=0.5, lt=1)
    steps: Positive = 2400
    copies: Positive = 40


class Normalize(Part):
    """Which statistics of train rows are written, and how they encode."""

    method: Literal["z_score", "zero_one"] = "z_score"


class Augment(Part):
    """How many children every train row gets, and the steps that make them."""

    copies: int = Field(default=10, ge=1, le=1000)
    steps: Steps = Field(min_length=1)


class Train(Part):
    """How a generator is trained; a null takes the preset's value."""

    max_steps: Positive | None = None
    batch_size: Positive | None = None
    learning_rate: float | None = Field(default=None, gt=0)
    held_out: float = Field(default=0.1, ge=0, lt=0.5)
    quality_every: Positive | None = None
    patience: Positive | None = None
    restarts: int = Field(default=1, ge=0, le=5)


class Rows(Part):
    """How many rows of which label: one of these."""

    per_label: int | dict[str, int] | None = None
    balance: Literal["majority"] | None = None
    factor: float | None = Field(default=None, gt=0)
    like: Literal["train"] | None = None
    total: Count | None = None

    @model_validator(mode="after")
    def _one(self) -> Rows:
        """Exactly one plan; `total` goes with `like`."""
        said = [name for name in ("per_label", "balance", "factor", "like") if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"needs exactly one of per_label, balance, factor, like; it has {said or 'none'}")
        counts = list(self.per_label.values()) if isinstance(self.per_label, dict) else [self.per_label or 0]
        if min(counts, default=0) < 0:
            raise ValueError("a number of rows is not negative")
        return self


IMAGE_MODELS = ("image_gan", "image_vae", "image_interpolation", "image_mixture")


class Generate(Part):
    """One generator: its model, its training and the rows that are sampled from it."""

    model: Literal["image_gan", "image_vae", "image_interpolation", "image_mixture"]
    name: Name = ""
    preset: str | None = None
    options: dict[str, Any] = {}
    train: Train = Train()
    rows: Rows
    temperature: float = Field(default=1.0, gt=0, le=2)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """A generator is named after its model unless the recipe names it."""
        if isinstance(value, dict) and not value.get("name"):
            return {**value, "name": value.get("model")}
        return value


class Gate(Part):
    """What a made row must pass before it is merged."""

    min_label_agreement: Share = 0.5
    copies: Literal["quarantine", "report"] = "quarantine"
    max_distance_factor: float = Field(default=3.0, gt=0)
    usefulness: Literal["not_worse", "report"] = "not_worse"


class Evaluate(Part):
    """Who judges what the rows are worth: `seeds` judges of each kind, of equal `steps`."""

    judges: list[Literal["cnn", "svc", "linear"]] = Field(default=["cnn", "svc"], min_length=1)
    seeds: int = Field(default=3, ge=1, le=20)
    steps: Positive = 1200
    batch_size: Positive = 64
    max_rows: Positive = 100_000
    curve_points: int = Field(default=5, ge=2, le=12)


def _labels(value: list[str]) -> list[str]:
    """Labels are distinct and not empty."""
    if len(set(value)) != len(value) or not all(value):
        raise ValueError("labels must be distinct and not empty")
    return value


class Recipe(Part):
    """One dataset: what it is made of and how."""

    name: Name
    about: str = ""
    modality: Literal["image"]
    image: ImageForm
    labels: Annotated[list[str], Field(min_length=2, max_length=10_000), AfterValidator(_labels)]
    seed: int = Field(default=0, ge=0, lt=2**63)
    data: str | None = None
    data_about: str | None = None
    sources: list[Source] = Field(min_length=1)
    clean: Clean = Clean()
    split: Split
    label: Label | None = None
    normalize: Normalize = Normalize()
    augment: Augment | None = None
    generate: list[Generate] = []
    gate: Gate = Gate()
    publish: Literal["all", "synthetic_only"] = "all"
    evaluate: Evaluate = Evaluate()

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        """Names are used once, mappings lead to declared labels, plans name declared labels."""
        for what, names in (("source", [s.name for s in self.sources]), ("generator", [g.name for g in self.generate])):
            doubled = sorted({name for name in names if names.count(name) > 1})
            if doubled:
                raise ValueError(f"two of the {what}s are named {doubled[0]}: give each a name of its own")
        for source in self.sources:
            strange = sorted(set(source.labels.values()) - set(self.labels))
            if strange:
                raise ValueError(f"source {source.name} maps to {strange[0]!r}, which is not among the labels")
        for generator in self.generate:
            planned = generator.rows.per_label
            strange = sorted(set(planned) - set(self.labels)) if isinstance(planned, dict) else []
            if strange:
                raise ValueError(
                    f"generator {generator.name} plans rows of {strange[0]!r}, which is not among the labels"
                )
        if self.split.rest == "unlabelled" and self.label is None:
            raise ValueError(
                "split.rest is unlabelled, so there must be a label: part that says how those rows get labels"
            )
        if self.publish == "synthetic_only" and not self.generate:
            raise ValueError("publish is synthetic_only, so generate must name at least one generator")
        return self


class SparkRuntime(Part):
    """Where Spark runs."""

    master: str | None = "local[2,4]"
    driver_memory: str = Field(default="2g", pattern=r"^\d+[mg]$")
    shuffle_partitions: Positive = 2
    confs: dict[str, str] = {}


class RayRuntime(Part):
    """Where Ray runs; `address` null starts one on this machine."""

    address: str | None = None
    cpus: Positive | None = 2
    object_store_mb: Positive = 512


class TrainRuntime(Part):
    """Who trains: `workers` 0 trains in the driver's process, more train together."""

    workers: int = Field(default=0, ge=0, le=1024)
    threads: Positive = 2
    device: Literal["cpu", "gpu"] = "cpu"
    timeout_s: Positive = 600
    checkpoint_every: Positive = 500


class SampleRuntime(Part):
    """Who samples."""

    actors: Positive = 2
    shard_rows: Positive = 2000
    timeout_s: Positive = 600


class JudgeRuntime(Part):
    """Who judges: `tasks` at a time, of `threads` each."""

    tasks: Positive = 2
    threads: Positive = 1


class Runtime(Part):
    """Where the work is done and with how much."""

    name: Name
    about: str = ""
    tables: str | None = None
    files: str | None = None
    spark: SparkRuntime = SparkRuntime()
    ray: RayRuntime = RayRuntime()
    train: TrainRuntime = TrainRuntime()
    sample: SampleRuntime = SampleRuntime()
    judge: JudgeRuntime = JudgeRuntime()
