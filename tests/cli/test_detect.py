from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from memscan import __version__
from tests.cli.running import DETECT, MEMSCAN, ROOT, run
from tests.drawing import claim_size, needs_posix, picture, save

pytestmark = pytest.mark.usefixtures("work")

SOURCE = ["--source", "./training_data/", "--recursive"]


def test_the_documented_output_byte_for_byte() -> None:
    done = run(DETECT, "--target", "./generated/near.jpg", *SOURCE)
    assert done.stdout == (
        "Scanning source directory...\n"
        "[+] Found 6 images in ./training_data/\n"
        "\n"
        "Analyzing target: near.jpg\n"
        "----------------------------------------\n"
        "Closest Match Found:\n"
        "File: ./training_data/class_B/img_1.png\n"
        "Distance: 2\n"
        "Verdict: Near-Duplicate (High Probability of Memorization)\n"
    )
    assert done.stderr == ""
    assert done.returncode == 0


def test_python_m_memscan_detect_is_the_same_command() -> None:
    arguments = ["--target", "generated/near.jpg", *SOURCE]
    assert run(MEMSCAN, "detect", *arguments).stdout == run(DETECT, *arguments).stdout


def test_the_console_script_is_the_same_command() -> None:
    script = shutil.which("memscan", path=os.path.dirname(sys.executable))
    if script is None:
        pytest.skip("memscan is not installed beside this Python")
    assert run([script], "--version").stdout == f"memscan {__version__}\n"


@pytest.mark.parametrize("command", [DETECT, MEMSCAN, [*MEMSCAN, "detect"]])
def test_version(command: list[str]) -> None:
    done = run(command, "--version")
    assert (done.stdout, done.returncode) == (f"memscan {__version__}\n", 0)


@pytest.mark.parametrize("name", ["", "detect", "compare", "demo", "cache"])
def test_every_command_has_help(name: str) -> None:
    for flag in ("-h", "--help"):
        done = run(MEMSCAN, *filter(None, [name]), flag)
        assert done.stdout.startswith("Usage: ")
        assert done.returncode == 0


def test_several_targets_are_headed_by_their_paths() -> None:
    done = run(DETECT, "--target", "generated", *SOURCE)
    headings = [line for line in done.stdout.splitlines() if line.startswith("Analyzing")]
    assert headings == [
        "Analyzing target: generated/identical.png",
        "Analyzing target: generated/near.jpg",
        "Analyzing target: generated/other.png",
    ]


def test_several_sources_are_counted_one_by_one_and_each_file_once() -> None:
    done = run(
        DETECT,
        *("--target", "generated/near.jpg"),
        *("--source", "training_data/class_A", "--source", "training_data", "-r"),
    )
    assert done.stdout.splitlines()[1:3] == [
        "[+] Found 3 images in training_data/class_A",
        "[+] Found 3 images in training_data",
    ]


def test_more_matches_follow_the_closest() -> None:
    done = run(DETECT, "--target", "generated/near.jpg", *SOURCE, "--top-k", "3")
    lines = done.stdout.splitlines()
    place = lines.index("Distance: 2")
    assert lines[place + 1].startswith("2. File: ./training_data/class_")
    assert " Distance: " in lines[place + 2]
    assert lines[place + 3].startswith("Verdict: Near-Duplicate")


def test_thresholds_move_the_verdict() -> None:
    arguments = ["--target", "generated/near.jpg", *SOURCE]
    strict = run(DETECT, *arguments, "--near-threshold", "0", "--distinct-threshold", "2")
    assert "Verdict: Distinct (Inconclusive: Review Recommended)\n" in strict.stdout
    stricter = run(DETECT, *arguments, "--near-threshold", "1", "--distinct-threshold", "1")
    assert "Verdict: Distinct (No Evidence of Memorization)\n" in stricter.stdout


def test_exclusion_and_follow_symlinks_reach_the_walk() -> None:
    done = run(DETECT, "--target", "generated", *SOURCE, "--exclude", "class_A/*")
    assert "[+] Found 3 images" in done.stdout
    os.symlink("training_data", "link")
    target = ["--target", "generated/near.jpg"]
    assert run(DETECT, *target, "--source", ".", "-r").stdout.count("[+] Found 12 images") == 1
    followed = run(DETECT, *target, "--source", "link", "-r", "--follow-symlinks")
    assert "[+] Found 6 images in link" in followed.stdout


