"""How the studio is served, and what its routes share: the office, the arena's models, the first link."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from nextword.common.errors import BadInput
from nextword.common.language_model import LanguageModel
from nextword.common.settings import option
from nextword.label.office import Office


@dataclass(frozen=True)
class StudioSettings:
    """Where people reach the studio, and what it takes."""

    host: str = option("127.0.0.1", "the address to listen on; 0.0.0.0 is every network of this machine")
    port: int = option(8000, "the port; 0 takes a free one")
    public: str = option("", "the address people type where a proxy with TLS stands before it: https://...")
    exports: str = option("runs/label/exports", "the folder for exported datasets")
    import_mib: int = option(64, "the largest file that may be imported through a page, in MiB")

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise BadInput(f"port {self.port}, expected 0 to 65535")
        if self.import_mib < 1:
            raise BadInput(f"import_mib is {self.import_mib}, expected at least 1")
        if self.public and (urlsplit(self.public).scheme not in ("http", "https") or not self.public_host):
            raise BadInput(f"{self.public} is no address", do="give it as https://labels.example.org")

    @property
    def public_host(self) -> str:
        """The name in the public address; empty where there is none."""
        try:
            return urlsplit(self.public).hostname or ""
        except ValueError:
            return ""

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by https, so that the cookie may insist on it."""
        return self.public.startswith("https:")


@dataclass
class Studio:
    """What every route is given."""

    office: Office
    settings: StudioSettings
    models: Sequence[LanguageModel] = ()
    first_link: str = ""
    """The secret with which the first owner is made; empty: by the command line only."""
    chance: random.Random = field(default_factory=random.SystemRandom)
    generating: threading.Lock = field(default_factory=threading.Lock)

    @property
    def exports(self) -> Path:
        """The folder for exported datasets, made at its first use."""
        folder = Path(self.settings.exports)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
