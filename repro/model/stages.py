"""The stages of a reproduction: jobs that run one after another in one shared folder, each in a role's environment."""

from collections.abc import Mapping

STAGE_NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
STAGE_FLAG = "stage"
"""The flag by which a script learns its stage."""
FOLDER_FLAG = "folder"
"""The flag by which a script learns the folder that all stages of a run share."""

Roles = Mapping[str, Mapping[str, str]]
"""The installed versions by role, for the roles that have an environment of their own."""