def test_a_target_in_the_source_brings_a_warning() -> None:
    arguments = ["--target", "training_data/class_A/img_0.png", *SOURCE]
    done = run(DETECT, *arguments)
    assert "Distance: 0" in done.stdout
    assert done.stderr.startswith(
        "Warning: targets that lie in the source or holdout match themselves: 1"
    )
    alone = run(DETECT, *arguments, "--exclude-self")
    assert "Verdict: Distinct" in alone.stdout
    assert alone.stderr == ""


class TestFormats:
    def test_json(self) -> None:
        done = run(DETECT, "--target", "generated", *SOURCE, "--format", "json")
        document = json.loads(done.stdout)
        assert document["schema_version"] == 1
        assert document["source"] == {
            "paths": ["./training_data/"],
            "found": 6,
            "hashed": 6,
            "failed": 0,
        }
        assert [f["verdict"] for f in document["findings"]] == [
            "Identical",
            "Near-Duplicate",
            "Distinct",
        ]
        assert set(document["tool"]["libraries"]) == {"Pillow", "imagehash", "numpy"}

    def test_json_lines_and_csv(self) -> None:
        lines = run(DETECT, "--target", "generated", *SOURCE, "--format", "jsonl").stdout
        assert [json.loads(line)["type"] for line in lines.splitlines()] == [
            *["finding"] * 3,
            "summary",
        ]
        table = run(DETECT, "--target", "generated", *SOURCE, "--format", "csv", "--top-k", "2")
        assert len(list(csv.DictReader(io.StringIO(table.stdout)))) == 6

    def test_the_same_inputs_give_the_same_bytes(self) -> None:
        outputs = {
            run(DETECT, "--target", "generated", *SOURCE, "--format", "json", "--jobs", jobs).stdout
            for jobs in ("1", "2", "7")
        }
        assert len(outputs) == 1

    def test_files_hold_what_stdout_shows(self) -> None:
        names = [f"report{suffix}" for suffix in (".txt", ".json", ".jsonl", ".csv", ".xml")]
        outputs = [word for name in names for word in ("--output", name)]
        done = run(DETECT, "--target", "generated", *SOURCE, *outputs)
        assert done.stdout == run(DETECT, "--target", "generated", *SOURCE).stdout
        for format, suffix in zip(
            ("text", "json", "jsonl", "csv", "junit"), ("txt", "json", "jsonl", "csv", "xml")
        ):
            shown = run(
                DETECT, "--target", "generated", *SOURCE, "--format", format, "--verbose"
            ).stdout
            assert Path(f"report.{suffix}").read_text() == shown
        assert not [name for name in os.listdir() if name.endswith(".tmp")]


class TestQuiet:
    ARGUMENTS = (*SOURCE, "--quiet")

    def test_nothing_is_printed_when_nothing_needs_attention(self) -> None:
        done = run(DETECT, "--target", "generated/other.png", *self.ARGUMENTS)
        assert (done.stdout, done.returncode) == ("", 0)

    def test_files_are_written_all_the_same(self) -> None:
        run(DETECT, "--target", "generated/other.png", *self.ARGUMENTS, "--output", "all.json")
        assert json.loads(Path("all.json").read_text())["summary"]["targets"] == 1

    def test_a_finding_is_printed(self) -> None:
        arguments = ["--target", "generated", *SOURCE]
        assert run(DETECT, *arguments, "--quiet").stdout == run(DETECT, *arguments).stdout != ""

    def test_a_review_is_printed(self) -> None:
        assert run(DETECT, "--target", "flat/target.png", *self.ARGUMENTS).stdout

    def test_a_failure_is_printed(self) -> None:
        shutil.copy("broken.png", "training_data/broken.png")
        assert run(DETECT, "--target", "generated/other.png", *self.ARGUMENTS).stdout


