"""``python detect.py --target X --source Y``: the scan, from a clone without installing it."""

from memscan.entry import detect

if __name__ == "__main__":
    detect()
