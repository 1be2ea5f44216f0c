"""People's labels: make a project, invite people, import tasks, export datasets, see how well people agree.

The commands act in the name of the owner of longest standing: who can write the database's file is the owner.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from nextword import engine
from nextword.cli.options import verb
from nextword.common.errors import BadInput, Corrupt
from nextword.common.progress import Progress
from nextword.common.terminal import printable
from nextword.label.guide import own_guide, own_quiz, read_guide, read_quiz
from nextword.label.harvest import Format
from nextword.label.office import Office
from nextword.label.person import Person, Role
from nextword.label.project import ProjectSettings
from nextword.label.tokens import mint
from nextword.studio.first import found
from nextword.studio.settings import StudioSettings

app = typer.Typer(
    help=__doc__,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

DATABASE = typer.Option(
    "--labels", "--database", help="an SQLite file, or postgresql://...", envvar="NEXTWORD_LABELS"
)
Database = Annotated[str, DATABASE]
Project = Annotated[str, typer.Option(help="the project's name")]
OPEN = (
    "nextword: {host} is open to the network and passwords travel unencrypted; "
    "put a proxy with TLS before it and say --public https://..."
)
FILE, PROJECT = "runs/label/labels.db", "default"


@app.command(help="Make the database, its first owner, and a project with its guide and settings.")
@verb(ProjectSettings)
def init(
    settings: ProjectSettings,
    project: Project = PROJECT,
    database: Database = FILE,
    owner: Annotated[str, typer.Option(help="the first owner's name")] = "owner",
    guide: Annotated[
        list[Path] | None,
        typer.Option(help="the guide, guide.md and guide.ko.md", show_default="our own"),
    ] = None,
    quiz: Annotated[Path | None, typer.Option(help="a quiz on the guide, JSON")] = None,
    no_quiz: Annotated[bool, typer.Option("--no-quiz", help="let people label without a quiz")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read the owner's password from standard input")
    ] = False,
) -> None:
    """Found the office, where it is new, and make the project."""
    questions = read_quiz(quiz) if quiz else () if guide or no_quiz else own_quiz()
    texts = read_guide(guide) if guide else own_guide()
    with Office.open(database, _now) as office:
        actor = office.people.owner() or office.people.found(owner, _password(owner, password_stdin))
        made = office.projects.create(actor, project, texts, settings, questions)
        where = office.database.where
    langs = ", ".join(made.guide.texts)
    print(f"{where}: project {printable(made.name)}, guide version {made.guide.version} ({langs})")


@app.command(help="Serve the pages: guide, queues, write, compare, review, figures. Ctrl-C ends it.")
@verb(StudioSettings)
def serve(
    settings: StudioSettings,
    database: Database = FILE,
    model: Annotated[
        list[str] | None, typer.Option(help="a model for the arena, as `chat` takes it (repeatable)")
    ] = None,
    owner: Annotated[str, typer.Option(help="make the first owner here, and ask for their password")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read the owner's password from standard input")
    ] = False,
) -> None:
    """Open the office, see that somebody can come in, and serve."""
    from nextword.studio.app import label_app  # the web framework, which no other verb of labelling needs
    from nextword.studio.serving import is_loopback, serve

    models = [engine.open(each, assistant=True) for each in model or ()]
    with Office.open(database, _now) as office:
        if owner and office.people.owner() is None:
            found(office, owner, _password(owner, password_stdin))
        secret = "" if office.people.owner() else mint()

        def say(address: str) -> None:
            print(f"labelling at {address} (Ctrl-C ends it)", flush=True)
            if secret:
                print(f"nobody is here yet; the first owner opens {address}/join/{secret}", flush=True)
            if not is_loopback(settings.host) and not settings.is_secure:
                print(OPEN.format(host=settings.host), file=sys.stderr, flush=True)

        serve(label_app(office, settings, models, secret), settings, say)
        print("stopped")


@app.command("import", help="Make tasks of JSON Lines: conversations, prompts, comparisons, proposals.")
def import_(
    files: Annotated[list[Path], typer.Argument(help="record files (.jsonl, also .zst or .xz)")],
    project: Project = PROJECT,
    database: Database = FILE,
    kind: Annotated[str, typer.Option(help="write, correct, compare or rate", show_default="by record")] = "",
    overlap: Annotated[
        int | None, typer.Option(help="people for each task", show_default="the project's")
    ] = None,
    gold: Annotated[
        bool, typer.Option("--gold", help="comparisons with a known answer, to test people")
    ] = False,
) -> None:
    """Import, then say what came of it."""
    with Office.open(database, _now, must_exist=True) as office:
        actor = _owner(office)
        number = office.projects.get(actor, project).id
        for file in files:
            with Progress("import", unit="records") as progress:
                done = office.intake.read(actor, number, file, kind, overlap, gold, progress)
            print(printable(f"{file}: {done}"))


@app.command(help="Let a rule approve drafts that quote their page letter for letter; each record says so.")
def approve(project: Project = PROJECT, database: Database = FILE) -> None:
    """Approve what the rule can; the rest stays for people."""
    from nextword.recipes.approved_by_rule import RULE, approve

    with Office.open(database, _now, must_exist=True) as office:
        actor = _owner(office)
        count = approve(office, actor, office.projects.get(actor, project).id)
    print(f"rule:{RULE}: {count:,} drafts approved")


@app.command(help="Write what the labels say as the next version of a dataset, with its provenance.")
def export(
    out: Annotated[Path, typer.Argument(help="where it goes (.jsonl, also .zst or .xz)")],
    project: Project = PROJECT,
    database: Database = FILE,
    format: Annotated[
        str, typer.Option(help="conversations, comparisons, rated or labels")
    ] = "conversations",
    name: Annotated[str, typer.Option(help="the dataset's name", show_default="its format")] = "",
    source: Annotated[
        list[str] | None, typer.Option(help="only tasks from import, flag, both_bad or arena (repeatable)")
    ] = None,
    no_machines: Annotated[
        bool, typer.Option("--no-machines", help="leave out what machines alone decided")
    ] = False,
) -> None:
    """Export, then say which version it is."""
    with Office.open(database, _now, must_exist=True) as office:
        actor = _owner(office)
        number = office.projects.get(actor, project).id
        chosen: Format = format  # type: ignore[assignment]  # cut() refuses what is none
        made = office.datasets.cut(
            actor, number, name or format, chosen, out, source or (), has_machines=not no_machines
        )
    change = f"{made.added:,} new, {made.removed:,} gone since the version before"
    print(printable(f"{out}: {made.name} version {made.version}, {made.records:,} records ({change})"))


@app.command(
    help="Let a model judge comparisons and ratings: its answers are suggestions until the slider says."
)
def judge(
    model: Annotated[str, typer.Argument(help="a finetuned run or folder, a .gguf file")],
    project: Project = PROJECT,
    database: Database = FILE,
) -> None:
    """Ask the model about every comparison and rating that it has not seen."""
    from nextword.label.model_judge import ModelJudge

    reader = engine.open(model, assistant=True)
    asked = ModelJudge(reader)
    with Office.open(database, _now, must_exist=True) as office, Progress("judge", unit="tasks") as progress:
        actor = _owner(office)
        number = office.projects.get(actor, project).id
        count = office.judges.prelabel(actor, number, asked.name, asked, progress)
    print(printable(f"{asked.name}: {count:,} answers"))
    if asked.too_long:
        print(
            f"left out: {asked.too_long:,} longer than its context of {reader.capabilities.context:,} tokens"
        )


@app.command(help="How well people agree, and what each has done.")
def agreement(project: Project = PROJECT, database: Database = FILE) -> None:
    """Print a line for each question and one for each person."""
    with Office.open(database, _now, must_exist=True) as office:
        actor = _owner(office)
        number = office.projects.get(actor, project).id
        questions, people = office.figures.agreement(actor, number), office.figures.people(actor, number)
    _table(
        ["question", "tasks", "people", "equal", "Cohen", "Fleiss", "alpha"],
        [
            [each.question, each.tasks, each.people, _share(each.share)]
            + [_coefficient(value) for value in (each.cohen, each.fleiss, each.alpha)]
            for each in questions
        ],
    )
    _table(
        ["person", "labels", "minutes", "gold", "equal to others"],
        [
            [
                each.name,
                each.submitted,
                f"{each.minutes:.0f}",
                f"{each.gold_right}/{each.gold}",
                _share(each.agreement),
            ]
            for each in people
        ],
    )


@app.command(help="Print an invitation: whoever opens the link chooses a name and a password.")
def invite(
    role: Annotated[str, typer.Option(help="labeller, reviewer or owner")] = "labeller",
    days: Annotated[float, typer.Option(help="how long it holds")] = 7,
    uses: Annotated[int, typer.Option(help="how many people may use it")] = 1,
    address: Annotated[str, typer.Option(help="where the studio is served")] = "http://127.0.0.1:8000",
    database: Database = FILE,
) -> None:
    """Print one link."""
    with Office.open(database, _now, must_exist=True) as office:
        chosen: Role = role  # type: ignore[assignment]  # invite() refuses what is none
        token = office.people.invite(_owner(office), chosen, days, uses)
    print(f"{address.rstrip('/')}/join/{token}")


@app.command(help="List people; close an account, or set a password that was forgotten.")
def users(
    retire: Annotated[str, typer.Option(help="close this person's account")] = "",
    reset: Annotated[str, typer.Option(help="set this person's password")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read the new password from standard input")
    ] = False,
    database: Database = FILE,
) -> None:
    """Change what was asked for, then print everybody."""
    with Office.open(database, _now, must_exist=True) as office:
        actor = _owner(office)
        if retire:
            office.people.retire(actor, office.people.named(retire).id)
        if reset:
            person = office.people.named(reset)
            office.people.reset_password(actor, person.id, _password(reset, password_stdin))
        accounts = office.people.accounts(actor)
    _table(
        ["name", "pseudonym", "role", "since", ""],
        [
            [
                each.person.name,
                each.person.pseudonym,
                "machine" if each.person.is_machine else each.person.role,
                f"{each.created:%Y-%m-%d}",
                "" if each.is_active else "closed",
            ]
            for each in accounts
        ],
    )


@app.command(help="Check that nothing in the audit was rewritten; exit code 2 when something was.")
def audit(database: Database = FILE) -> None:
    """Verify the chain."""
    with Office.open(database, _now, must_exist=True) as office:
        found, where = office.audit.verify(), office.database.where
    if found.problems:
        raise Corrupt("; ".join(found.problems[:5]), where=where, do="restore a backup")
    print(f"{where}: {found.entries:,} entries, none altered, the last {found.head[:16]}")


def _now() -> datetime:
    return datetime.now(UTC)


def _owner(office: Office) -> Person:
    owner = office.people.owner()
    if owner is None:
        raise BadInput("nobody is here yet", do="make an owner with `nextword label init`")
    return owner


def _password(name: str, is_piped: bool) -> str:
    if is_piped:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt(f"password for {name}", hide_input=True, confirmation_prompt=True))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _coefficient(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _table(headings: list[str], rows: list[list[object]]) -> None:
    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(printable(str(cell)) for cell in row))
    Console(markup=False).print(table)
