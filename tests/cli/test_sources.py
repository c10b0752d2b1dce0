"""Scans of images that are no loose files: the same results as for the files, under other names."""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.cli.running import DETECT, MEMSCAN, environment, run
from tests.drawing import needs_posix, picture, save
from tests.sources.archives import gz, tar, zipped
from tests.stores import s3_server

pytestmark = pytest.mark.usefixtures("work")


def contents(root: str = "training_data") -> dict[str, bytes]:
    paths = sorted(path for path in Path(root).rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def scan(*arguments: str, target: str = "generated", says: str = "") -> dict[str, Any]:
    done = run(DETECT, "--target", target, *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(says, done.stderr)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


OTHERS = "Warning: hashes.csv: hashes of other software: .*\n"


def without_names(document: dict[str, Any], heads: str) -> Any:
    """What was found, with ``heads`` (an expression) before and after the names of members cut."""
    found = {key: document[key] for key in ("findings", "copied", "curve", "failures", "summary")}
    return json.loads(re.sub(heads, "", json.dumps(found)))


UNPACKED = r"training_data/|generated/"


def packed(name: str, files: dict[str, bytes]) -> str:
    pack = zipped if name.endswith(".zip") else tar
    Path(name).write_bytes(gz(pack(files)) if name.endswith("gz") else pack(files))
    return name


@pytest.mark.parametrize("name", ["train.tar", "train.tgz", "train.zip"])
@pytest.mark.parametrize(
    "options",
    [
        ["--top-k", "3"],
        ["--views", "training", "--top-k", "2"],
        ["--hash", "pdq", "--views", "training"],
        ["--fast"],
        ["--jobs", "1"],
    ],
)
def test_an_archive_gives_what_its_files_give(name: str, options: list[str]) -> None:
    packed(name, contents())
    found = scan("--source", name, *options)
    loose = scan("--source", "training_data", "-r", *options)
    kind = "zip" if name.endswith("zip") else "tar"
    heads = rf"{kind}://|::{name}|generated/"
    assert without_names(found, heads) == without_names(loose, UNPACKED)
    assert found["source"]["found"] == found["source"]["hashed"] == 6


def test_targets_in_an_archive() -> None:
    packed("made.zip", contents("generated"))
    found = scan("--source", "training_data", "-r", target="made.zip")
    loose = scan("--source", "training_data", "-r")
    heads = r"zip://|::made.zip|training_data/"
    assert without_names(found, heads) == without_names(loose, UNPACKED)


def test_rows_of_parquet_files() -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = importlib.import_module("pyarrow.parquet")
    images = [{"bytes": data, "path": name} for name, data in contents().items()]
    parquet.write_table(arrow.table({"image": images}), "train.parquet")
    found = scan("--source", "train.parquet")
    loose = scan("--source", "training_data", "-r")
    for one, other in zip(found["findings"], loose["findings"]):
        assert (one["distance"], one["verdict"]) == (other["distance"], other["verdict"])
    names = list(contents())
    for one, other in zip(found["copied"], loose["copied"]):
        row = int(re.fullmatch(r"parquet://image/(\d)::train.parquet", one["source"])[1])  # type: ignore[index]
        assert other["source"] == f"training_data/{names[row]}"


def test_a_parquet_file_without_images_is_unusable() -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    importlib.import_module("pyarrow.parquet").write_table(arrow.table({"a": ["b"]}), "a.parquet")
    done = run(DETECT, "--target", "generated", "--source", "a.parquet")
    assert done.stderr == "Error: a.parquet: no column of images (columns: a (string))\n"
    assert done.returncode == 2


@needs_posix
def test_a_container_counts_once_whatever_it_is_called() -> None:
    packed("a.tar", contents())
    Path("link.tar").symlink_to("a.tar")
    found = scan(*("--source", "a.tar", "--source", "./a.tar", "--source", "link.tar"))
    assert (found["source"]["found"], found["source"]["hashed"]) == (6, 6)
    assert {item["same_hash"] for item in found["copied"]} == {1}
    assert scan("--source", "a.tar")["findings"] == found["findings"]


def test_an_image_that_is_loose_and_in_an_archive_is_two() -> None:
    packed("a.tar", contents())
    found = scan("--source", "a.tar", "--source", "training_data", "-r", "--top-k", "2")
    assert found["source"]["hashed"] == 12
    first = found["findings"][0]
    assert [match["source"] for match in first["matches"]] == [
        "tar://class_A/img_0.png::a.tar",
        "training_data/class_A/img_0.png",
    ]
    assert {item["same_hash"] for item in found["copied"]} == {2}


@needs_posix
def test_targets_are_known_again_in_their_own_container() -> None:
    packed("a.tar", contents())
    Path("link.tar").symlink_to("a.tar")
    done = run(DETECT, "--target", "a.tar", "--source", "./link.tar")
    assert "targets that lie in the source or holdout match themselves: 6" in done.stderr
    alone = scan("--source", "./link.tar", "--exclude-self", target="a.tar")
    assert all(finding["distance"] > 10 for finding in alone["findings"])


def test_patterns_and_lists() -> None:
    files = contents()
    for number, name in enumerate(files):
        packed(f"part-{number:02}.tar", {name: files[name]})
    expected = scan("--source", "training_data", "-r")["findings"]
    distances = [finding["distance"] for finding in expected]
    Path("list").write_text("\n".join(f"part-{number:02}.tar" for number in range(6)))
    Path("list0").write_bytes(b"".join(b"part-%02d.tar\0" % number for number in range(6)))
    for given in (
        ["--source", "part-{00..05}.tar"],
        ["--source", "part-*.tar"],
        ["--files-from", "list"],
        ["--files-from", "list0", "-0"],
        ["--source", "part-{00..03}.tar", "--files-from", "list"],
    ):
        found = scan(*given)
        assert [finding["distance"] for finding in found["findings"]] == distances
        assert (found["source"]["found"], found["source"]["hashed"]) == (6, 6)
    done = run(DETECT, "--target", "generated", "--source", "part-{00..06}.tar")
    assert (done.returncode, "part-06.tar: there is no such file" in done.stderr) == (2, True)


def test_what_a_list_names_in_vain_is_a_failure() -> None:
    os.mkdir("nothing")
    Path("list").write_text("training_data/class_A\nmissing.png\nnothing\n")
    found = scan("--files-from", "list")
    assert [(one["path"], one["stage"]) for one in found["failures"]] == [
        ("missing.png", "read"),
        ("nothing", "read"),
    ]
    assert found["source"]["found"] == 3
    Path("list").write_text("missing.png\n")
    done = run(DETECT, "--target", "generated", "--files-from", "list")
    assert (done.returncode, "list: none of its paths has images" in done.stderr) == (2, True)


def test_holdout_baseline_and_gate() -> None:
    packed("train.zip", contents())
    packed("held.tar", {"x.png": contents()["class_A/img_0.png"]})
    gate = ("--source", "train.zip", "--fail-on", "near-duplicate", "--holdout", "held.tar")
    done = run(DETECT, "--target", "generated", *gate, "--format", "json")
    assert done.returncode == 1
    held_out = json.loads(done.stdout)["holdout"]
    assert (held_out["found"], held_out["copies"], held_out["only_source"]) == (1, 1, 1)
    accepted = ("--baseline", "accepted.json")
    run(
        DETECT,
        "--target",
        "generated",
        "--source",
        "training_data",
        "-r",
        *accepted,
        "--update-baseline",
    )
    assert run(DETECT, "--target", "generated", *gate, *accepted).returncode == 0


HOSTILE = {
    "\x1b[31mred.png": 0,
    "../../up.png": 1,
    "/absolute.png": 2,
    "two::colons.png": 3,
    "new\nline.png": 4,
    "=formula().png": 5,
    "per%3Acent.png": 6,
    "not utf-8 \udcff.png": 7,
}


def test_names_of_members_act_on_nothing() -> None:
    def data(seed: int) -> bytes:
        return Path(save(picture(seed), Path(f"drawn/{seed}.png"))).read_bytes()

    hostile = {name: data(seed) for name, seed in HOSTILE.items()}
    raw = tar({name: b for name, b in hostile.items() if "\udcff" not in name})[:-10240]
    Path("h.tar").write_bytes(tar(hostile) if raw is None else tar_of_bytes(hostile))
    reports = ["a.csv", "a.xml", "a.json"]
    outputs = [word for name in reports for word in ("--output", name)]
    done = run(DETECT, "--target", "drawn", "--source", "h.tar", *outputs)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert "File: tar://new\\nline.png::h.tar\n" in done.stdout
    document = json.loads(Path("a.json").read_bytes())
    assert [finding["distance"] for finding in document["findings"]] == [0] * 8
    by_seed = [finding["matches"][0]["source"] for finding in document["findings"]]
    assert by_seed[1] == "tar://../../up.png::h.tar"
    assert by_seed[3] == "tar://two:%3Acolons.png::h.tar"
    assert by_seed[6] == "tar://per%253Acent.png::h.tar"
    rows = list(csv.DictReader(io.StringIO(Path("a.csv").read_text())))
    assert len(rows) == 8
    assert "\x1b" not in Path("a.csv").read_text()
    assert len(ElementTree.parse("a.xml").getroot().findall(".//testcase")) == 8
    assert not Path("../../up.png").exists()


def tar_of_bytes(files: dict[str, bytes]) -> bytes:
    tarfile = importlib.import_module("tarfile")
    file = io.BytesIO()
    with tarfile.open(
        fileobj=file, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape"
    ) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def test_the_page_shows_pictures_of_members() -> None:
    pytest.importorskip("jinja2", reason="the extra 'report' is not installed")
    packed("a.tar", contents())
    packed("made.zip", contents("generated"))
    run(DETECT, "--target", "made.zip", "--source", "a.tar", "--output", "packed.html")
    run(
        DETECT, "--target", "generated", "--source", "training_data", "-r", "--output", "loose.html"
    )
    pictures = [
        sorted(set(re.findall(r"UklGR[A-Za-z0-9+/=]{50,}|/9j/[A-Za-z0-9+/=]{50,}", page)))
        for page in (Path(name).read_text() for name in ("packed.html", "loose.html"))
    ]
    assert pictures[0] == pictures[1]
    assert len(pictures[0]) == 4  # img_0, its identical copy and the closest to other.png, is one
    page = Path("packed.html").read_text()
    assert Path("a.tar").resolve().as_uri() in page
    assert "tar:/" not in re.sub(r"tar://class", "", page)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.tar", b"", "the file is empty"),
        ("junk.zip", b"junk", "not a zip archive"),
        ("none.tar", tar({"a.txt": b"text"}), "no images in it"),
        ("broken.tgz", gz(tar({"a.txt": b"text" * 99999}))[:50], "broken|ends"),
    ],
)
def test_archives_without_an_image(name: str, data: bytes, says: str) -> None:
    Path(name).write_bytes(data)
    for given in (
        ["--target", "generated", "--source", name],
        ["--target", name, "--source", "training_data", "-r"],
        ["--target", "generated", "--source", "training_data", "-r", "--holdout", name],
    ):
        done = run(DETECT, *given)
        assert (done.stdout, done.returncode) == ("", 2)
        assert re.fullmatch(rf"Error: {name}: .*({says}).*\n", done.stderr)
    done = run(DETECT, "--target", name, "--target", "generated", "--source", "training_data", "-r")
    assert done.returncode == 2
    assert f"Error: {name}: " in done.stderr


