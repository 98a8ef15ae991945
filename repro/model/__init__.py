"""The vocabulary: one word a file, frozen models, no effects."""
