"""What every page is made with: templates that escape, and a policy that lets nothing in."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from memscan.errors import InputError
from memscan.reports.names import inert
from memscan.reports.wording import number

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"


def environment() -> jinja2.Environment:
    """The templates, which escape whatever is put into them. Raises InputError without Jinja2."""
    try:
        import jinja2
    except ImportError as error:
        if error.name != "jinja2":  # it is there, but broken
            raise
        raise InputError(
            "an HTML report needs Jinja2, which is not installed (pip install 'memscan[report]')"
        ) from error
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(TEMPLATES)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(inert=inert, number=number)
    return made


def policy(css: str) -> str:
    """The content security policy of a page with this style, embedded images and no script."""
    digest = base64.b64encode(hashlib.sha256(css.encode("utf-8")).digest()).decode("ascii")
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
