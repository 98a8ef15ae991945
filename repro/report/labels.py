"""What stands in a text in place of something private, and names that name nobody."""

HOME, USER, HOST, ADDRESS, SECRET, IDENTITY = "~", "<user>", "<host>", "<address>", "<secret>", "<id>"
FOLDER = "<folder>"

COMMON_NAMES = frozenset({
    "accelerate", "address", "admin", "administrator", "build", "builder", "debian", "default", "docker",
    "environment", "harness", "home", "host", "id", "lightning", "linux", "local", "localdomain", "localhost", "main",
    "master", "nobody", "node", "project", "python", "root", "run", "runner", "secret", "test", "tests", "torch",
    "transformers", "ubuntu", "user", "users", "worker",
})  # fmt: skip
"""Names of users and machines that name nobody, and would take words out of a text."""
