"""The command `seedbed`.

What it needs is imported inside the commands, so that `seedbed --help` answers at once. A person's mistake is answered
in one sentence and with exit code 2, before any engine starts; what fails ends with 1, a stop on request with 130.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from conf.errors import RecipeError, StageError
from conf.threads import spin_briefly
from jobs.foreground import (
    FAILED,
    MISTAKE,
    STOPPED,
    Stopped,
    crash_log,
    in_a_sentence,
    left_once_stopped,
    say,
    stop_although_swallowed,
    stop_on_sigterm,
    work_before_person,
)

if TYPE_CHECKING:
    from conf import Config
    from jobs.terminal import Screen

DAILY, STAGES = "Commands", "One stage at a time"

# Stage commands and their help; tests hold this against conf.stages.
STAGE_HELP = {
    "ingest": "Read the sources into the table raw, in step with what lies there.",
    "clean": "Refuse bad rows, merge copies, give every row its split.",
    "label": "Give unlabelled rows a label where judges are sure enough.",
    "normalize": "Measure the train rows' statistics.",
    "choose": "Choose the augmentation steps by cross-validation on the train rows.",
    "augment": "Make the train rows' augmented children.",
    "train": "Train the recipe's generators.",
    "sample": "Sample new rows from the trained generators.",
    "score": "Judge augmented and generated rows.",
    "gate": "Accept or refuse augmented and generated rows by their verdicts.",
    "merge": "Bring the table dataset in step, in one commit.",
    "evaluate": "Measure on real test rows what the added rows are worth.",
    "report": "Write report.html and metrics.json of the newest results.",
}


class _Commands(TyperGroup):
    """Commands whose errors are answered in a sentence and an exit code."""

    def invoke(self, context: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except (RecipeError, StageError) as error:
            say(str(error))
            raise typer.Exit(MISTAKE if isinstance(error, RecipeError) else FAILED) from error
        except (KeyboardInterrupt, Stopped) as stop:
            say("Stopped, as asked.")
            raise typer.Exit(STOPPED) from stop
        except Exception as error:
            if type(error).__module__.partition(".")[0] in ("typer", "click"):  # exits, and errors of usage
                raise
            say(f"Failed: {in_a_sentence(error)}\nThe log: {crash_log(error)}")
            raise typer.Exit(FAILED) from error


app = typer.Typer(
    cls=_Commands,
    help="Grow a small real dataset into a large, clean, labelled, measured one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Start with [bold]seedbed run digits[/bold], or [bold]seedbed new NAME --from PATH[/bold] for your own.",
)

Recipe = Annotated[str, typer.Argument(help="A shipped recipe's name or a YAML file of yours.", show_default=False)]
RecipeFlag = Annotated[str, typer.Option("--recipe", help="A shipped recipe's name or a YAML file of yours.")]
Root = Annotated[
    str | None,
    typer.Option("--root", help="Where tables and files lie; ./seedbed-data where not said.", envvar="SEEDBED_ROOT"),
]
Runtime = Annotated[str, typer.Option("--runtime", help="Where to run: a shipped runtime's name or a YAML file.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=C", help="Lay a value over the recipe; may be repeated.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done and why; do nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Do it again though it is done.")]


def main() -> None:
    """Run the command; the entry point."""
    spin_briefly()
    stop_on_sigterm()
    stop_although_swallowed()
    left_once_stopped(lambda: app(prog_name="seedbed"))


def _config(recipe: str, runtime: str, sets: list[str] | None, root: str | None) -> Config:
    import conf

    return conf.load(recipe, runtime, sets or (), root)


@app.command(rich_help_panel=DAILY)
def run(
    recipe: Recipe,
    root: Root = None,
    runtime: Runtime = "local",
    sets: Set = None,
    dry_run: DryRun = False,
    force: Force = False,
) -> None:
    """Grow RECIPE's dataset: every stage that is not done yet, then the report."""
    config = _config(recipe, runtime, sets, root)
    if dry_run:
        _show_plan(config, force)
        return

    def work(tell: Callable[[Any], None]) -> None:
        from jobs import pipeline

        pipeline.run(config, force, tell)

    work_before_person(config, f"seedbed run {recipe}", work, _show_end)


