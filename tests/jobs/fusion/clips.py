"""Clips made up for tests: a bar that moves and a lamp that flashes, filmed as PNG frames, with clicks in a WAV."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import cv2
import numpy as np

RATE = 8000
FPS = 25
SIDE = 16


def flashes(number: int, seconds: float) -> np.ndarray:
    """When the lamp flashes: at no regular times."""
    random = np.random.default_rng(number)
    times = np.cumsum(random.uniform(0.25, 0.7, int(seconds * 5)))
    return times[times < seconds - 0.1]


def frame(at: float, lamp: bool) -> np.ndarray:
    """uint8[SIDE, SIDE]: a bar that wanders, all bright while the lamp is on."""
    picture = np.full((SIDE, SIDE), 180 if lamp else 30, np.uint8)
    x = int(at * 7) % (SIDE - 3)
    picture[4:12, x : x + 3] = 255 if lamp else 110
    return picture


def clip(folder: Path, number: int, seconds: float = 6.0, late_s: float = 0.0, listed: bool = True) -> np.ndarray:
    """`<folder>/` with frames, their times and a sound whose clicks come `late_s` after the flashes."""
    (folder / "frames").mkdir(parents=True)
    lit = flashes(number, seconds)
    lines = ["file,time"]
    for place in range(int(seconds * FPS)):
        at = place / FPS + 0.003 * ((place * 7) % 3 - 1)  # cameras are not punctual
        lamp = bool(((at >= lit) & (at < lit + 0.09)).any())
        name = f"f{place:04d}.png" if listed else f"f_{round(max(at, 0) * 1000):06d}.png"
        (folder / "frames" / name).write_bytes(cv2.imencode(".png", frame(max(at, 0), lamp))[1].tobytes())
        lines.append(f"{name},{at:.3f}")
    if listed:
        (folder / "times.csv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")  # told backwards
    (folder / "sound.wav").write_bytes(clicks(lit + late_s, seconds))
    return lit


def clicks(times: np.ndarray, seconds: float) -> bytes:
    """A WAV of 16 bits with a short tone at each time over a little noise."""
    samples = np.random.default_rng(1).normal(0, 60, int(seconds * RATE))
    tone = 12_000 * np.sin(np.arange(int(0.09 * RATE)) * 0.6)
    for at in times:
        start = int(at * RATE)
        if 0 <= start < len(samples) - len(tone):
            samples[start : start + len(tone)] += tone
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.clip(-32768, 32767).astype("<i2").tobytes())
    return out.getvalue()
