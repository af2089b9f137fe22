"""What was created, renamed or removed in a folder survives a loss of power only once the folder itself is synced."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on the disk. Raises: OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
