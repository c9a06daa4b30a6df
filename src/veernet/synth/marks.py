"""Marks on a page that are neither grid nor curve: pips, handwriting, stamps."""

import cv2
import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator

from veernet.data.raster import to_depth_right
from veernet.synth.layout import Layout, scale_of
from veernet.synth.text import Ink, printed, put

_STAMPS = ("COPY", "CONFIDENTIAL", "RECEIVED", "FINAL PRINT", "NOT FOR SALE", "FILE COPY", "VOID")


def draw_ticks(rng: Generator, ink: Ink, layout: Layout) -> None:
    """Draw pips of integrated time or volume outside a track's lower edge, every tenth longer."""
    track = layout.tracks[int(rng.integers(0, len(layout.tracks)))]
    scale = scale_of(layout.height)
    length, width = scale * rng.uniform(12, 30), max(2, round(scale * rng.uniform(3, 9)))
    mean = max(3 * width, layout.sections[0].line_step * rng.uniform(1, 6))
    gaps = mean * rng.uniform(0.8, 1.2, size=int((layout.span[1] - layout.span[0]) / mean))
    for number, x in enumerate(np.rint(layout.span[0] + np.cumsum(gaps)).astype(int).tolist()):
        if x + width >= layout.span[1]:
            break
        end = track.bottom + round(length * (1.9 if number % 10 == 0 else 1))
        outline = [(x, track.bottom), (x + 1, end), (x + width - 1, end), (x + width, track.bottom)]
        cv2.polylines(ink, [np.array(outline, np.int32)], False, layout.heavy_pen.darkness, 1)


def draw_handwriting(rng: Generator, ink: Ink, layout: Layout) -> None:
    """Draw one to three remarks: words of loops and strokes along a slanted line."""
    scale = scale_of(layout.height)
    for _ in range(int(rng.integers(1, 4))):
        size, at = scale * rng.uniform(14, 40), rng.random(2) * (layout.width, layout.height)
        angle = rng.choice([0, np.pi / 2, -np.pi / 2]) + rng.normal(0, 0.15)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        darkness, width = int(rng.uniform(90, 255)), int(rng.integers(1, 4))
        for _ in range(int(rng.integers(1, 5))):
            word = _word(rng, size)
            points = np.rint(16 * (word @ turn + at)).astype(np.int32)
            cv2.polylines(ink, [points], False, darkness, width, cv2.LINE_AA, shift=4)
            at = at + (np.ptp(word[:, 0]) + 0.5 * size) * turn[0]


def _word(rng: Generator, size: float) -> Float[ndarray, "n 2"]:
    """Draw a handwritten word: a pen that moves on in circles, one loop per letter."""
    loops = int(rng.integers(2, 9))
    t = np.linspace(0, 2 * np.pi * loops, 16 * loops)
    knots = np.linspace(0, float(t[-1]), 2 * loops + 2)

    def varying(low: float, high: float) -> Float[ndarray, "n"]:
        return np.interp(t, knots, rng.uniform(low, high, len(knots)))

    x = size * (0.09 * t + varying(0.05, 0.3) * np.sin(t))
    y = size * (varying(0.15, 0.6) * np.cos(t + varying(-0.5, 0.5)) + varying(-0.15, 0.15))
    return np.stack([x, y], axis=1)


def draw_stamp(rng: Generator, ink: Ink) -> None:
    """Draw a word in a frame, turned, in uneven ink, over the print below it."""
    height = len(ink)
    size = max(8, round(height * rng.uniform(0.06, 0.16)))
    word = str(rng.choice(_STAMPS))
    text = printed(word, size=size, font=int(rng.integers(0, 99)), darkness=255)
    frame = np.pad(text, max(3, size // 3))
    border = max(1, size // 10)
    cv2.rectangle(frame, (0, 0), (frame.shape[1] - 1, frame.shape[0] - 1), 255, border)
    frame = np.pad(to_depth_right(frame), max(frame.shape) // 2)
    h, w = frame.shape
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), rng.uniform(-40, 40), 1)
    turned = cv2.warpAffine(frame, turn, (w, h))
    blotches = cv2.resize(rng.uniform(0.2, 1, (6, 6)), (w, h), interpolation=cv2.INTER_CUBIC)
    stamp = (turned * np.clip(blotches, 0, 1) * rng.uniform(0.4, 0.9)).astype(np.uint8)
    y, x = rng.uniform(-0.3, 0.7) * height, rng.uniform(0, 1) * (ink.shape[1] - w / 2)
    put(ink, stamp, y=round(y), x=round(x))