def test_what_came_before_the_break_stands() -> None:
    data = tar(contents())
    Path("cut.tar").write_bytes(data[: len(data) // 2])
    done = run(DETECT, "--target", "generated", "--source", "cut.tar", "--format", "json")
    found = json.loads(done.stdout)
    assert 0 < found["source"]["hashed"] < 6
    (failure,) = found["failures"]
    assert (failure["path"], done.returncode) == ("cut.tar", 0)
    assert "ends early" in failure["message"]
    gate = run(
        DETECT, "--target", "generated/other.png", "--source", "cut.tar", "--fail-on", "identical"
    )
    assert gate.returncode == 3


@pytest.mark.parametrize(
    ("module", "name", "extra"),
    [("pyarrow", "a.parquet", "parquet"), ("zstandard", "a.tar.zst", "archives")],
)
def test_a_missing_extra_is_named(module: str, name: str, extra: str) -> None:
    Path(name).write_bytes(b"\x28\xb5\x2f\xfd" + bytes(99) if extra == "archives" else b"PAR1")
    Path("without").mkdir()
    (Path("without") / "sitecustomize.py").write_text(
        f"import sys\nsys.modules[{module!r}] = None\n"
    )
    path = os.pathsep.join([str(Path("without").resolve()), environment()["PYTHONPATH"]])
    done = run(DETECT, "--target", "generated", "--source", name, env={"PYTHONPATH": path})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"pip install 'memscan[{extra}]'" in done.stderr


def test_other_commands_say_what_they_take() -> None:
    packed("a.tar", contents())
    packed("one.zip", {"x.png": contents()["class_A/img_0.png"]})
    done = run(MEMSCAN, "compare", "one.zip", "generated/identical.png")
    assert "zip://x.png::one.zip" in done.stdout
    assert "Distance: 0" in done.stdout
    for command, says in (
        (["compare", "a.tar", "generated/near.jpg"], "a.tar: it holds 6 images"),
        (["evaluate", "--images", "a.tar"], "a.tar: evaluate reads image files"),
        (["plot", "a.tar", "--output", "a.svg"], "a.tar: it is not one JSON document"),
    ):
        done = run(MEMSCAN, *command)
        assert done.returncode == 2
        assert done.stderr.startswith(f"Error: {says}")
        assert done.stderr.count("\n") == 1


def test_near_duplicates_in_and_beside_archives() -> None:
    packed("a.tar", contents())
    done = run(MEMSCAN, "duplicates", "a.tar", "training_data", "-r", "--format", "json")
    groups = [[m["path"] for m in group["members"]] for group in json.loads(done.stdout)["groups"]]
    names = sorted(contents(), key=os.fsencode)
    assert groups == [[f"tar://{name}::a.tar", f"training_data/{name}"] for name in names]


def test_hashes_that_others_made() -> None:
    shown = scan("--source", "training_data", "-r")
    lines = ["path,phash"]
    for item in shown["copied"]:
        lines.append(f"{item['source']},{item['hash']}")
    Path("hashes.csv").write_text("\n".join(lines) + "\n")
    found = scan("--source", "hashes.csv", "--hash-column", "phash", says=OTHERS)
    assert found["options"]["hash_column"] == "phash"
    assert found["copied"][0]["source"] == shown["copied"][0]["source"]
    done = run(DETECT, "--target", "hashes.csv", "--source", "training_data", "-r")
    assert done.stderr == "Error: hashes.csv: a target needs images, and this holds hashes\n"


def test_names_in_tables_of_strangers_are_not_asked_for() -> None:
    """Looking at pixels must not make this machine ask where a table says."""
    hash = scan("--source", "training_data", "-r")["copied"][0]["hash"]
    server = importlib.import_module("http.server")
    asked: list[str] = []

    class Handler(server.BaseHTTPRequestHandler):  # type: ignore[misc,name-defined]
        def do_GET(self) -> None:  # noqa: N802
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815

    threading = importlib.import_module("threading")
    with server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        url = f"http://user:secret@127.0.0.1:{httpd.server_port}/a.png?sig=secret"
        Path("hashes.csv").write_text(f"url,phash\n{url},{hash}\n")
        found = scan("--source", "hashes.csv", "--output", "a.csv", says=OTHERS)
        httpd.shutdown()
    assert asked == []
    match = found["findings"][0]["matches"][0]
    assert match["similarity"] is None
    assert match["source"] == f"http://127.0.0.1:{httpd.server_port}/a.png"
    assert "secret" not in Path("a.csv").read_text() + json.dumps(found)


def test_medical_volumes() -> None:
    pytest.importorskip("nibabel", reason="nibabel is not installed")
    numpy = importlib.import_module("numpy")
    nifti = importlib.import_module("tests.sources.test_medical").nifti
    slices = [numpy.asarray(picture(seed, (64, 64), "L"), numpy.int16) for seed in range(3)]
    slices[0].flat[:2] = 0, 255
    Path("scans/deep").mkdir(parents=True)
    Path("scans/deep/brain.nii").write_bytes(nifti(numpy.stack([one.T for one in slices], axis=-1)))
    save(picture(1, (64, 64), "L"), Path("made/slice.png"))
    found = scan("--source", "scans", "-r", target="made/slice.png")
    assert found["findings"][0]["matches"][0]["source"] == "nifti://1::scans/deep/brain.nii"
    assert found["findings"][0]["distance"] <= 2
    assert found["findings"][0]["matches"][0]["similarity"] > 0.9
    (volume,) = found["volumes"]
    assert volume == {"path": "scans/deep/brain.nii", "mapping": "min-max 0..255"}
    assert found["source"]["found"] == 3
    again = scan("--source", "scans", "-r", target="made/slice.png")
    assert again == found  # from the cache, with the mapping
    text = run(DETECT, "--target", "made/slice.png", "--source", "scans", "-r").stdout
    assert "[+] Grey levels of 1 volumes: min-max 0..255 (1)\n" in text


@pytest.fixture
def bucket() -> Iterator[Any]:
    """An S3 server on this machine; what puts an object into its one bucket."""
    with s3_server():
        client = importlib.import_module("boto3").client("s3")
        client.create_bucket(Bucket="training-set")
        yield lambda key, data: client.put_object(Bucket="training-set", Key=key, Body=data)


def test_a_bucket_gives_what_the_directory_gives(bucket: Any) -> None:
    for name, data in contents().items():
        bucket(f"train/{name}", data)
    bucket("shard.tar", tar(contents()))
    bucket("made/one.png", contents("generated")["identical.png"])
    loose = without_names(scan("--source", "training_data", "-r"), UNPACKED)
    for source, heads in (
        ("s3://training-set/train", r"s3://training-set/train/|generated/"),
        ("s3://training-set/shard.tar", r"tar://|::s3://training-set/shard.tar|generated/"),
    ):
        found = scan("--source", source, "-r")
        assert without_names(found, heads) == loose
        assert scan("--source", source, "-r") == found  # known by its identity
    found = scan("--source", "s3://training-set/shard.tar", target="s3://training-set/made/one.png")
    assert found["findings"][0]["distance"] == 0
    done = run(
        DETECT, "--target", "s3://training-set/made/none.png", "--source", "training_data", "-r"
    )
    assert (done.stderr, done.returncode) == (
        "Error: s3://training-set/made/none.png: there is no such object\n",
        2,
    )


@needs_posix
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_while_a_container_is_read(jobs: str) -> None:
    one = contents()["class_A/img_0.png"]
    packed("large.tar", {f"{number}.png": one for number in range(20_000)})
    command = [*DETECT, "--target", "generated", "--source", "large.tar", "--jobs", jobs]
    started = subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(1.5)
    assert started.poll() is None
    started.send_signal(signal.SIGINT)
    output, errors = started.communicate(timeout=60)
    assert (started.returncode, output, errors.strip()) == (130, b"", b"Interrupted.")


def test_a_web_server_that_sends_files_from_their_beginning() -> None:
    """Python's own server: tar archives can be read, others say why not; no secret is shown."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    packed("train.tar", contents())
    packed("train.tgz", contents())
    packed("train.zip", contents())
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="ascii",
    )
    try:
        assert server.stdout is not None
        port = re.search(r"port (\d+)", server.stdout.readline())[1]  # type: ignore[index]
        host = f"http://user:pa55w0rd@127.0.0.1:{port}"
        loose = without_names(scan("--source", "training_data", "-r"), UNPACKED)
        for name in ("train.tar", "train.tgz"):
            found = scan("--source", f"{host}/{name}?key=pa55w0rd")
            heads = rf"tar://|::http://127.0.0.1:{port}/{name}|generated/"
            assert without_names(found, heads) == loose
        target, source = f"{host}/generated/near.jpg?key=pa55w0rd", f"{host}/train.tar?key=pa55w0rd"
        outputs = ["a.json", "a.jsonl", "a.csv", "a.xml", "a.txt", "a.html"]
        done = run(
            DETECT,
            *("--target", target, "--source", source, "--baseline", "b.json", "--update-baseline"),
            *("--exclude-self", "--top-k", "2"),
            *(word for name in outputs for word in ("--output", name)),
        )
        assert done.returncode == 0
        assert "Analyzing target: near.jpg\n" in done.stdout
        written = [Path(name).read_text() for name in (*outputs, "b.json")]
        assert all("127.0.0.1" in text for text in written)
        assert "pa55w0rd" not in "".join([done.stdout, done.stderr, *written])
        done = run(DETECT, "--target", target, "--source", f"{host}/train.zip?key=pa55w0rd")
        assert done.returncode == 2
        assert "train.zip: the server sends this file only from its beginning" in done.stderr
        assert "pa55w0rd" not in done.stderr
    finally:
        server.kill()
        server.communicate()
