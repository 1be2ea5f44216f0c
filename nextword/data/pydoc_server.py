"""The site: pydoc's own HTTP server, run by `pydoc_site` as a child (`python -m nextword.data.pydoc_server`).

pydoc imports what it documents. So some modules are not served at all, because importing them opens a
browser or a window, prints, or starts a program (or because their pages say nothing: a hundred codecs, all
alike). And a module is imported once, where pydoc would throw it away and import it anew for every page: that
is meant for people who edit the module meanwhile, makes a package take up to ten times as long, and leaves C
extensions such as torch's broken. Nor does it look for comments where documentation is missing: they are not
documentation, and finding them parses a source file anew for each class, half the time of torch.
"""

from __future__ import annotations

import inspect
import pydoc
import re
import threading
import warnings
from typing import Any

from nextword.data.child import Door

REFUSED = re.compile(
    r"(?:antigravity|this|idlelib|turtledemo|turtle|lib2to3|test|ensurepip|venv|pip|setuptools|xxsubtype|xxlimited|"
    r"pydoc_data|sitecustomize|usercustomize|msilib|winreg|winsound|__hello__|__phello__|_pyrepl)(?:\.|$)"
    r"|encodings\..*|(?:.*\.)?(?:__main__|tests?|_[^.]*|conftest|testing)(?:\.|$)"
)


def is_served(module: str) -> bool:
    """Whether a module may be imported for its page; `__future__` is the one name with an underscore."""
    return module == "__future__" or not REFUSED.match(module)


def main() -> None:
    """Serve on a free loopback port, say which, and stay until the parent is gone."""
    door = Door()
    warnings.simplefilter("ignore")
    locate = pydoc.locate

    def locate_once(path: str, forceload: bool = False) -> Any:
        return locate(path) if is_served(path) else None

    pydoc.locate = locate_once
    inspect.getcomments = lambda object: None
    server = pydoc._start_server(pydoc._url_handler, "127.0.0.1", 0)  # type: ignore[attr-defined]
    door.say(str(server.port))
    threading.Event().wait()


if __name__ == "__main__":
    main()