class TestFailures:
    @pytest.fixture(autouse=True)
    def broken(self, work: Path) -> None:
        shutil.copy("broken.png", "training_data/x.png")
        shutil.copy("broken.png", "training_data/y.jpg")

    def test_they_are_counted_and_named_when_asked(self) -> None:
        brief = run(DETECT, "--target", "generated/near.jpg", *SOURCE)
        assert brief.stdout.splitlines()[1:3] == [
            "[+] Found 8 images in ./training_data/",
            "[!] Could not read 2 images (--verbose lists them)",
        ]
        assert brief.returncode == 0
        full = run(DETECT, "--target", "generated/near.jpg", *SOURCE, "--verbose")
        assert full.stdout.splitlines()[2:5] == [
            "[!] Could not read 2 images:",
            "    ./training_data/x.png: not an image in a format that memscan opens",
            "    ./training_data/y.jpg: not an image in a format that memscan opens",
        ]

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ([], 0),
            (["--max-failures", "2"], 0),
            (["--max-failures", "1"], 3),
            (["--max-failures", "0"], 3),
            (["--fail-on", "identical"], 3),
            (["--fail-on", "identical", "--max-failures", "2"], 0),
            (["--fail-on", "near-duplicate", "--max-failures", "0"], 1),
        ],
    )
    def test_how_many_are_allowed(self, options: list[str], code: int) -> None:
        done = run(DETECT, "--target", "generated/near.jpg", *SOURCE, *options)
        assert done.returncode == code
        assert done.stdout
        assert ("the scan is incomplete" in done.stderr) == (code == 3)

    def test_in_a_target_directory_they_are_rows(self) -> None:
        done = run(DETECT, "--target", "training_data", *SOURCE)
        assert (
            "\n[!] Could not read 2 targets:\n"
            "    training_data/x.png: not an image in a format that memscan opens\n"
            "    training_data/y.jpg: not an image in a format that memscan opens\n\n"
        ) in done.stdout
        assert done.stdout.endswith("Not read: 2 targets, 2 source images\n")
        assert done.returncode == 0

    def test_a_named_target_that_cannot_be_read_comes_before_a_finding(self) -> None:
        done = run(
            DETECT,
            *("--target", "broken.png", "--target", "generated/identical.png"),
            *(*SOURCE, "--fail-on", "identical", "--format", "json"),
        )
        assert done.returncode == 2
        assert done.stderr == "Error: broken.png: not an image in a format that memscan opens\n"
        assert json.loads(done.stdout)["summary"]["verdicts"]["Identical"] == 1

    def test_the_pixel_limit_is_an_option(self) -> None:
        claim_size(Path("training_data/bomb.png"), 50_000, 50_000)
        done = run(DETECT, "--target", "generated/near.jpg", *SOURCE, "--verbose")
        assert "bomb.png: more than 178956970 pixels (--max-pixels raises the limit)" in done.stdout
        small = run(DETECT, "--target", "generated/near.jpg", *SOURCE, "--max-pixels", "1536")
        assert small.returncode == 2
        assert "more than 1536 pixels" in small.stderr
        assert "50000" not in small.stderr


