from __future__ import annotations

import gzip
import io
import struct
import sys
from pathlib import Path
from typing import Any, Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from memscan.errors import DecodeError, InputError, ReadError
from memscan.records import Failure, Stage
from memscan.sources.medical import Kind, Slice, SliceName, kind_of, parse, read_one, read_slices
from memscan.sources.volumes import GreyLevels, Limits, finite_range, min_max
from tests.drawing import picture

Values = npt.NDArray[Any]
NAME = "Doe^Jane"


def slices(kind: Kind, data: bytes, limits: Limits | None = None) -> list[Slice]:
    return list(read_slices("scan", kind, io.BytesIO(data), limits))


def failure(kind: Kind, data: bytes, limits: Limits | None = None) -> str:
    """The sentence about a file that cannot be read as a whole."""
    (only,) = slices(kind, data, limits)
    assert isinstance(only.image, Failure)
    assert only.image.path == only.uri
    assert only.image.stage is Stage.DECODE
    assert only.mapping == ""
    assert NAME not in only.image.message
    return only.image.message


def shown(found: Slice) -> Values:
    """The grey levels of a slice that could be read."""
    assert isinstance(found.image, Image.Image)
    assert found.image.mode == "L"
    return np.asarray(found.image)


def spread(values: Values, low: float, high: float) -> Values:
    """Plain numpy: low to high over 0 to 255."""
    share = (np.asarray(values, np.float64) - low) / (high - low)
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def close(one: Values, other: Values) -> bool:
    """Equal but for roundings of a half."""
    return one.shape == other.shape and int(np.abs(one.astype(int) - other.astype(int)).max()) <= 1


def values(seed: int, shape: tuple[int, ...], low: int = 0, high: int = 4096) -> Values:
    return np.random.default_rng(seed).integers(low, high, shape)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("a/b.dcm", Kind.DICOM),
            ("B.DICOM", Kind.DICOM),
            ("a.nii", Kind.NIFTI),
            ("s3://bucket/A.NII.GZ", Kind.NIFTI),
            ("a.nii.png", None),
            ("a.gz", None),
            ("IM0001", None),
        ],
    )
    def test_the_suffix_tells(self, name: str, kind: Kind | None) -> None:
        assert kind_of(name) is kind

    def test_without_a_suffix_the_mark_tells(self) -> None:
        head = bytes(128) + b"DICM"
        assert kind_of("series/IM0001", head) is Kind.DICOM
        assert kind_of("series/IM0001", head[1:]) is None
        assert kind_of("series/IM0001.txt", head) is None

    @pytest.mark.parametrize(
        "name",
        [
            SliceName(Kind.DICOM, (0,), "a/b.dcm"),
            SliceName(Kind.NIFTI, (12,), "a::b.nii"),
            SliceName(Kind.NIFTI, (3, 0), "zip://x\n.nii::s3://b/k.zip"),
        ],
    )
    def test_uris_go_there_and_back(self, name: SliceName) -> None:
        assert parse(name.uri) == name

    @pytest.mark.parametrize(
        "uri",
        [
            "dicom://-1::a",
            "dicom://1::",
            "dicom://::a",
            "nifti://1/2/3::a",
            "nifti://9999999999::a",
            "zip://1::a",
            "dicom://٣::a",
            "a.dcm",
        ],
    )
    def test_other_uris_are_none_of_slices(self, uri: str) -> None:
        assert parse(uri) is None


class TestGreyLevels:
    def test_not_a_number_is_black_and_infinities_are_the_ends(self) -> None:
        levels = min_max(-2, 2)
        row = np.array([[np.nan, -np.inf, -2, 0, 2, np.inf]])
        assert np.asarray(levels.image(row)).tolist() == [[0, 0, 0, 128, 255, 255]]
        assert levels.text == "min-max -2..2"

    def test_a_constant_is_black(self) -> None:
        assert np.asarray(min_max(7, 7).image(np.full((2, 3), 7))).max() == 0

    def test_the_largest_floats_do_not_overflow(self) -> None:
        most = sys.float_info.max
        row = np.array([[-most, 0, most]])
        assert np.asarray(min_max(-most, most).image(row)).tolist() == [[0, 128, 255]]

    def test_a_sigmoid_is_the_one_of_the_standard(self) -> None:
        ramp = np.linspace(-500, 500, 101)[None]
        expected = np.rint(255 / (1 + np.exp(-4 * (ramp - 40) / 400)))
        image = GreyLevels(-160, 240, "", sigmoid=True).image(ramp)
        assert close(np.asarray(image), expected)

    def test_the_range_is_that_of_finite_values(self) -> None:
        assert finite_range(np.array([np.nan, 3.0, -np.inf, -1.5])) == (-1.5, 3.0)
        assert finite_range(np.array([2, 9], np.int16)) == (2, 9)
        assert finite_range(np.array([np.nan])) is None


