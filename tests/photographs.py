"""Files of photographs made by hand for the tests: profiles, EXIF blocks, chunks, headers that lie."""

import struct
import zlib

import numpy as np

D50 = (0.9642, 1.0, 0.8249)
# Bradford-adapted to D50; P3 and Adobe RGB as their published profiles have them
DISPLAY_P3 = (
    (0.51512, 0.24120, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.15710, 0.06657, 0.78407),
)
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
PARA = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def curve(numbers):
    """A tone curve: a gamma, the numbers of a formula, or a table of 16-bit levels."""
    if isinstance(numbers, float):
        return struct.pack(">4sIIH", b"curv", 0, 1, round(256 * numbers))
    if isinstance(numbers, tuple):
        form = {1: 0, 3: 1, 4: 2, 5: 3, 7: 4}[len(numbers)]
        fixed = [round(65536 * n) for n in numbers]
        return struct.pack(f">4sIHH{len(fixed)}i", b"para", 0, form, 0, *fixed)
    table = np.asarray(numbers).astype(">u2")
    return struct.pack(">4sII", b"curv", 0, len(table)) + table.tobytes()


def profile(numbers, lights=None, *, space=None, extra=()):
    """A display profile of three lights and one curve, or of grey where there are none."""

    def xyz(values):
        return struct.pack(">4sI3i", b"XYZ ", 0, *[round(65536 * v) for v in values])

    text = struct.pack(">4sII", b"desc", 0, 5) + b"test\0" + bytes(79)
    tags = {b"desc": text, b"wtpt": xyz(D50), b"cprt": b"text\0\0\0\0none\0", **dict(extra)}
    if lights is None:
        tags[b"kTRC"] = curve(numbers)
    else:
        for name, light in zip(b"rgb", lights, strict=True):
            tags[bytes([name]) + b"XYZ"] = xyz(light)
            tags[bytes([name]) + b"TRC"] = curve(numbers)
    place, table, content = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, place + len(content), len(data))
        content += data
    kind = space or (b"GRAY" if lights is None else b"RGB ")
    head = struct.pack(
        ">I4sI4s4s4s12s4s",
        place + len(content),
        b"",
        0x02400000,
        b"mntr",
        kind,
        b"XYZ ",
        b"",
        b"acsp",
    )
    head += bytes(28) + struct.pack(">3i", *[round(65536 * v) for v in D50])
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + content


def exif_block(orientation, order=">", note=b"a maker's note that points to 0x4a"):
    """An EXIF block whose maker note stands at a place of its own, with filling between."""
    mark = b"II" if order == "<" else b"MM"
    inner = 8 + 2 + 3 * 12 + 4
    there = inner + 2 + 12 + 4 + 7
    block = struct.pack(order + "2sHI", mark, 42, 8) + struct.pack(order + "H", 3)
    block += struct.pack(order + "HHI4s", 0x010F, 2, 4, b"Cam\0")
    block += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0xBEEF)
    block += struct.pack(order + "HHII", 0x8769, 4, 1, inner) + bytes(4)
    block += struct.pack(order + "HHHII", 1, 0x927C, 7, len(note), there) + bytes(4)
    return block + b"filling" + note


def exif_with_thumbnail(order, size, kind=4):
    """An EXIF block that says a width and a height, as LONG (4) or SHORT (3), and has a thumbnail behind it."""
    mark = b"II" if order == "<" else b"MM"
    inner = 8 + 2 + 2 * 12 + 4
    second = inner + 2 + 2 * 12 + 4
    form = {3: "HH", 4: "I"}[kind]
    block = struct.pack(order + "2sHIH", mark, 42, 8, 2)
    block += struct.pack(order + "HHIHH", 0x0112, 3, 1, 6, 0xBEEF)
    block += struct.pack(order + "HHII", 0x8769, 4, 1, inner) + struct.pack(order + "I", second)
    block += struct.pack(order + "H", 2)
    for tag, number in zip((0xA002, 0xA003), size, strict=True):
        block += struct.pack(order + "HHI" + form, tag, kind, 1, *[number, 0xBEEF][: len(form)])
    block += bytes(4) + struct.pack(order + "H", 2)
    place = second + 2 + 2 * 12 + 4
    for tag, number in ((0x0201, place), (0x0202, 9)):
        block += struct.pack(order + "HHII", tag, 4, 1, number)
    return block + bytes(4) + b"thumbnail"


def xmp_packet(orientation):
    return (
        b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>'
        b'<rdf:Description tiff:Orientation="%d" note="a < b"/></rdf:RDF></x:xmpmeta>' % orientation
    )


def png_chunk(name, content):
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def png_bytes(pixels, *extra, behind=(), size=None):
    """A PNG file written by hand, unfiltered: (h, w, c) of uint8 or uint16, c = 1, 2, 3, 4."""
    height, width, count = pixels.shape
    bits = 8 * pixels.dtype.itemsize
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[count]
    rows = b"".join(b"\0" + row.astype(f">u{bits // 8}").tobytes() for row in pixels)
    width, height = size or (width, height)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
        + b"".join(png_chunk(*chunk) for chunk in extra)
        + png_chunk(b"IDAT", zlib.compress(rows))
        + b"".join(png_chunk(*chunk) for chunk in behind)
        + png_chunk(b"IEND", b"")
    )


def tiff_bytes(*pages, order="<"):
    """A TIFF file by hand: each page a dictionary of tag to (type, numbers); pixels of one byte where not said."""
    mark = b"II" if order == "<" else b"MM"
    out = bytearray(struct.pack(order + "2sHI", mark, 42, 0))
    link = 4
    for page in pages:
        tags = {
            256: (4, [4]),
            257: (4, [4]),
            258: (3, [8]),
            259: (3, [1]),
            262: (3, [1]),
            277: (3, [1]),
            278: (4, [4]),
        }
        tags |= page
        if 273 not in tags:
            tags |= {273: (4, [len(out)]), 279: (4, [16])}
            out += bytes(range(16))
        struct.pack_into(order + "I", out, link, len(out))
        out += struct.pack(order + "H", len(tags))
        entries, behind = b"", b""
        at = len(out) + 12 * len(tags) + 4
        for tag, (kind, numbers) in sorted(tags.items()):
            form = {1: "B", 3: "H", 4: "I", 7: "B"}[kind]
            data = struct.pack(f"{order}{len(numbers)}{form}", *numbers)
            if len(data) > 4:
                data, behind = struct.pack(order + "I", at + len(behind)), behind + data
            entries += struct.pack(order + "HHI4s", tag, kind, len(numbers), data)
        out += entries
        link = len(out)
        out += bytes(4) + behind
    return bytes(out)
