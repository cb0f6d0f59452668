"""One file in an archive of each kind."""

import gzip
import zipfile
from pathlib import Path

import py7zr


def packed(path: Path, name: str, content: bytes, stored: bool = False) -> Path:
    """Write `content` as the file `name` in an archive, or as it is; the ending of `path` says which.

    Args:
        stored: a .7z does not compress, which py7zr does slowly.
    """
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(content))
    elif path.suffix == ".7z":
        how = {"id": py7zr.FILTER_COPY} if stored else {"id": py7zr.FILTER_LZMA2, "preset": 0}
        with py7zr.SevenZipFile(path, "w", filters=[how]) as archive:
            archive.writestr(content, name)
    else:
        path.write_bytes(content)
    return path
