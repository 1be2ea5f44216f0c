"""Pull: open weights from a hub, or one GGUF or safetensors file from any address, whole or not at all.

    pulled = pull(PullSettings(), "OWNER/NAME", Path("runs/NAME"))

A model arrives in `.NAME.pull/`, each file verified by the hash that the hub lists and only then given its
name, and the folder gets its own when all are there: what can be opened is whole. A killed pull continues:
files that are there are checked and left, the one under way goes on where it was cut. One pull at a time
fills a folder.

`pull.json` in it says where it came from: hub, revision as it was asked for and the commit that it was,
hashes, licence. A folder that has one is finished and is left as it is, also when its branch has moved on;
asked for another revision it refuses. The licence is what the model's card names, and is ours to show, not to
judge.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.common.files import read_json, sync_folder, write_json
from nextword.common.outbound import Gate
from nextword.common.progress import Progress
from nextword.common.settings import check_ranges, option
from nextword.common.terminal import printable
from nextword.data.download import Downloaded, download
from nextword.data.hub import (
    CARD,
    CONFIG,
    INDEX,
    PUBLIC,
    Entry,
    Source,
    chosen_file,
    commit_of,
    licence,
    listing,
    read_source,
    refused,
    small_files,
    weight_files,
)
from nextword.data.part_file import Expected, parts_of
from nextword.data.transport import Denied, NotThere, Transport, shown

RECORD = "pull.json"
SPARE = 64 << 20
"""Bytes of the disk that are left free."""
MAGIC = b"GGUF"


@dataclass(frozen=True)
class PullSettings:
    """Where from, which version, and how patiently. The token comes from HF_TOKEN and is never shown."""

    revision: str = option("", "branch, tag or commit; empty takes the address's own, or main")
    file: str = option("", "one file of the model in place of its folder, such as a .gguf")
    endpoint: str = option("", "address of the hub; empty takes HF_ENDPOINT, or the public one")
    sha256: str = option("", "what the SHA-256 of a single file must be, where no hub lists it")
    timeout: float = option(30.0, "seconds without 64 kB more after which the line counts as dead", above=0)
    tries: int = option(5, "attempts in a row that may fail", least=1)
    allow_private: bool = option(False, "allow addresses of private networks and of this machine")

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.sha256 and not (
            len(self.sha256) == 64 and set(self.sha256.lower()) <= set("0123456789abcdef")
        ):
            raise BadInput("sha256 is not 64 hexadecimal digits")


@dataclass(frozen=True)
class PullResult:
    """What is there now: a model's folder or one file. `fetched` are the bytes that this call brought."""

    path: Path
    source: str
    commit: str
    licence: str
    files: Mapping[str, str]
    bytes: int
    fetched: int
    notes: Sequence[str] = ()


def pull(
    settings: PullSettings,
    source: str,
    out: Path | None = None,
    progress: Progress | None = None,
    *,
    check: Callable[[Path], object] = lambda config: None,
    environment: Mapping[str, str] = os.environ,
    sleep: Callable[[float], object] = time.sleep,
) -> PullResult:
    """Fetch a model's folder into `out` (runs/NAME), or a single file to `out`; what is there is left.

    check: called with the model's config.json before the weights come; it may refuse. Raises BadInput when it
    cannot be had or is none, Corrupt when what came is not what the hub lists, Failure when the disk is full.
    """
    endpoint = settings.endpoint or environment.get("HF_ENDPOINT", "") or PUBLIC
    wanted = read_source(source, endpoint, settings.revision, settings.file)
    out = out or Path("runs") / wanted.name
    if not wanted.file and (out / RECORD).exists():
        return _recorded(out, wanted)
    transport = Transport(
        Gate(settings.allow_private),
        token=environment.get("HF_TOKEN", ""),
        home=wanted.endpoint,
        seconds=settings.timeout,
        tries=settings.tries,
        sleep=sleep,
    )
    with progress or Progress("pull", unit="MB") as bar:
        work = _Pull(transport, wanted, bar)
        return work.file(out, settings.sha256.lower()) if wanted.file else work.folder(out, check)


