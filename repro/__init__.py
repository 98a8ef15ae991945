"""A laboratory of known failures of the sharded-training stack."""

__version__ = "0.2.0"
