"""Clips: folders of what ran at once, each a film (`frames/*.png` and their times), sounds (WAV) or series (CSV with a
column `time`), cut into windows on one clock.

A row is a window: frames of it side by side as the image, and one window of every channel of `series`. The channel
`sound` is how loud `sound.wav` is, `wind_speed` the column `speed` of `wind.csv`. What follows the film (or the first
channel's stream) is cut a shift later, and the shift is the label: in step where it is 0. All windows of a clip are one
group. Times of frames stand in `times.csv` (file, time in seconds), or their names end in milliseconds.
"""

from __future__ import annotations

import csv
import io
import re
import wave
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.readers import store
from jobs.readers.image_folder import SUFFIXES, listed
from jobs.readers.record import Piece, Reading, Record, fingerprint, refused
from jobs.tabular.cells import Cells
from udfs.fusion.streams import Stream, envelope, microseconds, nearest_frames, on_clock, starts, strip
from udfs.image import decode, encode
from udfs.series.windows import written

FRAMES, TIMES, TIME = "frames", "times.csv", "time"
SOUND = ".wav"
UNREADABLE, MISSING, SHORT = "stream_unreadable", "stream_missing", "clip_too_short"
_NAMED_TIME = re.compile(r"(\d+)$")
_WIDTHS = {1: np.uint8, 2: np.int16, 4: np.int32}
MOST_WINDOWS = 1_000_000  # of one clip
Clip = dict[str, bytes]  # name within the clip's folder -> content