def _stage_command(name: str) -> Callable[..., None]:
    """The command of one stage."""

    def command(
        recipe: Recipe,
        root: Root = None,
        runtime: Runtime = "local",
        sets: Set = None,
        dry_run: DryRun = False,
        force: Force = False,
    ) -> None:
        config = _config(recipe, runtime, sets, root)
        if dry_run:
            _show_plan(config, force, name)
            return
        _ready(config, name)

        def work(tell: Callable[[Any], None]) -> None:
            from jobs import pipeline

            pipeline.run_one(config, name, force, tell)

        work_before_person(config, f"seedbed {name} {recipe}", work)

    return command


for _name, _help in STAGE_HELP.items():
    app.command(_name, help=_help, rich_help_panel=STAGES)(_stage_command(_name))


@app.command(rich_help_panel=DAILY)
def new(
    name: Annotated[str, typer.Argument(help="What the dataset is to be called.", show_default=False)],
    source: Annotated[
        Path,
        typer.Option(
            "--from",
            help="A table, texts, recordings (CSV, JSON lines, Parquet, ORC, Delta; file, folder, pattern); images: a"
            " folder with one folder a class or a CSV manifest, or an NPZ; or images and a file of captions.",
            show_default=False,
        ),
    ],
    label: Annotated[str | None, typer.Option("--label", help="The column of labels, where it cannot be told.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the recipe; write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over ./NAME.yaml where it is there.")] = False,
) -> None:
    """Look at your own table, texts, recordings or images and write a commented recipe for them, ./NAME.yaml."""
    import conf
    from jobs.new import check_name
    from jobs.terminal import screen
    from jobs.written import written

    check_name(name)
    file = Path(f"{name}.yaml")
    text, told = written(name, source, label, file)
    if dry_run:
        screen().result.print(text, markup=False)
        return
    if file.exists() and not force:
        raise RecipeError(f"./{file} is there already: --force writes over it.")
    file.write_text(text, "utf-8")
    conf.load(f"./{file}")
    screen().result.print(f"./{file}: {told}. Next: seedbed run ./{file}", markup=False)


@app.command(rich_help_panel=DAILY)
def profile(
    source: Annotated[
        Path, typer.Option("--from", help="A table: CSV, JSON lines, Parquet, ORC or Delta; a file, folder or pattern.")
    ],
    label: Annotated[str | None, typer.Option("--label", help="The column of labels, where it cannot be told.")] = None,
    to: Annotated[Path, typer.Option("--to", help="The HTML page that is written.")] = Path("profile.html"),
) -> None:
    """Look at your own table: types, missing tokens, ranges, categories, ids, dates, copies; as a table and a page."""
    from jobs.tabular import profile_page
    from jobs.tabular.look import is_table
    from jobs.tabular.profiling import profile_of
    from jobs.terminal import screen

    if not is_table(source):
        raise RecipeError(f"--from {source}: is no table; `seedbed new` looks at images.")
    found = profile_of(source, label)
    to.write_text(profile_page.page(found), "utf-8")
    for part in profile_page.shown(found):
        screen().result.print(part)
    screen().result.print(f"{to}", markup=False)


@app.command(name="list", rich_help_panel=DAILY)
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            help="recipes, steps, generators, readers, runtimes or stages; all where left out.", show_default=False
        ),
    ] = "",
    word: Annotated[
        str,
        typer.Argument(
            help="Only what has this in its name; one step alone is shown with its options.", show_default=False
        ),
    ] = "",
) -> None:
    """What there is to use, one line each."""
    from jobs import listing
    from jobs.terminal import screen

    if kind and kind not in listing.KINDS:
        raise RecipeError(f"seedbed list {kind}: there are {', '.join(listing.KINDS)}.")
    out = screen().result
    for name in [kind] if kind else listing.KINDS:
        lines = [line for line in listing.KINDS[name]() if word in line[0]]
        if kind and word and not lines:
            raise RecipeError(f"seedbed list {kind} {word}: none of the {kind} has {word!r} in its name.")
        if not kind:
            out.print(f"\n{name}", style="bold")
        if name == "steps" and word and len(lines) == 1:
            out.print("\n".join(listing.step_in_full(lines[0][0])), markup=False)
            continue
        width = max((len(line[0]) for line in lines), default=0)
        for title, about in lines:
            out.print(f"{title:<{width}}  {about}", markup=False, soft_wrap=not out.is_terminal)