def dicom(pixels: Values, syntax: str = "1.2.840.10008.1.2.1", **elements: Any) -> bytes:
    """A DICOM file of frames of shape (rows, columns), a patient named in it."""
    pydicom = pytest.importorskip("pydicom", minversion="3.0", reason="pydicom is not installed")
    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    made.PatientName = NAME
    made.Rows, made.Columns = pixels.shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = pixels.dtype.itemsize * 8
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    if pixels.ndim == 3:
        made.NumberOfFrames = len(pixels)
    made.add_new("PixelData", "OW", pixels.tobytes())
    for name, value in elements.items():
        setattr(made, name, value)
    if made.file_meta.TransferSyntaxUID.is_encapsulated:
        made["PixelData"].is_undefined_length, made["PixelData"].VR = True, "OB"
    if made.PixelData is None:
        del made.PixelData
    file = io.BytesIO()
    pydicom.dcmwrite(file, made, enforce_file_format=True)
    return file.getvalue()


def group(**elements: Any) -> Any:
    import pydicom

    made = pydicom.Dataset()
    for name, value in elements.items():
        setattr(made, name, value)
    return made


CT = values(1, (3, 8, 6)).astype(np.int16)


class TestDicom:
    def test_a_window_applies_to_rescaled_values(self) -> None:
        data = dicom(
            CT,
            RescaleSlope=2,
            RescaleIntercept=-1024,
            WindowCenter=[40, 300],
            WindowWidth=[400, 1500],
        )
        found = slices(Kind.DICOM, data)
        assert [one.uri for one in found] == [f"dicom://{number}::scan" for number in range(3)]
        for one, stored in zip(found, CT):
            low = 40 - 0.5 - 399 / 2
            assert close(shown(one), spread(stored * 2.0 - 1024, low, low + 399))
            assert one.mapping == "window 40/400"

    @pytest.mark.parametrize(
        ("shape", "mapping"),
        [("LINEAR_EXACT", "window 40/400 (exact)"), ("SIGMOID", "window 40/400 (sigmoid)")],
    )
    def test_other_functions_of_a_window(self, shape: str, mapping: str) -> None:
        ramp = np.arange(-400, 400, 10, dtype=np.int16).reshape(8, 10)
        data = dicom(ramp, WindowCenter=40, WindowWidth=400, VOILUTFunction=shape)
        (found,) = slices(Kind.DICOM, data)
        logistic = np.rint(255 / (1 + np.exp(-4 * (ramp.astype(float) - 40) / 400)))
        expected = logistic if shape == "SIGMOID" else spread(ramp, -160, 240)
        assert close(shown(found), expected)
        assert found.mapping == mapping

    @pytest.mark.parametrize("width", [0, -3, 0.5])
    def test_a_window_without_a_width_is_none(self, width: float) -> None:
        (found,) = slices(Kind.DICOM, dicom(CT[0], WindowCenter=1, WindowWidth=width))
        assert found.mapping.startswith("min-max")

    def test_a_window_of_width_one_is_a_threshold(self) -> None:
        (found,) = slices(Kind.DICOM, dicom(CT[0], WindowCenter=2000, WindowWidth=1))
        assert (shown(found) == np.where(CT[0] > 1999.5, 255, 0)).all()

    def test_without_a_window_the_range_is_that_of_all_frames(self) -> None:
        frames = CT + np.array([0, 1000, 2000], np.int16)[:, None, None]
        low, high = int(frames.min()), int(frames.max())
        for one, stored in zip(slices(Kind.DICOM, dicom(frames)), frames):
            assert close(shown(one), spread(stored, low, high))
            assert one.mapping == f"min-max {low}..{high}"

    def test_padding_is_not_part_of_the_range(self) -> None:
        frames = CT.copy()
        frames[:, :2] = -2000
        frames[:, 2:3] = -1990
        data = dicom(frames, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1990)
        inner = frames[:, 3:]
        assert slices(Kind.DICOM, data)[0].mapping == f"min-max {inner.min()}..{inner.max()}"

    def test_monochrome1_is_inverted(self) -> None:
        data = dicom(CT[0], PhotometricInterpretation="MONOCHROME1")
        (found,) = slices(Kind.DICOM, data)
        low, high = int(CT[0].min()), int(CT[0].max())
        assert close(shown(found), 255 - spread(CT[0], low, high))
        assert found.mapping == f"min-max {low}..{high}, inverted"

    def test_colours_are_as_stored(self) -> None:
        colours = np.asarray(picture(1))
        for depth in (8, 16):
            stored = colours if depth == 8 else colours.astype(np.uint16) * 257
            data = dicom(
                stored[..., 0],
                SamplesPerPixel=3,
                PlanarConfiguration=0,
                PhotometricInterpretation="RGB",
                PixelData=stored.tobytes(),
            )
            (found,) = slices(Kind.DICOM, data)
            assert isinstance(found.image, Image.Image)
            assert (np.asarray(found.image) == colours).all()
            assert found.mapping == "as stored"

    def test_values_may_be_floats(self) -> None:
        stored = np.array([[-1.5, np.nan], [0.0, 2.5]], np.float32)
        data = dicom(stored, PixelData=None, FloatPixelData=stored.tobytes())
        (found,) = slices(Kind.DICOM, data)
        assert shown(found).tolist() == [[0, 0], [96, 255]]
        assert found.mapping == "min-max -1.5..2.5"

    def test_a_palette_gives_colours(self) -> None:
        tables: dict[str, Any] = {
            f"{colour}PaletteColorLookupTable{part}": value
            for at, colour in enumerate(("Red", "Green", "Blue"))
            for part, value in (
                ("Descriptor", [4, 0, 16]),
                ("Data", struct.pack("<4H", *(257 * (10 * at + k) for k in range(4)))),
            )
        }
        stored = values(2, (4, 4), 0, 4).astype(np.uint8)
        data = dicom(stored, PhotometricInterpretation="PALETTE COLOR", **tables)
        (found,) = slices(Kind.DICOM, data)
        assert isinstance(found.image, Image.Image)
        assert (np.asarray(found.image) == stored[..., None] + np.array([0, 10, 20])).all()

    def test_a_voi_table_is_used_where_there_is_no_window(self) -> None:
        pytest.importorskip("pydicom", reason="pydicom is not installed")
        table = [k * k for k in range(16)]
        item = group(LUTDescriptor=[16, 0, 8], LUTData=struct.pack("<16H", *table))
        stored = values(3, (5, 4), 0, 16).astype(np.int16)
        (found,) = slices(Kind.DICOM, dicom(stored, VOILUTSequence=[item]))
        assert (shown(found) == np.array(table)[stored]).all()
        assert found.mapping == "VOI table"

    def test_frames_have_their_own_rescale_and_share_a_window(self) -> None:
        pytest.importorskip("pydicom", reason="pydicom is not installed")
        rescales = [
            group(PixelValueTransformationSequence=[group(RescaleSlope=k, RescaleIntercept=-k)])
            for k in (1, 2, 3)
        ]
        window = group(WindowCenter=2000, WindowWidth=3001)
        shared = group(FrameVOILUTSequence=[window])
        data = dicom(
            CT, PerFrameFunctionalGroupsSequence=rescales, SharedFunctionalGroupsSequence=[shared]
        )
        for k, (one, stored) in enumerate(zip(slices(Kind.DICOM, data), CT), start=1):
            assert close(shown(one), spread(stored * float(k) - k, 499.5, 3499.5))

    def test_jpeg_frames_are_decoded(self) -> None:
        pydicom = pytest.importorskip("pydicom", minversion="3.0", reason="needs pydicom")
        grey = picture(4, mode="L")
        file = io.BytesIO()
        grey.save(file, "JPEG", quality=95)
        encapsulated = pydicom.encaps.encapsulate([file.getvalue(), file.getvalue()])
        stored = np.stack([np.asarray(grey)] * 2)
        data = dicom(stored, "1.2.840.10008.1.2.4.50", PixelData=encapsulated)
        decoded = np.asarray(Image.open(file))
        for one in slices(Kind.DICOM, data):
            assert close(shown(one), spread(decoded, decoded.min(), decoded.max()))

    def test_a_frame_that_is_broken_ends_the_frames_and_says_so(self) -> None:
        pydicom = pytest.importorskip("pydicom", minversion="3.0", reason="needs pydicom")
        grey = picture(4, mode="L")
        file = io.BytesIO()
        grey.save(file, "JPEG")
        parts = [file.getvalue(), b"\xff\xd8broken", file.getvalue()]
        data = dicom(
            np.stack([np.asarray(grey)] * 3),
            "1.2.840.10008.1.2.4.50",
            PixelData=pydicom.encaps.encapsulate(parts),
        )
        first, second = slices(Kind.DICOM, data)
        assert isinstance(first.image, Image.Image)
        assert isinstance(second.image, Failure)
        assert second.image.path == second.uri == "dicom://1::scan"
        assert second.image.message.startswith("this frame cannot be decoded")
        assert second.image.message.endswith("; frames after it that were not read: 1")

    def test_one_frame_is_the_same_as_among_all(self) -> None:
        data = dicom(CT)
        for one in slices(Kind.DICOM, data):
            name = parse(one.uri)
            assert name is not None
            again = read_one(name, io.BytesIO(data))
            assert (shown(again) == shown(one)).all()
            assert (again.uri, again.mapping) == (one.uri, one.mapping)
        for index in ((3,), (0, 0)):
            with pytest.raises(DecodeError):
                read_one(SliceName(Kind.DICOM, index, "scan"), io.BytesIO(data))

    @pytest.mark.parametrize(
        ("elements", "message"),
        [
            ({"Rows": 0}, "holds no image"),
            ({"NumberOfFrames": -1}, "holds no image"),
            ({"NumberOfFrames": 4}, "truncated"),
            ({"NumberOfFrames": 10**9}, "more than 100000 frames"),
            ({"Rows": 65535, "Columns": 65535}, "more than 178956970 pixels"),
            ({"SamplesPerPixel": 4}, "4 values a pixel"),
            ({"SamplesPerPixel": 3}, "truncated"),
            ({"BitsAllocated": 13}, "cannot be decoded"),
            ({"PixelData": b""}, "holds no image"),
            ({"PhotometricInterpretation": None}, "cannot be decoded"),
        ],
    )
    def test_headers_are_not_believed(self, elements: dict[str, Any], message: str) -> None:
        assert message in failure(Kind.DICOM, dicom(CT, **elements))

    @pytest.mark.parametrize(
        ("syntax", "message"),
        [
            ("1.2.840.10008.1.2.1.99", "deflated as a whole"),
            ("1.2.840.10008.1.2.4.100", "none that pydicom decodes"),
            ("1.2.840.10008.1.2.4.80", "for which no decoder is installed"),
        ],
    )
    def test_other_transfer_syntaxes_are_refused(
        self, syntax: str, message: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = dicom(CT)
        from pydicom.pixels.common import CoderBase

        if message.startswith("for which"):
            monkeypatch.setattr(CoderBase, "is_available", property(lambda decoder: False))
        old = b"1.2.840.10008.1.2.1\0"
        length = len(syntax) + len(syntax) % 2
        at = data.index(old)
        changed = (
            data[: at - 2] + struct.pack("<H", length) + syntax.encode().ljust(length, b"\0")
        ) + data[at + len(old) :]
        assert message in failure(Kind.DICOM, changed)

    def test_files_of_other_kinds_are_refused(self) -> None:
        pytest.importorskip("pydicom", reason="pydicom is not installed")
        assert "the mark DICM is missing" in failure(Kind.DICOM, b"")
        assert "no transfer syntax" in failure(Kind.DICOM, bytes(128) + b"DICM")

    def test_every_truncation_is_a_failure(self) -> None:
        data = dicom(CT, WindowCenter=40, WindowWidth=400)
        for length in range(0, len(data) - 1, 7):
            assert failure(Kind.DICOM, data[:length])

    def test_a_picture_larger_than_the_header_says_is_not_decoded(self) -> None:
        pydicom = pytest.importorskip("pydicom", minversion="3.0", reason="needs pydicom")
        file = io.BytesIO()
        Image.new("L", (400, 400)).save(file, "JPEG")
        data = dicom(
            np.zeros((2, 2), np.uint8),
            "1.2.840.10008.1.2.4.50",
            PixelData=pydicom.encaps.encapsulate([file.getvalue()]),
        )
        assert "cannot be decoded" in failure(Kind.DICOM, data, Limits(pixels=1000))

    def test_a_file_that_is_too_large_is_refused_unread(self) -> None:
        assert "more than 100 bytes" in failure(Kind.DICOM, dicom(CT), Limits(held=100))

    def test_damaged_bytes_raise_nothing(self) -> None:
        data = dicom(CT, WindowCenter=40, WindowWidth=400)
        generator = np.random.default_rng(5)
        for _ in range(200):
            damaged = bytearray(data)
            for at in generator.integers(132, len(data) - CT.nbytes, 3):
                damaged[at] = generator.integers(256)
            for one in slices(Kind.DICOM, bytes(damaged)):
                assert isinstance(one.image, (Image.Image, Failure))
                assert not isinstance(one.image, Failure) or NAME not in one.image.message


def nifti(stored: Values, affine: Values | None = None, **fields: Any) -> bytes:
    """A NIfTI file of the stored values; fields of the header are set last."""
    nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
    kind = nibabel.Nifti2Image if fields.pop("second", False) else nibabel.Nifti1Image
    image = kind(stored, affine, dtype=stored.dtype)
    header = image.header
    header.set_data_dtype(stored.dtype)
    header["vox_offset"] = header.single_vox_offset
    header["magic"] = header.single_magic
    for name, value in fields.items():
        header[name] = value
    padding = bytes(int(header.single_vox_offset) - len(header.binaryblock))
    return bytes(header.binaryblock + padding + stored.tobytes(order="F"))


BRAIN = values(6, (5, 6, 4), -100, 1000).astype(np.int16)


class TestNifti:
    @pytest.mark.parametrize("second", [False, True])
    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    def test_slices_spread_over_the_range_of_the_volume(
        self, second: bool, pack: Callable[[bytes], bytes]
    ) -> None:
        data = pack(nifti(BRAIN, second=second))
        found = slices(Kind.NIFTI, data)
        assert [one.uri for one in found] == [f"nifti://{number}::scan" for number in range(4)]
        low, high = int(BRAIN.min()), int(BRAIN.max())
        for number, one in enumerate(found):
            assert close(shown(one), spread(BRAIN[:, :, number].T, low, high))
            assert one.mapping == f"min-max {low}..{high}"

    def test_values_are_scaled_and_big_endian_ones_read(self) -> None:
        nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
        header = nibabel.Nifti1Header(endianness=">")
        header.set_data_shape(BRAIN.shape)
        header.set_data_dtype(np.int16)
        header["vox_offset"], header["magic"] = 352, b"n+1"
        header["scl_slope"], header["scl_inter"] = -0.5, 10
        data = header.binaryblock + bytes(4) + BRAIN.astype(">i2").tobytes(order="F")
        found = slices(Kind.NIFTI, data)
        scaled = BRAIN * -0.5 + 10
        assert found[0].mapping == f"min-max {scaled.min():g}..{scaled.max():g}"
        for number, one in enumerate(found):
            expected = spread(scaled[:, :, number].T, scaled.min(), scaled.max())
            assert close(shown(one), expected)

    def test_a_stated_range_is_used(self) -> None:
        found = slices(Kind.NIFTI, nifti(BRAIN, cal_min=0, cal_max=80))
        assert close(shown(found[1]), spread(BRAIN[:, :, 1].T, 0, 80))
        assert found[1].mapping == "range 0..80 as stated"

    @pytest.mark.parametrize(("low", "high"), [(0, 0), (5, 1), (np.nan, 1), (0, np.inf)])
    def test_a_range_that_is_none_is_not_used(self, low: float, high: float) -> None:
        found = slices(Kind.NIFTI, nifti(BRAIN, cal_min=low, cal_max=high))
        assert found[0].mapping.startswith("min-max")

    def test_values_that_are_not_finite(self) -> None:
        stored = BRAIN.astype(np.float32)
        stored[0, 0, 0], stored[1, 0, 0], stored[2, 0, 0] = np.nan, np.inf, -np.inf
        found = slices(Kind.NIFTI, nifti(stored))
        finite = stored[np.isfinite(stored)]
        assert found[0].mapping == f"min-max {finite.min():g}..{finite.max():g}"
        assert shown(found[0])[0, :3].tolist() == [0, 255, 0]
        nothing = slices(Kind.NIFTI, nifti(np.full((2, 2, 1), np.nan, np.float32)))
        assert shown(nothing[0]).max() == 0

    def test_each_volume_of_a_series_has_its_own_range(self) -> None:
        series = np.stack([BRAIN, BRAIN * 3], axis=3).astype(np.int16)
        found = slices(Kind.NIFTI, nifti(series))
        assert [one.uri for one in found] == [
            f"nifti://{volume}/{number}::scan" for volume in range(2) for number in range(4)
        ]
        assert found[4].mapping == f"min-max {series[..., 1].min()}..{series[..., 1].max()}"
        for number in range(4):
            assert close(shown(found[number]), shown(found[4 + number]))

    def test_axial_slices_lie_as_dicom_shows_them_whatever_the_order_of_the_axes(self) -> None:
        nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
        upright = np.diag([1.0, 1.0, 1.0, 1.0])  # axes go to the right, the front, the top
        images = slices(Kind.NIFTI, nifti(BRAIN, upright, sform_code=1))
        for number, one in enumerate(images):
            rows_back_columns_left = BRAIN[::-1, ::-1, number].T
            expected = spread(rows_back_columns_left, BRAIN.min(), BRAIN.max())
            assert close(shown(one), expected)
        reference = nibabel.Nifti1Image(BRAIN, upright)
        for codes in ("LPS", "SAR", "PIR", "ILA"):
            wanted = nibabel.orientations.axcodes2ornt(codes)
            turned = reference.as_reoriented(nibabel.orientations.ornt_transform(
                nibabel.orientations.axcodes2ornt("RAS"), wanted
            ))  # fmt: skip
            data = nifti(np.asarray(turned.dataobj), turned.affine, sform_code=1)
            found = slices(Kind.NIFTI, data)
            order = found if "S" in codes else found[::-1]
            for one, expected_slice in zip(order, images):
                assert (shown(one) == shown(expected_slice)).all()

    @pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.full((4, 4), np.nan)])
    def test_an_affine_of_no_use_is_none(self, affine: Values) -> None:
        data = nifti(BRAIN, sform_code=1, srow_x=affine[0], srow_y=affine[1], srow_z=affine[2])
        assert (
            shown(slices(Kind.NIFTI, data)[0]) == shown(slices(Kind.NIFTI, nifti(BRAIN))[0])
        ).all()

    def test_colours_are_as_stored(self) -> None:
        colours = np.asarray(picture(7))
        stored = np.ascontiguousarray(colours.transpose(1, 0, 2)).view(
            [("R", "u1"), ("G", "u1"), ("B", "u1")]
        )
        (found,) = slices(Kind.NIFTI, nifti(stored))
        assert isinstance(found.image, Image.Image)
        assert (np.asarray(found.image) == colours).all()
        assert found.mapping == "as stored"

    def test_one_slice_is_the_same_as_among_all(self) -> None:
        series = np.stack([BRAIN, BRAIN * 3], axis=3).astype(np.int16)
        for data in (nifti(BRAIN), gzip.compress(nifti(series))):
            for one in slices(Kind.NIFTI, data):
                name = parse(one.uri)
                assert name is not None
                again = read_one(name, io.BytesIO(data))
                assert (shown(again) == shown(one)).all()
                assert again.mapping == one.mapping
        for index in ((4,), (0, 0)):
            with pytest.raises(DecodeError, match="the file holds 1 volumes of 4 slices"):
                read_one(SliceName(Kind.NIFTI, index, "scan"), io.BytesIO(nifti(BRAIN)))

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"dim": [3, 10000, 10000, 10000, 1, 1, 1, 1]}, "a volume of more than"),
            ({"dim": [3, 32767, 32767, 1, 1, 1, 1, 1]}, "more than 178956970 pixels"),
            ({"dim": [4, 1, 1, 32767, 32767, 1, 1, 1]}, "more than 100000 slices"),
            ({"dim": [3, 0, 5, 5, 1, 1, 1, 1]}, "holds no voxels"),
            ({"dim": [3, -5, 5, 5, 1, 1, 1, 1]}, "holds no voxels"),
            ({"dim": [0] * 8}, "holds no voxels"),
            ({"dim": [99, 5, 5, 5, 1, 1, 1, 1]}, ""),
            ({"dim": [3, 5, 6, 5, 1, 1, 1, 1]}, "truncated"),
            ({"datatype": 32}, "neither grey levels nor colours"),
            ({"datatype": 9999}, "header is broken"),
            ({"vox_offset": -1}, "more than"),
            ({"vox_offset": 1e30}, "more than"),
            ({"vox_offset": np.nan}, "header is broken"),
            ({"scl_slope": 1, "scl_inter": np.inf}, "header is broken"),
            ({"magic": b"ni1"}, "its mark is missing"),
            ({"sizeof_hdr": 540}, "its mark is missing"),
            ({"sizeof_hdr": 1}, "no size that NIfTI knows"),
        ],
    )
    def test_headers_are_not_believed(self, fields: dict[str, Any], message: str) -> None:
        assert message in failure(Kind.NIFTI, nifti(BRAIN, **fields))

    def test_the_number_of_voxels_is_not_computed_in_few_bits(self) -> None:
        dim = [7] + [2**62] * 7
        assert "more than" in failure(Kind.NIFTI, nifti(BRAIN, second=True, dim=dim))

    def test_what_is_truncated_is_a_failure(self) -> None:
        whole = nifti(BRAIN)
        packed = gzip.compress(whole)
        for data, end in ((whole, len(whole)), (packed, len(packed) - 16)):
            for length in range(0, end, 13):
                message = failure(Kind.NIFTI, data[:length])
                assert length < 360 or message.endswith("; slices after it that were not read: 3")

    def test_a_bomb_is_not_expanded(self) -> None:
        bomb = gzip.compress(nifti(BRAIN, dim=[3, 4000, 4000, 400, 1, 1, 1, 1]) + bytes(1 << 20))
        assert "a volume of more than" in failure(Kind.NIFTI, bomb)
        small = Limits(expanded=1000)
        series = np.stack([BRAIN] * 9, axis=3)
        assert "more than 1000 bytes" in failure(Kind.NIFTI, gzip.compress(nifti(series)), small)

    def test_extensions_are_passed_over(self) -> None:
        plain = nifti(BRAIN, vox_offset=352 + 64)
        data = plain[:352] + bytes([1]) * 64 + plain[352:]
        assert (
            shown(slices(Kind.NIFTI, data)[0]) == shown(slices(Kind.NIFTI, nifti(BRAIN))[0])
        ).all()

    def test_damaged_bytes_raise_nothing(self) -> None:
        data = nifti(BRAIN, np.eye(4), sform_code=1)
        generator = np.random.default_rng(8)
        for _ in range(300):
            damaged = bytearray(data)
            for at in generator.integers(0, 352, 3):
                damaged[at] = generator.integers(256)
            small = Limits(pixels=1 << 16, slices=100, held=1 << 20, expanded=1 << 22)
            for one in slices(Kind.NIFTI, bytes(damaged), small):
                assert isinstance(one.image, (Image.Image, Failure))


