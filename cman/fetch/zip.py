"""Reading one file out of a zip archive in place: nothing is ever unpacked to disk.

An archive comes from elsewhere, so it is refused when a member's name reaches outside of the archive's own folder or
when its members together would expand beyond a bound, even if the wanted member itself would be harmless.
"""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from cman.errors import CmanError

# Text expands five- to tenfold. A small archive may hold this much anyway, a large one this many times its own size.
ALWAYS_ALLOWED = 1 << 26  # bytes
LARGEST_RATIO = 100


def member_lines(path: Path, name: str) -> Iterator[str]:
    """Yield the lines of the only member whose file name is `name`, in whatever folder, without their line ends.

    Raises:
        CmanError: no zip archive, a damaged one, a member outside of its folder, too much content, not exactly one
            such member, or bytes that are not UTF-8 (the message names the line).
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_checked(path, archive, name)) as stream:
            for number, line in enumerate(stream, start=1):
                yield _text(line, f"{path}: {name}: line {number}").rstrip("\r\n")
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise CmanError(
            f"{path}: found a damaged zip archive ({error}), wanted one that unpacks; fetch it again"
        ) from None
    except (NotImplementedError, RuntimeError) as error:  # a compression that Python lacks, or a password
        raise CmanError(f"{path}: {name}: cannot be unpacked ({error}); wanted a plain zip archive") from None
    except OSError as error:
        raise CmanError(f"{path}: cannot be read ({error.strerror or error}); wanted a readable file") from None


def _text(line: bytes, where: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CmanError(f"{where}: found the byte 0x{line[error.start]:02x}, wanted UTF-8 text") from None


def _checked(path: Path, archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    members = archive.infolist()
    for member in members:
        if _reaches_outside(member.filename):
            raise CmanError(
                f"{path}: found the member {member.filename!r}, wanted members that stay inside of their folder; "
                "refused the whole archive"
            )
    size = path.stat().st_size
    expanded = sum(member.file_size for member in members)
    allowed = max(ALWAYS_ALLOWED, LARGEST_RATIO * size)
    if expanded > allowed:
        raise CmanError(
            f"{path}: found {expanded:,} bytes of content in {size:,} bytes of archive, wanted at most {allowed:,}; "
            "refused the whole archive"
        )
    found = [member for member in members if PurePosixPath(member.filename).name == name and not member.is_dir()]
    if len(found) != 1:
        raise CmanError(f"{path}: found {len(found)} members with the name {name}, wanted exactly one")
    return found[0]


def _reaches_outside(name: str) -> bool:
    # Python keeps the backslashes of a name that a Windows machine would take for folders.
    windows = PureWindowsPath(name)
    return name.startswith(("/", "\\")) or bool(windows.drive) or ".." in windows.parts
