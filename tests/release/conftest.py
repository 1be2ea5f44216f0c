"""Folders to release: `folders` is the module beside this file, `folder` one small tied Llama."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def folders() -> ModuleType:
    spec = importlib.util.spec_from_file_location("folders", Path(__file__).with_name("folders.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def folder(folders: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders.write_folder(tmp_path_factory.mktemp("checkpoint") / "tiny", folders.CASES["llama-tied"])