class _Unreadable(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("kind", Kind)
def test_a_file_that_cannot_be_read_is_a_failure(kind: Kind) -> None:
    pytest.importorskip("pydicom", reason="pydicom is not installed")
    pytest.importorskip("nibabel", reason="nibabel is not installed")
    (only,) = read_slices("scan", kind, _Unreadable())
    assert only.image == Failure("scan", Stage.READ, "Input/output error")
    with pytest.raises(ReadError, match="Input/output error"):
        read_one(SliceName(kind, (0,), "scan"), _Unreadable())


@pytest.mark.parametrize(("kind", "library"), [(Kind.DICOM, "pydicom"), (Kind.NIFTI, "nibabel")])
def test_a_missing_library_names_the_extra(
    kind: Kind, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=rf"{library}.*pip install 'memscan\[medical\]'"):
        slices(kind, b"")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "a.dcm").write_bytes(dicom(CT))
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(nifti(BRAIN)))
    return tmp_path


def test_files_on_disk_are_read_and_stay_open(files: Path) -> None:
    for name, count in (("a.dcm", 3), ("a.nii.gz", 4)):
        path = str(files / name)
        kind = kind_of(path)
        assert kind is not None
        with open(path, "rb") as file:
            found = list(read_slices(path, kind, file))
            assert not file.closed
        assert [one.uri.partition("::")[2] for one in found] == [path] * count
        assert all(isinstance(one.image, Image.Image) for one in found)
