"""``python -m memscan`` is the command ``memscan``."""

from memscan.entry import memscan

if __name__ == "__main__":
    memscan()
