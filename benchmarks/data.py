"""How fast logs are drawn, written and read, in which format, and the disk that 15,000 take.

    .venv/bin/python benchmarks/data.py

Draws native logs of the multiclass recipe on one core (processor time); makes archives of two sizes
with `veernet synth` on all cores, whose difference leaves the start-up out (wall time); and writes
and reads the same logs in the formats that Pillow and OpenCV know, one thread, best of three.
The pages are sorted by what the scanner made of them: grey with grain, two levels, or clean print.
Then whole reads of that archive's logs, image and mask, checked, on one thread and on two. Rates on
a machine that others use are lower bounds; that of PNG as Pillow writes it is measured beside them.
Writes benchmarks/data.json; takes three minutes.
"""

import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from veernet import Archive
from veernet.recipes import RECIPES

OUT = Path(__file__).with_suffix(".json")
VEERNET = Path(sys.executable).with_name("veernet")
FEW, MANY = 8, 72
"""Logs of the two archives; the rate is that of the logs between."""
PER_KIND = 6
LOGS = RECIPES["multiclass"].logs
CLEAN = replace(
    LOGS.appearance,
    grain=(0, 0),
    **dict.fromkeys(
        ("jpeg", "bilevel", "uneven_light", "photocopy", "stains", "faded", "folds"), 0.0
    ),
)
"""As printed."""
ALL = sum(RECIPES["multiclass"].counts)

Format = tuple[Callable[[np.ndarray], bytes], Callable[[bytes], np.ndarray]]


def pillow(kind: str, **options: Any) -> Format:
    def encode(picture: np.ndarray) -> bytes:
        file = io.BytesIO()
        image = Image.fromarray(picture)
        if options.get("compression") == "group4":
            image = image.convert("1")
        image.save(file, kind, **options)
        return file.getvalue()

    return encode, lambda data: np.array(Image.open(io.BytesIO(data)))


def opencv(suffix: str, *options: int) -> Format:
    def decode(data: bytes) -> np.ndarray:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        return picture

    return lambda picture: cv2.imencode(suffix, picture, options)[1].tobytes(), decode


FORMATS: dict[str, Format] = {
    "PNG, level 1 (Pillow)": pillow("PNG", compress_level=1),
    "PNG, level 6 (Pillow)": pillow("PNG", compress_level=6),
    "PNG, no filter, Huffman only (OpenCV)": opencv(
        ".png", cv2.IMWRITE_PNG_STRATEGY, 2, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE
    ),
    "TIFF, deflate (Pillow)": pillow("TIFF", compression="tiff_adobe_deflate"),
    "TIFF, LZW (Pillow)": pillow("TIFF", compression="tiff_lzw"),
    "TIFF, Zstandard (Pillow)": pillow("TIFF", compression="zstd"),
    "TIFF, G4 (Pillow)": pillow("TIFF", compression="group4"),
}
PEER = "PNG, level 1 (Pillow)"


def best(pictures: list[np.ndarray], work: Callable[[int], object]) -> float:
    """Mpx/s of doing `work` for every picture, the best of three."""
    seconds = []
    for _ in range(3):
        start = time.monotonic()
        for index in range(len(pictures)):
            work(index)
        seconds.append(time.monotonic() - start)
    return sum(picture.size for picture in pictures) / 1e6 / min(seconds)


def measured(pictures: list[np.ndarray], form: Format) -> dict[str, float]:
    encode, decode = form
    files = [encode(picture) for picture in pictures]
    for picture, file in zip(pictures, files, strict=True):
        np.testing.assert_array_equal(picture != 0, decode(file) != 0)
    pixels = sum(picture.size for picture in pictures)
    return {
        "encode_mpx_s": round(best(pictures, lambda i: encode(pictures[i]))),
        "decode_mpx_s": round(best(pictures, lambda i: decode(files[i]))),
        "bits_a_pixel": round(8 * sum(map(len, files)) / pixels, 3),
    }


def compared(kind: str, pictures: list[np.ndarray]) -> dict[str, Any]:
    """Every format on pictures of a kind, beside the peer."""
    print(f"\n{kind}, {len(pictures)} pictures: format, encode and decode Mpx/s, bits a pixel")
    two_levels = all(len(np.unique(picture)) <= 2 for picture in pictures)
    rows: dict[str, Any] = {}
    for name, form in FORMATS.items():
        if "G4" in name and not two_levels:
            continue
        rows[name] = measured(pictures, form)
        rows[name]["decode_over_peer"] = round(
            rows[name]["decode_mpx_s"] / rows[PEER]["decode_mpx_s"], 2
        )
        print(f"  {name:40}" + "".join(f"{x:10}" for x in rows[name].values()))
    return rows