class _Pull:
    """One pull under way."""

    def __init__(self, transport: Transport, source: Source, progress: Progress) -> None:
        self.transport, self.source, self.progress = transport, source, progress
        self.asked = source.revision  # which `source` forgets for its commit
        self.got: dict[str, Downloaded] = {}
        self.done, self.fetched, self.commit = 0, 0, ""

    def folder(self, out: Path, check: Callable[[Path], object]) -> PullResult:
        """A whole model."""
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            do = "choose another --out"
            raise BadInput("is there already, and is not a model that was pulled", where=out, do=do)
        part = out.with_name(f".{out.name}.pull")
        with _alone(part):
            entries = self._listing()
            small = small_files(entries, self.source)
            self._fetch(small, part, sum(entry.size for entry in small))
            check(part / CONFIG)
            index = (part / INDEX).read_bytes() if INDEX in self.got else None
            large = weight_files(entries, index, self.source)
            self._fetch(large, part, sum(entry.size for entry in (*small, *large)))
            result = self._record(part, out)
            _publish(part, out)
        return result

    def file(self, out: Path, sha256: str) -> PullResult:
        """One file: of a model, whose hash is listed, or of any address."""
        expected = Expected(sha256=sha256)
        if self.source.model:
            entry = chosen_file(self._listing(), self.source)
            if sha256 and entry.expected.sha256 not in ("", sha256):
                raise Corrupt("the hub lists another SHA-256 than the one you gave", where=self.source.page)
            expected = replace(entry.expected, sha256=entry.expected.sha256 or sha256)
        if out.exists() and not expected.is_known:
            raise BadInput("is there already", where=out, do="choose another --out, or give its --sha256")
        _make_folder(out.parent)
        got = self._one(self.source.name, self.source.address(self.source.file), out, expected)
        _check_kind(out)
        files = {self.source.name: got.sha256}
        where = self.source.page if self.source.model else shown(self.source.url)
        return PullResult(out, where, self.commit, "", files, got.size, self.fetched)

    def _fetch(self, entries: Sequence[Entry], part: Path, total: int) -> None:
        """Files of the model that are not there yet; first of all the disk must hold them."""
        places = {part / entry.path: entry.size for entry in entries}
        there = sum(path.stat().st_size for place in places for path in parts_of(place))
        _check_room(part, sum(size for place, size in places.items() if not place.exists()) - there)
        self.progress.set(self.done / 1e6, total=max(total, 1) / 1e6)
        for entry in entries:
            address = self.source.address(entry.path)
            self.got[entry.path] = self._one(entry.path, address, part / entry.path, entry.expected)

    def _listing(self) -> dict[str, Entry]:
        """The model's files, of one commit from here on, wherever its branch goes meanwhile."""
        self.commit = commit_of(self.transport, self.source)
        self.source = replace(self.source, revision=self.commit or self.source.revision)
        return listing(self.transport, self.source)

    def _one(self, name: str, address: str, place: Path, expected: Expected) -> Downloaded:
        def came(so_far: int, total: int) -> None:
            whole = max(self.progress.total or 0, (self.done + total) / 1e6)
            self.progress.set((self.done + so_far) / 1e6, printable(name), total=whole)

        def room(size: int) -> None:
            _check_room(place.parent, size)

        try:
            got = download(self.transport, address, place, expected, came, room)
        except (Denied, NotThere) as error:
            raise refused(error, self.source) from error
        self.done += got.size
        self.fetched += got.came
        self.commit = self.commit or got.commit
        return got

    def _record(self, part: Path, out: Path) -> PullResult:
        """Write pull.json, the last thing before the folder gets its name."""
        card = (part / CARD).read_text("utf-8", "replace") if CARD in self.got else ""
        notes = (
            () if "tokenizer.json" in self.got else ("it has no tokenizer.json: it cannot be tokenised here",)
        )
        result = PullResult(
            out,
            self.source.page,
            self.commit or self.source.revision,
            printable(licence(card)),
            {name: got.sha256 for name, got in self.got.items()},
            sum(got.size for got in self.got.values()),
            self.fetched,
            notes,
        )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        record = {**asdict(result), "revision": self.asked, "path": None, "fetched": None, "pulled": now}
        write_json(part / RECORD, record)
        return result


def _recorded(out: Path, wanted: Source) -> PullResult:
    """What an earlier, finished call brought; BadInput when that was something else."""
    record = read_json(out / RECORD)
    try:
        source, commit = str(record["source"]), str(record["commit"])
        asked = str(record.get("revision", "main"))  # records of earlier versions do not say
        if source != wanted.page or wanted.revision not in (asked, commit):
            other = wanted.revision if source == wanted.page else wanted.page
            what = f"holds {source:.200} at {asked:.100} ({commit:.40}), not {other:.200}"
            raise BadInput(what, where=out, do="choose another --out, or delete it to pull it anew")
        return PullResult(
            out,
            source,
            commit,
            str(record["licence"]),
            dict(record["files"]),
            int(record["bytes"]),
            fetched=0,
            notes=tuple(record["notes"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupt("not a record of a pull", where=out / RECORD, do="delete the folder") from error


@contextlib.contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Be the only one that fills this folder."""
    _make_folder(part)
    with (part.with_name(f"{part.name}.lock")).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BadInput("another pull is filling this folder", where=part, do="wait for it") from error
        try:
            yield
        finally:
            Path(lock.name).unlink(missing_ok=True)


def _publish(part: Path, out: Path) -> None:
    """Give the folder its name, with nothing in it but what was recorded."""
    for left in part.glob(".*"):
        left.unlink()
    try:
        if out.exists():
            out.rmdir()  # an empty one
        part.rename(out)
        sync_folder(out.parent)
    except OSError as error:
        raise Failure(f"cannot be named ({error.strerror})", where=out, do="choose another --out") from error


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"no folder can be made here ({error.strerror})"
        raise BadInput(what, where=path, do="choose another --out") from error


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free - SPARE:
        what = f"{size / 1e9:,.2f} GB are to come, {free / 1e9:,.2f} GB are free"
        raise Failure(what, where=folder, do="free some space, then run the same command")


def _check_kind(path: Path) -> None:
    """Whether a single file is what its name says: an error page, saved as a model, is found here."""
    with path.open("rb") as file:
        head = file.read(16)
    if path.suffix == ".gguf" or head[:4] == MAGIC:
        is_right = head[:4] == MAGIC
    else:
        is_right = head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size
    if not is_right:
        path.unlink()
        raise Corrupt(
            "what came is not such a file", where=path, do="is the address that of the file itself?"
        )
