"""Which release, which package, which condition: searches over environments and factors."""
