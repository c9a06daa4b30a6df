"""Files that were damaged in every way, given to everything that reads files.

    PYTHONPATH=tests .venv/bin/python tests/faults/fuzz.py COUNT [READER…]

Makes valid files of every kind, damages each in COUNT ways (bytes flipped, cut out, repeated,
numbers blown up, chunks of other files put in; LAS, TIFF, JSON and TOML also where they have a
meaning, by `structured`), and reads the result. Readers work in a process of their own, so that a
crash is seen too. A reader may succeed, or raise a `VeerNetError`; anything else is a fault, as are
two gigabytes, and ten seconds of processor time, or four for a file below 64 kB. Prints the faults,
and counts as JSON.
"""

import base64
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import structured
import torch
from PIL import Image
from rich.console import Console
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hand_made import pdf, scanned, tiff
from veernet import Archive, Schedule, VeerNetConfig
from veernet.data.raster import read_grey, read_index, write_picture
from veernet.demo import CURVES
from veernet.digitisation import Calibration, Depth, Track, cut_strip, read_calibration
from veernet.distributed import digest
from veernet.errors import CalibrationError, VeerNetError
from veernet.evaluation.evaluate import LogResult
from veernet.evaluation.pictures import write_evaluation
from veernet.label import LasLabels, MaskLabels, PolylineLabels
from veernet.las import read_header, read_las
from veernet.report.page import write_report
from veernet.synth.appearance import PLAIN, read_appearance
from veernet.synth.logs import SynthLogs
from veernet.synth.make import make
from veernet.synth.opening import open_archive
from veernet.train.checkpoint import checkpoints, read_checkpoint
from veernet.train.run import read_config, start
from veernet.train.trainer import fit
from veernet.training import Training
from veernet.weights import load_weights

PNG = b"\x89PNG\r\n\x1a\n"
SECONDS, SECONDS_SMALL, BYTES = 10.0, 4.0, 2 * 2**30
CPU = torch.device("cpu")
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
NUMBERS = (b"0", b"-1", b"1e308", b"-1e999", b"nan", b"99999999999999999999", b"1e-320", b'"x"')
WORDS = (
    b"\0",
    b"null",
    b"[[[[[[",
    b"{",
    b"../../etc/passwd",
    b"/etc/passwd",
    b"\xff\xfe",
    b"<script>",
)

HOW = Training(
    network=VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1),
    schedule=Schedule(effective_batch=2, pixel_budget=8000),
    epochs=1,
)
LOGS = SynthLogs(
    height=(40, 56), width=(70, 130), seed=3, appearance=replace(PLAIN, line_width=(1, 1))
)


STRUCTURED: dict[str, structured.Damage] = {
    ".las": structured.damaged_las,
    ".tif": structured.damaged_tiff,
    ".json": structured.damaged_json,
    ".toml": structured.damaged_toml,
}
"""What damages a file where it has a meaning, by the ending of its name."""


def damaged(path: Path, others: list[bytes], chance: random.Random) -> bytes:
    """A file with one to four things done to it, to its bytes or to what they mean."""
    if path.suffix in STRUCTURED and chance.random() < 0.6:
        return STRUCTURED[path.suffix](path.read_bytes(), chance)
    return damaged_bytes(path.read_bytes(), others, chance)


