"""Packs: wheels of environments and of the harness, for machines without a network."""

from repro.packing.models import PACK_FILE, Pack, PackedEnvironment
from repro.packing.reading import lay, read_pack

__all__ = ["PACK_FILE", "Pack", "PackedEnvironment", "lay", "read_pack"]
