"""Packs: wheels of environments and of the harness, for machines without a network."""