def damaged_bytes(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """`data` with one to four things done to it."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        place = chance.randrange(len(out) + 1)
        if chance.random() < 0.5:  # where the headers are
            place = min(place, chance.randrange(256))
        length = chance.choice((1, 1, 2, 4, 16, 200))
        match chance.randrange(8):
            case 0:
                for i in range(place, min(len(out), place + length)):
                    out[i] ^= 1 << chance.randrange(8)
            case 1:
                del out[place : place + length]
            case 2:
                del out[place:]
            case 3:
                out[place:place] = out[place : place + length] * chance.choice((1, 3, 300))
            case 4:
                size = chance.choice((1, 2, 4))
                value = chance.choice(INTERESTING) & (256**size - 1)
                out[place : place + size] = value.to_bytes(size, chance.choice(("little", "big")))
            case 5:
                numbers = [*re.finditer(rb"-?\d+(\.\d+)?", out[:100_000])]
                if numbers:
                    found = chance.choice(numbers)
                    out[found.start() : found.end()] = chance.choice(NUMBERS)
            case 6:
                out[place:place] = chance.choice(WORDS)
            case _:
                other = chance.choice(others)
                start = chance.randrange(len(other) + 1)
                out[place : place + length] = other[start : start + 50 * length]
    if data.startswith(PNG) and chance.random() < 0.8:
        return checked(bytes(out))
    return bytes(out)


def checked(png: bytes) -> bytes:
    """A PNG whose checksums are right again, as far as its chunks can be told apart: a reader
    must look further."""
    out, at = png[: len(PNG)], len(PNG)
    while at + 12 <= len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        body = png[at + 4 : at + 8 + length]
        out += png[at : at + 4] + body + zlib.crc32(body).to_bytes(4, "big")
        at += 12 + length
    return out + png[at:]


def seeds(folder: Path) -> None:
    """Valid files of every kind."""
    make(folder / "archive", LOGS, (4, 2, 1))
    archive = Archive.open(folder / "archive")
    start(folder / "run", archive, HOW)
    fit(folder / "run", device=CPU, console=Console(quiet=True))
    with safe_open(checkpoints(folder / "run")[0], "pt") as file:
        metadata = file.metadata()
    assert metadata is not None
    about = json.loads(metadata["checkpoint"])["about"]
    (folder / "about.json").write_text(about)
    split, model = archive.split("test"), load_weights(folder / "run")
    results = [LogResult.of(split.rows[0], split.log(0), np.zeros((2, *split.sizes[0])))]
    write_evaluation(folder / "run/evaluation/test", model, split, results, archive.classes)
    grey = split.log(0).grey
    tall = np.ascontiguousarray(np.tile(np.rot90(grey, -1), (2, 1)))
    pictures = folder / "pictures"
    pictures.mkdir()
    write_picture(pictures / "grey.png", tall)
    image = Image.fromarray(tall)
    image.convert("1").save(pictures / "g4.tif", compression="group4")
    for kind in ("tiff_lzw", "tiff_adobe_deflate", "zstd", "raw"):
        image.save(pictures / f"{kind}.tif", compression=kind)
    image.save(pictures / "two.tif", save_all=True, append_images=[image], compression="tiff_lzw")
    image.convert("P").save(pictures / "palette.tif", compression="tiff_lzw")
    image.convert("RGBA").save(pictures / "colour.png")
    Image.fromarray(tall.astype(np.uint16) * 257).save(pictures / "deep.png")
    Image.fromarray(tall.astype(np.uint16) * 257).save(pictures / "deep.tif")
    image.convert("RGB").save(pictures / "colour.jpg", exif=_exif())
    image.save(pictures / "grey.bmp")
    image.convert("RGB").save(pictures / "colour.webp", lossless=True)
    (pictures / "twelve.tif").write_bytes(tiff(tall.astype(int) * 16, 12, 0))
    (pictures / "scan.pdf").write_bytes(pdf(scanned(tall, 200), scanned(tall, 300)))
    h, w = tall.shape
    calibration = Calibration(
        depth=Depth(ties=((0.0, 1000.0), (h - 1, 1000 + h / 10)), step=0.5),
        tracks=(Track(left=2, right=w - 2, top=0, bottom=h - 1, curves=CURVES),),
    )
    (folder / "calibration.toml").write_text(calibration.to_toml())
    depths = np.arange(1000, 1000 + h / 10, 0.5)
    rows = "\n".join(f"{d:.1f} {75 + 60 * np.sin(d):.3f} {2 + np.cos(d):.3f}" for d in depths)
    (folder / "well.las").write_text(LAS.format(first=depths[0], last=depths[-1]) + rows + "\n")
    wrapped = "\n".join(re.sub(" (?=\\S+$)", "\n", row) for row in rows.splitlines())
    (folder / "old.las").write_text(OLD_LAS.format(first=depths[0], last=depths[-1]) + wrapped)
    drawn(folder, split.log(0).curves.rows[0], (h, w))
    (folder / "look.toml").write_text("pen = [1, 3]\nskew = [0.0, 0.2]\ndotted = 0.25\n")


def drawn(folder: Path, rows: np.ndarray, size: tuple[int, int]) -> None:
    """The first curve of a log as an index mask, and as annotators write it on its scan: the log
    stood up, twice."""
    known = np.flatnonzero(np.isfinite(rows))
    line = [[size[1] - 1 - float(rows[x]), float(x)] for x in known.tolist()]
    mask = np.zeros(size, np.uint8)
    cv2.polylines(mask, [np.rint(line).astype(np.int32)], False, 1, 3)
    write_picture(folder / "mask.png", mask, palette=bytes(768))
    write_picture(folder / "part.png", mask)
    png = base64.b64encode((folder / "part.png").read_bytes()).decode()
    corners = [[0, 0], [size[1] - 1, size[0] - 1]]
    shapes = [
        {"label": "GR", "shape_type": "linestrip", "points": line},
        {"label": "curve 1", "shape_type": "mask", "points": corners, "mask": png},
        {"label": "no ILD", "shape_type": "rectangle", "points": corners},
    ]
    seen = {"imagePath": "grey.png", "imageWidth": size[1], "imageHeight": size[0]}
    (folder / "labelme.json").write_text(json.dumps(seen | {"shapes": shapes}))
    edges = np.flatnonzero(np.diff(mask.T.ravel(), prepend=0, append=0))
    counts = [*np.diff(edges, prepend=0).tolist(), mask.size - int(edges[-1])]
    parts = [
        [np.ravel(line).tolist()],
        {"size": size, "counts": counts},
        {"size": size, "counts": as_text(counts)},
    ]
    coco = {
        "images": [
            {"id": 1, "file_name": "a\\grey.png", "width": size[1], "height": size[0]},
        ],
        "categories": [{"id": 7, "name": "GR"}],
        "annotations": [
            {"image_id": 1, "category_id": 7, "segmentation": part, "bbox": [0, 0, 9, 9]}
            for part in parts
        ],
    }
    (folder / "coco.json").write_text(json.dumps(coco))


def as_text(counts: list[int]) -> str:
    """Run lengths as COCO writes them: differences from two before, five bits a character."""
    text = ""
    for i, count in enumerate(counts):
        rest, more = count - counts[i - 2] if i > 2 else count, True
        while more:
            bits, rest = rest & 31, rest >> 5
            more = rest != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
    return text


LAS = """~Version
VERS. 2.0 : CWLS LOG ASCII STANDARD - VERSION 2.0
WRAP. NO : One line per depth step
~Well
STRT.FT {first} :
STOP.FT {last} :
STEP.FT 0.5 :
NULL. -999.25 :
WELL. A 1 : WELL
~Curve
DEPT.FT : Depth
GR.API : Gamma ray
ILD.OHMM : Deep resistivity
~Ascii
"""

OLD_LAS = """~VERSION INFORMATION
VERS. 1.20 : CWLS LOG ASCII STANDARD - VERSION 1.20
WRAP. YES : MULTIPLE LINES PER DEPTH STEP
~WELL INFORMATION BLOCK
STRT.F {first} : START DEPTH
STOP.F {last} : STOP DEPTH
STEP.F 0.5 : STEP
NULL. -9999 : NULL VALUE
COMP. COMPANY : ANY OIL COMPANY
WELL. WELL : ANY ET AL 12-34
~CURVE INFORMATION
DEPT.F : DEPTH
GR.GAPI : 1 GAMMA RAY
GR.OHMM : 2 A NAME TWICE
~A DEPTH GR GR
"""


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[274] = 6
    return exif


def use_calibration(path: Path, folder: Path) -> None:
    """Read it, and do with it what digitising does but for the network."""
    calibration, scan = read_calibration(path), read_grey(folder / "pictures/grey.png")
    pixels = np.linspace(0, len(scan) - 1, 50)
    for track in calibration.tracks:
        try:
            strip = cut_strip(scan, calibration, track)
            depth = calibration.depth.grid(*strip.span)
        except CalibrationError as misfit:  # as `digitise_file` does
            raise CalibrationError(f"{path}: {misfit}") from misfit
        calibration.depth.pixel_of(depth[:1000])
        calibration.depth.at(pixels)
        for curve in track.curves:
            curve.position(curve.value(np.linspace(-0.2, 1.2, 50)))


def label(make_labeller: Callable[..., Any], path: Path, folder: Path) -> None:
    calibration = read_calibration(folder / "calibration.toml")
    scan = folder / "pictures/grey.png"
    grey = read_grey(scan)
    labeller = make_labeller(path=path)
    labels = labeller.read(scan, grey.shape, calibration, alone=True)
    for track in calibration.tracks:
        labels.trace(cut_strip(grey, calibration, track), track)


def use_archive(path: Path, _: Path) -> None:
    root = path.parent if path.name == "archive.json" else path.parents[1]
    for split in open_archive(root).splits().values():
        for i in range(min(2, len(split))):
            split.log(i)


def use_curves(path: Path, _: Path) -> None:
    open_archive(path.parents[2]).split("train").log(0)


def use_run(path: Path, _: Path) -> None:
    """A page about it, and the last epoch again."""
    run = path.parent if path.name != "summary.json" else path.parents[2]
    read_config(run)
    write_report(run / "report.html", run)


def resume(path: Path, _: Path) -> None:
    fit(path.parent, device=CPU, console=Console(quiet=True))


def resume_from(path: Path, folder: Path) -> None:
    fit(path.parents[1], device=CPU, console=Console(quiet=True))


def sealed(work: Path, folder: Path, data: bytes) -> Path:
    """A checkpoint whose digest is right, and whose description is not."""
    if not (work / "run").exists():
        shutil.copytree(folder / "run", work / "run")
    path = checkpoints(folder / "run")[0]
    tensors, message = load_file(path), data.decode(errors="replace")
    digested = digest([message, sorted(tensors.items())])
    target = work / "run/checkpoints" / path.name
    save_file(tensors, target, {"checkpoint": json.dumps({"sha256": digested, "about": message})})
    return target


def place(name: str, tree: str) -> Callable[[Path, Path, bytes], Path]:
    """Damaged data takes the place of one file in a copy of a folder of the seeds."""

    def put(work: Path, folder: Path, data: bytes) -> Path:
        if not (work / tree).exists():
            shutil.copytree(folder / tree, work / tree)
        (work / name).write_bytes(data)
        return work / name

    return put


def alone(name: str) -> Callable[[Path, Path, bytes], Path]:
    def put(work: Path, folder: Path, data: bytes) -> Path:
        (work / Path(name).name).write_bytes(data)
        return work / Path(name).name

    return put


Reader = Callable[[Path, Path], object]


def readers(folder: Path) -> dict[str, list[tuple[Path, Callable[..., Path], Reader]]]:
    """By kind: a valid file, how a damaged one is put into place, and what reads it."""

    def one(name: str, read: Reader) -> tuple[Path, Callable[..., Path], Reader]:
        return folder / name, alone(name), read

    def inside(name: str, read: Reader) -> tuple[Path, Callable[..., Path], Reader]:
        return folder / name, place(name, name.split("/")[0]), read

    checkpoint = checkpoints(folder / "run")[0].relative_to(folder)
    return {
        "image": [
            one(f"pictures/{path.name}", lambda path, _: read_grey(path, page=1))
            for path in sorted((folder / "pictures").iterdir())
        ],
        "second page": [
            one(f"pictures/{name}", lambda path, _: read_grey(path, page=2))
            for name in ("two.tif", "scan.pdf")
        ],
        "metadata": [
            inside("archive/train/metadata.jsonl", use_archive),
            inside("archive/archive.json", use_archive),
        ],
        "curves": [inside("archive/train/curves/000000.npz", use_curves)],
        "calibration": [one("calibration.toml", use_calibration)],
        "LAS": [
            one("well.las", lambda path, _: read_las(path)),
            one("well.las", partial(label, LasLabels)),
            one("old.las", lambda path, _: read_las(path)),
            *(one(name, lambda path, _: read_header(path)) for name in ("well.las", "old.las")),
        ],
        "mask": [
            one("mask.png", partial(label, MaskLabels)),
            one("pictures/palette.tif", lambda path, _: read_index(path)),
        ],
        "polylines": [
            one("labelme.json", partial(label, PolylineLabels)),
            one("coco.json", partial(label, PolylineLabels)),
        ],
        "checkpoint": [
            one("run/best.safetensors", lambda path, _: load_weights(path)),
            one(str(checkpoint), lambda path, _: read_checkpoint(path)),
            (folder / "about.json", sealed, resume_from),
        ],
        "config": [
            inside("run/config.json", use_run),
            inside("run/log.jsonl", use_run),
            inside("run/evaluation/test/summary.json", use_run),
            inside("run/config.json", resume),
        ],
        "look": [one("look.toml", lambda path, _: read_appearance(path))],
    }


class TooSlow(BaseException):
    pass


def too_slow(*_: object) -> None:
    raise TooSlow


def work(folder: Path, kind: str, first: int, last: int) -> None:
    """Read inputs `first` to `last` of a kind; one line of JSON each."""
    warnings.simplefilter("error")  # a number that overflows is a fault, not a remark
    signal.signal(signal.SIGPROF, too_slow)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    chosen = readers(folder)[kind]
    others = [path.read_bytes()[:4000] for kinds in readers(folder).values() for path, *_ in kinds]
    with tempfile.TemporaryDirectory() as made:
        for number in range(first, last):
            chance = random.Random(f"{kind} {number}")
            path, put, read = chosen[number % len(chosen)]
            target = put(Path(made), folder, damaged(path, others, chance))
            print(json.dumps({"number": number}), flush=True)
            began = time.process_time()
            small = target.stat().st_size <= structured.SMALL
            signal.setitimer(signal.ITIMER_PROF, SECONDS_SMALL if small else SECONDS)
            try:
                read(target, folder)
                message = "read"
            except VeerNetError as refused:
                message = "refused"
                if made not in str(refused) and str(folder) not in str(refused):
                    message = f"the message names no file: {refused}"
            except OSError as refused:
                message = (
                    "refused" if refused.filename else f"an OSError without a name: {refused!r}"
                )
            except TooSlow:
                message = "took too long"
            except Exception as fault:
                message = f"{type(fault).__name__}: {str(fault)[:300]}"
            signal.setitimer(signal.ITIMER_PROF, 0)
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
            if used > BYTES:
                message = f"took {used >> 20} MiB"
            if message not in ("read", "refused") and (kept := os.environ.get("VEERNET_KEEP")):
                shutil.copy(target, Path(kept) / f"{kind}-{number}{target.suffix}")
            put(Path(made), folder, path.read_bytes())  # as it was, for the next
            seconds = time.process_time() - began
            print(json.dumps({"number": number, "told": message, "seconds": seconds}), flush=True)


def fuzz(folder: Path, kind: str, count: int) -> dict[str, Any]:
    """Read `count` damaged inputs of a kind, whatever becomes of the process that does."""
    found: dict[str, Any] = {"read": 0, "refused": 0, "slowest_s": 0.0, "faults": {}}
    number = 0
    while number < count:
        command = [sys.executable, __file__, "--work", folder, kind, number, count]
        places = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, env=places)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        for line in lines:
            if line.get("told") in ("read", "refused"):
                found[line["told"]] += 1
            elif "told" in line:
                found["faults"][line["number"]] = line["told"]
            found["slowest_s"] = max(found["slowest_s"], round(line.get("seconds", 0), 2))
        if not lines:
            raise RuntimeError(done.stderr)
        number = lines[-1]["number"] + 1
        if done.returncode != 0 and "told" not in lines[-1]:
            why = done.stderr.strip().splitlines()[-1:]
            found["faults"][lines[-1]["number"]] = f"the process ended: {done.returncode} {why}"
    return found


def main(count: int, kinds: list[str]) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        seeds(folder)
        message = {kind: fuzz(folder, kind, count) for kind in kinds or readers(folder)}
    return {
        "inputs": sum(
            one["read"] + one["refused"] + len(one["faults"]) for one in message.values()
        ),
        "faults": sum(len(one["faults"]) for one in message.values()),
        "kinds": message,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "--work":
        work(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        print(json.dumps(main(int(sys.argv[1]), sys.argv[2:]), indent=2))
