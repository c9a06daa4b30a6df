"""The page about a run says over how many logs its figures are."""

from dataclasses import asdict

import numpy as np
import pytest

from veernet import Archive, VeerNetConfig
from veernet.evaluation.evaluate import LogResult
from veernet.evaluation.summary import summarise
from veernet.files import write_json, write_json_lines
from veernet.report.page import write_report
from veernet.train.log import NAME
from veernet.train.run import start
from veernet.train.score import EVALUATIONS
from veernet.training import Training


@pytest.fixture
def run(small_archive, tmp_path):
    start(
        tmp_path / "run",
        Archive.open(small_archive),
        Training(network=VeerNetConfig(out_channels=3)),
    )
    write_json_lines(tmp_path / "run" / NAME, [])
    return tmp_path / "run"


@pytest.fixture
def summary(small_archive):
    """Of two logs: one is read as it is, and of the other nothing."""
    archive = Archive.open(small_archive)
    split = archive.split("test")
    results = [
        LogResult.of(
            split.rows[i],
            split.log(i),
            share * np.stack([split.log(i).mask == k for k in (1, 2)]).astype(np.float32),
        )
        for i, share in enumerate([1.0, 0.0])
    ]
    return asdict(summarise(results, archive.classes))


def shown(run, summary):
    write_json(run / EVALUATIONS / "test" / "summary.json", summary)
    write_report(run / "report.html", run)
    return " ".join((run / "report.html").read_text().split())


def test_medians_say_over_how_many_logs_they_are(run, summary):
    page = shown(run, summary)
    assert "Nothing was read on 1 of 2 logs, which rank last with F1 0" in page
    assert "; nothing of curve 1 on 1; nothing of curve 2 on 1. 0 logs have no label." in page
    r2, read = (summary["curves"]["curve 1"]["columns"][name] for name in ("r2", "coverage"))
    for one, logs in ((r2, 1), (read, 2)):
        message = (
            f'{one["median"]:.4f} <span class="quiet">({one["worst_tenth"]:.4f}; {logs})</span>'
        )
        assert message in page


def test_an_evaluation_that_did_not_say_it_is_shown_as_it_is(run, summary):
    """As summaries were written before."""
    del summary["nothing_read"], summary["unlabelled"], summary["scored"]
    for curve in summary["curves"].values():
        del curve["unread"]
        for sampling in ("columns", "points_300"):
            for measure in curve[sampling].values():
                del measure["logs"]
    assert "; 1)" not in shown(run, summary)
