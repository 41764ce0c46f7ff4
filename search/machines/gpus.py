"""This machine's GPUs as torch sees them. Importing torch takes seconds, so it is only asked if there may be a GPU."""

import sys
from contextlib import suppress
from pathlib import Path

#: Files that drivers of NVIDIA (also its boards and WSL) and AMD make.
DRIVERS = ("/dev/nvidiactl", "/dev/nvidia0", "/proc/driver/nvidia", "/dev/nvmap", "/dev/dxg", "/dev/kfd")
PCI = Path("/sys/bus/pci/devices")
_VENDORS = ("0x10de", "0x1002")  # NVIDIA, AMD
_DISPLAY = ("0x03", "0x12")  # how the PCI classes of graphics cards and accelerators begin


def memory() -> list[int]:
    """Bytes of each GPU's memory; raises RuntimeError if torch sees GPUs that it cannot use."""
    if not _may_exist():
        return []
    import torch

    # A driver that is too old still counts its GPUs, and fails here.
    return [int(torch.cuda.get_device_properties(i).total_memory) for i in range(torch.cuda.device_count())]


def names() -> list[str]:
    """The name of each GPU."""
    if not _may_exist():
        return []
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def _may_exist() -> bool:
    """Whether a driver or a card is here. False only on Linux, and only if torch could not find any."""
    return sys.platform != "linux" or any(Path(each).exists() for each in DRIVERS) or any(map(_is_card, _devices()))


def _devices() -> list[Path]:
    try:
        return list(PCI.iterdir())
    except OSError:
        return []


def _is_card(device: Path) -> bool:
    """Whether a PCI device is a graphics card that torch may use; its driver may still be loaded on first use."""
    with suppress(OSError):
        vendor, kind = ((device / file).read_text().strip() for file in ("vendor", "class"))
        return vendor in _VENDORS and kind.startswith(_DISPLAY)
    return False
