"""The labels that replace private text, and common names that identify nobody."""

HOME, USER, HOST, ADDRESS, SECRET, IDENTITY = "~", "<user>", "<host>", "<address>", "<secret>", "<id>"
FOLDER = "<folder>"

COMMON_NAMES = frozenset({
    "accelerate", "address", "admin", "administrator", "build", "builder", "debian", "default", "docker",
    "environment", "harness", "home", "host", "id", "lightning", "linux", "local", "localdomain", "localhost", "main",
    "master", "nobody", "node", "project", "python", "root", "run", "runner", "secret", "test", "tests", "torch",
    "transformers", "ubuntu", "user", "users", "worker",
})  # fmt: skip
"""Names of users and machines that identify nobody; to replace them would remove ordinary words."""