class TestGate:
    @pytest.mark.parametrize(
        ("target", "level", "code"),
        [
            ("generated/identical.png", "identical", 1),
            ("generated/identical.png", "near-duplicate", 1),
            ("generated/identical.png", "review", 1),
            ("generated/near.jpg", "identical", 0),
            ("generated/near.jpg", "near-duplicate", 1),
            ("generated/near.jpg", "review", 1),
            ("generated/other.png", "identical", 0),
            ("generated/other.png", "near-duplicate", 0),
            ("generated/other.png", "review", 0),
            ("generated", "identical", 1),
        ],
    )
    def test_levels(self, target: str, level: str, code: int) -> None:
        done = run(DETECT, "--target", target, *SOURCE, "--fail-on", level)
        assert done.returncode == code
        assert done.stderr == ""

    @pytest.mark.parametrize(("level", "code"), [("near-duplicate", 0), ("review", 1)])
    def test_a_flat_pair_reaches_review_only(self, level: str, code: int) -> None:
        done = run(
            DETECT, "--target", "flat/target.png", "--source", "flat/source", "--fail-on", level
        )
        assert done.stdout.endswith(
            "Verdict: Identical (Statistically Identical Images)\nReview: low-information\n"
        )
        assert done.returncode == code

    def test_a_borderline_finding_reaches_review_only(self) -> None:
        limits = ["--near-threshold", "0", "--distinct-threshold", "4"]
        arguments = ["--target", "generated/near.jpg", *SOURCE, *limits, "--fail-on"]
        assert run(DETECT, *arguments, "near-duplicate").returncode == 0
        assert run(DETECT, *arguments, "review").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--target", "generated"], "Missing option '--source'."),
        (["--target", "no.png", *SOURCE], "no.png: there is no such file or directory"),
        (["--target", "generated", "--source", "no"], "no: there is no such file or directory"),
        (["--target", "broken.png", *SOURCE], "broken.png: not an image in a format that memscan"),
        (
            ["--target", "generated", "--source", "training_data"],
            "training_data: no images here, but 6 in its subdirectories (add --recursive)",
        ),
        (["--target", "generated", "--source", "broken.png"], "broken.png: not an image"),
        (
            ["--target", "generated", *SOURCE, "--near-threshold", "20"],
            "the near threshold (20) must not be greater than the distinct threshold (10)",
        ),
        (["--target", "generated", *SOURCE, "--top-k", "0"], "Invalid value for '--top-k'"),
        (["--target", "generated", *SOURCE, "--jobs", "x"], "Invalid value for '--jobs'"),
        (["--target", "generated", *SOURCE, "--jobs", "9" * 20], "Invalid value for '--jobs'"),
        (["--target", "generated", *SOURCE, "--output", "a.pdf"], "a.pdf: the name of an output"),
        (["--target", "\x1b[31m.png", *SOURCE], r"\x1b[31m.png: there is no such file"),
        (["--target", "", *SOURCE], "an empty path was given as a target"),
    ],
)
def test_unusable_input_ends_with_one_sentence_and_2(arguments: list[str], sentence: str) -> None:
    done = run(DETECT, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith(f"Error: {sentence}")
    assert done.stderr.isascii()
    assert "Traceback" not in done.stderr


@needs_posix
class TestHostileNames:
    def test_they_are_shown_inert(self) -> None:
        hostile = os.fsdecode(b"generated/\x1b[31m\n\xff.png")
        save(picture(1), Path(hostile))
        shutil.copytree("generated", "training_data/class_A/generated")
        for format in ("text", "json", "jsonl", "csv"):
            done = run(DETECT, "--target", hostile, *SOURCE, "--exclude-self", "--format", format)
            assert done.returncode == 0, done.stderr
            assert "\x1b" not in done.stdout
            assert "\udcff" not in done.stdout
        document = json.loads(run(DETECT, "--target", hostile, *SOURCE, "--format", "json").stdout)
        finding = document["findings"][0]
        assert finding["target"] == "generated/\x1b[31m\n\\xff.png"
        assert finding["target_base64"] == "Z2VuZXJhdGVkLxtbMzFtCv8ucG5n"

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
    def test_any_encoding_of_stdout_will_do(self, encoding: str) -> None:
        shutil.copy("generated/near.jpg", "generated/漢.jpg")
        done = run(
            DETECT, "--target", "generated/漢.jpg", *SOURCE, env={"PYTHONIOENCODING": encoding}
        )
        assert done.returncode == 0, done.stderr
        assert "Analyzing target: " + ("漢" if encoding == "utf-8" else r"\u6f22") in done.stdout


@needs_posix
def test_it_needs_no_home_and_writes_nothing_beside_the_images() -> None:
    before = sorted(str(path) for path in Path().rglob("*"))
    done = run(
        DETECT,
        *("--target", "generated", *SOURCE, "--no-cache"),
        env={"HOME": None, "USERPROFILE": None, "XDG_CACHE_HOME": None, "TMPDIR": "/nonexistent"},
    )
    assert done.returncode == 0, done.stderr
    assert sorted(str(path) for path in Path().rglob("*")) == before


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['detect.py', '--help']\n"
        "from memscan.entry import detect\n"
        "try: detect()\n"
        "except SystemExit: print(*{'numpy', 'PIL', 'scipy', 'tqdm'} & {*sys.modules}, 'loaded')"
    )
    done = run([sys.executable, "-c", code])
    assert done.stdout.splitlines()[-1].strip() == "loaded"


def test_a_scan_loads_no_optional_library() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from memscan.entry import detect\n"
        "try: detect()\n"
        "except SystemExit: print(*{'torch', 'pyarrow', 'matplotlib', 'ray'} & {*sys.modules}, '.')"
    )
    done = run([sys.executable, "-c", code], "--target", "generated/near.jpg", *SOURCE)
    assert done.stdout.splitlines()[-1].strip() == "."


def test_a_scan_by_a_hash_loads_nothing_of_other_scans() -> None:
    others = [
        *("memscan.learned", "memscan.detectors", "memscan.confirmation"),
        *("memscan.cosine", "memscan.vectors", "memscan.tables", "memscan.shards"),
        *("memscan.cli.similarity", "memscan.cli.train"),
    ]
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from memscan.entry import detect\n"
        "try: detect()\n"
        f"except SystemExit: print(*{{*{others!r}}} & {{*sys.modules}}, '.')"
    )
    done = run([sys.executable, "-c", code], "--target", "generated/near.jpg", *SOURCE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "."
