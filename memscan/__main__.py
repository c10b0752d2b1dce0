"""``python -m memscan`` is the command ``memscan``."""

from memscan.cli import run

if __name__ == "__main__":
    run()
