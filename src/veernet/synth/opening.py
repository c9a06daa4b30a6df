"""Opening an archive, drawn or on disk; the generator is imported for one that is drawn alone."""

from pathlib import Path

from veernet.data.archive import Archive


def open_archive(root: str | Path) -> Archive:
    """Open an archive, whether its logs are to be read or to be drawn.

    Where what draws them is not known to be what the archive was made with, there is a warning
    (`ArchiveWarning`); where it is known to be another, `verify` finds a fault, and the fingerprint
    names what draws now.

    >>> archive = open_archive("archive")
    >>> archive.classes
    ('background', 'curve 1', 'curve 2')
    >>> sample = archive.split("train")[0]
    >>> sample.image.shape[1:] == sample.target.shape
    True

    Raises:
        ArchiveError: there is none, it is not finished, or nothing here can draw it.
    """
    found = Archive.open(root)
    if not found.drawn:
        return found
    from veernet.synth.drawn import drawn_archive

    return drawn_archive(found)