def drawn(numbers: Iterable[int]) -> dict[str, float]:
    """Drawing alone, one thread: the median log by processor time."""
    cv2.setNumThreads(1)
    LOGS.log(0)
    rates = []
    for number in numbers:
        start = time.process_time()
        log = LOGS.log(number)
        rates.append(log.grey.size / 1e6 / (time.process_time() - start))
    return {"mpx_per_core_second": round(float(np.median(rates)), 1)}


def written(folder: Path) -> dict[str, float]:
    """`veernet synth` on all cores, two archives: rate without the start-up, and disk."""
    seconds, pixels = [], []
    for count in (FEW, MANY):
        root = folder / str(count)
        command = [VEERNET, "synth", root, "--train", str(count), "--val", "0", "--test", "0"]
        start = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.monotonic() - start)
        pixels.append(int(Archive.open(root).split("train").sizes.prod(1).sum()))
    took, made = seconds[1] - seconds[0], pixels[1] - pixels[0]
    size = sum(path.stat().st_size for path in (folder / str(MANY)).rglob("*") if path.is_file())
    sample = LOGS.row  # sizes of all logs are known without drawing them
    total = sum(row.height * row.width for row in map(sample, range(0, ALL, 10))) * 10
    return {
        "cores": os.cpu_count() or 1,
        "logs_s": round((MANY - FEW) / took, 2),
        "mpx_s": round(made / 1e6 / took, 1),
        "start_up_s": round(seconds[0] - pixels[0] / made * took, 1),
        f"hours_{ALL}_logs": round(total / made * took / 3600, 2),
        f"gb_{ALL}_logs": round(size / pixels[1] * total / 1e9, 1),
    }


def disk() -> dict[str, float]:
    """GB that all logs would take as TIFF with Zstandard, masks and curves left out: as drawn, if
    all were bilevel, and if none had grain."""
    looks = {
        "as drawn": LOGS.appearance,
        "all grey with grain": replace(LOGS.appearance, bilevel=0, jpeg=0),
        "all bilevel": replace(LOGS.appearance, bilevel=1, jpeg=0),
        "all clean": CLEAN,
    }
    encode, _ = FORMATS["TIFF, Zstandard (Pillow)"]
    pixels = 10 * sum(r.height * r.width for r in map(LOGS.row, range(0, ALL, 10)))
    found: dict[str, float] = {}
    for name, appearance in looks.items():
        pages = [replace(LOGS, appearance=appearance).log(i).grey for i in range(2 * PER_KIND)]
        size = sum(len(encode(page)) for page in pages) / sum(page.size for page in pages)
        found[name] = round(size * pixels / 1e9, 1)
    return found


def read_whole(root: Path) -> dict[str, float]:
    """Mpx/s of `Split[i]`: image and mask decoded, checked, and given to torch."""
    split = Archive.open(root).split("train")
    pixels = split.sizes.prod(1).sum() / 1e6
    rates: dict[str, float] = {}
    for threads in (1, 2):
        seconds: list[float] = []
        for _ in range(3):
            start = time.monotonic()
            with ThreadPoolExecutor(threads) as pool:
                for _ in pool.map(split.__getitem__, range(len(split))):
                    pass
            seconds.append(time.monotonic() - start)
        rates[f"{threads} threads"] = round(pixels / min(seconds))
    return rates


def main() -> None:
    figures: dict[str, Any] = {"machine": f"{os.cpu_count()} CPU cores, {platform.machine()}"}
    figures["drawn"] = drawn(range(1, 25))
    print(figures["drawn"])
    with tempfile.TemporaryDirectory() as folder:
        figures["written"] = written(Path(folder))
        figures["read"] = read_whole(Path(folder) / str(MANY))
    print(figures["written"], figures["read"])
    figures[f"gb_{ALL}_pictures"] = disk()
    print(figures[f"gb_{ALL}_pictures"])
    kinds = {
        "grey with grain": replace(LOGS.appearance, grain=(3, 9), jpeg=0, bilevel=0),
        "bilevel": replace(LOGS.appearance, jpeg=0, bilevel=1),
        "clean": CLEAN,
    }
    figures["formats"] = {}
    for kind, appearance in kinds.items():
        pages = [replace(LOGS, appearance=appearance).log(i).grey for i in range(PER_KIND)]
        figures["formats"][kind] = compared(kind, pages)
    masks = [LOGS.log(i).mask for i in range(PER_KIND)]
    figures["formats"]["mask"] = compared("mask", masks)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
