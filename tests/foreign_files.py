"""Pictures that are none, cut short, far too large once unpacked, or something else than their name says."""

import gzip
import io
import struct
import zlib

import numpy as np
from PIL import Image

SIZE_PX = 8


def mask_bytes(width: int = SIZE_PX, height: int = SIZE_PX, kind: str = "PNG") -> bytes:
    image = Image.fromarray(np.zeros((height, width), dtype=np.uint8)).convert("P")
    image.save(written := io.BytesIO(), kind)
    return written.getvalue()


def png(width: int, height: int, data: bytes, depth: int = 8, color: int = 2) -> bytes:
    """A PNG that claims a size and a form, and holds what it is given."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    body = (struct.pack(">I", len(each)) + kind + each + struct.pack(">I", zlib.crc32(kind + each)) for kind, each in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


WHOLE = mask_bytes()
DAMAGED = {
    "empty": b"",
    "one byte": b"\x89",
    "text": b"no picture at all",
    "markup": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "page": b"<!doctype html><script>alert(1)</script>",
    "half": WHOLE[: len(WHOLE) // 2],
    "no end": WHOLE[:40],
    "changed byte": WHOLE[:30] + b"\xff" + WHOLE[31:],
    "claims 4 gigapixels": png(65_535, 65_535, zlib.compress(b"")),
    "bomb of 300 megapixels": png(17_320, 17_320, zlib.compress(bytes(1_000_000), 9)),
    "claims nothing": png(0, 0, zlib.compress(b"")),
    "bomb below the limit, without data": png(7000, 7000, zlib.compress(bytes(1000), 9)),
    "gzip": gzip.compress(bytes(10_000_000)),
    "archive": b"PK\x03\x04" + bytes(100),
    "database": b"\x00" * 8 + b"DUCK" + bytes(100),
    "camera file": b"II*\x00\x08\x00\x00\x00\xff\xff" + bytes(50),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
}
