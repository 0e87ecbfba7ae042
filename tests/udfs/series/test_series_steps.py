"""The contract that every step and rule of series keeps, found by walking the names; and what each does."""

from __future__ import annotations

import inspect
import pkgutil
from typing import Any, get_type_hints

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from tests.udfs.table.made import ids as ids_of
from udfs import names, series
from udfs.rng import RowRandom
from udfs.series import values
from udfs.series.curves import curve_through, filled, read_at
from udfs.series.draws import normals
from udfs.series.dtw import aligned
from udfs.series.seasons import decompose, smooth, smoother
from udfs.series.values import Series

KINDS = {name: names.kind_of(getattr(series, name)) for name in series.__all__}
STEPS = [name for name, kind in KINDS.items() if kind != "reject"]
RULES = [name for name, kind in KINDS.items() if kind == "reject"]
MIXING = [name for name, kind in KINDS.items() if kind == "mixing"]
SHAPES = [(24, 7), (24, 1), (1, 1), (1, 3), (2, 1), (2, 4), (31, 3)]
SEASONAL = {"residual_bootstrap", "season_scaling", "trend_scaling"}
IDS = ids_of(60).to_pylist()


def series_of(shape: tuple[int, int], count: int = 60, holes: bool = True) -> Series:
    """Random walks of different units; some with runs of missing values, with channels or all missing, or constant."""
    random = np.random.default_rng(4)
    out = random.normal(size=(count, *shape)).cumsum(axis=1) * 10.0 ** random.integers(-3, 4, (1, 1, shape[1]))
    out[5, :, 0] = 0.1
    out[6] = 7.3
    if holes:
        out[1, : shape[0] // 2] = np.nan
        out[2, shape[0] // 3 : 2 * shape[0] // 3 + 1, 0] = np.nan
        out[3, :, -1] = np.nan
        out[4] = np.nan
        out[10:20][random.random((10, *shape)) < 0.3] = np.nan
    return out


def run(name: str, windows: Series, ids: list[str], others: Series | None = None, **options: Any) -> Series:
    """One step by its name; partners are the windows in another order."""
    function, random = getattr(series, name), RowRandom(ids, 5, name, 2)
    if name in SEASONAL:
        options = {"period": 5, **options}
    if name in MIXING:
        return function(random, windows, windows[::-1] if others is None else others, **options)[0]
    return function(random, windows, **options)


def test_names_are_steps_and_rules() -> None:
    """Every name has the shape of one."""
    modules = {each.name for each in pkgutil.iter_modules(series.__path__)}
    assert not modules & set(series.__all__), "a module of a step's name would take its place"
    assert None not in KINDS.values() and set(KINDS.values()) == {"random", "mixing", "reject"}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_keeps_the_contract(name: str, shape: tuple[int, int]) -> None:
    """Shape and type; input unchanged; the same bytes again and in any slice and order; no rows give none."""
    windows = series_of(shape)
    before, others = windows.copy(), windows[::-1].copy()
    windows.setflags(write=False)
    made = run(name, windows, IDS, others)
    assert made.shape == windows.shape and made.dtype == np.float64 and made.flags.c_contiguous
    assert windows.tobytes() == before.tobytes(), "the input was changed"
    assert run(name, windows, IDS, others).tobytes() == made.tobytes(), "not the same a second time"
    order = np.random.default_rng(1).permutation(60)
    some = run(name, windows[order], [IDS[row] for row in order], others[order])
    assert some.tobytes() == made[order].tobytes(), "depends on the order"
    for rows in (slice(0, 1), slice(2, 3), slice(7, 12), slice(1, 60, 7)):
        some = run(name, windows[rows], IDS[rows], others[rows])
        assert some.tobytes() == made[rows].tobytes(), "depends on the batch"
    assert run(name, windows[:0], [], others[:0]).shape == (0, *shape)


@pytest.mark.parametrize("name", STEPS)
def test_the_layout_in_memory_and_the_blocks_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays of another stride, and blocks of few windows, give the same bytes."""
    windows = series_of((24, 7))
    made = run(name, windows, IDS)
    assert run(name, np.asfortranarray(windows), IDS).tobytes() == made.tobytes()
    assert run(name, np.repeat(windows, 2, axis=2)[:, :, ::2], IDS).tobytes() == made.tobytes()
    monkeypatch.setattr(values, "BLOCK_VALUES", 500)
    assert run(name, windows, IDS).tobytes() == made.tobytes()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", STEPS)
def test_finite_windows_stay_finite_and_missing_values_stay_in_their_windows(name: str, shape: tuple[int, int]) -> None:
    """A window without gaps gets none, whatever its neighbours lack; a missing channel stays missing."""
    whole, windows = series_of(shape, holes=False), series_of(shape)
    assert np.isfinite(run(name, whole, IDS)).all()
    made, others = run(name, windows, IDS, whole[::-1]), run(name, whole, IDS, whole[::-1])
    full = ~np.isnan(windows).any(axis=(1, 2))
    assert made[full].tobytes() == others[full].tobytes()
    assert np.isnan(made[4]).all()
    assert not np.isinf(made).any()


@pytest.mark.parametrize("name", [n for n in STEPS if n not in ("channel_permutation", "sensor_rotation")])
def test_what_is_missing_stays_missing(name: str) -> None:
    """In place, but for the steps that move time; those keep about as much of it."""
    windows = series_of((24, 7))
    was, now = np.isnan(windows), np.isnan(run(name, windows, IDS, p=1.0))
    if name in ("time_warp", "window_slice", "window_warp", "segment_permutation"):
        assert now[10:20].mean() == pytest.approx(was[10:20].mean(), abs=0.06)
    else:
        assert (was == now).all()


@pytest.mark.parametrize("name", STEPS)
def test_constant_windows_stay_constant(name: str) -> None:
    """A window of one value is that value after steps that add, warp or mix alike; nothing is made of rounding."""
    windows = np.full((60, 24, 3), 0.1)
    made = run(name, windows, IDS, windows, p=1.0)
    if name in ("channel_scaling", "magnitude_warp", "channel_flip", "sensor_rotation"):
        return
    np.testing.assert_allclose(made, windows, rtol=1e-12)


@pytest.mark.parametrize("name", STEPS)
def test_at_p_0_nothing_changes_and_at_p_1_all_do(name: str) -> None:
    """Not a value; and in windows of random walks nearly every one."""
    windows = series_of((24, 7), holes=False)
    assert run(name, windows, IDS, p=0.0).tobytes() == windows.tobytes()
    changed = (run(name, windows, IDS, p=1.0) != windows).any(axis=(1, 2))
    assert np.delete(changed, [6, 53]).mean() > 0.8  # the constant one, and the one that has it for a partner


@pytest.mark.parametrize("name", STEPS)
def test_rows_and_seeds_draw_apart(name: str) -> None:
    """Equal windows under different ids come out different, and under another seed."""
    windows = np.repeat(series_of((24, 7), holes=False)[:1], 60, axis=0)
    others = np.repeat(series_of((24, 7), holes=False)[1:2], 60, axis=0)
    assert len(np.unique(run(name, windows, IDS, others, p=1.0).reshape(60, -1), axis=0)) > 20
    options = {"period": 5} if name in SEASONAL else {}
    args = (windows, others) if name in MIXING else (windows,)
    again = getattr(series, name)(RowRandom(IDS, 6, name, 2), *args, p=1.0, **options)
    assert (run(name, windows, IDS, others, p=1.0) != (again[0] if name in MIXING else again)).any()


@pytest.mark.parametrize("name", MIXING)
def test_a_mixing_step_draws_first_whether_it_fires_and_tells_its_share(name: str) -> None:
    """Those who choose partners rely on it; a partner that lacks all is not taken."""
    windows = series_of((24, 7))
    made, share = getattr(series, name)(RowRandom(IDS, 5, name, 2), windows, windows[::-1], p=0.4)
    fires = RowRandom(IDS, 5, name, 2).bernoulli(0.4)
    assert ((share > 0) == fires).all() and (share <= 1).all()
    assert made[~fires].tobytes() == windows[~fires].tobytes()
    assert run(name, windows, IDS, np.full_like(windows, np.nan), p=1.0).tobytes() == windows.tobytes()


@pytest.mark.parametrize("name", series.__all__)
def test_options_have_defaults_within_their_bounds(name: str) -> None:
    """A step can be written without options, and each option can be checked."""
    function = getattr(series, name)
    hints = get_type_hints(function, include_extras=True)
    assert len(inspect.getdoc(function) or "") > 20
    for option in inspect.signature(function).parameters.values():
        if option.kind is option.KEYWORD_ONLY:
            assert names.check_option(option.name, hints[option.name], option.default) == option.default


def test_normals_are_normal() -> None:
    """Moments of four orders, and no two values of a row alike."""
    drawn = normals(RowRandom(IDS, 1, "x"), (5000,))
    assert drawn.mean() == pytest.approx(0, abs=0.01) and drawn.std() == pytest.approx(1, abs=0.01)
    assert (drawn**4).mean() == pytest.approx(3, abs=0.1)
    assert abs(np.corrcoef(drawn[:, :-1].ravel(), drawn[:, 1:].ravel())[0, 1]) < 0.01


def test_curves_are_scipys_splines() -> None:
    """Natural cubic splines through even knots."""
    knots = np.random.default_rng(0).normal(size=(9, 5, 2))
    spline = CubicSpline(np.linspace(0, 23, 5), knots, axis=1, bc_type="natural")
    np.testing.assert_allclose(curve_through(knots, 24), spline(np.arange(24)), atol=1e-12)


def test_windows_are_read_as_numpy_interpolates() -> None:
    """On straight lines; between a value and a gap lies the nearer."""
    windows, random = series_of((24, 7), holes=False), np.random.default_rng(2)
    positions = np.sort(random.uniform(0, 23, (60, 24)), axis=1)
    wanted = [
        [np.interp(at, np.arange(24), x[:, c]) for c in range(7)] for at, x in zip(positions, windows, strict=True)
    ]
    np.testing.assert_allclose(read_at(windows, positions), np.swapaxes(wanted, 1, 2), rtol=1e-9, atol=1e-12)
    gap = np.array([1.0, np.nan, 3.0])[None, :, None]
    read = read_at(gap, np.array([[0, 0.4, 0.6, 1.4, 1.6, 2]]))[0, :, 0]
    np.testing.assert_array_equal(read, [1, 1, np.nan, np.nan, 3, 3])


def test_gaps_are_bridged_as_numpy_interpolates() -> None:
    """Straight lines inside, held at the ends, 0 where nothing is known."""
    windows = series_of((24, 7))
    made = filled(windows)
    for row in range(20):
        for channel in range(7):
            line = windows[row, :, channel]
            known = np.flatnonzero(~np.isnan(line))
            wanted = np.interp(np.arange(24), known, line[known]) if len(known) else np.zeros(24)
            np.testing.assert_allclose(made[row, :, channel], wanted, rtol=1e-12)


def test_jitter_and_drift_go_by_the_channels_deviation() -> None:
    """Whatever the unit; drift begins at 0 and keeps within its bound at the knots."""
    windows = series_of((200, 3), holes=False)[7:]
    made = (run("jitter", windows, IDS[7:], std=0.1) - windows) / windows.std(axis=1, keepdims=True)
    np.testing.assert_allclose(made.std(axis=(0, 1)), 0.1, rtol=0.05)
    drifted = (run("drift", windows, IDS[7:], max_drift=0.5) - windows) / windows.std(axis=1, keepdims=True)
    assert np.abs(drifted[:, 0]).max() < 1e-9 and 0.2 < np.abs(drifted).max() < 0.8
    assert np.abs(np.diff(drifted, axis=1)).max() < 0.05


def test_dropout_loses_its_share_in_runs() -> None:
    """About the share asked for; runs hold the value before; zeros and gaps where asked for."""
    windows = np.random.default_rng(0).normal(size=(60, 400, 2))
    for share, longest in ((0.1, 4), (0.3, 10), (0.05, 1)):
        lost = np.isnan(run("dropout", windows, IDS, share=share, max_run_steps=longest, fill="missing"))
        assert lost.mean() == pytest.approx(share, rel=0.1)
    held = run("dropout", windows, IDS, share=0.1)
    gone = held != windows
    assert gone.mean() == pytest.approx(0.1, abs=0.02)
    assert (held[:, 1:][gone[:, 1:]] == held[:, :-1][gone[:, 1:]]).all()
    zeroed = run("dropout", windows, IDS, share=0.1, fill="zero")
    assert (zeroed[gone] == 0).all()
    assert (run("dropout", windows, IDS, share=1.0, fill="zero") == 0).all()


def test_channels_are_turned_moved_and_rotated_as_wholes() -> None:
    """Signs by channel; an order of channels; lengths of x, y, z kept and the seventh channel left alone."""
    windows = series_of((24, 7), holes=False)
    factor = run("channel_flip", windows, IDS, p=1.0) / windows
    assert (np.abs(factor) == 1).all() and (factor == factor[:, :1]).all() and 0.4 < (factor < 0).mean() < 0.6
    about = run("channel_flip", windows, IDS, p=1.0, about="mean")
    np.testing.assert_allclose(about.mean(axis=1), windows.mean(axis=1), rtol=1e-6, atol=1e-9)
    moved = run("channel_permutation", windows, IDS, p=1.0)
    assert (np.sort(moved.sum(axis=1), axis=1) == np.sort(windows.sum(axis=1), axis=1)).all()
    turned = run("sensor_rotation", windows, IDS)
    for at in (0, 3):
        norms = [np.linalg.norm(each[:, :, at : at + 3], axis=2) for each in (turned, windows)]
        np.testing.assert_allclose(norms[0], norms[1], rtol=1e-9)
        assert not np.allclose(turned[:, :, at : at + 3], windows[:, :, at : at + 3])
    assert (turned[:, :, 6] == windows[:, :, 6]).all()


def test_time_moves_on_and_never_back() -> None:
    """A rising line stays one, within its ends; a segment is moved as a whole."""
    line = np.tile(np.arange(50.0)[None, :, None], (60, 1, 2))
    for name in ("time_warp", "window_slice", "window_warp"):
        made = run(name, line, IDS)
        assert (np.diff(made, axis=1) >= -1e-9).all() and made.min() >= 0 and made.max() <= 49
        assert (made[:, :, 0] == made[:, :, 1]).all()
        assert name == "window_slice" or (made[:, [0, -1]] == line[:, [0, -1]]).all()
    sliced = run("window_slice", line, IDS, share=(0.5, 0.5))
    np.testing.assert_allclose(sliced[:, -1] - sliced[:, 0], 24.5)
    moved = run("segment_permutation", line, IDS, segments=4)[:, :, 0]
    assert (np.sort(moved, axis=1) == line[:, :, 0]).all()
    assert ((np.diff(moved, axis=1) != 1).sum(axis=1) <= 3).all()


def test_a_band_is_gone_and_phases_are_moved() -> None:
    """Of the spectrum, one band of allowed width is 0 and the rest as before; phases move and amplitudes do not."""
    windows = series_of((32, 2), holes=False)[7:]
    before, after = (
        np.fft.rfft(x, axis=1) for x in (windows, run("frequency_masking", windows, IDS[7:], max_share=0.25))
    )
    gone = np.abs(after[:, :, 0]) < 1e-9 * np.abs(before[:, :, 0])
    assert set(gone.sum(axis=1)) <= {1, 2, 3, 4} and not gone[:, 0].any() and len(set(gone.argmax(axis=1))) > 5
    np.testing.assert_allclose(after[~gone], before[~gone], rtol=1e-6, atol=1e-9)
    moved = np.fft.rfft(run("phase_noise", windows, IDS[7:], std_radians=0.5), axis=1)
    np.testing.assert_allclose(np.abs(moved), np.abs(before), rtol=1e-6, atol=1e-8)
    angles = np.angle(moved / before)[:, 1:-1, 0]
    assert angles.std() == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("trend", ["moving_average", "loess"])
def test_a_window_comes_apart_into_trend_and_season(trend: Any) -> None:
    """A line and a wave are found as such, and the three parts add up; two periods must be there for a season."""
    times = np.arange(72.0)
    line, wave = 0.3 * times, 5 * np.sin(2 * np.pi * times / 12)
    found = decompose(np.tile((line + wave)[None, :, None], (2, 1, 2)), 12, trend)
    np.testing.assert_allclose(sum(found), np.tile((line + wave)[None, :, None], (2, 1, 2)), atol=1e-9)
    np.testing.assert_allclose(found[1][0, :, 0], wave, atol=0.6)
    np.testing.assert_allclose(found[1][0, :12].sum(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(found[0][0, 12:-12, 0], line[12:-12], atol=0.6)
    assert (decompose(np.ones((1, 20, 1)) * times[:20, None], 12, trend)[1] == 0).all()


def test_the_classical_trend_is_that_of_pandas() -> None:
    """Inside, the first turn is the centred moving average over a period."""
    import pandas as pd

    windows = series_of((40, 3), holes=False)
    for period in (5, 6):
        averages = pd.DataFrame(windows[9]).rolling(period, center=True).mean()
        if period % 2 == 0:
            averages = (averages + averages.shift(-1)) / 2
        inside = averages.notna().all(axis=1).to_numpy()
        found = smooth(np.ascontiguousarray(windows.swapaxes(0, 1)), smoother(40, period, "moving_average"))[:, 9]
        np.testing.assert_allclose(found[inside], averages[inside], rtol=1e-9)


def test_each_part_is_changed_alone() -> None:
    """The bootstrap takes blocks of what is left; the other two go along the trend and the season."""
    windows = series_of((24, 7), holes=False)
    trend, season, left = decompose(windows, 6)
    made = series.residual_bootstrap(RowRandom(IDS, 1, "x"), windows, period=6, block_steps=4) - trend - season
    for row in (8, 30):
        for at in range(0, 24, 4):
            apart = [np.abs(made[row, at : at + 4] - left[row, k : k + 4]).max(axis=0) for k in range(21)]
            assert (np.min(apart, axis=0) < 1e-9 * np.abs(windows[row]).max(axis=0) + 1e-12).all()
    moved = series.season_scaling(RowRandom(IDS, 1, "x"), windows, period=6, factor=(2.0, 2.0)) - windows
    np.testing.assert_allclose(moved, season, rtol=1e-6, atol=1e-9)
    moved = series.trend_scaling(RowRandom(IDS, 1, "x"), windows, period=6, factor=(2.0, 2.0)) - windows
    np.testing.assert_allclose(moved, trend - trend.mean(axis=1, keepdims=True), rtol=1e-6, atol=1e-8)


def test_mixed_windows_lie_between_and_cuts_are_one_run() -> None:
    """The share told is the share taken."""
    windows = series_of((24, 7), holes=False)
    others = windows[::-1] + 1.0
    made, share = series.interpolate(RowRandom(IDS, 1, "x"), windows, others, p=1.0)
    np.testing.assert_allclose(made, windows + share[:, None, None] * (others - windows), rtol=1e-9)
    made, share = series.cut_mix(RowRandom(IDS, 1, "x"), windows, others, p=1.0)
    taken = (made == others).all(axis=2)
    assert ((made == windows).all(axis=2) | taken).all()
    np.testing.assert_allclose(taken.mean(axis=1), share)
    assert (series.cut_mix(RowRandom(IDS, 1, "x"), windows, others, share=(0.01, 0.01), p=1.0)[1] == 1 / 24).all()
    assert (np.abs(np.diff(np.pad(taken, ((0, 0), (1, 1))).astype(int), axis=1)).sum(axis=1) == 2).all()


def plain_dtw(own: Any, other: Any, reach: int) -> Any:
    """The textbook's loops over one pair: the partner's mean at each step."""
    steps = len(own)
    scale = np.where(own.std(axis=0) > 0, own.std(axis=0), 1)
    least = np.full((steps + 1, steps + 1), np.inf)
    least[0, 0] = 0
    for i in range(steps):
        for j in range(max(0, i - reach), min(steps, i + reach + 1)):
            cost = (((own[i] - other[j]) / scale) ** 2).sum()
            least[i + 1, j + 1] = cost + min(least[i, j], least[i, j + 1], least[i + 1, j])
    met: list[list[Any]] = [[] for _ in range(steps)]
    i = j = steps - 1
    while True:
        met[i].append(other[j])
        if i == j == 0:
            return np.array([np.mean(each, axis=0) for each in met])
        best = int(np.argmin([least[i, j], least[i, j + 1], least[i + 1, j]]))
        i, j = i - (best != 2), j - (best != 1)


@pytest.mark.parametrize(("shape", "reach"), [((24, 2), 3), ((31, 1), 8), ((2, 3), 1), ((1, 1), 0), ((9, 2), 8)])
def test_partners_are_aligned_as_the_textbook_does(shape: tuple[int, int], reach: int) -> None:
    """Every window against loops in Python; where paths cost the same too."""
    random = np.random.default_rng(5)
    for own, other in (
        random.normal(size=(2, 20, *shape)).cumsum(axis=2),
        random.integers(0, 2, (2, 20, *shape)) * 1.0,
    ):
        found = aligned(own, other, reach)
        for row in range(20):
            np.testing.assert_allclose(found[row], plain_dtw(own[row], other[row], reach), rtol=1e-9, atol=1e-12)


def test_a_shifted_peak_meets_the_peak() -> None:
    """Where the mean of two windows would have two peaks, the aligned mean has one as high as both."""
    own = np.zeros((1, 30, 1))
    other = own.copy()
    own[0, 14], other[0, 16] = 1.0, 1.0
    made, _ = series.dtw_mix(RowRandom(IDS[:1], 1, "x"), own, other, share=(0.5, 0.5))
    assert made[0, 14, 0] == 1.0 and (np.delete(made[0, :, 0], 14) == 0).all()


def test_rules_tell_what_is_wrong() -> None:
    """Each in the window that has it, and in no other."""
    windows = np.random.default_rng(0).normal(size=(6, 24, 2))
    windows[0] = 5.0
    windows[1, 3:12, 1] = np.nan
    windows[2, 4] = np.inf
    windows[3, 5:] = np.nan
    windows[4, 10, 0] += 300
    windows[5, :, 0] = 1.0
    windows[5, :4, 0], windows[5, 20:, 1] = np.nan, np.nan

    def told(rule: str, **options: Any) -> list[int]:
        reasons = getattr(series, rule)(windows, **options)
        assert {each for each in reasons if each} <= {rule.removeprefix("reject_")}
        return [row for row, reason in enumerate(reasons) if reason]

    assert told("reject_constant") == [0] and told("reject_constant", channels="any") == [0, 5]
    assert told("reject_gaps") == [1, 3] and told("reject_gaps", max_share=0.5) == [3]
    assert told("reject_not_finite") == [2]
    assert told("reject_too_short") == [3] and told("reject_too_short", min_steps=5) == []
    assert told("reject_too_short", min_steps=24) == [3] and told("reject_gaps", max_share=9 / 24) == [3]
    assert told("reject_spikes") == [2, 4] and told("reject_spikes", max_share=0.1) == []


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", RULES)
def test_a_rule_judges_each_window_by_itself(name: str, shape: tuple[int, int]) -> None:
    """One by one as all at once; input unchanged; none for none."""
    windows = series_of(shape)
    before = windows.copy()
    rule = getattr(series, name)
    reasons = rule(windows)
    assert len(reasons) == 60 and windows.tobytes() == before.tobytes()
    assert [rule(windows[row : row + 1])[0] for row in range(60)] == reasons
    assert rule(windows[:0]) == []
