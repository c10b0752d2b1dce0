"""What every page is made with: templates that escape, and a policy that lets nothing in."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from memscan.errors import InputError
from memscan.reports.names import file_uri, inert, inert_path
from memscan.reports.wording import expected, number

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
    made.filters.update(
        inert=inert, path=inert_path, uri=file_uri, number=number, expected=expected
    )
    return made


def text(*names: str) -> str:
    """The files of these names among the templates, one after another."""
    return "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)


def policy(css: str, script: str | None = None) -> str:
    """The content security policy of a page: this style, embedded images, at most one script."""
    allowed = "" if script is None else f"script-src '{_source_hash(script)}'; "
    return (
        f"default-src 'none'; img-src data:; style-src '{_source_hash(css)}'; {allowed}"
        "base-uri 'none'; form-action 'none'"
    )


def _source_hash(source: str) -> str:
    digest = hashlib.sha256(source.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
