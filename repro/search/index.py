"""Asks the package index for the files of a distribution."""

import os
from typing import Literal
from urllib.parse import urlsplit

from pypi_simple import (
    ACCEPT_JSON_PREFERRED,
    PYPI_SIMPLE_ENDPOINT,
    NoSuchProjectError,
    PyPISimple,
    UnsupportedContentTypeError,
    UnsupportedRepoVersionError,
)
from requests import ConnectionError as RequestsConnectionError
from requests import RequestException, Timeout

from repro.environments.uv import INDEX
from repro.model.errors import EnvironmentFailure, UsageError
from repro.search.releases import IndexFile

TIMEOUT_SECONDS = 60


def index_address() -> str:
    """The index for building environments: ``REPRO_INDEX`` if it is set, else PyPI."""
    return os.environ.get(INDEX, "").strip() or PYPI_SIMPLE_ENDPOINT


def _without_credentials(address: str) -> str:
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def fetch_files(distribution: str) -> list[IndexFile]:
    """Ask the index for the files of a distribution.

    Raises UsageError if it has no such distribution, EnvironmentFailure if it cannot be reached or read.
    """
    address = index_address()
    shown = _without_credentials(address)
    try:
        with PyPISimple(endpoint=address, accept=ACCEPT_JSON_PREFERRED) as client:
            page = client.get_project_page(distribution, timeout=TIMEOUT_SECONDS)
    except NoSuchProjectError:
        raise UsageError(f"{shown} has no distribution {distribution!r}") from None
    except (RequestsConnectionError, Timeout) as error:
        raise EnvironmentFailure(f"{shown} cannot be reached ({type(error).__name__}): is there a network?") from None
    except RequestException as error:
        problem = " ".join(str(error).replace(address, shown).split())[:200]
        raise EnvironmentFailure(f"{shown}: {type(error).__name__}: {problem}") from None
    except (UnsupportedContentTypeError, UnsupportedRepoVersionError, ValueError) as error:
        raise EnvironmentFailure(f"{shown} is no package index that can be read: {error}") from None
    kinds: dict[str | None, Literal["wheel", "sdist"]] = {"wheel": "wheel", "sdist": "sdist"}
    return [
        IndexFile(
            filename=file.filename,
            version=file.version or "",
            kind=kinds.get(file.package_type, "other"),
            uploaded=file.upload_time,
            requires_python=file.requires_python or "",
            yanked=(file.yanked_reason or "") if file.is_yanked else None,
        )
        for file in page.packages
    ]
