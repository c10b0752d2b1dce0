from __future__ import annotations

import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from memscan.errors import InputError
from memscan.records import Thresholds, Verdict
from memscan.report import CurvePoint
from memscan.reports import plots
from memscan.reports.read_back import Audit, read
from tests.reports.documents import document

pytest.importorskip("matplotlib", reason="matplotlib is not installed (the report extra has it)")


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(document()))
    return read(str(path))


def texts(audit: Audit) -> str:
    """All that is written in the figure."""
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    figure = Figure()
    plots._fill(figure, audit)
    figure.canvas.draw()
    return "\n".join(item.get_text() for item in figure.findobj(Text))


def test_each_format_is_what_it_says(audit: Audit) -> None:
    with Image.open(io.BytesIO(plots.draw(audit, "png"))) as image:
        assert (image.format, image.size) == ("PNG", (1050, 1800))
        assert len(image.getcolors(1 << 20) or []) > 5  # something is drawn
    assert plots.draw(audit, "pdf").startswith(b"%PDF-")
    assert b"<svg" in plots.draw(audit, "svg")


@pytest.mark.parametrize("format", plots.SUFFIXES.values())
def test_the_same_audit_gives_the_same_bytes(
    audit: Audit, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib as mpl

    first = plots.draw(audit, format)
    monkeypatch.setitem(mpl.rcParams, "font.size", 30.0)  # the user's own settings
    assert plots.draw(audit, format) == first
    assert mpl.rcParams["font.size"] == 30.0


def test_the_figure_says_what_the_audit_says(audit: Audit) -> None:
    shown = texts(audit)
    for expected in (
        "near-duplicate \u2264 5",
        "review \u2264 10",
        "Copies\n2 of 4",
        "Identical\n1 of 4",
        "Near-Duplicate\n1 of 4",
        "Distinct\n2 of 4",
        "25.0 (0.6 to 80.6)",  # Clopper and Pearson's interval for one of four
        "expected by chance",
    ):
        assert expected in shown


def test_without_a_chance_model_the_panel_says_so(audit: Audit) -> None:
    for curve in ((), (CurvePoint(0, 3, 0.0),)):
        assert "no chance model: too few sources" in texts(replace(audit, curve=curve))


def test_without_a_rate_there_is_no_row_for_it(audit: Audit) -> None:
    assert "Copies" not in texts(replace(audit, copies=None))


def test_a_narrow_interval_has_as_many_decimals_as_it_needs(audit: Audit) -> None:
    shown = texts(replace(audit, copies=(6, 1_000_000)))
    assert "6 of 1,000,000" in shown
    assert "0.0006 (0.0002 to 0.0013)" in shown


def distances(**counts: int) -> tuple[int, ...]:
    return tuple(counts.get(f"at_{bits}", 0) for bits in range(65))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "changed",
    [
        {"distances": distances(at_64=1)},
        {"distances": distances(at_0=1)},
        {"distances": distances(at_3=10**6, at_20=5)},
        {"distances": distances(at_2=10**15)},
        {"thresholds": Thresholds(0, 0)},
        {"thresholds": Thresholds(64, 64)},
        {"copies": (0, 1)},
        {"copies": (10**9, 10**9)},
        {"copies": (10**15, 10**15)},
        {"curve": (CurvePoint(0, 0, 5e-324),)},
        {"curve": (CurvePoint(64, 10**15, 1e15), CurvePoint(64, 0, 0.0))},
        {"curve": (CurvePoint(0, 0, 1e-9), CurvePoint(2, 7, 1e-8))},
    ],
)
def test_extreme_audits_are_drawn(audit: Audit, changed: dict[str, object]) -> None:
    extreme = replace(audit, **changed)  # type: ignore[arg-type]
    verdicts = {**dict.fromkeys(Verdict, 0), Verdict.DISTINCT: extreme.targets}
    assert plots.draw(replace(extreme, verdicts=verdicts), "png")


def test_no_matplotlib_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"not installed: pip install 'memscan\[report\]'$"):
        plots.require_matplotlib()


def test_a_broken_matplotlib_tells_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(os.fspath(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "matplotlib.py").write_text("import no_such_part")
    with pytest.raises(ModuleNotFoundError, match="no_such_part"):
        plots.require_matplotlib()
