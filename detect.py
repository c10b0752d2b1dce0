"""``python detect.py --target X --source Y``: the scan, from a clone without installing it."""

from memscan.cli import run_detect

if __name__ == "__main__":
    run_detect()
