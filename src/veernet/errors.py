"""Exceptions that a caller of VeerNet may want to catch.

    VeerNetError             bad input: the message names the file, what was found and what to do
    ├── ImageError           a picture that cannot be read, is empty or too large
    ├── ArchiveError         a dataset folder that is missing, unfinished or inconsistent
    ├── CalibrationError     a calibration that is incomplete, not monotone or off the picture
    ├── LasError             a LAS file that cannot be read, or whose depths make no sense
    ├── LabelError           labels that do not fit the scan or its calibration
    ├── CheckpointError      a model or checkpoint that is damaged or belongs to another network
    ├── RunError             a training run that is missing or taken, or of another recipe or
    │                        archive; one whose gradient is not finite, whose processes differ, or
    │                        that could learn nothing
    ├── BatchError           images or labels of a shape, type or class that cannot be learned from
    ├── LeakError            a network that cannot be made blind to padding
    │   └── CouplingError        a layer that joins the images of a batch, whatever the padding
    └── OptionError          an option whose value makes no sense

The command line prints the message of a `VeerNetError` on one line and exits with code 2; it prints
that of an `ArchiveWarning` or `ImageWarning` likewise, and goes on. A `PerImageWarning` says that a
sealed network is correct, but slower than it could be.
"""

from typing import Literal

OnError = Literal["stop", "skip"]
"""Policy for one bad item of many: stop at it, or leave it out and say so."""


class VeerNetError(Exception):
    """Bad input, described for the person who gave it."""


class ImageError(VeerNetError):
    """A picture that cannot be read, is empty, or is larger than allowed."""


class ImageWarning(UserWarning):
    """Choice made for the user where a scan is ambiguous: a page, a bit depth, a resolution."""


class ArchiveError(VeerNetError):
    """A dataset on disk that is missing, unfinished, or does not agree with its metadata."""


class ArchiveWarning(UserWarning):
    """An archive whose logs may differ from those it was made with."""


class CalibrationError(VeerNetError, ValueError):
    """A calibration that is incomplete, not monotone, or lies outside the picture."""


class LasError(VeerNetError):
    """A LAS file that cannot be read, or whose depths make no sense."""


class LabelError(VeerNetError):
    """Labels that cannot be read, or do not fit the scan or its calibration."""


class CheckpointError(VeerNetError):
    """A model or checkpoint file that is damaged or belongs to another network."""


class RunError(VeerNetError):
    """A training run that is missing or taken, does not fit its archive, or cannot go on."""


class OptionError(VeerNetError, ValueError):
    """An option whose value makes no sense; the message says which values do."""


class BatchError(VeerNetError, ValueError):
    """Images or labels of a shape, type or class that cannot be learned from."""


class LeakError(VeerNetError):
    """A network whose result on an image would depend on the padding or on other images."""


class CouplingError(LeakError):
    """A layer that joins the images of a batch, so that no image has a result of its own."""


class PerImageWarning(UserWarning):
    """Reason why a sealed network computes the images of a batch one after the other: correct, but
    slower.
    """