class _Unread(ValueError):
    """A clip that gives no rows: reason and detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def pieces(task: Reading) -> Iterator[Piece]:
    """One clip each. Raises RecipeError for a folder without any."""
    root = task.need("path")
    clips: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for entry in listed(task, root):
        head, slash, _ = entry.name.partition("/")
        if slash or entry.reason is not None:  # what may not be read refuses its clip
            clips[head].append((entry.name, entry.size))
    if not clips:
        raise task.error(f"{root} holds no clips: it needs a folder for each, with frames/, .wav or .csv files in it.")
    for name, files in sorted(clips.items()):
        yield {"clip": name, "names": [each for each, _ in files], "bytes": sum(size for _, size in files)}


def read(task: Reading, piece: Piece) -> Iterator[Cells | list[Record]]:
    """The windows of one clip, or why there are none."""
    root, name = task.need("path").rstrip("/"), piece["clip"]
    where, mark = f"{root}/{name}", fingerprint(b"clip", name.encode())
    clip: Clip = {}
    for found in store.contents(root, piece["names"]):
        if found.data is None:
            yield [refused(where, UNREADABLE, f"{found.name}: {found.detail}", mark)]
            return
        clip[found.name.partition("/")[2]] = found.data
    try:
        rows = list(_windows(task, clip, name))
    except _Unread as error:
        yield [refused(where, error.reason, error.detail, mark)]
        return
    if not rows:
        yield [refused(where, SHORT, f"not one window of {task.streams['window_s']:g} s has all of its streams", mark)]
        return
    columns = {
        "label": pa.array([row["label"] for row in rows], pa.string()),
        "series": pa.array([row["series"] for row in rows], pa.string()),
    }
    if any(column == "image" for column, _ in task.columns):
        columns["image"] = pa.array([row["image"] for row in rows], pa.binary())
    positions = pa.array([f"{where}#{row['at']}" for row in rows], pa.string())
    yield Cells(columns, positions, pa.array([name] * len(rows), pa.string()))


def _windows(task: Reading, clip: Clip, name: str) -> Iterator[dict[str, Any]]:
    """Every window of a clip at every shift at which all streams reach."""
    told = task.streams
    step = microseconds([1 / told["rate_hz"]])[0].item()
    steps, hop = (round(told[key] * told["rate_hz"]) for key in ("window_s", "hop_s"))  # by count: 1/60 s is no whole
    window, gap = steps * step, int(microseconds([told["max_gap_s"]])[0])  # number of microseconds
    has_film = any(column == "image" for column, _ in task.columns)
    streams = {channel: _stream(clip, channel, step, gap) for channel in told["channels"]}
    film, lead = _Film(clip) if has_film else None, streams[told["channels"][0]]
    first_file = _file_of(clip, told["channels"][0])
    led = {channel for channel in streams if film is None and _file_of(clip, channel) == first_file}
    first = int(film.times[0]) if film else lead.start_us
    last = int(film.times[-1]) + gap if film else lead.end_us
    if last - first > MOST_WINDOWS * hop * step:
        raise _Unread(UNREADABLE, f"its times go from {first / 1e6:g} to {last / 1e6:g} s: is one of them wrong?")
    for start in starts(first, last, window, hop * step, step).tolist():
        places = None
        if film:
            wanted = start + (np.arange(told["frames"]) * 2 + 1) * window // (2 * told["frames"])
            places = nearest_frames(film.times, wanted, gap)
            if places is None:
                continue
        for shift_s in (0.0, *told["shifts_s"]):
            shift = round(shift_s * told["rate_hz"]) * step
            cut = [stream.cut(start + (0 if channel in led else shift), steps) for channel, stream in streams.items()]
            if any(values is None for values in cut):
                continue
            series = written(np.concatenate([v for v in cut if v is not None], axis=1).ravel().tolist())
            at = f"{start} {shift_s:g}"
            row: dict[str, Any] = {"label": f"{shift_s:g}", "series": series, "at": at.replace(" ", "+")}
            if film and places is not None:
                row["image"] = film.strip(places.tolist())
            yield row


def _file_of(clip: Clip, channel: str) -> str:
    """The file that a channel comes from."""
    sound = f"{channel}{SOUND}"
    return sound if sound in clip else f"{channel.partition('_')[0]}.csv"


def _stream(clip: Clip, channel: str, step_us: int, gap_us: int) -> Stream:
    """The stream of one channel. Raises _Unread for one that is missing, or cannot be brought onto the clock."""
    if _file_of(clip, channel).endswith(SOUND):
        rate, samples = _sound(clip[f"{channel}{SOUND}"], channel)
        try:
            return envelope(samples, rate, step_us)
        except ValueError as error:  # of more steps than a stream may have
            raise _Unread(UNREADABLE, f"{channel}{SOUND}: {error}") from error
    stem, _, column = channel.partition("_")
    if f"{stem}.csv" not in clip:
        raise _Unread(MISSING, f"there is neither {channel}{SOUND} nor {stem}.csv for the channel {channel}")
    try:
        text = clip[f"{stem}.csv"].decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
        times = microseconds([float(row[TIME]) for row in rows])
        values = np.array([[float(row[column] or "nan")] for row in rows]).reshape(len(rows), 1)
        return on_clock(times, values, step_us, gap_us)
    except (UnicodeDecodeError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise _Unread(UNREADABLE, f"{stem}.csv needs the columns {TIME} and {column}, of numbers: {error}") from error


def _sound(data: bytes, channel: str) -> tuple[int, np.ndarray]:
    """(samples a second, float64[N, channels] of full scale 1) of a WAV of 8, 16 or 32 bits."""
    try:
        with wave.open(io.BytesIO(data)) as sound:
            rate, width, channels = sound.getframerate(), sound.getsampwidth(), sound.getnchannels()
            raw = sound.readframes(sound.getnframes())
    except (wave.Error, EOFError) as error:
        raise _Unread(UNREADABLE, f"{channel}{SOUND} is no WAV that can be read: {error}") from error
    if width not in _WIDTHS or not rate or not channels:
        raise _Unread(UNREADABLE, f"{channel}{SOUND} has samples of {8 * width} bits; 8, 16 and 32 are read")
    whole = len(raw) // (width * channels) * width * channels
    samples = np.frombuffer(raw[:whole], _WIDTHS[width]).reshape(-1, channels).astype(np.float64)
    full = 2.0 ** (8 * width - 1)
    return rate, (samples - 128 if width == 1 else samples) / full


class _Film:
    """Frames in the order of time, decoded when they are asked for: a film is far larger than its files."""

    def __init__(self, clip: Clip) -> None:
        names = sorted(name for name in clip if name.startswith(f"{FRAMES}/") and name.lower().endswith(SUFFIXES))
        if not names:
            raise _Unread(MISSING, f"there are no images in {FRAMES}/")
        times = _times(clip, names)
        order = np.argsort(times, kind="stable")
        self.times, self._names, self._clip = times[order], [names[place] for place in order.tolist()], clip
        self._held: dict[int, np.ndarray] = {}

    def strip(self, places: list[int]) -> bytes:
        """The frames at these places side by side, as PNG. Raises _Unread for one that cannot be decoded."""
        self._held = {place: frame for place, frame in self._held.items() if place in places}
        for place in places:
            if place not in self._held:
                self._held[place] = self._frame(place)
        frames = [self._held[place] for place in places]
        if len({frame.shape for frame in frames}) > 1:
            raise _Unread(UNREADABLE, f"frames near {self._names[places[0]]} have several sizes")
        return encode([strip(np.stack(frames))], "png")[0]

    def _frame(self, place: int) -> np.ndarray:
        images, reasons = decode([self._clip[self._names[place]]], None, None, 3)
        if reasons[0] is not None:
            raise _Unread(UNREADABLE, f"{self._names[place]}: {reasons[0]}")
        return images[0]


def _times(clip: Clip, names: list[str]) -> np.ndarray:
    """When each frame was taken: by the list of times, or by the number that its name ends in, milliseconds."""
    try:
        if TIMES in clip:
            rows = csv.DictReader(io.StringIO(clip[TIMES].decode("utf-8-sig")))
            told = {PurePosixPath(row["file"]).name: float(row[TIME]) for row in rows}
            return microseconds([told[PurePosixPath(name).name] for name in names])
        stems = [_NAMED_TIME.search(PurePosixPath(name).stem) for name in names]
        return microseconds([float(stem[1]) / 1000 if stem else float("nan") for stem in stems])
    except (UnicodeDecodeError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise _Unread(UNREADABLE, f"{TIMES} or the frames' names do not tell when each was taken: {error}") from error