@app.command(rich_help_panel=DAILY)
def show(recipe: Recipe, root: Root = None, runtime: Runtime = "local", sets: Set = None) -> None:
    """What RECIPE's tables hold: rows by origin, split and label, refused rows, last runs."""
    from jobs.show import everything
    from jobs.terminal import screen

    for part in everything(_config(recipe, runtime, sets, root)):
        screen().result.print(part)


@app.command(rich_help_panel=DAILY)
def explain(
    row_id: Annotated[str, typer.Argument(help="A row's id, or its first digits.", show_default=False)],
    recipe: RecipeFlag,
    root: Root = None,
    runtime: Runtime = "local",
    sets: Set = None,
) -> None:
    """What made a row, from what, with which drawn parameters; makes it again and compares the bytes."""
    from jobs.explain import explain as explained
    from jobs.terminal import screen

    config = _config(recipe, runtime, sets, root)
    found, out = explained(config, row_id), screen().result
    row = found.row
    confidence = (
        f", confidence {row['row_label_confidence']:.3f}" if row.get("row_label_confidence") is not None else ""
    )
    out.print(f"{row['row_id']}  {row['row_origin']}, in {found.table}", markup=False, style="bold")
    label = row.get(config.recipe.label_column)
    out.print(
        f"split {row['row_split'] or 'none'}; label {label} ({row['row_label_source']}{confidence})",
        markup=False,
    )
    for line in found.lines:
        out.print(line, markup=False)
    out.print(found.again, markup=False, style="yellow" if found.same is None else "green" if found.same else "red")
    if found.same is False:
        raise typer.Exit(FAILED)


@app.command(rich_help_panel=DAILY)
def export(
    recipe: Recipe,
    to: Annotated[Path, typer.Option("--to", help="A new folder.", show_default=False)],
    kind: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Images: folder (one a class), parquet, webdataset, csv. Tables: csv, parquet.",
            show_default="the first",
        ),
    ] = None,
    split: Annotated[list[str] | None, typer.Option("--split", help="Only this split; may be repeated.")] = None,
    root: Root = None,
    runtime: Runtime = "local",
    sets: Set = None,
) -> None:
    """Write RECIPE's dataset in a form that training code reads."""
    from jobs.display import shown
    from jobs.export import export as exported
    from jobs.terminal import screen

    config = _config(recipe, runtime, sets, root)
    with shown(screen().aside):
        written = exported(config, kind, to, split or [])
    told = ", ".join(f"{count:,} {name}" for name, count in sorted(written.items())) or "no rows"
    screen().result.print(f"{to}: {told}", markup=False)


@app.command(rich_help_panel=DAILY)
def doctor(
    recipe: Annotated[str, typer.Argument(help="Look at this recipe's tables too.")] = "digits",
    root: Root = None,
    runtime: Runtime = "local",
) -> None:
    """Check Java, jars, versions, memory, Ray, paths and tables; say what mends what is not right."""
    from jobs.doctor import BAD, findings
    from jobs.terminal import screen

    out, bad = screen().result, False
    for each in findings(_config(recipe, runtime, None, root)):
        mark, style = {"good": ("✓", "green"), "warn": ("!", "yellow")}.get(each.state, ("✗", "red"))
        out.print(f"{mark} {each.what}: {each.found}", style=None if each.state == "good" else style, markup=False)
        if each.mend:
            out.print(f"    {each.mend}", markup=False)
        bad = bad or each.state == BAD
    if bad:
        raise typer.Exit(FAILED)


def _ready(config: Config, name: str) -> None:
    """Say which stage must run first, before an engine starts for this one."""
    from conf import runs
    from conf.stages import stage

    parts = [g.name for g in config.recipe.generate] if stage(name).per_generator else [""]
    for part in parts:
        runs.locate(config, name, part)


def _show_plan(config: Config, force: bool, only: str = "") -> None:
    """Print what would be done."""
    from jobs import pipeline, show
    from jobs.terminal import screen

    planned = [each for each in pipeline.plan(config, force) if not only or each.key.partition(".")[0] == only]
    screen().result.print(show.plan_table(planned))


def _show_end(config: Config, screen: Screen) -> None:
    """The headline and where the report lies."""
    from conf import runs
    from jobs import show

    done = runs.done(config, "report")
    if done is not None:
        show.publish_report(config, done.folder)
    for line in show.ending(config):
        screen.result.print(line, markup=False)


if __name__ == "__main__":
    main()
