"""Commands start without the libraries that they do not need."""

import subprocess
import sys

import pytest

from veernet.cli.main import COMMANDS, about, command_class

HEAVY = {"torch", "matplotlib", "cv2", "scipy", "lasio", "pandas"}
"""Libraries that take longer to import than the help to print."""

LOADED = """
import runpy, sys
sys.argv = ["veernet", *sys.argv[1:]]
try:
    runpy.run_module("veernet", run_name="__main__")
finally:
    print(*sys.modules, file=sys.stderr)
"""


def loaded(*words):
    """The exit code of a command, and the packages that it imported."""
    done = subprocess.run([sys.executable, "-c", LOADED, *words], capture_output=True, text=True)
    return done.returncode, {name.split(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize(
    ("words", "code"), [(["--help"], 0), (["--version"], 0), (["inspekt", "archive"], 2)]
)
def test_what_asks_for_no_command_imports_none(words, code):
    found, packages = loaded(*words)
    assert (found, packages & HEAVY) == (code, set())
    assert {"veernet", "rich"} <= packages


def test_the_door_of_the_package_imports_nothing_but_itself():
    code = "import sys; before = {*sys.modules}; import veernet; print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    packages = {name.split(".")[0] for name in done.stdout.split()}
    assert packages - sys.stdlib_module_names == {"veernet"}


DRAWING = """
import sys
from pathlib import Path
import veernet.__main__  # which a spawned process imports as its own main module
from veernet.data.writing import write_log
from veernet.synth import make
from veernet.synth.logs import SynthLogs
make._settle_worker()
logs = SynthLogs(height=(96, 96), width=(400, 400))
write_log(Path(sys.argv[1]), logs.row(5), logs.log(5))
print(*sys.modules)
"""


def test_a_process_that_draws_logs_imports_neither_pytorch_nor_what_plots(tmp_path):
    words = [sys.executable, "-c", DRAWING, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    packages = {name.split(".")[0] for name in done.stdout.split()}
    assert packages & HEAVY == {"cv2"}
    assert [*tmp_path.rglob("*.tif")]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_has_the_first_paragraph_of_every_command(command):
    docstring = command_class(command).__doc__ or ""
    assert about(command).split() == docstring.split("\n\n")[0].split()
    assert about(command)
